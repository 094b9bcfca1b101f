"""Several studies as one HTML file that needs nothing else."""

from audiocls.analysis.contrasts.cross_study import MultiStudyReport
from audiocls.formatting import format_percent
from audiocls.render.cross_study import figure
from audiocls.render.cross_study.text import differences, remarks
from audiocls.render.headline import headline
from audiocls.render.page import inline, render
from audiocls.render.svg import to_svg


def to_html(joint: MultiStudyReport) -> str:
    """The page: what differs, each arm in every study, and each study's own verdicts."""
    return render(
        "studies.html.j2",
        joint=joint,
        between=differences(joint),
        headlines=[headline(answer) for answer in joint.answers],
        remarks=remarks(joint),
        level=format_percent(1 - joint.answers[0].alpha),
        picture=inline(to_svg(figure.effects(joint), "effects")),
        shapes=figure.shapes(joint),
    )
