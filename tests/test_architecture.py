"""Rules of the house that a reader could check by hand, checked by machine."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from audiocls import library
from audiocls.cli import app
from audiocls.studies.planning import plan_facts, power_of
from audiocls.studies.request import ablation_request
from audiocls.studies.runnable import readable_tables

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "audiocls"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

PURE = sorted(file for part in ("stats", "analysis") for file in (PACKAGE / part).rglob("*.py"))
FILES = {
    "atexit",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
}
"""Modules of the standard library that reach beyond values."""

LAYERS = [
    {"errors", "dotted", "options", "seeding", "digests", "misreadings", "named_paths", "result"}
    | {"stop_signals", "writers", "field_words"},
    {"source_code", "source_files", "validation_reasons"},
    {"formatting", "validation_errors", "yaml_file", "machine", "extras"},
    {"atomic"},
    {"parts"},
    {"encoders"},
    {"library_files"},
    {"audio", "models", "optim", "stats"},
    {"config", "design", "search"},
    {"training", "tracking", "store", "library"},
    {"analysis"},
    {"execution", "testing"},
    {"console", "studies"},
    {"wandb_remote"},
    {"importing"},
    {"render"},
    {"live"},
    {"api"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

MOST_LINES, MOST_LINES_OF_A_FUNCTION = 300, 40

LIGHT = [
    "--help",
    "ablation list",
    "ablation show dropout",
    "ablation plan dropout",
    "sweep list",
    "sweep plan n_mels --json",
    "sweep plan tune_logmel_cnn",
    "sweep launch --help",
    "sweep status dropout --help",
    "sweep watch --help",
    "sweep logs --help",
    "study list --help",
    "sweep agent --help",
    "sweep sync --help",
    "import --help",
    "report --help",
    "noise --help",
    "data list",
    "parts list",
    "recipe list",
    "recipe show logmel-cnn",
    "data check --help",
    "show --help",
    "evaluate --help",
    "predict --help",
    "export --help",
    "serve --help",
]


@cache
def tree_of(file: Path) -> ast.Module:
    """Return a file's syntax tree, parsed once for all tests."""
    return ast.parse(file.read_text())


