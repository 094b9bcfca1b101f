"""What readers of pages have, by its name, in small: sounds, tables, questions, scripts."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import audiocls
from helpers.audio import uniform_noise, write_wav

if TYPE_CHECKING:
    from helpers.page_desk import Desk

RATE = 16000
QUESTION = """
name: {name}
question: Does another rate help?
recipe: {recipe}
factors: {{optim.lr: [2.0e-4, 7.0e-3]}}
blocks: {{seed: [0, 1], fold: [1]}}
"""
SWEEP = """
method: grid
program: train.py
metric: {name: val_acc, goal: maximize}
parameters: {lr: {values: [0.1, 0.2]}}
"""
TRAIN = """
import random, sys

import audiocls

luck = random.Random(str(sys.argv[1:]))
audiocls.report_result(val_acc=0.7 + luck.gauss(0, 0.01))
"""


def sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = crc32(str(path).encode())
    write_wav(path, uniform_noise(RATE // 2, peak=0.3, seed=seed), RATE)


def sounds(desk: "Desk", path: Path) -> None:
    for number in range(2):
        sound(path / f"{number}.wav")


def clips(desk: "Desk", path: Path) -> None:
    sounds(desk, path)
    classes(path)


def classes(root: Path, *parts: str) -> None:
    """Write sounds of two classes by six speakers, in each of some splits."""
    for part in parts or ("",):
        for word in ("one", "two"):
            for speaker in ("ann", "bob", "cat", "dan", "eve", "fay"):
                file = root / part / word / f"{speaker}{part}_{word}.wav"
                sound(file)


def with_unseen(root: Path) -> None:
    classes(root, "train", "val", "test", "test_unseen")


def train_and_test(root: Path) -> None:
    classes(root, "train", "test")


def farm(root: Path) -> None:
    """Write a list as the page's own function reads it."""
    classes(root)
    names = sorted(str(file.relative_to(root)) for file in root.rglob("*.wav"))
    rows = [f"{name},{'cow' if 'one' in name else 'hen'},{name[4:7]}" for name in names]
    (root / "list.csv").write_text("\n".join(["file,species,farm", *rows]) + "\n")


def results(desk: "Desk", path: Path) -> None:
    """Write a table of two models on ten seeds, each on a fold, under many names of its columns."""
    rows = ["model,net,seed,fold,accuracy,acc,val_acc"]
    for model, gain in (("ast", 0.05), ("cnn", 0.0)):
        for cell in range(10):
            value = 0.7 + gain + 0.001 * cell
            rows.append(f"{model},{model},{cell},{cell % 5 + 1},{value},{value},{value}")
    path.write_text("\n".join(rows) + "\n")


def listed(desk: "Desk", path: Path) -> None:
    """Write a list of clips with the labels of the embedded data."""
    small = {"data.num_sources": 5, "data.clips_per_source": 1}
    audiocls.make_data("synthetic", out="embedded", set=small)
    with Path("embedded/manifest.csv").open() as file:
        rows = [f"embedded/{row['path']},{row['label']}\n" for row in csv.DictReader(file)]
    path.write_text("path,label\n" + "".join(rows))


def exported(desk: "Desk", path: Path) -> None:
    desk.need_study("dropout")
    audiocls.export("dropout:best", path)


def weights(desk: "Desk", path: Path) -> None:
    trial = Path("runs/dropout/trials", desk.a_trial())
    shutil.copy(trial / "checkpoint.safetensors", path)
    shutil.copy(trial / "checkpoint.json", path.with_suffix(".json"))


def script(desk: "Desk", path: Path) -> None:
    path.write_text(TRAIN)


def sweep(desk: "Desk", path: Path) -> None:
    path.write_text(SWEEP)
    desk.need("train.py")


def question(desk: "Desk", path: Path) -> None:
    recipe = "mine" if Path("recipes/mine.yaml").exists() else "logmel-cnn"
    path.write_text(QUESTION.format(name=path.stem, recipe=recipe))


def encoder(desk: "Desk", path: Path) -> None:
    from helpers.encoders import tiny_encoder  # it imports torch

    tiny_encoder(path.name, path)


MADE: dict[str, Callable[["Desk", Path], None]] = {
    r"\.wav$": lambda _, path: sound(path),
    r"^clips/?$": clips,
    r"^birds$": lambda _, path: classes(path),
    r"^((new-)?recordings|AUDIOSET)/?$": sounds,
    r"^results\.csv$": results,
    r"^new\.csv$": listed,
    r"\.onnx$": exported,
    r"^tiny/\w+$": encoder,
    r"\.safetensors$": weights,
    r"^train\.py$": script,
    r"sweep\.yaml$": sweep,
    r"^[\w./-]+\.yaml$": question,
}
"""Pattern of what is named → how it is made; the first that fits counts."""
ROOTS: dict[str, Callable[[Path], None]] = {
    "words": with_unseen,
    "scenes": train_and_test,
    "birds": classes,
    "farm": farm,
}
"""Folders of sounds that a page describes, by name; others are as their data set has them."""
