"""Several studies as one HTML file that needs nothing else."""

from audiocls.report.headline import headline
from audiocls.report.notation import percent
from audiocls.report.page import inline, render
from audiocls.report.studies import picture
from audiocls.report.studies.joint import Joint
from audiocls.report.studies.told import differences, remarks
from audiocls.report.svg import to_svg


def to_html(joint: Joint) -> str:
    """The page: what differs, each arm in every study, and each study's own verdicts."""
    return render(
        "studies.html.j2",
        joint=joint,
        between=differences(joint),
        headlines=[headline(answer) for answer in joint.answers],
        remarks=remarks(joint),
        level=percent(1 - joint.answers[0].alpha),
        picture=inline(to_svg(picture.effects(joint), "effects")),
        shapes=picture.shapes(joint),
    )