@cache
def imports_of(file: Path) -> set[str]:
    """Return what a file imports, modules and names, at its top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(module: str) -> str:
    return module.split(".")[1]


def hold(faults: Iterable[str]) -> None:
    """Fail with every fault: one test looks at all files, which is cheaper than one for each."""
    found = list(faults)
    assert not found, "\n".join(found)


def test_a_module_imports_only_from_lower_layers():
    hold(fault for file in MODULES for fault in upward_imports(file))


def upward_imports(file: Path) -> Iterator[str]:
    relative = file.relative_to(PACKAGE)
    if relative.name in ("__init__.py", "__main__.py") and len(relative.parts) == 1:
        return
    own = part_of_file(file)
    for module in (name for name in imports_of(file) if name.startswith("audiocls.")):
        other = part_of(module)
        if other in LEVEL and other != own and LEVEL[other] >= LEVEL[own]:
            yield f"{relative} imports {module}, which is not below it"


def names_called(file: Path) -> set[str]:
    """Return the names of all functions and methods that a file calls."""
    calls = (node.func for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call))
    names = (getattr(function, "id", getattr(function, "attr", "")) for function in calls)
    return set(names)


def test_statistics_and_analyses_take_values_and_return_values():
    """They need numpy and scipy alone, and read and write no file."""
    hold(
        f"{file.relative_to(PACKAGE)} uses {name}"
        for file in PURE
        for name in sorted(beyond_values(file))
    )


def beyond_values(file: Path) -> set[str]:
    """Return what a file imports or calls that a function of values does without."""
    imported = imports_of(file)
    firsts = {name.split(".")[0] for name in imported}
    found = firsts - sys.stdlib_module_names - {"audiocls", "numpy", "scipy"}
    found |= firsts & FILES
    found |= {name.split(".")[-1] for name in imported} & {"StudyFolder", "TrialFolder"}
    found |= names_called(file) & {"open", "print", "input"}
    if not file.is_relative_to(PACKAGE / "analysis"):
        found |= {part_of(name) for name in imported if name.startswith("audiocls.")} - {"stats"}
    return found


def test_what_test_modules_share_lies_in_helpers():
    hold(
        f"{file.relative_to(ROOT)}: move what is shared of {name} to tests/helpers"
        for file in TESTS
        for name in sorted(imports_of(file))
        if not name.startswith("audiocls.") and is_of_a_test(name)
    )


def is_of_a_test(module: str) -> bool:
    return any(word == "conftest" or word.startswith("test_") for word in module.split("."))


FORMATS = [
    file
    for file in MODULES
    if file.is_relative_to(PACKAGE / "render/formats") or file.parent == PACKAGE / "render"
]


def test_no_format_knows_an_analysis_or_who_built_the_document():
    hold(
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in FORMATS
        for name in sorted(imports_of(file))
        if "analysis" in name or "render.build" in name
    )


def test_every_part_of_the_package_has_a_layer():
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert parts - {"__init__", "__main__", "__pycache__", "recipes", "_library"} == LEVEL.keys()


def test_modules_and_functions_fit_on_a_screen():
    hold(fault for file in MODULES for fault in long_parts(file))


def long_parts(file: Path) -> Iterator[str]:
    name = file.relative_to(PACKAGE)
    num_lines = len(file.read_text().splitlines())
    if num_lines > MOST_LINES:
        yield f"{name}: {num_lines} lines"
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            if length > MOST_LINES_OF_A_FUNCTION:
                yield f"{name}: {node.name}: {length} lines"


ARRAY = re.compile(r"\b(Tensor|NDArray|ndarray)\b")
SHAPE_OR_UNIT = re.compile(
    r"Shape:|\((?:[A-Za-z]|\d+|…),(?: [^()]{1,30})*\)|\b(?:Hz|kHz|dB|ms|seconds|radians)\b"
)
LEAST_DOCUMENTED = {"audio": 0.8, "models": 0.8, "optim": 0.8, "training": 0.8}
"""Package → least share of functions with an array in their signature that give shapes or units."""


def array_functions(package: str) -> dict[str, bool]:
    """Return functions with an array in their signature: whether shapes or units are given.

    A module's `forward` may leave them to its class, whose docstring `help` shows.
    """
    trees = {file: tree_of(file) for file in MODULES if part_of_file(file) == package}
    aliases = {name for tree in trees.values() for name in array_aliases(tree)}
    mentions = re.compile("|".join([ARRAY.pattern, *(rf"\b{name}\b" for name in sorted(aliases))]))
    documented: dict[str, bool] = {}
    for file, tree in trees.items():
        for owner in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
            for node in owner.body:
                if isinstance(node, ast.FunctionDef) and mentions.search(signature(node)):
                    text = ast.get_docstring(node) or ""
                    if node.name in ("forward", "__call__"):
                        text += ast.get_docstring(owner) or ""
                    name = f"{file.relative_to(PACKAGE)}:{node.lineno} {node.name}"
                    documented[name] = bool(SHAPE_OR_UNIT.search(text))
    return documented


def part_of_file(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def array_aliases(tree: ast.Module) -> set[str]:
    """Return names that a module gives to types with arrays in them, as `Samples = NDArray[…]`."""
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    return {
        target.id
        for node in assigned
        if isinstance(node.value, ast.Subscript) and ARRAY.search(ast.unparse(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def signature(function: ast.FunctionDef) -> str:
    """Return the annotations of a function's arguments and of what it returns."""
    arguments = [node for node in ast.walk(function.args) if isinstance(node, ast.arg)]
    annotations = [*(argument.annotation for argument in arguments), function.returns]
    return " ".join(ast.unparse(each) for each in annotations if each is not None)


@pytest.mark.parametrize("package", LEAST_DOCUMENTED)
def test_functions_of_arrays_give_shapes_or_units(package):
    documented = array_functions(package)
    without = [name for name, is_documented in documented.items() if not is_documented]
    share = 1 - len(without) / len(documented)
    assert share >= LEAST_DOCUMENTED[package], f"{share:.0%}, without: {without}"


def test_the_errors_are_drawn_as_the_tree_that_they_are():
    """Depth, parents and exit codes, of all modules: `errors` itself defines the first ones."""
    classes = [
        node
        for file in MODULES
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.ClassDef)
    ]
    tree = {"AudioclsError": ("Exception", 1)}
    while True:
        found = {
            node.name: (base.id, own_exit_code(node, tree[base.id][1]))
            for node in classes
            for base in node.bases
            if isinstance(base, ast.Name) and base.id in tree
        }
        if found.keys() <= tree.keys():
            break
        tree |= found
    parents, drawn = {-1: "Exception"}, {}
    for line in ast.get_docstring(ast.parse((PACKAGE / "errors.py").read_text())).splitlines():
        if match := re.match(r"    ([│├└─ ]*)(\w+) +(\d+)   ", line):
            depth = len(match[1]) // 4
            parents[depth] = match[2]
            drawn[match[2]] = (parents[depth - 1], int(match[3]))
    assert drawn == tree


def own_exit_code(node: ast.ClassDef, inherited: int) -> int:
    """Return the exit code in a class's body, or else its base's."""
    for line in node.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "exit_code":
            return line.value.value
    return inherited


