"""What decides whether two trials ran the same code: its tokens, and never its prose."""

import io
import tokenize
from pathlib import Path

import pytest
from helpers.frozen import golden

from audiocls.execution.provenance import DECIDING_CODE, code_digest
from audiocls.source_code import significant
from audiocls.store.same_numbers import canonical_code

PACKAGE = Path(__file__).parent.parent / "audiocls"
PROSE = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
INDENTS = {tokenize.INDENT, tokenize.DEDENT}
STARTS = INDENTS | {tokenize.NEWLINE}


def tokens(source: str) -> list[str]:
    """All tokens but comments, blank lines and strings that are statements of their own."""
    stream = tokenize.generate_tokens(io.StringIO(source).readline)
    found = [token for token in stream if token.type not in PROSE]
    kept, is_start, i = [], True, 0
    while i < len(found):
        token = found[i]
        is_bare = token.type == tokenize.STRING and found[i + 1].type == tokenize.NEWLINE
        if is_start and is_bare:
            i += 2
            continue
        is_start = token.type in STARTS
        # A body that is a docstring alone loses its indentation with it.
        if token.type == tokenize.DEDENT and kept and kept[-1] == "INDENT":
            kept.pop()
        else:
            kept.append(tokenize.tok_name[token.type] if token.type in INDENTS else token.string)
        i += 1
    return kept


def test_what_remains_of_a_module_has_the_tokens_that_the_tokenizer_finds():
    files = list(PACKAGE.rglob("*.py"))
    assert {PACKAGE / name for name in DECIDING_CODE} <= {*files, *(file.parent for file in files)}
    for file in files:
        source = file.read_text()
        assert tokens(significant(source)) == tokens(source), file


PLAIN = 'def f(x):\n    return x["#1"]\n'

SAME = {
    "a comment": 'def f(x):  # why\n    return x["#1"]\n',
    "a comment of its own line": '# why\ndef f(x):\n    # because\n    return x["#1"]\n',
    "a docstring": 'def f(x):\n    """Say # what."""\n    return x["#1"]\n',
    "a docstring of several lines": 'def f(x):\n    """Say.\n\n  (\n  """\n    return x["#1"]\n',
    "a raw docstring": "def f(x):\n    r'''\\d'''\n    return x[\"#1\"]\n",
    "a module's docstring": '"""It\'s."""\n\n\ndef f(x):\n    return x["#1"]\n',
    "blank lines": '\n\ndef f(x):\n\n    return x["#1"]\n\n',
    "no newline at the end": 'def f(x):\n    return x["#1"]',
}

DIFFERENT = {
    "a key": 'def f(x):\n    return x["#2"]\n',
    "an operator": 'def f(x):\n    return -x["#1"]\n',
    "a default": 'def f(x=1):\n    return x["#1"]\n',
    "indentation": 'def f(x):\n    pass\nreturn x["#1"]\n',
    "a string that is an argument": 'def f(x):\n    g(\n    "why"\n    )\n    return x["#1"]\n',
    "a string that goes on": 'def f(x):\n    "why" \\\n    .upper()\n    return x["#1"]\n',
    "an f-string, which may call": 'def f(x):\n    f"""{x.pop()}"""\n    return x["#1"]\n',
}


@pytest.mark.parametrize("source", SAME.values(), ids=SAME.keys())
def test_prose_does_not_count(source):
    assert significant(source) == significant(PLAIN)


@pytest.mark.parametrize("source", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_everything_else_counts(source):
    assert significant(source) != significant(PLAIN)


def test_blank_lines_inside_a_string_count():
    assert significant('x = """a\n\nb"""\n') != significant('x = """a\nb"""\n')


def test_the_digest_does_not_depend_on_where_it_is_asked(tmp_path, monkeypatch):
    before = code_digest()
    code_digest.cache_clear()
    monkeypatch.chdir(tmp_path)
    assert code_digest() == before


def test_the_code_as_it_is_is_known_to_compute_the_frozen_numbers():
    """`test_frozen` trains a trial of each recipe to the bit; this says which code that is."""
    digest, frozen = code_digest(), golden("code")
    assert canonical_code(digest) == frozen, (
        f"the code that decides numbers has changed: {digest}. If tests/test_frozen.py passes "
        f"without FREEZE, enter {digest!r}: {frozen!r} in store/same_numbers.py; trials then "
        "compare with those before. If the numbers changed on purpose, freeze them anew and write "
        f"{digest!r} into tests/golden/frozen/code.json"
    )
