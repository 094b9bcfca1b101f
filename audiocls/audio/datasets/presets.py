"""Folders as public data sets and tools lay them out, told apart by the files they hold.

A preset knows where the lists are, what their columns mean, and where the audio is.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from audiocls.audio.datasets.cells import SPLIT_NAMES, Reading, Row
from audiocls.audio.datasets.columns import Columns
from audiocls.audio.datasets.layout import read_csv
from audiocls.audio.datasets.manifests import below, read_manifest
from audiocls.audio.datasets.rows import Listed
from audiocls.audio.listing import Remark
from audiocls.errors import DataError, UsageError

PresetName = Literal["auto", "fsd50k", "dcase", "birdclef", "audiofolder"]
METADATA = ("metadata.csv", "metadata.jsonl")
"""The list of Hugging Face's `audiofolder`."""
_BIRDS = ("train_metadata.csv", "train.csv")
_BIRD_AUDIO = ("train_audio", "train_short_audio")
_FOLD_LIST = re.compile(r"fold(\d+)_(train|test|evaluate)\.(csv|txt)")


def detected(root: Path) -> list[str]:
    """Return the presets whose files are in `root`."""
    return [name for name, preset in PRESETS.items() if preset[0](root)]


def read_preset(name: str, root: Path, given: Columns, reading: Reading) -> Listed:
    """Return the rows of a folder in the layout `name`; their paths are relative to `root`.

    Raises:
        DataError: it is another layout, or an error in a list.
        UsageError: the layout has several labels a clip, and one was asked for.
    """
    is_there, read = PRESETS[name]
    if not is_there(root):
        raise DataError(f"{root}: this is not the layout of data.preset={name}: {_LAYOUTS[name]}")
    listed = read(root, given, reading)
    remark = Remark("preset", f"read as {name}: {_LAYOUTS[name]}")
    return Listed(listed.where, listed.roles, listed.rows, (remark, *listed.remarks))


def _is_fsd50k(root: Path) -> bool:
    return (root / "FSD50K.ground_truth" / "dev.csv").is_file()


def _read_fsd50k(root: Path, given: Columns, reading: Reading) -> Listed:
    """E. Fonseca et al., FSD50K (2022): `dev.csv` has a split, `eval.csv` is the test split."""
    if not reading.is_multi_label:
        raise UsageError("FSD50K has several labels a clip: --set data.labels=multi")
    truth = root / "FSD50K.ground_truth"
    dev = read_manifest(truth / "dev.csv", given, reading)
    parts = [(below(dev, "FSD50K.dev_audio"), "")]
    if (truth / "eval.csv").is_file():
        test = read_manifest(truth / "eval.csv", given, reading)
        parts.append((below(test, "FSD50K.eval_audio"), "test"))
    rows = [
        {**row, "path": f"{row['path']}.wav", "split": split or row.get("split", "train")}
        for listed, split in parts
        for row in listed.rows.values()
    ]
    return _numbered(truth, rows, dev.remarks)


def _is_dcase(root: Path) -> bool:
    setup = root / "evaluation_setup"
    return (root / "meta.csv").is_file() and setup.is_dir() and bool(_fold_lists(setup))


def _fold_lists(setup: Path) -> dict[int, dict[str, Path]]:
    """Return the lists of each fold by what they are for."""
    lists: dict[int, dict[str, Path]] = {}
    for path in sorted(setup.iterdir()):
        if match := _FOLD_LIST.fullmatch(path.name):
            lists.setdefault(int(match[1]), {})[match[2]] = path
    return lists


def _read_dcase(root: Path, given: Columns, reading: Reading) -> Listed:
    """Acoustic scenes of DCASE: `meta.csv`, and lists of training and test clips for each fold.

    With one fold its lists are the splits; with more, a clip's fold is the one that tests it.
    """
    columns = given if given.source else given.model_copy(update={"source": "identifier"})
    if "identifier" not in read_csv(root / "meta.csv").columns:
        columns = given
    listed = read_manifest(root / "meta.csv", columns, reading)
    lists = _fold_lists(root / "evaluation_setup")
    side_of: dict[str, Row] = {}
    for fold, files in lists.items():
        tested = _paths(files.get("evaluate") or files.get("test"))
        trained = _paths(files.get("train")) if len(lists) == 1 else []
        side_of |= {path: {"split": "train"} for path in trained}
        side = {"split": "test"} if len(lists) == 1 else {"fold": str(fold)}
        side_of |= dict.fromkeys(tested, side)
    rows = [row | side_of[row["path"]] for row in listed.rows.values() if row["path"] in side_of]
    num_left = len(listed.rows) - len(rows)
    left = Remark("not in a fold", f"{num_left} clips of meta.csv are in no fold, and not read")
    return _numbered(root / "meta.csv", rows, (*listed.remarks, *([left] if num_left else [])))


