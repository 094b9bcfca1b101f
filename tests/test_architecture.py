"""Rules of the house that a reader could check by hand, checked by machine."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audiocls import library
from audiocls.cli import app
from audiocls.cli.studies import planned, request
from audiocls.studies.planning import plan_facts

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "audiocls"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LAYERS = [
    {"errors", "dotted", "options", "seeding", "atomic"},
    {"formatting", "validation_errors", "yaml_file"},
    {"audio", "models", "optim", "stats"},
    {"config", "design", "search"},
    {"training", "tracking", "store", "library"},
    {"analysis"},
    {"execution"},
    {"console", "studies"},
    {"wandb_server"},
    {"render"},
    {"notebook"},
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
    "sweep agent --help",
    "sweep sync --help",
    "report --help",
    "noise --help",
    "data list",
    "data check --help",
    "show --help",
    "evaluate --help",
    "predict --help",
    "export --help",
]


def imports_of(file: Path) -> set[str]:
    """Return what a file imports, modules and names, at its top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_from_lower_layers(file):
    relative = file.relative_to(PACKAGE)
    if relative.name in ("__init__.py", "__main__.py") and len(relative.parts) == 1:
        return
    own = relative.parts[0].removesuffix(".py")
    for module in (name for name in imports_of(file) if name.startswith("audiocls.")):
        other = part_of(module)
        if other not in LEVEL or other == own:
            continue
        assert LEVEL[other] < LEVEL[own], f"{relative} imports {module}, which is not below it"


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.relative_to(ROOT / "tests")))
def test_what_test_modules_share_lies_in_helpers(file):
    for name in imports_of(file):
        first, *rest = name.split(".")
        is_test = any(word == "conftest" or word.startswith("test_") for word in [first, *rest])
        assert first == "audiocls" or not is_test, f"move what is shared of {name} to tests/helpers"


def test_every_part_of_the_package_has_a_layer():
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert parts - {"__init__", "__main__", "__pycache__", "recipes", "_library"} == LEVEL.keys()


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_modules_and_functions_fit_on_a_screen(file):
    text = file.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= MOST_LINES_OF_A_FUNCTION, f"{node.name}: {length} lines"


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


@pytest.mark.parametrize("name", library.available("ablations"))
def test_every_ablation_on_the_shelf_plans_and_can_reach_a_verdict(name):
    asked = request(name)
    plan, configs = planned(asked)
    facts = plan_facts(plan, configs, asked.recipe, asked.overrides, asked.is_own_recipe)
    assert plan.ablation.name == name
    assert facts["num_trials"] == len(plan.arms) * facts["num_pairs"]
    assert facts["num_pairs"] >= facts["pairs_needed"]
    assert {config.data.name for config in configs.values()} == {"synthetic"}


@pytest.mark.parametrize("name", library.available("ablations"))
def test_an_ablation_opens_with_its_question_its_cost_and_its_command(name):
    question, cost, command = library.find("ablations", name).read_text().splitlines()[:3]
    plan, _ = planned(request(name))
    assert question.startswith("# ")
    assert question.endswith("?")
    assert f"= {plan.num_trials} trials" in cost
    assert command == f"# audiocls sweep launch {name}"


def fenced_blocks(language: str) -> list[str]:
    """The README's code blocks in one language; no language is the empty text."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.S | re.M)
    return [text for found, text in blocks if found == language]


def fenced_commands() -> list[str]:
    lines = [line for block in fenced_blocks("bash") for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("audiocls ")]


@pytest.mark.parametrize("command", fenced_commands())
def test_every_command_of_the_readme_exists_with_its_options(command):
    words = shlex.split(command)[1:]
    depth = 2 if words[0] in ("ablation", "sweep", "data") else 1
    told = CliRunner().invoke(app, [*words[:depth], "--help"])
    assert told.exit_code == 0
    for option in (word for word in words[depth:] if word.startswith("--")):
        assert option in told.output


def test_links_of_the_documents_resolve():
    for document in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("benchmarks/*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_readmes_tree_names_what_is_there():
    tree = next(block for block in fenced_blocks("") if "audiocls/" in block)
    tracked = {"ablations", "audiocls", "benchmarks", "docs", "notebooks", "sweeps", "tests"}
    for name in tracked | set(LEVEL):
        assert re.search(rf"\b{name}\b", tree), f"the tree in the README lacks {name}"


def test_the_documents_schemas_are_those_of_the_code():
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, 'docs')\n"
            "from pathlib import Path\n"
            "import schema\n"
            "for name, content in schema.SCHEMAS.items():\n"
            "    assert Path('docs', name).read_text() == schema.text_of(content), name\n",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert ran.returncode == 0, f"run `make schema`: {ran.stderr}"


def test_no_folder_of_questions_is_a_package():
    assert not list((ROOT / "ablations").glob("*.py"))
    assert not list((ROOT / "sweeps").glob("*.py"))
