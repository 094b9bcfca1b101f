"""How verdicts came about, and what they apply to and mean, for people who train models."""

from audiocls.analysis.results import Comparison
from audiocls.formatting import format_percent, join_names, plural
from audiocls.render.build.headline import capitalised

VERDICT_MEANINGS = {
    "better": "It reaches more than what it is compared with, shown over other trainings and other "
    "recordings. Keep the change; if the reason says “by less than the margin”, it is smaller than "
    "what you said matters.",
    "worse": "It reaches less, shown in the same way. Leave the change out.",
    "equivalent": "It differs by less than the margin, shown as well. Take whichever is cheaper, "
    "after a look at the worst pair: rare collapses are not excluded.",
    "no_evidence": "Neither a difference nor its absence was shown, which is not “no effect”. See "
    "which effects the interval still allows; more seeds narrow it, and all folds before that.",
    "too_few_pairs": "Nothing tells yet how much trainings vary. Train two seeds at least, or "
    "better one seed on all folds.",
    "not_comparable": "The sides differ in more than the change (compute, code, data, protocol), "
    "pairs are missing, or the change had no effect. Read the reason, mend it and launch again: "
    "finished trials are kept.",
}
MAX_LEANING = 5
_SIMULTANEOUS = (
    "The simultaneous intervals hold for all arms together (Bonferroni), the others each for its "
    "own arm."
)


def scope_sentence(comparison: Comparison) -> str:
    """Return what the verdicts apply to, and what they leave open."""
    num, num_all = comparison.num_folds, comparison.num_all_folds
    if comparison.scope == "data":
        return f"Verdicts apply to the whole data set: all {num} folds were tested."
    if comparison.scope == "folds" and num < (num_all or 0):
        return f"Verdicts rest on {num} of {num_all} folds: the others were not tried."
    if comparison.scope == "folds":
        return f"Verdicts rest on these {num} folds; how much of the data they are is not recorded."
    if comparison.scope == "split":
        return (
            "Verdicts apply to this split: they hold for other test recordings, but other training "
            "clips might answer otherwise."
        )
    return (
        "Verdicts apply to these test clips alone: recordings could not be taken into account, so "
        "nothing tells what other clips would show."
    )


def method_text(comparison: Comparison, has_simultaneous: bool = True) -> str:
    """Return how the numbers came about, in plain words.

    `has_simultaneous` says whether the table beside it shows simultaneous intervals.
    """
    other = "the arm named under against" if comparison.has_references else comparison.baseline
    parts = (
        f"Each arm is compared with {other} in pairs: the same seed and fold, with the change and "
        "without. Δ is the mean over folds of the mean over their seeds.",
        f"{capitalised(comparison.method)}.",
        "The larger p and the wider interval of the two are shown."
        if comparison.has_recordings
        else "",
        _correction(comparison),
        _SIMULTANEOUS if has_simultaneous and len(comparison.compared) > 1 else "",
        _families(comparison),
        _equivalence(comparison),
        _growth(comparison),
    )
    return " ".join(filter(None, parts))


def _correction(comparison: Comparison) -> str:
    num, level = len(comparison.compared), format_percent(comparison.alpha)
    if num < 2:
        return f"One comparison needs no correction: a claim has p ≤ {comparison.alpha:g}."
    return (
        f"Holm's correction keeps the chance of any false claim among the {num} comparisons at "
        f"{level} or less."
    )


def leaning_sentence(comparison: Comparison) -> str:
    """Return why arms whose own interval excludes 0 are no evidence; empty where there is none."""
    arms = [arm.arm for arm in comparison.compared if arm.is_leaning]
    if not arms or len(comparison.compared) < 2:
        return ""
    leans, its = ("leans", "its") if len(arms) == 1 else ("lean", "their")
    num, level = len(comparison.compared), format_percent(comparison.alpha)
    return (
        f"{join_names(arms, MAX_LEANING)} {leans} to one side: {its} own "
        f"{comparison.interval_level} interval excludes 0. Among {num} comparisons that happens by "
        f"luck alone more often than in {level} of studies; p (Holm) and the simultaneous "
        "intervals allow for it, and decide."
    )


def _families(comparison: Comparison) -> str:
    """Return that effects of factors are corrected apart, where there are any."""
    num, of_both = len(comparison.effects.estimates), format_percent(2 * comparison.alpha)
    if not num:
        return ""
    return (
        f"Comparisons of arms are one family and the {plural(num, 'effect')} of factors another, "
        f"each corrected by itself: the chance of a false claim in either is up to {of_both}."
    )


def _equivalence(comparison: Comparison) -> str:
    scale = comparison.scale
    margin = f"±{comparison.margin * scale:g}{' points' if scale == 100 else ''}"
    corrected = ", Holm-corrected over the arms" if len(comparison.compared) > 1 else ""
    return (
        f"Equivalent is what was shown to lie within {margin}, by two one-sided tests with the "
        f"same errors{corrected}, as if one more recording had been won and one lost."
    )


def _growth(comparison: Comparison) -> str:
    """Return how a study that grew until it was decided keeps its errors."""
    if not comparison.looks:
        return ""
    return (
        "The study was looked at after every seed and grew until it was decided. Intervals and p "
        "values hold at all looks together (an e-process over trainings), so that looking often "
        "costs no false claims. A verdict stays as it was when its look decided it."
    )
