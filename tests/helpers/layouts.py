"""A few clips of noise, laid out as each data set has its files."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from helpers.audio import uniform_noise, write_wav

RATE = 8000


def write_noise(path: Path, seed: int) -> None:
    write_wav(path, uniform_noise(2000, peak=0.1, seed=seed), RATE)


def esc50(root: Path) -> None:
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in range(1, 6):
        for target in (0, 7):
            name = f"{fold}-{fold}{target}-A-{target}.wav"
            write_noise(root / "audio" / name, 10 * fold + target)
            rows.append(f"{name},{fold},{target},class{target},True,{fold}{target},A")
    (root / "meta").mkdir()
    (root / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")


def speechcommands(root: Path) -> None:
    for i, word in enumerate(("no", "yes")):
        for j, speaker in enumerate(("aa", "bb", "cc")):
            write_noise(root / word / f"{speaker}_nohash_0.wav", 10 * i + j)
    for speaker, file in (("bb", "validation_list.txt"), ("cc", "testing_list.txt")):
        lines = (f"{word}/{speaker}_nohash_0.wav\n" for word in ("no", "yes"))
        (root / file).write_text("".join(lines))


def folder(root: Path) -> None:
    rows = ["path,label,source"]
    for i in range(12):
        write_noise(root / "sounds" / f"{i}.wav", i)
        rows.append(f"sounds/{i}.wav,{'ab'[i % 2]},s{i // 2}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")


def urbansound8k(root: Path) -> None:
    rows = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for fold in range(1, 11):
        for class_id in (0, 3):
            recording = 10 * fold + class_id
            name = f"{recording}-{class_id}-0-0.wav"
            write_noise(root / "audio" / f"fold{fold}" / name, recording)
            rows.append(f"{name},{recording},0.0,0.25,1,{fold},{class_id},class{class_id}")
    (root / "metadata").mkdir()
    (root / "metadata" / "UrbanSound8K.csv").write_text("\n".join(rows) + "\n")


def audioset(root: Path) -> None:
    classes = ["index,mid,display_name", '0,/m/a,"Speech, male"', "1,/m/b,Music"]
    (root / "class_labels_indices.csv").write_text("\n".join(classes) + "\n")
    for seed, (name, count) in enumerate(
        {"balanced_train": 30, "eval": 3, "unbalanced_train": 3}.items()
    ):
        lines = ["# YTID, start_seconds, end_seconds, positive_labels"]
        for i in range(count):
            video = f"{name[:4]}{i:07d}"
            write_noise(root / "audio" / f"{video}.wav", 100 * seed + i)
            mids = ("/m/a", "/m/b", "/m/b,/m/a")[i % 3]
            lines.append(f'{video}, 30.000, 40.000, "{mids}"')
        (root / f"{name}_segments.csv").write_text("\n".join(lines) + "\n")


def shards(root: Path) -> None:
    for number in range(2):
        with tarfile.open(root / f"part-{number}.tar", "w") as tar:
            for i in range(6):
                write_noise(root / "clip.wav", 6 * number + i)
                tar.add(root / "clip.wav", f"{number}{i}.wav")
                label = tarfile.TarInfo(f"{number}{i}.cls")
                label.size = 1
                tar.addfile(label, io.BytesIO(b"ab"[i % 2 : i % 2 + 1]))
    (root / "clip.wav").unlink()


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "esc50": esc50,
    "speechcommands": speechcommands,
    "folder": folder,
    "urbansound8k": urbansound8k,
    "audioset": audioset,
    "shards": shards,
}
