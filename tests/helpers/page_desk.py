"""A folder in which the commands of a page are run: what they speak of is there, and small.

Nothing here is of one page. A file, a folder of sounds, a data set, a study or a sweep on a server
is made once something names it that is not there; `MADE` says what is made under which name.
"""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from wandb_server import Server

import audiocls
from audiocls import library, yaml_file
from audiocls.audio.fetch import ORIGINS
from audiocls.store import Failure
from helpers.layouts import LAYOUTS
from helpers.page_things import MADE, ROOTS
from helpers.pages import ROOT, Piece, pieces
from helpers.recipes import TINY_RECIPE_YAML
from helpers.wandb_runs import log_run

SMALL_DATA = {"num_sources": 5, "clips_per_source": 1}
"""Fifty clips of the embedded data."""
PLACEHOLDERS = {
    "NAME": "dropout", "FILE": "new.csv", "FOLDER": "recordings", "DIR": "dropout:best",
}  # fmt: skip
"""Words that stand for the reader's own."""
TRIAL = re.compile(
    r"(?:runs/(\w+)/trials/|(\w+):)?((?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{4}|[0-9a-f]{12}|ID)"
)
"""The id of a trial or its beginning, alone or with its study."""
IMPORT_STRING = re.compile(r"\"([a-z_]\w*(?:\.\w+)*):(\w+)\"")

ENCODER = re.compile(r"(?:MIT|facebook)/(ast|hubert)-[\w.-]+(?:@[0-9a-f]{40})?")
"""A pretrained encoder on the Hub."""
PART = """
def {name}(*given, **options): ...
"""
NETWORK = """
from torch import nn

def {name}(in_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_shape[0] * in_shape[1], num_classes))
"""


