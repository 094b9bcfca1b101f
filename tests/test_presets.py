"""Public layouts are recognised by their files, and read without a word of configuration."""

from pathlib import Path

import pytest
from helpers.own_data import facts, refusal, sounds, table, told

from audiocls.audio.datasets import Folder


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def fsd50k(root: Path) -> None:
    sounds(root, *(f"FSD50K.dev_audio/{i}.wav" for i in range(4)))
    sounds(root, *(f"FSD50K.eval_audio/{i}.wav" for i in range(10, 12)))
    truth = root / "FSD50K.ground_truth"
    rows = [f'{i},"Bark,Dog",/m/1,{"train" if i < 3 else "val"}' for i in range(4)]
    text(truth / "dev.csv", "fname,labels,mids,split", *rows)
    text(truth / "eval.csv", "fname,labels,mids", *(f"{i},Meow,/m/2" for i in range(10, 12)))


def dcase(root: Path, num_folds: int = 1) -> None:
    names = [f"audio/{('park', 'bus')[i % 2]}-{i // 2}-{i}.wav" for i in range(8)]
    sounds(root, *names)
    labels = [("park", "bus")[i % 2] for i in range(8)]
    pairs = list(zip(names, labels, strict=True))
    identified = [f"{n}\t{label}\tcity-{i // 2}\ta" for i, (n, label) in enumerate(pairs)]
    text(root / "meta.csv", "filename\tscene_label\tidentifier\tsource_label", *identified)
    for fold in range(1, num_folds + 1):
        tested = pairs[4:6] if num_folds == 1 else pairs[2 * fold - 2 : 2 * fold]
        trained = pairs[:4] if num_folds == 1 else [p for p in pairs if p not in tested]
        for kind, chosen in (("train", trained), ("evaluate", tested)):
            lines = [f"{name}\t{label}" for name, label in chosen]
            text(
                root / "evaluation_setup" / f"fold{fold}_{kind}.csv",
                "filename\tscene_label",
                *lines,
            )


def birdclef(root: Path) -> None:
    birds = [f"{bird}/XC{i}.ogg" for i, bird in enumerate(["robin", "wren"] * 6)]
    sounds(root, *(f"train_audio/{bird}" for bird in birds))
    header = "primary_label,secondary_labels,latitude,author,filename"
    rows = [f"""{b[: b.index("/")]},"['wren']",1.5,A{i // 2},{b}""" for i, b in enumerate(birds)]
    text(root / "train_metadata.csv", header, *rows)


def test_fsd50k_has_several_labels_and_its_own_splits(tmp_path):
    fsd50k(tmp_path)
    assert "--set data.labels=multi" in refusal(Folder(root=str(tmp_path)))
    data = Folder(root=str(tmp_path), labels="multi")
    found = facts(data)
    assert found[0] == ("FSD50K.dev_audio/0.wav", ("Bark", "Dog"), "train")
    assert [side for _, _, side in found] == ["train"] * 3 + ["val"] + ["test"] * 2
    assert "read as fsd50k" in told(data)["preset"]


def test_dcase_with_one_fold_has_splits_and_with_more_has_folds(tmp_path):
    dcase(tmp_path / "one")
    data = Folder(root=str(tmp_path / "one"), val={"share": 0.3})
    sides = {side for _, _, side in facts(data)}
    assert sides == {"train", "val", "test"}
    assert {clip.source for clip in table(data).clips} == {"city-0", "city-1", "city-2"}
    assert "2 clips of meta.csv are in no fold" in told(data)["not in a fold"]
    dcase(tmp_path / "four", num_folds=4)
    assert [side for _, _, side in facts(Folder(root=str(tmp_path / "four")))] == [
        f"fold {i // 2 + 1}" for i in range(8)
    ]


def test_birdclef_is_grouped_by_who_recorded_and_has_secondary_labels_on_demand(tmp_path):
    birdclef(tmp_path)
    data = Folder(root=str(tmp_path))
    assert table(data).labels == ("robin", "wren")
    assert {clip.source for clip in table(data).clips} == {f"A{i}" for i in range(6)}
    assert "'secondary_labels'" in told(data)["columns"]
    multi = Folder(root=str(tmp_path), labels="multi", columns={"also": "secondary_labels"})
    assert facts(multi)[0][1] == ("robin", "wren")


@pytest.mark.parametrize("is_split", [False, True], ids=["one list", "a list a split"])
def test_an_audiofolder_of_hugging_face_has_the_splits_of_its_folders(is_split, tmp_path):
    splits = ("train", "validation", "test")
    sounds(tmp_path, *(f"{split}/{i}.wav" for split in splits for i in range(2)))
    for split in splits if is_split else ():
        text(tmp_path / split / "metadata.csv", "file_name,label", "0.wav,a", "1.wav,b")
    if not is_split:
        rows = [f"{split}/{i}.wav,{'ab'[i]}" for split in splits for i in range(2)]
        text(tmp_path / "metadata.csv", "file_name,label", *rows)
    found = facts(Folder(root=str(tmp_path)))
    assert sorted(side for _, _, side in found) == ["test", "test", "train", "train", "val", "val"]


def test_metadata_in_json_lines_is_read_and_a_torn_line_refused(tmp_path):
    sounds(tmp_path, *(f"{i}.wav" for i in range(6)))
    lines = [f'{{"file_name": "{i}.wav", "labels": ["a", "{"bc"[i % 2]}"]}}' for i in range(6)]
    text(tmp_path / "metadata.jsonl", *lines)
    assert facts(Folder(root=str(tmp_path), labels="multi"))[1][1] == ("a", "c")
    text(tmp_path / "metadata.jsonl", *lines, "[1]")
    assert "an object a line" in refusal(Folder(root=str(tmp_path)))


def test_two_layouts_at_once_are_refused_by_name_and_a_preset_that_is_not_there_too(tmp_path):
    birdclef(tmp_path)
    text(tmp_path / "metadata.csv", "file_name,label", "train_audio/robin/XC0.ogg,x")
    assert "birdclef or audiofolder; say which" in refusal(Folder(root=str(tmp_path)))
    assert table(Folder(root=str(tmp_path), preset="birdclef")).labels == ("robin", "wren")
    assert "not the layout of data.preset=dcase" in refusal(
        Folder(root=str(tmp_path), preset="dcase")
    )


def test_a_manifest_of_our_own_comes_before_all_presets(tmp_path):
    birdclef(tmp_path)
    rows = [f"train_audio/robin/XC{i}.ogg,{'xy'[i // 2 % 2]}" for i in range(0, 12, 2)]
    text(tmp_path / "manifest.csv", "path,label", *rows)
    assert table(Folder(root=str(tmp_path))).labels == ("x", "y")
