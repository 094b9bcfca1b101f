"""The documentation is true: commands parse, links resolve, pages made by scripts are current."""

import dataclasses
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from helpers.pages import DOCS, PAGES, ROOT, blocks, commands, relative
from typer.main import get_command

import audiocls.errors
from audiocls import library, yaml_file
from audiocls.analysis.family import Verdict
from audiocls.cli import app
from audiocls.design import load_ablation
from audiocls.stop_signals import AT_ONCE
from audiocls.store.proposals import SearchPlan
from audiocls.store.record import Cost, Failure, Provenance, Record, Study
from audiocls.studies.launch import EXIT_CODES

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMMANDS: Any = get_command(app)


def require_known(line: str, may_lack_words: bool = False) -> None:
    """Have the command line itself parse a line, without running it; fail as it would."""
    words = shlex.split(re.split(r" [|>&] ?", line)[0])[1:]
    command = COMMANDS
    while hasattr(command, "commands"):
        assert words, f"{line}: which command?"
        assert words[0] in command.commands, f"{line}: no command {words[0]!r}"
        command = command.commands[words.pop(0)]
    refused = why_refused(command, words)
    is_fragment = may_lack_words and refused.startswith("MissingParameter")
    is_elsewhere = "does not exist" in refused  # a reader's file
    assert not refused or is_fragment or is_elsewhere, f"{line}: {refused}"


def why_refused(command: Any, words: list[str]) -> str:
    """Return the kind of a command's refusal and its sentence, or an empty text."""
    try:
        command.make_context("audiocls", words)
    except Exception as refused:
        return f"{type(refused).__name__}: {refused}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_the_command_line_takes_every_command_of_the_documents(page):
    for line in commands(page):
        require_known(line)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_commands_within_sentences_exist_with_their_options(page):
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.S | re.M)
    for line in re.findall(r"`(audiocls [a-z][^`]*)`", prose):
        require_known(" ".join(line.split()).replace("…", "x"), may_lack_words=True)


def lines_of_shells(page: Path) -> list[str]:
    return [
        line for kind, text in blocks(page) if kind in ("", "bash") for line in text.splitlines()
    ]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_what_else_is_run_is_there(page):
    """Scripts of ours, verbs of the Makefile, extras to install."""
    verbs = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    text, folder = page.read_text(), ROOT
    for line in lines_of_shells(page):
        if (moved := re.match(r"cd (\S+)", line)) and (ROOT / moved[1]).is_dir():
            folder = ROOT / moved[1]
        if script := re.match(r"python (\S+)", line):
            assert (folder / script[1]).exists(), line
        if verb := re.match(r"make (\S+)", line):
            assert verb[1] in verbs, line
    for verb in re.findall(r"`make ([a-z-]+)`", text):
        assert verb in verbs, verb
    known = PROJECT["project"]["optional-dependencies"]
    for extras in re.findall(r"audiocls\[([a-z,]+)\]", text):
        assert set(extras.split(",")) <= set(known), extras


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_question_of_the_documents_is_one_of_the_grammar(page):
    for kind, text in blocks(page):
        if kind == "yaml" and re.search(r"^question:", text, re.M):
            load_ablation(yaml_file.parse_mapping(text, page.name), page.name)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts and the site name them."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.S | re.M)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    words = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {word.replace(" ", "-") for word in words}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), f"{target} is not in the repository"
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_every_page_is_in_the_table_of_contents():
    """Of the site, which is made from the lists of the READMEs; findings have one of their own."""
    listed = set()
    for page in DOCS.rglob("README.md"):
        targets = re.findall(r"\]\(([^)#:]+\.md)\)", page.read_text())
        listed |= {(page.parent / target).resolve() for target in targets}
    assert set(DOCS.rglob("*.md")) <= listed | {DOCS / "README.md"}


def test_every_picture_is_made_by_a_script():
    scripts = "".join(script.read_text() for script in DOCS.glob("*.py"))
    pictures = [p for p in DOCS.rglob("*") if p.suffix in (".png", ".svg", ".jpg", ".gif", ".pdf")]
    shown = "".join(page.read_text() for page in PAGES)
    for picture in pictures:
        assert picture.name in scripts, f"no script makes {picture.name}"
        assert picture.name in shown, f"no page shows {picture.name}"


def test_the_generated_pages_are_those_of_the_code():
    program = (
        "import sys; sys.path.insert(0, 'docs')\n"
        "from pathlib import Path\n"
        "import api, commands, keys, schema\n"
        "made = {name: schema.text_of(content) for name, content in schema.SCHEMAS.items()}\n"
        "made |= {'api.md': api.reference(), 'commands.md': commands.reference()}\n"
        "made |= {'recipe-keys.md': keys.recipe_keys(), 'ablation-keys.md': keys.ablation_keys()}\n"
        "for name, text in made.items():\n"
        "    assert Path('docs', name).read_text() == text, name\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ran.returncode == 0, f"run `make schema`: {ran.stderr}"


@pytest.mark.parametrize("name", ["recipe-keys.md", "ablation-keys.md"])
def test_every_key_says_what_it_means(name):
    rows = [line for line in (DOCS / name).read_text().splitlines() if line.startswith("| `")]
    assert len(rows) >= 40
    assert [row for row in rows if re.search(r"\| +\|$", row)] == []


def test_every_key_of_every_built_in_recipe_is_in_the_reference():
    known = (DOCS / "recipe-keys.md").read_text()
    for name in library.available("recipes"):
        recipe = yaml_file.read(library.find("recipes", name))
        for section, options in recipe.items():
            for key in options if isinstance(options, dict) else ():
                is_name = key == "name" or ":" in str(options.get("name", ""))
                assert is_name or re.search(rf"`{section}\.{key}[.`]", known), f"{section}.{key}"


def test_every_exit_code_is_explained_and_no_other():
    errors = [
        each.exit_code for each in vars(audiocls.errors).values() if hasattr(each, "exit_code")
    ]
    rows = re.findall(r"^\| (\d+) \|", (DOCS / "exit-codes.md").read_text(), re.M)
    assert {int(row) for row in rows} == {0, 3, AT_ONCE, *errors, *EXIT_CODES.values()}


def test_every_verdict_has_its_next_step():
    rows = re.findall(r"^\| `([\w ]+)` \|", (DOCS / "after-a-verdict.md").read_text(), re.M)
    verdicts = [row.replace(" ", "_") for row in rows]
    assert sorted([*verdicts, "baseline"]) == sorted(get_args(Verdict))


@pytest.mark.parametrize("stored", [Record, Cost, Provenance, Failure, Study, SearchPlan])
def test_every_stored_field_is_described(stored):
    text = (DOCS / "files.md").read_text()
    for item in dataclasses.fields(stored):
        assert f"`{item.name}`" in text, item.name


def test_the_readme_counts_the_questions_that_are_built_in():
    [count] = re.findall(r"(\d+) are built in", (ROOT / "README.md").read_text())
    assert int(count) == len(list((ROOT / "ablations").glob("*.yaml")))


def test_the_readme_is_a_screen_and_a_half():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path):
    words = ["-m", "sphinx", "--quiet", "--fail-on-warning", "-b", "html", "docs", str(tmp_path)]
    ran = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert "until-decided" in (tmp_path / "searchindex.js").read_text()
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"([^\"]+)\"", page.read_text())
        loaded += re.findall(r"<link rel=\"stylesheet\"[^>]* href=\"([^\"]+)\"", page.read_text())
        assert [each for each in loaded if "//" in each] == [], page.name
    assert (tmp_path / "index.html").read_text() == (tmp_path / "README.html").read_text()
