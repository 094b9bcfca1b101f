"""Blocks of YAML, TOML and Python of a page: planned, read or executed."""

import ast
import contextlib
import csv
import doctest
import io
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

import audiocls
from audiocls import library, yaml_file
from audiocls.config import Config
from audiocls.design import Ablation
from helpers.page_commands import run_line
from helpers.page_desk import Desk
from helpers.pages import Piece

FACTORIAL = """
name: shown
question: What do two changes do?
recipe: logmel-cnn
factors: {augment.mixes: [[], [mixup]], sam.rho: [0.0, 0.05]}
design: factorial
blocks: {seed: [0, 1], fold: [1]}
"""
"""A question to which a page's keys of an ablation are added."""
STUDY = re.compile(
    r"\.(?:report|status|watch|logs|stop|retry|sync|(?:rename|delete|archive)_study|Study)"
    r"\(\"([\w-]+)\""
)
"""A call that is about a study which is there."""
STRING = re.compile(r"\"([^\"\n]+)\"")
WRITES = re.compile(r"\.(copy_recipe|export|make_data|save)\(")
"""A call whose second text names what it makes."""
FRAGMENT = """
name: shown
question: Does another rate help?
recipe: shown
factors: {optim.lr: [1.0e-4]}
blocks: {seed: [0], fold: [1]}
"""


def run_yaml(piece: Piece, desk: Desk) -> None:
    """Plan what a block is, or what a question becomes with its keys; run commands in it."""
    text = STRING.sub(lambda word: f'"{desk.filled_in(word[1])}"', piece.text)
    make_needed(text, desk)
    content = yaml_file.parse_mapping(text, "a block of a page")
    name = piece.file or "shown.yaml"
    if {"question", "method"} & set(content):
        desk.write(name, text)
        run_line(f"audiocls sweep plan {name}", desk)
    elif set(content) <= set(Config.model_fields):
        plan_recipe(content, desk)
    elif set(content) <= set(Ablation.model_fields):
        question = yaml_file.parse_mapping(FACTORIAL, "a question") | content
        desk.write("shown.yaml", yaml_file.dump(question))
        run_line("audiocls sweep plan shown.yaml", desk)
    elif "partition" in content:
        desk.write(name, text)
        run_line(f"audiocls sweep plan dropout --executor slurm --workers 2 --profile {name}", desk)
    else:
        for line in re.findall(r"audiocls [a-z].*", text):
            run_line(line, desk)


def plan_recipe(content: dict[str, Any], desk: Desk) -> None:
    """Plan a question of a recipe with the sections of a block, and with data of that kind."""
    recipe = library.recipe("logmel-cnn") | content
    data = recipe["data"]
    if data["name"] != "synthetic":
        desk.need_data(data.setdefault("root", data["name"]), data["name"], {})
    Path("recipes").mkdir(exist_ok=True)
    Path("recipes/shown.yaml").write_text(yaml_file.dump(recipe))
    Path("shown.yaml").write_text(FRAGMENT)
    run_line("audiocls sweep plan shown.yaml", desk)


def run_toml(piece: Piece, desk: Desk) -> None:
    """Read a block as a part of `pyproject.toml`, whose groups must be those that are asked for."""
    groups = tomllib.loads(piece.text)["project"]["entry-points"]
    assert all(group.startswith("audiocls.") for group in groups)


def run_python(piece: Piece, desk: Desk, names: dict[str, Any]) -> None:
    """Execute a block with the names of those before it; of a session, what was typed."""
    is_session = ">>> " in piece.text
    if not is_session and is_signature(piece.text):
        return
    text = STRING.sub(lambda word: f'"{desk.filled_in(word[1])}"', piece.text)
    make_needed(text, desk)
    examples = doctest.DocTestParser().get_examples(text) if is_session else []
    with contextlib.redirect_stdout(io.StringIO()):
        for source in [example.source for example in examples] or [text]:
            exec(compile(source, "a block of a page", "exec"), names)
        for test in [name for name in names if name.startswith("test_")]:
            names.pop(test)()


def make_needed(text: str, desk: Desk) -> None:
    """Make what strings in a block name and a reader would have."""
    shown = ["dropout"] if ".serve(" in text else []
    for study in STUDY.findall(text) + shown:
        desk.need_study(study)
    for study in re.findall(r"\.logs\(\"([\w-]+)\"", text):
        desk.need_logs(study)
    for study in re.findall(r"\.sync\(\"([\w-]+)\"", text):
        desk.need_offline_runs(study)
    for root in re.findall(r"\"data.root\": \"([^\"]+)\"", text):
        desk.need_data(root, "folder", {})
    for line in text.splitlines():
        words = STRING.findall(line)
        for word in words[:1] if WRITES.search(line) else words:
            desk.need(word)


def is_signature(text: str) -> bool:
    """Whether a block shows how something is called, and calls nothing."""
    try:
        ast.parse(text)
    except SyntaxError:
        ast.parse(f"def {text.strip().replace('audiocls.', '', 1)}: ...")
        return True
    return False


def given_names() -> dict[str, Any]:
    """Return what a reader's script has at the lines that a page shows."""
    from torch import nn

    labels = [0, 1] * 10
    return {
        "audiocls": audiocls, "nn": nn, "csv": csv, "accuracy": 0.9, "f1": 0.8, "labels": labels,
        "names": [f"clip{number}" for number in range(20)], "logits": np.eye(2)[labels],
        "recordings": [f"site{number}" for number in range(20)],
    }  # fmt: skip