def test_reading_commands_import_nothing_heavy():
    """One process for all: what none of them imports is imported by none."""
    program = (
        "import sys\n"
        "from audiocls.cli import app\n"
        "for command in sys.argv[1:]:\n"
        "    try:\n"
        "        app(command.split())\n"
        "    except SystemExit as end:\n"
        "        assert not end.code, f'{command}: {end.code}'\n"
        "    heavy = {'torch', 'wandb', 'optuna', 'matplotlib'} & set(sys.modules)\n"
        "    assert not heavy, f'{command}: {heavy} was imported'\n"
    )
    words = [sys.executable, "-c", program, *LIGHT]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr


def test_help_of_every_command_imports_what_parses_and_no_more():
    """Help is to come at once; pydantic may be loaded, since newer versions of typer do so."""
    program = (
        "import sys\n"
        "from typer.main import get_command\n"
        "from audiocls.cli import app\n"
        "def show_help(command, words):\n"
        "    try:\n"
        "        app([*words, '--help'])\n"
        "    except SystemExit as end:\n"
        "        assert not end.code, f'{words}: {end.code}'\n"
        "    for name, below in getattr(command, 'commands', {}).items():\n"
        "        show_help(below, [*words, name])\n"
        "show_help(get_command(app), [])\n"
        "ours = [name.split('.')[1] for name in sys.modules if name.startswith('audiocls.')]\n"
        "print(*sorted({*ours, *(sys.modules.keys() & {'numpy', 'yaml'})}), file=sys.stderr)\n"
    )
    words = [sys.executable, "-c", program]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Usage: -c sweep launch" in ran.stdout
    small = {"dotted", "errors", "extras", "formatting", "machine", "named_paths", "stop_signals"}
    assert set(ran.stderr.split()) <= small | {"cli", "console", "render"}


@pytest.mark.parametrize("name", library.available("ablations"))
def test_every_ablation_on_the_shelf_plans_and_can_reach_a_verdict(name, tmp_path, cache):
    asked = ablation_request(name)
    plan, configs = asked.plan()
    facts = plan_facts(asked, plan, configs, readable_tables(configs, cache))
    assert plan.ablation.name == name
    assert facts["num_trials"] == len(plan.arms) * facts["num_pairs"]
    assert {config.data.name for config in configs.values()} == {"synthetic"}
    power = power_of(plan, configs[plan.baseline], tmp_path, None, cache)
    assert power.scope == "data"
    assert power.planned.effect < 0.15


@pytest.mark.parametrize("name", library.available("ablations"))
def test_an_ablation_opens_with_its_question_its_cost_and_its_command(name):
    question, cost, command = library.find("ablations", name).read_text().splitlines()[:3]
    plan, _ = ablation_request(name).plan()
    assert question.startswith("# ")
    assert question.endswith("?")
    assert f"= {plan.num_trials} trials" in cost
    assert command == f"# audiocls sweep launch {name}"


def fenced_blocks(document: Path, language: str) -> list[str]:
    """A document's code blocks in one language; no language is the empty text."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", document.read_text(), re.S | re.M)
    return [text for found, text in blocks if found == language]


def test_the_tree_of_the_architecture_names_what_is_there():
    blocks = fenced_blocks(ROOT / "docs/architecture.md", "")
    tree = next(block for block in blocks if "audiocls/" in block)
    tracked = {"ablations", "audiocls", "benchmarks", "docs", "notebooks", "sweeps", "tests"}
    for name in tracked | set(LEVEL):
        assert re.search(rf"\b{name}\b", tree), f"the tree lacks {name}"


CLI = {str(f.relative_to(PACKAGE / "cli")): f for f in MODULES if f.is_relative_to(PACKAGE / "cli")}


def modules_of_commands(group: typer.Typer) -> set[str]:
    """Return the modules that define a command of a group, or of a group in it."""
    own = {command.callback.__module__ for command in group.registered_commands}
    groups = (each.typer_instance for each in group.registered_groups)
    return own.union(*(modules_of_commands(each) for each in groups))


def test_every_file_of_cli_is_commands_or_options():
    commands = {name.removeprefix("audiocls.cli.") for name in modules_of_commands(app)}
    for name, file in CLI.items():
        module = name.removesuffix(".py").replace("/", ".")
        of_all = ("command_group.py", "completion.py", "examples.py")
        is_shared = file.name in ("__init__.py", "options.py", *of_all)
        is_command = module in commands or "typer" in imports_of(file)
        assert is_shared or is_command, f"{name} has no command"


def test_no_file_of_cli_defines_a_dataclass():
    for name, file in CLI.items():
        assert "dataclasses.dataclass" not in imports_of(file), name


def test_no_folder_of_questions_is_a_package():
    assert not list((ROOT / "ablations").glob("*.py"))
    assert not list((ROOT / "sweeps").glob("*.py"))
