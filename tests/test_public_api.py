"""What `import audiocls` promises: it is light, whole, documented, and what the commands call."""

import ast
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer
from typer.core import TyperCommand, TyperOption

import audiocls
from audiocls.cli import app

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "audiocls"

SHOWING = {
    "console",
    "errors",
    "extras",
    "formatting",
    "atomic",
    "machine",
    "named_paths",
    "stop_signals",
} | {
    "yaml_file",
    "library_files",
}
"""Parts of the package that a command may use besides: they print, write, name errors, and end."""
PRINTED = {"json", "format", "out", "entity", "project", "figures", "figure_format", "help"}
"""Options that say how and where an answer is written."""
FOR_ALL = {"trust", "path"}
"""Options that are calls of their own: they hold for all that a process does afterwards."""


def test_importing_the_package_loads_nothing_else():
    program = (
        "import sys; before = set(sys.modules); import audiocls\n"
        "print(sorted(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.strip() == "['audiocls']", ran.stderr


def test_planning_and_comparing_load_nothing_heavy():
    program = (
        "import sys, audiocls\n"
        "audiocls.plan('dropout', devices='cpu', per_device=8)\n"
        "table = {'net': ['a', 'b'] * 8, 'seed': [i // 2 for i in range(16)], 'acc': [0.5] * 16}\n"
        "audiocls.compare(table, arm='net', baseline='a', seed='seed', metric='acc')\n"
        "print({'torch', 'wandb', 'optuna', 'matplotlib', 'pandas'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.strip() == "set()", ran.stderr


def test_names_are_listed_typed_and_loaded_alike():
    """The table that loads them, and what a type checker reads, name the same."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    read = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "importlib"
        for alias in node.names
        if node.module.startswith("audiocls.")
    }
    assert read == audiocls._MODULES
    assert set(audiocls.__all__) == set(read)
    assert set(audiocls.__all__) <= set(dir(audiocls))
    assert not hasattr(audiocls, "lanch")


def test_a_name_that_is_not_there_suggests_the_nearest():
    with pytest.raises(AttributeError, match=r"no attribute 'lanch'\. Did you mean: 'launch'"):
        audiocls.lanch  # noqa: B018


def test_no_export_hides_a_module():
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert not modules & set(audiocls.__all__)


@pytest.mark.parametrize("name", audiocls.__all__)
def test_every_export_has_an_example_and_types(name):
    value = getattr(audiocls, name)
    assert ">>> " in inspect.getdoc(value), "no example"
    for function in functions_of(value):
        hints = inspect.signature(function).parameters.values()
        untyped = [each.name for each in hints if each.annotation is inspect.Parameter.empty]
        assert set(untyped) <= {"self"}, function
        assert "return" in function.__annotations__ or function.__name__ == "__init__", function


def functions_of(value: Any) -> Iterator[Any]:
    """Yield a function, or the public methods that a class defines."""
    if not inspect.isclass(value):
        yield inspect.unwrap(value)
        return
    for name, member in vars(value).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            yield member


@cache
def commands() -> dict[str, tuple[Any, TyperCommand]]:
    """Return each command by its words: the function, and its options."""
    group = typer.main.get_command(app)
    found: dict[str, tuple[Any, TyperCommand]] = {}

    def walk(known: typer.Typer, words: str, shown: Any) -> None:
        for command in known.registered_commands:
            name = command.name or command.callback.__name__.rstrip("_")
            found[f"{words}{name}"] = (command.callback, shown.commands[name])
        for inner in known.registered_groups:
            walk(inner.typer_instance, f"{words}{inner.name} ", shown.commands[inner.name])

    walk(app, "", group)
    return found


def public_calls(function: Any) -> set[str]:
    """Return the names of `audiocls` that a function calls in its own body."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "audiocls"
    }


@pytest.mark.parametrize("words", commands())
def test_every_command_makes_a_public_call(words):
    called = public_calls(commands()[words][0])
    assert called, "it calls no function of audiocls"
    assert called <= set(audiocls.__all__)


def options_of(command: TyperCommand) -> dict[str, TyperOption]:
    """Return a command's options by their names in Python."""
    options = (option for option in command.params if isinstance(option, TyperOption))
    return {option.opts[0].removeprefix("--").replace("-", "_"): option for option in options}


def test_options_are_found():
    assert {"seeds", "until_decided", "trust"} <= options_of(commands()["sweep launch"][1]).keys()


@pytest.mark.parametrize("words", commands())
def test_every_option_is_a_keyword_of_the_same_name_and_default(words):
    function, command = commands()[words]
    keywords: dict[str, Any] = {}
    for name in public_calls(function):
        keywords |= inspect.signature(getattr(audiocls, name)).parameters
    for name, option in options_of(command).items():
        if name in PRINTED | FOR_ALL and name not in keywords:
            continue
        if words == "sweep import" and name == "study":
            continue  # required there alone, for a project's name is no study's
        assert name in keywords, f"--{name}"
        default = keywords[name].default
        known = {None, False, (), inspect.Parameter.empty, default}
        assert name == "runs" or option.default in known or str(option.default) == default, name


@pytest.mark.parametrize("file", sorted((PACKAGE / "cli").rglob("*.py")), ids=str)
def test_the_command_line_uses_what_is_public_and_what_shows_it(file):
    tree = ast.parse(file.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only or not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        names = [f"{module}.{alias.name}" for alias in node.names] if module == "audiocls" else []
        for name in names or [module]:
            if name.startswith("audiocls"):
                part = name.split(".")[1]
                is_format = name.startswith(("audiocls.render.formats", "audiocls.render.output"))
                assert part in SHOWING | {"cli"} or is_format, f"{file.name} imports {name}"


def test_hints_of_exports_resolve():
    """A type that is imported for checkers alone is not asked for at run time."""
    assert get_type_hints(audiocls.plan)["return"] is audiocls.Plan
    assert get_type_hints(audiocls.launch)["return"] is audiocls.Study
