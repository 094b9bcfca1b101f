"""The field's words for what a recipe or an ablation calls by a key of its own.

Other tools write `learning_rate`, `--batch` or `early_stopping: true`; here these are `optim.lr`,
`train.batch_size` and `train.patience`. A meaning is a key, or a key with the value that makes it
so: `augment.mixes=[mixup]`.
"""

from collections.abc import Collection

_MEANINGS: dict[str, tuple[str, ...]] = {
    "augment.background": ("background noise", "musan"),
    "augment.equalise": ("filteraugment", "filter augment", "random eq", "equalizer"),
    "augment.feature_mixup": ("manifold mixup", "mixup alpha"),
    "augment.freq_mask": ("specaugment", "specaug", "frequency mask", "frequency masking"),
    "augment.gain_db": ("gain", "volume"),
    "augment.mixes=[cutmix]": ("cutmix",),
    "augment.mixes=[freqmix]": ("freqmix",),
    "augment.mixes=[mixup]": ("mixup",),
    "augment.mixes=[phasemix]": ("phasemix",),
    "augment.mixes=[timemix]": ("timemix",),
    "augment.noise_snr_db": ("snr",),
    "augment.noises=[white]": ("noise", "gaussian noise", "white noise", "additive noise"),
    "augment.resample_p=0.5": (
        "pitch", "pitch shift", "speed", "speed perturbation", "speed perturb", "resample",
    ),
    "augment.roll": ("circular shift", "time roll", "random roll"),
    "augment.shift_s": ("shift", "time shift", "random shift"),
    "augment.stretch": ("stretch", "time stretch", "time warp", "stretching"),
    "augment.time_mask": ("specaugment", "specaug", "time masking"),
    "augment.transforms": ("transform", "augmentation", "augmentations"),
    "augment.transforms=[room]": ("reverb", "reverberation", "room impulse response", "rir"),
    "averaging.name=ema": ("ema", "exponential moving average", "model ema"),
    "averaging.name=swa": ("swa", "stochastic weight averaging"),
    "blocks.fold": ("fold", "folds", "cv", "cross validation", "test folds"),
    "blocks.seed": ("seed", "seeds", "random seed", "random state", "repeats", "num seeds"),
    "budget.max_params": ("max parameters", "num params", "parameter budget"),
    "data.duration_s": ("duration", "clip length", "clip duration", "audio length", "seconds"),
    "data.labels": ("classes", "class names"),
    "data.name": ("dataset", "data set", "corpus"),
    "data.root": ("root", "data root", "data dir", "data path", "dataset path", "data folder"),
    "data.sample_rate": ("sample rate", "sampling rate", "sr", "resample rate", "target sr"),
    "design": ("design type", "method"),
    "distil.teacher": ("teacher", "distillation", "knowledge distillation", "kd", "distill"),
    "factors": ("parameters", "params", "levels", "grid", "search space", "factor", "variables"),
    "features.f_max": ("fmax", "max frequency"),
    "features.f_min": ("fmin", "min frequency"),
    "features.hop": ("hop length", "hop size", "frame shift", "win hop"),
    "features.n_fft": ("nfft", "fft size", "fft"),
    "features.n_mels": ("nmels", "num mels", "mel bins", "num mel bins", "mels"),
    "features.name": ("front end", "feature", "feature extractor", "input features", "frontend"),
    "features.name=mfcc": ("mfcc",),
    "features.normalise": ("normalization", "normalisation", "normalize", "standardize"),
    "fold": ("fold", "folds", "test fold"),
    "freeze=true": ("frozen", "freeze backbone", "linear probe", "freeze encoder"),
    "init_from": ("checkpoint", "pretrained", "weights", "init", "finetune", "fine tune", "resume"),
    "metric.name": ("metric", "monitor", "objective", "score"),
    "model.activation": ("activation", "act", "nonlinearity"),
    "model.blocks": ("depth", "num blocks"),
    "model.channels": ("width", "num channels", "num filters"),
    "model.depth": ("depth",),
    "model.depths": ("depth", "num blocks"),
    "model.dropout": ("dropout", "drop", "drop rate", "dropout rate", "p dropout"),
    "model.groups": ("groups", "num groups", "conv groups"),
    "model.kernel": ("kernel", "kernel size"),
    "model.name": ("model", "network", "net", "architecture", "arch", "backbone", "encoder"),
    "model.stochastic_depth": ("drop path", "droppath", "stochastic depth"),
    "model.layers": ("depth", "num layers", "n layers"),
    "model.width": ("width", "hidden size", "hidden dim", "d model"),
    "model.widths": ("width",),
    "optim.betas": ("betas", "beta"),
    "optim.lr": ("lr", "learning rate", "max lr", "base lr", "initial lr", "peak lr", "eta"),
    "optim.momentum": ("momentum",),
    "optim.name": ("optim", "optimizer", "optimiser", "opt", "solver"),
    "optim.weight_decay": ("weight decay", "wd", "l2", "decay"),
    "overrides": ("override", "overrides", "set", "config", "fixed", "constants"),
    "pretraining.data": ("pretrain data", "pretraining", "pretrain"),
    "question": ("description", "title", "hypothesis"),
    "recipe": ("base", "base recipe", "base config", "experiment", "defaults"),
    "sam.adaptive=true": ("asam", "adaptive sam"),
    "sam.rho=0.05": ("sam", "sharpness aware minimization", "rho"),
    "schedule.name": ("scheduler", "lr scheduler", "lr schedule", "learning rate schedule"),
    "schedule.warmup_epochs": ("warmup", "warmup steps"),
    "secondary": ("metrics", "further metrics", "secondary metrics"),
    "seed": ("seed", "seeds", "random seed", "random state"),
    "ssl.mode": ("self supervision", "self supervised", "contrastive", "simclr", "cola"),
    "stats.alpha": ("alpha", "significance", "p value"),
    "stats.correction": ("correction", "holm"),
    "stats.margin": ("margin", "equivalence margin", "min effect"),
    "train.accumulate": (
        "accumulation", "gradient accumulation", "accumulate grad batches", "grad accum",
    ),
    "train.balanced=true": ("balanced", "class weights", "balanced sampling", "oversampling"),
    "train.batch_size": ("batch", "batch size", "bs", "minibatch"),
    "train.clip_norm": (
        "clip", "gradient clipping", "grad clip", "gradient clip val", "max grad norm", "clipping",
    ),
    "train.epochs": ("epochs", "num epochs", "max epochs", "n epochs", "epoch", "iterations"),
    "train.label_smoothing": ("label smoothing", "smoothing"),
    "train.loss": ("loss", "criterion", "loss function", "loss fn"),
    "train.loss=focal": ("focal", "focal loss"),
    "train.patience": ("early stopping", "early stop", "patience", "es patience"),
    "train.precision": ("precision", "amp", "mixed precision", "autocast"),
    "train.precision=bf16": ("bf16", "bfloat16"),
    "train.precision=fp16": ("fp16", "half", "float16"),
}  # fmt: skip
"""Meaning → the words for it, without regard to case, underscores and hyphens."""

