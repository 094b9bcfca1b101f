"""`escaped`: any text as LaTeX sets it literally."""

import unicodedata
from itertools import pairwise

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


def escaped(text: str) -> str:
    r"""Return `text` as LaTeX sets it literally, on one line.

    A letter that no command makes (another script's) is left as it is, for LuaLaTeX or XeLaTeX.

    >>> escaped("mel_bands=40 & 50 %"), escaped("é")
    ('mel\\_bands=40 \\& 50 \\%', "\\'{e}")
    """
    line = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(_apart(*pair) + _letter(pair[1]) for pair in pairwise(f" {line}"))


def _apart(before: str, letter: str) -> str:
    """Return what keeps two equal marks from becoming a dash or a quotation mark."""
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
