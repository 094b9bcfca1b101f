r"""The answer as a LaTeX table for `\input` in a paper, which needs the package booktabs alone.

Plain ASCII wherever the text allows it, so that pdfLaTeX sets it whatever the font's encoding.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

from audiocls.report.notation import NONE, p_value, percent, places, plain, plural, signed
from audiocls.report.results import ArmResult, Comparison
from audiocls.report.tables import method_text

CLAIMS = ("better", "worse")
DAGGER = r"\rlap{$^{\dagger}$}"
"""Takes no room, so that numbers stay below one another."""

_COMMANDS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "`": r"\textasciigrave{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\char34{}", "–": "--", "—": "---", "…": r"\ldots{}", "’": "'", "‘": "`",
    "[": "{[}", "*": "{*}",  # after `\\` they would be its option
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}", "Ø": r"\O{}", "ı": r"\i{}",
    "ł": r"\l{}", "Ł": r"\L{}", "œ": r"\oe{}", "Œ": r"\OE{}",
}  # fmt: skip
_MATHS = {
    "−": "-", "±": r"\pm", "×": r"\times", "·": r"\cdot", "≤": r"\leq", "≥": r"\geq",
    "≈": r"\approx", "→": r"\rightarrow", "∞": r"\infty", "†": r"\dagger",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "Δ": r"\Delta",
    "ε": r"\varepsilon", "η": r"\eta", "θ": r"\theta", "λ": r"\lambda", "μ": r"\mu",
    "µ": r"\mu", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "ω": r"\omega",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip


def to_latex(comparison: Comparison) -> str:
    """A `table` for each metric, the one that decides first."""
    every = (comparison, *comparison.secondary)
    return r"% Needs \usepackage{booktabs}." + "\n" + "\n".join(map(_table, every))


def escaped(text: str) -> str:
    r"""`text` as LaTeX sets it literally, on one line.

    A letter that no command makes (another script's) is left as it is, for LuaLaTeX or XeLaTeX.

    >>> escaped("mel_bands=40 & 50 %"), escaped("é")
    ('mel\\_bands=40 \\& 50 \\%', "\\'{e}")
    """
    line = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(_apart(*pair) + _letter(pair[1]) for pair in pairwise(f" {line}"))


def _apart(before: str, letter: str) -> str:
    """What keeps two equal marks from becoming a dash or a quotation mark."""
    return "{}" if before == letter and letter in "-'," else ""


def _letter(letter: str) -> str:
    if letter in _MATHS:
        return f"${_MATHS[letter]}$"
    if letter in _COMMANDS or letter.isascii():
        return _COMMANDS.get(letter, letter)
    bare, *marks = tuple(unicodedata.normalize("NFD", letter))
    if len(marks) != 1 or marks[0] not in _ACCENTS or not bare.isascii():
        return letter
    return f"\\{_ACCENTS[marks[0]]}{{{bare}}}"


def _table(comparison: Comparison) -> str:
    remarks = list(dict.fromkeys(arm.reason for arm in comparison.arms if arm.reason))
    columns = _columns(comparison)
    kinds = "".join("l" if name in ("Arm", "Against", "Verdict") else "r" for name in columns)
    label = "".join(
        mark if mark.isascii() and mark.isalnum() else "-" for mark in _name(comparison)
    )
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_caption(comparison)}}}",
        rf"\label{{tab:{label}}}",
        r"\par\smallskip",
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        _line(columns),
        r"\midrule",
        *(_line(_row(arm, comparison, remarks)) for arm in comparison.arms),
        r"\bottomrule",
        r"\end{tabular}",
        *_footnotes(comparison, remarks),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _name(comparison: Comparison) -> str:
    """Of the label: the study, and the metric, since a study may have several."""
    return f"{comparison.study}-{comparison.metric}"


def _line(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _columns(comparison: Comparison) -> list[str]:
    unit = (r" (\%)", " (points)") if comparison.scale == 100 else ("", "")
    return [
        "Arm",
        *(["Against"] if comparison.has_references else []),
        "Pairs",
        escaped(comparison.metric) + unit[0],
        rf"$\Delta${unit[1]}",
        "$p$",
        "Verdict",
    ]


def _row(arm: ArmResult, comparison: Comparison, remarks: Sequence[str]) -> list[str]:
    mark = rf"$^{{{remarks.index(arm.reason) + 1}}}$" if arm.reason else ""
    dagger = DAGGER if arm.verdict in CLAIMS else ""
    scale = comparison.scale
    return [
        escaped(arm.arm),
        *([escaped(arm.against or NONE)] if comparison.has_references else []),
        str(arm.num_pairs),
        _with_half_width(arm.mean, arm.mean_ci_low, arm.mean_ci_high, scale),
        _with_half_width(arm.delta, arm.ci_low, arm.ci_high, scale, is_signed=True) + dagger,
        f"${p_value(arm.p_holm)}$" if arm.p_holm is not None else escaped(NONE),
        arm.verdict.replace("_", " ") + mark,
    ]


def _with_half_width(
    value: float | None,
    low: float | None,
    high: float | None,
    scale: int,
    is_signed: bool = False,
) -> str:
    """`$+2.1 \\pm 1.3$`: an interval of the t test lies evenly about its mean."""
    if value is None:
        return escaped(NONE)
    write = signed if is_signed else plain
    half = None if low is None or high is None else scale * (high - low) / 2
    decimals = places(scale * value if half is None else half)
    number = write(scale * value, decimals).replace("−", "-")
    return f"${number}$" if half is None else rf"${number} \pm {plain(half, decimals)}$"


def _caption(comparison: Comparison) -> str:
    """What a reader needs to read the table without the text around it."""
    level = percent(1 - comparison.alpha)
    parts = [
        escaped(comparison.question),
        escaped(f"Means and differences ± half of their {level} interval."),
        escaped(method_text(comparison)),
    ]
    if any(arm.verdict in CLAIMS for arm in comparison.arms):
        parts.append(rf"$^{{\dagger}}$Significant after {_correction(comparison)}.")
    return "\n".join(parts)


def _correction(comparison: Comparison) -> str:
    num = plural(len(comparison.compared), "comparison")
    return escaped(f"{comparison.correction.capitalize()}'s correction for {num}")


def _footnotes(comparison: Comparison, remarks: Sequence[str]) -> list[str]:
    """Reasons by their number, what is missing, and the study's notes."""
    done = comparison.num_expected - len(comparison.missing)
    notes = [rf"$^{{{num}}}${escaped(reason)}." for num, reason in enumerate(remarks, start=1)]
    if comparison.missing:
        notes.append(f"{done} of {comparison.num_expected} trials finished.")
    notes += [escaped(note) for note in comparison.notes]
    return [rf"\par\smallskip{{\footnotesize {note}\par}}" for note in notes]