@dataclass
class Desk:
    """The folder of somebody who reads a page, which is this process's folder and its home."""

    path: Path
    trained: Path
    """A folder with two small studies of the question `dropout`: of that name, and `another`."""
    server: Server
    patch: pytest.MonkeyPatch
    made: set[Path] = field(default_factory=set)
    """What stands in for what a reader has."""
    laid: set[Path] = field(default_factory=set)
    """What was there before the first command."""

    def lay(self, page: Path) -> None:
        """Lay out what a page itself gives: its files, and what is in this repository, in small."""
        lay_recipes(self.path)
        (self.path / "benchmarks").symlink_to(ROOT / "benchmarks")
        if "cd examples" in page.read_text():
            shutil.copytree(ROOT / "examples", self.path / "examples")
        for file in self.path.glob("examples/*/recipes/*.yaml"):
            file.write_text(ENCODER.sub(r"tiny/\1", file.read_text()))
        self.patch.syspath_prepend(str(self.path))
        for piece in pieces(page):
            if piece.file is not None:
                self.write(piece.file, small_text(piece))
        for piece in pieces(page):
            self._write_parts(piece)
        for program in re.findall(r"^program: (\S+)", page.read_text(), re.M):
            self.need(program)
        self.laid = set(self.path.iterdir())

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def _write_parts(self, piece: Piece) -> None:
        """Write the modules that a block names by import strings, with what no block defines."""
        stub = {"yaml": PART, "python": NETWORK}.get(piece.language, "")
        named = IMPORT_STRING.findall(piece.text) if stub else ()
        for module, name in named:
            if stub is NETWORK and "." not in module:
                continue  # a study and its best trial
            file = self.path / f"{module.replace('.', '/')}.py"
            text = file.read_text() if file.exists() else ""
            if not re.search(rf"^(class|def) {name}\b", text, re.M):
                self.write(str(file), f"{text}\n\n{stub.format(name=name)}")

    def filled_in(self, word: str) -> str:
        """Return a word with what only a reader knows: names, ids, sweeps, stores."""
        word = PLACEHOLDERS.get(word, word).replace("s3://", f"file://{self.path}/")
        if found := TRIAL.fullmatch(word):
            study = found[1] or found[2] or "dropout"
            return word.removesuffix(found[3]) + self.a_trial(study)
        if found := ENCODER.fullmatch(word):
            return f"tiny/{found[1]}"
        if found := re.match(r"(wandb:)?me/(\w+)(/\w+)?$", word):
            return f"{found[1] or ''}{self._on_server(found[2], is_sweep=bool(found[3]))}"
        return word

    def need(self, word: str) -> None:
        """Have the file, the folder or the study that a word names, if it is one of a reader's."""
        if study := re.match(r"([\w-]+):\w+$", word):
            self.need_study(study[1])
        path = Path(word).expanduser()
        for pattern, make in MADE.items():
            if re.search(pattern, word) and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                self.made.add(path.absolute())
                make(self, path)
                return

    def need_recipe(self, word: str) -> None:
        """Have the file of a recipe."""
        if word.endswith(".yaml") and not Path(word).exists():
            shutil.copy("recipes/logmel-cnn.yaml", word)
            self.made.add(Path(word).absolute())

    def start_anew(self) -> None:
        """Remove whatever was made since the page was laid out."""
        for path in set(self.path.iterdir()) - self.laid:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.made.clear()

    def clear(self, word: str) -> None:
        """Remove what stood in for a file that the page now makes."""
        if (path := Path(word).absolute()) in self.made:
            path.unlink()
            self.made.remove(path)

    def need_data(self, root: str, name: str | None, given: dict[str, Any]) -> None:
        """Have a data set at `root`, of that name or of the kind that a command is about.

        A folder called `data` or `DIR` is where `data fetch` put what it fetched.
        """
        self.need(root)
        path = Path(root.removeprefix("file://")).expanduser()
        make = ROOTS.get(path.name)
        if path.name in ("data", "DIR"):
            kind = name or kind_of(given)
            path, make = path / ORIGINS[kind].folder, LAYOUTS[kind]
        elif make is None and not path.exists():
            make = LAYOUTS.get(name or kind_of(given))
        if make is not None and not path.exists():
            path.mkdir(parents=True)
            make(path)

    def need_study(self, name: str) -> None:
        """Have a study: the one of a file, or what is trained under that name elsewhere."""
        folder = Path("runs", name)
        if (folder / "study.yaml").exists() or (Path(name) / "study.yaml").exists():
            return
        file = Path(f"{name.removesuffix('.yaml')}.yaml")
        if name.endswith(".yaml") or file.exists():
            audiocls.launch(str(file), progress=False)
            return
        source = "dropout" if name == "dropout" else "another"
        shutil.copytree(self.trained / "runs" / source, folder)
        plan = folder / "study.yaml"
        plan.write_text(re.sub(r"^name: .*", f"name: {name}", plan.read_text(), count=1))

    def need_logs(self, name: str) -> None:
        """Have a study with what its workers printed, and with one failed trial."""
        self.need_study(name)
        trials = sorted(path.parent for path in Path("runs", name).glob("trials/*/record.json"))
        for trial in trials:
            (trial / "log.txt").write_text("what a worker prints\n")
        (trials[-1] / "record.json").unlink()
        failure = Failure("error", "ValueError: a sentence", "", 1)
        (trials[-1] / "failure.json").write_text(json.dumps(failure.to_mapping()))

    def need_offline_runs(self, name: str) -> None:
        """Have a study that was trained while W&B was offline."""
        if not Path("runs", name, "wandb").exists():
            shutil.rmtree(Path("runs", name), ignore_errors=True)
            audiocls.launch("dropout", study=name, wandb="offline", progress=False)

    def a_trial(self, study: str = "dropout") -> str:
        """Return the id of a finished trial of a study."""
        self.need_study(study)
        return min(path.parent.name for path in Path("runs", study).glob("trials/*/record.json"))

    def _on_server(self, project: str, is_sweep: bool) -> str:
        """Return a project with runs of somebody's script, or a sweep of ours."""
        if is_sweep:
            if not self.server.sweeps():
                audiocls.push("dropout", progress=False)
            sweep = self.server.sweeps()[-1]
            return f"{sweep.entity}/{sweep.project}/{sweep.id}"
        if not self.server.runs(project):
            for cell in range(4):
                config = {"optimizer": ("adam", "sgd")[cell % 2], "seed": cell // 2}
                kept = {"folder": self.path / "wandb", "mode": "online", "project": project}
                log_run(**kept, config=config, summary={"acc": 0.8 + cell / 100})
        return f"{self.server.entity}/{project}"


def kind_of(given: dict[str, Any]) -> str:
    """Return the data set of a command: the one that it checks, or that its recipe has."""
    name = given.get("name") or ""
    if name in LAYOUTS:
        return str(name)
    recipe = given.get("recipe") or library.ablation(name).recipe
    return str(library.recipe(recipe)["data"]["name"])


def lay_recipes(folder: Path) -> None:
    """Write the built-in recipes in small, which replaces those built in.

    One of published size has the network of its sibling for the CPU, and its own data.
    """
    (folder / "recipes").mkdir(exist_ok=True)
    known = set(library.available("recipes"))
    for name in known - {file.stem for file in (folder / "recipes").glob("*.yaml")}:
        sibling, whole = f"{name}-cpu", library.recipe(name)
        recipe = library.recipe(sibling if sibling in known else name)
        chosen = {key: whole["train"][key] for key in whole["train"].keys() & {"select"}}
        text = small({**recipe, "data": whole["data"], "train": recipe["train"] | chosen})
        (folder / "recipes" / f"{name}.yaml").write_text(text)
    (folder / "recipes/tiny.yaml").write_text(TINY_RECIPE_YAML)


def small_text(piece: Piece) -> str:
    """Return a file of a page; one of its recipes in small."""
    is_recipe = str(piece.file).startswith("recipes/")
    return small(yaml_file.parse_mapping(piece.text, "a recipe")) if is_recipe else piece.text


def small(recipe: dict[str, Any]) -> str:
    """Return a recipe's file with one epoch, and with few clips of embedded data."""
    data = recipe["data"] | (SMALL_DATA if recipe["data"]["name"] == "synthetic" else {})
    return yaml_file.dump(
        recipe | {"data": data, "train": {**recipe.get("train", {}), "epochs": 1}}
    )
