"""Every YAML document ends soon with an answer: a plan, or an error with exit code 2."""

import copy
import random
import string
import time
from pathlib import Path
from typing import Any

import pytest
import yaml  # noqa: TID251 - documents that no writer of ours would make
from typer.testing import CliRunner

from audiocls import library, yaml_file
from audiocls.cli import app
from audiocls.errors import ConfigError

LIMIT_S = 2.0
"""Of the processor's time, on a document; the import of the package is not in it."""
NUM_FUZZED = 2_000

ABLATION = "name: a\nquestion: q\nrecipe: convnext1d-logmel\n"
FACTOR = "factors: {model.dropout: [0.1]}\n"
SWEEP = "program: t.py\nmethod: random\nmetric: {name: m, goal: maximize}\nparameters:\n"


def laughs(item: str, depth: int = 12) -> str:
    levels = [f"  - &a0 [{','.join([item] * 10)}]"]
    levels += [f"  - &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, depth)]
    return "\n".join(levels) + "\n"


HOSTILE = {
    "a list that holds itself": ABLATION + "factors: {model.dropout: &r [0.1, *r]}\n",
    "a mapping that holds itself": f"&r\n{ABLATION}factors: *r\n",
    "a mapping merged into itself": f"&r\n{ABLATION}factors: {{<<: *r}}\n",
    "levels that explode": f"{ABLATION}factors:\n  model.dropout:\n{laughs('1')}",
    "values that explode": f"{SWEEP}  x:\n   values:\n{laughs('x')}",
    "an unknown key that explodes": f"{ABLATION}{FACTOR}zzz:\n{laughs('1')}",
    "lists in lists": ABLATION + "factors: " + "[" * 5000 + "]" * 5000 + "\n",
    "mappings in mappings": ABLATION + "factors: " + "{a: " * 5000 + "}" * 5000 + "\n",
    "dashes in dashes": ABLATION + "factors:\n  " + "- " * 5000 + "1\n",
    "depth by aliases": "a0: &a0 [1]\n"
    + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2000)),
    "30,000 levels": f"{ABLATION}factors: {{model.dropout: {[i / 1e6 for i in range(30_000)]}}}\n",
    "100,000 seeds": f"{ABLATION}{FACTOR}blocks: {{seed: {list(range(100_000))}, fold: [1]}}\n",
    "10,000 seeds": f"{ABLATION}{FACTOR}blocks: {{seed: {list(range(10_000))}, fold: [1]}}\n",
    "seeds × folds": f"{ABLATION}{FACTOR}blocks: {{seed: {list(range(9_000))}, fold: [1, 2, 3]}}\n",
    "a name longer than a file's": ABLATION.replace("name: a", f"name: {'a' * 3000}") + FACTOR,
    "log_normal beyond floats": SWEEP + "  x: {distribution: log_normal, mu: 1.0e300, sigma: 1}\n",
    "steps below floats": SWEEP
    + "  x: {distribution: q_log_uniform_values, min: 1, max: 1.0e300, q: 1.0e-308}\n",
    "a range beyond floats": SWEEP + "  x: {min: -1.7e308, max: 1.7e308}\n",
    "a step of a beta": SWEEP + "  x: {distribution: q_beta, a: 1, b: 1, q: 1.0e-320}\n",
    "shapes beyond floats": SWEEP + "  x: {distribution: beta, a: 1.0e308, b: 1.0e-308}\n",
    "bands without end": SWEEP.replace("parameters:", "early_terminate: {type: hyperband, "
    "max_iter: 1.0e300, s: 1000000000, eta: 1.000000001}\nparameters:") + "  x: {values: [1, 2]}\n",
    "a command that is a number": SWEEP.replace("program", "command: 4\nprogram")
    + "  x: {value: 1}\n",
    "a number of 5,000 digits": f"{ABLATION}factors: {{model.dropout: [{'9' * 5000}]}}\n",
    "a hexadecimal number without end": f"{ABLATION}factors: {{train.epochs: [0x{'f' * 9000}]}}\n",
    "sixties without end": f"{ABLATION}factors: {{train.epochs: [{'59:' * 3000}59]}}\n",
    "binary digits without end": SWEEP + f"  x: {{values: [0b{'1' * 90_000}]}}\n",
    "an impossible date": f"{ABLATION}factors: {{model.dropout: [2024-13-01]}}\n",
    "a key that is a list": f"{ABLATION}{FACTOR}? [a, b]\n: 1\n",
    "a set": f"{ABLATION}factors: !!set {{a, b}}\n",
    "bytes": f"{ABLATION}factors: !!binary aGVsbG8=\n",
    "an object": f"{ABLATION}factors: !!python/object/apply:os.system [ls]\n",
}  # fmt: skip