_OPTIONS: dict[str, tuple[str, ...]] = {
    "--workers": ("workers", "num workers", "n workers", "n jobs", "num processes"),
    "--devices": ("gpu", "gpus", "devices", "num gpus", "cuda", "accelerator"),
    "--wandb": ("wandb", "logger", "tracking", "report to"),
}
"""Option of `sweep launch` and `train` → words for it: no trial's numbers depend on these."""

NEEDED: dict[str, str] = {"sam.adaptive=true": "sam.rho=0.5"}
"""Meaning → what it has no effect without, and the value of its paper (ASAM: Kwon et al., 2021)."""


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word.lower()))


_BY_WORD: dict[str, list[str]] = {}
for _meaning, _words in _MEANINGS.items():
    for _word in _words:
        _BY_WORD.setdefault(_plain(_word), []).append(_meaning)


def meanings(word: str) -> list[str]:
    """Return what a word of the field is called here; none where it is no such word.

    >>> meanings("learning_rate"), meanings("MixUp"), meanings("xyzzy")
    (['optim.lr'], ['augment.mixes=[mixup]'], [])
    """
    return _BY_WORD.get(_plain(word), [])


def option_meant(word: str) -> str:
    """Return the option of a launch that a word means; empty where it means none.

    >>> option_meant("num_workers"), option_meant("lr")
    ('--workers', '')
    """
    plain = _plain(word)
    found = (option for option, words in _OPTIONS.items() if plain in map(_plain, words))
    return next(found, "")


def keys_meant(word: str, known: Collection[str]) -> list[str]:
    """Return those meanings of a word whose keys are known, then known keys that end in it.

    >>> keys_meant("batch", ["train.batch_size"]), keys_meant("rho", ["sam.rho"])
    (['train.batch_size'], ['sam.rho=0.05'])
    """
    meant = [each for each in meanings(word) if each.partition("=")[0] in known]
    return meant or [key for key in known if key.rpartition(".")[2] == word]
