"""Examples at the end of each command's help; every one parses, which a test checks."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "ablation list": ("audiocls ablation list --json",),
    "ablation new": (
        "audiocls ablation new drop --recipe logmel-cnn --factor model.dropout=0.1,0.2",
        "audiocls ablation new both --recipe mine.yaml --factor mixup --factor sam=0.05,0.1",
    ),
    "ablation plan": ("audiocls ablation plan dropout --seeds 0..4",),
    "ablation register": (
        "audiocls ablation register dropout",
        "audiocls ablation register dropout --push --project audio",
    ),
    "ablation show": ("audiocls ablation show dropout",),
    "data check": ("audiocls data check folder --set data.root=clips",),
    "data fetch": ("audiocls data fetch esc50 --root data",),
    "data list": ("audiocls data list",),
    "data make": ("audiocls data make synthetic --out data/synthetic",),
    "data manifest": ("audiocls data manifest clips --out clips/manifest.csv",),
    "doctor": ("audiocls doctor --json",),
    "evaluate": (
        "audiocls evaluate dropout:best --split val",
        "audiocls evaluate model.safetensors --manifest new.csv --out scores.csv",
    ),
    "export": ("audiocls export dropout:best --out model.onnx",),
    "import": (
        "audiocls import results.csv --arm model --baseline ast --seed seed --metric accuracy "
        "--goal maximize",
        "audiocls import me/project --arm optimizer --baseline adam --seed seed --metric acc "
        "--goal maximize",
    ),
    "noise": ("audiocls noise dropout --seeds 0..4",),
    "parts list": ("audiocls parts list models",),
    "predict": (
        "audiocls predict dropout:best clips/*.wav --top 3",
        "audiocls predict runs/dropout/trials/1a2b3c4d5e6f clips --format csv --out labels.csv",
        "audiocls predict model.onnx clips",
    ),
    "recipe copy": ("audiocls recipe copy logmel-cnn mine.yaml",),
    "recipe list": ("audiocls recipe list",),
    "recipe show": ("audiocls recipe show logmel-cnn",),
    "report": (
        "audiocls report dropout",
        "audiocls report dropout --format html --out dropout.html",
        "audiocls report dropout dropout-esc50",
    ),
    "serve": ("audiocls serve --runs runs --port 8000",),
    "show": ("audiocls show logmel-cnn model.dropout=0.1",),
    "study archive": ("audiocls study archive dropout --out dropout.tar.gz",),
    "study delete": ("audiocls study delete dropout --yes",),
    "study list": ("audiocls study list",),
    "study rename": ("audiocls study rename dropout dropout-2026",),
    "sweep agent": ("audiocls sweep agent me/audio/abc12345 --workers 2",),
    "sweep import": ("audiocls sweep import me/audio/abc12345 --study before",),
    "sweep launch": (
        "audiocls sweep launch dropout --set data.name=folder --set data.root=clips",
        "audiocls sweep launch ./mine.yaml --seeds 0..4 --workers 2",
        "audiocls sweep launch dropout --until-decided --max-pairs 60",
    ),
    "sweep list": ("audiocls sweep list",),
    "sweep logs": ("audiocls sweep logs dropout --follow",),
    "sweep plan": ("audiocls sweep plan dropout --effect 0.02",),
    "sweep retry": ("audiocls sweep retry dropout",),
    "sweep show": ("audiocls sweep show tune_logmel_cnn",),
    "sweep status": ("audiocls sweep status dropout",),
    "sweep stop": ("audiocls sweep stop dropout",),
    "sweep sync": ("audiocls sweep sync dropout --project audio",),
    "sweep watch": ("audiocls sweep watch dropout",),
    "train": (
        "audiocls train --recipe logmel-cnn optim.lr=1e-3",
        "audiocls train --ablation dropout arm=baseline seed=0 fold=1",
    ),
}
"""Words of a command → lines that one can copy."""