def answer(file: Path) -> tuple[int, str, float]:
    """Return exit code and output of planning the document, and the seconds that it took."""
    started = time.process_time()
    text = file.read_text(encoding="utf-8", errors="replace")
    command = "sweep" if "method" in text or "parameters" in text else "ablation"
    result = CliRunner().invoke(app, [command, "plan", str(file)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(text) from result.exception
    return result.exit_code, result.output, time.process_time() - started


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_ends_soon_with_an_answer(name: str, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(f"{ABLATION}{FACTOR}blocks: {{seed: [0], fold: [1]}}\n")
    assert answer(file)[0] == 0  # what a plan imports, and the data that it makes, is no part of it
    file.write_text(HOSTILE[name])
    code, output, seconds = answer(file)
    assert code in (0, 2), output
    assert len(output) < 20_000
    assert seconds < LIMIT_S


def document(random: random.Random, depth: int = 0) -> Any:
    """Draw a document with aliases, of the kinds of values that YAML has."""
    kinds = ["text", "number", "none", "bool"] + ["list", "mapping"] * (depth < 4)
    match random.choice(kinds):
        case "list":
            return [document(random, depth + 1) for _ in range(random.randrange(4))]
        case "mapping":
            names = ("".join(random.choices(string.ascii_letters, k=3)) for _ in range(3))
            return {name: document(random, depth + 1) for name in names}
        case "number":
            return random.choice([0, 1, -1, 10**30, 0.1, 1e308, 5e-324, random.random()])
        case "text":
            return random.choice(["", "a", "1e-3", "${args}", "é", "x" * 50, "no", "1:30"])
    return random.choice([None, True, False])


def size_of(value: Any) -> tuple[int, int]:
    """Return the values in a document, keys included, and its levels of nesting."""
    children: list[Any] = []
    if isinstance(value, dict):
        children = [*value, *value.values()]
    elif isinstance(value, list):
        children = value
    sizes = [size_of(child) for child in children]
    depth = max((depth for _, depth in sizes), default=0)
    return 1 + sum(num for num, _ in sizes), depth + isinstance(value, list | dict)


MISREAD = {
    "no": "is read as False: write false, or 'no' for the text",
    "Off": "is read as False",
    "1:30": "is read as 90, in sixties: write 90, or '1:30' for the text",
    "-1:30": "is read as -90, in sixties",
    "12:30:45": "is read as 45045, in sixties",
    "010": "is read as 8, an octal number: write 10 or 8",
    "-010": "is read as -8, an octal number: write -10 or -8",
    "+0_10": "is read as 8, its underscores left out",
    "009": "is read as text: write 9 for the number",
    "-08": "is read as text: write -8 for the number",
    "0o17": "is read as text: write 15 for the number",
    "2024_01": "is read as 202401, its underscores left out: write 202401, or '2024_01' for the",
    "1_0.5": "is read as 10.5, its underscores left out",
    "None": "is read as the text 'None': write null for no value",
    "nan": "is read as the text 'nan': write .nan",
    "(3)": "YAML has no tuples",
    "3 3": "put commas between the numbers",
}


@pytest.mark.parametrize("word", MISREAD)
def test_what_yaml_reads_otherwise_than_people_mean_is_a_note(word: str) -> None:
    notes = yaml_file.misreadings(f"a: {{b: [1, {word}]}}")
    assert list(notes) == [("a", "b", 1)]
    assert notes["a", "b", 1].startswith(f"{word} ")
    assert MISREAD[word] in notes["a", "b", 1]


@pytest.mark.parametrize(
    "word",
    [
        *("true", "False", "10", "-7", "0", "00", "007", "1.5", "-1.0e-3", "100_000", "1_000.5"),
        *("0x1F", "null", "~", "'no'", '"010"', "'1:30'", "a_b", "n", "2x", "f(3)", "16:9 video"),
    ],
)
def test_what_is_read_as_meant_is_not_noted(word: str) -> None:
    assert not yaml_file.misreadings(f"a: {{b: [1, {word}]}}")


@pytest.mark.parametrize("seed", range(40))
def test_what_is_measured_is_what_is_built(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With aliases as without: exactly the documents beyond a limit are refused."""
    drawn = random.Random(seed)
    shared = document(drawn)
    whole = {"a": shared, "b": [shared, {"c": shared}], "d": document(drawn)}
    text, (num, depth) = yaml.safe_dump(whole), size_of(whole)
    for name, exact in (("MAX_VALUES", num), ("MAX_DEPTH", depth)):
        for limit in (exact, exact - 1):
            monkeypatch.setattr(yaml_file, name, limit)
            yaml_file._faults_of_size.cache_clear()
            if limit == exact:
                assert yaml_file.parse(text, "x") == whole
            else:
                with pytest.raises(ConfigError, match="more than"):
                    yaml_file.parse(text, "x")
        monkeypatch.undo()
    yaml_file._faults_of_size.cache_clear()


ODD: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        10**400,
        1e308,
        -1e308,
        5e-324,
        float("nan"),
        float("inf"),
        "",
        "x" * 3000,
    ),
    *([], {}, [[]], {"a": {}}, [None], {1: 2}, {None: None}, "1e999", "0x10", "\0", "é" * 100),
    *(4, "4", ["a", 1], {"value": 1}, {"values": []}, {"min": 2, "max": 1}, {"parameters": {}}),
    *([0.1] * 50, "${program}", "../../x", "a/b", "-x", {"distribution": "normal"}, b"bytes"),
]
TOKENS = (
    *(": ", "- ", "\n", "[", "]", "{", "}", "&a ", "*a", "!!", "'", '"', "\t", "# ", "? ", "|"),
    *("<<: *a", "\x00", "\ud7ff", "1_000", "0o7", "~", "..", "---\n", "%YAML 9\n", "\u2028"),
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Return every container with every key or position in it."""
    if isinstance(node, dict | list):
        own = [(node, key) for key in (node if isinstance(node, dict) else range(len(node)))]
        return own + [place for _, key in own for place in places(node[key])]
    return []


def mutated(text: str, drawn: random.Random) -> str:
    """Return a document with some of its values replaced, removed, moved, or of its text broken."""
    node = yaml.safe_load(text)
    for _ in range(drawn.randint(1, 3)):
        container, key = drawn.choice(places(node) or [(node, None)])
        if key is None or (isinstance(container, list) and key >= len(container)):
            continue
        match drawn.randrange(4):
            case 0:
                del container[key]
            case 1:
                container[key] = [copy.deepcopy(container[key])] * 2  # written as an alias
            case _:
                container[key] = copy.deepcopy(drawn.choice(ODD))
    text = yaml.safe_dump(node, allow_unicode=True)
    for _ in range(drawn.choice([0, 0, 1, 3])):
        at = drawn.randrange(len(text) + 1)
        text = text[:at] + drawn.choice(TOKENS) + text[at + drawn.randrange(2) :]
    return text


@pytest.mark.slow
def test_fuzzed_documents_end_soon_with_an_answer(tmp_path: Path) -> None:
    files = [*library.available("ablations").values(), *library.available("sweeps").values()]
    texts = [file.read_text() for file in files if file.stat().st_size < 20_000]
    for file in files:
        answer(file)  # imports what planning any of them needs
    slow = []
    for seed in range(NUM_FUZZED):
        drawn = random.Random(seed)
        file = tmp_path / "x.yaml"
        file.write_text(mutated(drawn.choice(texts), drawn), encoding="utf-8")
        code, output, seconds = answer(file)
        assert code in (0, 2), f"{seed}: {output}"
        slow += [(seed, round(seconds, 1))] if seconds > LIMIT_S else []
    assert not slow


@pytest.mark.parametrize("arm", ["{ssl.mode: none}", "{ssl: {mode: none}}"])
def test_a_word_that_an_option_lists_is_meant(arm: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"arms: {{none: {arm}, other: {{data.root: none}}}}")
    assert [note.partition(" ")[0] for note in library.misreadings(file, ["arms"])] == [
        "arms.other.data.root"
    ]