def _paths(file: Path | None) -> list[str]:
    if file is None:
        return []
    table = read_csv(file)
    return [row[table.columns[0]] for row in table.rows.values()]


def _is_birdclef(root: Path) -> bool:
    return any((root / list_).is_file() for list_ in _BIRDS) and any(
        (root / folder).is_dir() for folder in _BIRD_AUDIO
    )


def _read_birdclef(root: Path, given: Columns, reading: Reading) -> Listed:
    """BirdCLEF: `filename`, `primary_label`, `secondary_labels`; whoever recorded is the source."""
    path = next(root / list_ for list_ in _BIRDS if (root / list_).is_file())
    columns = given
    if "author" in read_csv(path).columns and not (given.source or reading.source):
        columns = given.model_copy(update={"source": "author"})
    listed = read_manifest(path, columns, reading)
    audio = next(folder for folder in _BIRD_AUDIO if (root / folder).is_dir())
    rows = [{**row, "path": f"{audio}/{_bird(root / audio, row)}"} for row in listed.rows.values()]
    return _numbered(path, rows, listed.remarks)


def _bird(audio: Path, row: Row) -> str:
    """Return where a recording is: in 2021 its list left the folder of the species out."""
    inside = f"{row['label']}/{row['path']}"
    return inside if "/" not in row["path"] and (audio / inside).is_file() else row["path"]


def _is_audiofolder(root: Path) -> bool:
    return _list_in(root) is not None or bool(_split_lists(root))


def _list_in(folder: Path) -> Path | None:
    return next((folder / name for name in METADATA if (folder / name).is_file()), None)


def _split_lists(root: Path) -> dict[str, Path]:
    """Return the lists inside of folders that are called as splits."""
    folders = sorted(each for each in root.iterdir() if each.name.lower() in SPLIT_NAMES)
    lists = {each.name: _list_in(each) for each in folders}
    return {name: path for name, path in lists.items() if path is not None}


def _read_audiofolder(root: Path, given: Columns, reading: Reading) -> Listed:
    """Hugging Face's `audiofolder`: `file_name` in one list, or in one of each split's folder."""
    if (path := _list_in(root)) is not None:
        listed = read_manifest(path, given, reading)
        tops = [PurePosixPath(row["path"]).parts[:1] for row in listed.rows.values()]
        has_splits = all(top and top[0].lower() in SPLIT_NAMES for top in tops)
        if has_splits and not {"split", "fold"} & set(listed.roles):
            pairs = zip(listed.rows.values(), tops, strict=True)
            rows = [{**row, "split": top[0].lower()} for row, top in pairs]
            return _numbered(listed.where, rows, listed.remarks)
        return listed
    remarks: tuple[Remark, ...] = ()
    rows = []
    for split, inside in _split_lists(root).items():
        part = below(read_manifest(inside, given, reading), split)
        rows += [{**row, "split": split.lower()} for row in part.rows.values()]
        remarks = part.remarks
    return _numbered(root, rows, remarks)


def _numbered(where: Path, rows: list[Row], remarks: tuple[Remark, ...]) -> Listed:
    if not rows:
        raise DataError(f"{where}: no row of it is a clip of a split or a fold")
    return Listed(where, tuple(rows[0]), dict(enumerate(rows, 1)), remarks)


Reader = Callable[[Path, Columns, Reading], Listed]
PRESETS: Mapping[str, tuple[Callable[[Path], bool], Reader]] = {
    "fsd50k": (_is_fsd50k, _read_fsd50k),
    "dcase": (_is_dcase, _read_dcase),
    "birdclef": (_is_birdclef, _read_birdclef),
    "audiofolder": (_is_audiofolder, _read_audiofolder),
}
_LAYOUTS = {
    "fsd50k": "FSD50K.ground_truth/dev.csv and eval.csv, FSD50K.dev_audio/ and FSD50K.eval_audio/",
    "dcase": "meta.csv, evaluation_setup/fold1_train.csv and fold1_evaluate.csv, audio/",
    "birdclef": f"{' or '.join(_BIRDS)}, {' or '.join(_BIRD_AUDIO)}/",
    "audiofolder": f"{' or '.join(METADATA)} with file_name, beside clips or in train/, test/ …",
}
assert {"auto", *PRESETS} == set(get_args(PresetName)), "a preset is known by one name"
