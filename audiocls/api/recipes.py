"""Recipes to start from, and a question of one's own about one of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls import library, yaml_file
from audiocls.api.arguments import Folder, assignments_of, known_options
from audiocls.api.catalogue import Catalogue
from audiocls.atomic import publish
from audiocls.errors import UsageError
from audiocls.studies.new_ablation import NewAblation
from audiocls.studies.new_ablation import new_ablation as write_ablation

Factors = Mapping[str, Iterable[Any]] | Iterable[str]
"""`{"model.dropout": [0.1, 0.2]}`, or `["model.dropout=0.1,0.2", "mixup"]` as after `--factor`."""


@dataclass(frozen=True, repr=False)
class Recipe:
    """A recipe as it is written, comments included.

    >>> import audiocls
    >>> audiocls.read_recipe("logmel-cnn").content["model"]
    {'name': 'logmel_cnn'}
    """

    name: str
    file: Path
    text: str
    content: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """The first sentence of its header."""
        lines = (line.lstrip("# ") for line in self.text.splitlines() if line.startswith("#"))
        first, stop, _ = " ".join(lines).partition(". ")
        return first.rstrip(".") + "." * bool(stop or first)

    @property
    def cost(self) -> str:
        """How long it trains, and on what: `40 epochs, CPU`."""
        train, data = self.content.get("train", {}), self.content.get("data", {})
        where = "CPU" if data.get("name") == "synthetic" else "GPU"
        return f"{train.get('epochs', 20)} epochs, {where}"

    def __repr__(self) -> str:
        return self.text


@known_options
def list_recipes() -> Catalogue:
    """Return every recipe that can be named: the project's own, and the built-in ones.

    >>> import audiocls
    >>> "logmel-cnn" in audiocls.list_recipes().names
    True
    """
    known = (read_recipe(name) for name in library.available("recipes"))
    rows = (
        {
            "name": each.name,
            "what": each.summary,
            "data": each.content.get("data", {}).get("name", ""),
            "cost": each.cost,
        }
        for each in known
    )
    return Catalogue("Recipes", tuple(rows), droppable=("cost",))


@known_options
def read_recipe(name: str) -> Recipe:
    """Return a recipe by its name or its file, as it is written.

    >>> import audiocls
    >>> audiocls.read_recipe("logmel-cnn").summary
    'A small 1-D CNN over log-mel bands: the default of every question about spectra.'
    """
    file = library.find("recipes", name)
    return Recipe(file.stem, file, file.read_text(encoding="utf-8"), yaml_file.read(file))


@known_options
def copy_recipe(name: str, file: Folder | None = None) -> Path:
    """Write a recipe where it can be edited, by default `NAME.yaml` here; it replaces no file.

    >>> import audiocls
    >>> audiocls.copy_recipe("logmel-cnn", "mine.yaml")  # doctest: +SKIP
    PosixPath('mine.yaml')
    """
    recipe = read_recipe(name)
    out = Path(f"{recipe.name}.yaml" if file is None else file).expanduser()
    out = out / f"{recipe.name}.yaml" if out.is_dir() else out
    if out.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{out}: a recipe's file ends in .yaml; give such a name")
    out.parent.mkdir(parents=True, exist_ok=True)
    if not publish(out, recipe.text.encode()):
        raise UsageError(f"{out}: already exists; move it away, or give another name")
    return out


@known_options
def new_ablation(
    name: str, *, recipe: str, factor: Factors, out: Folder | None = None
) -> NewAblation:
    """Write an ablation of a recipe, by default `NAME.yaml` here, with an arm for each level.

    A factor is a key with its values, or a word of the field. It replaces no file, and raises
    `ConfigError` with every factor that the recipe cannot have before it writes.

    >>> import audiocls
    >>> audiocls.new_ablation("wide", recipe="logmel-cnn", factor=["mixup"])  # doctest: +SKIP
    """
    texts = _texts(factor)
    file = Path(f"{name}.yaml" if out is None else out).expanduser()
    return write_ablation(name, recipe, texts, file)


def _texts(factor: Factors) -> list[str]:
    if isinstance(factor, str):
        raise UsageError(f"factor: got the text {factor!r}; wanted: such as ['mixup']")
    if not isinstance(factor, Mapping):
        return list(factor)
    levels = {key: list(values) for key, values in factor.items()}
    texts = assignments_of(levels) or []
    pairs = (text.partition("=") for text in texts)
    return [f"{key}={values[1:-1]}" for key, _, values in pairs]
