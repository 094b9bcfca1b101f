"""The answer as Markdown."""

from audiocls.analysis import pareto
from audiocls.analysis.results import Comparison
from audiocls.render.effect_table import effect_remarks, effect_table
from audiocls.render.headline import headline
from audiocls.render.tables import (
    escaped,
    markdown_table,
    method_text,
    name_of,
    secondary_table,
    verdict_table,
)


def to_markdown(comparison: Comparison) -> str:
    """Headline, table, method, missing cells and the command, for a pull request or a README."""
    table = verdict_table(comparison)
    done = comparison.num_expected - len(comparison.missing)
    parts = [
        f"## {escaped(comparison.study)}",
        f"*{escaped(comparison.question)}*",
        f"**{escaped(headline(comparison))}**",
        *(f"Note: {escaped(note)}" for note in comparison.notes),
        markdown_table(table),
        *(
            f"{escaped(each.title)}\n\n{markdown_table(each)}"
            for each in map(secondary_table, comparison.secondary)
        ),
        *_effects(comparison),
        *map(escaped, pareto.sentences(comparison)),
        escaped(method_text(comparison)),
        f"{done} of {comparison.num_expected} trials finished.",
    ]
    if comparison.missing:
        names = "\n".join(f"- {escaped(name_of(cell))}" for cell in comparison.missing)
        parts.append(f"Missing:\n\n{names}")
    if comparison.command:
        parts.append(f"Reproduce:\n\n```\n{comparison.command}\n```")
    return "\n\n".join(parts) + "\n"


def _effects(comparison: Comparison) -> list[str]:
    if not comparison.effects.estimates:
        return []
    table = effect_table(comparison)
    remarks = map(escaped, effect_remarks(comparison))
    return [escaped(table.title), markdown_table(table), *remarks]
