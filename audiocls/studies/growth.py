"""What may be added to a study that was launched before."""

from audiocls.errors import UsageError
from audiocls.store import Study, is_same_question


def check_can_extend(before: Study, now: Study) -> None:
    """Raises `UsageError` where `now` would add to `before` what its looks do not foresee."""
    if not is_same_question(before, now):
        return
    if before.looks and not now.looks and not _places(now) <= _places(before):
        raise UsageError(
            f"study {before.name!r} grows by itself until it is decided, and by nothing else: "
            f"go on with `{before.command}`, or keep both plans with --study NAME"
        )
    if before.looks and now.looks and _places(now) != _places(before, before.looks[0]):
        raise UsageError(
            f"study {before.name!r} had its first look at other cells (it has "
            f"{before.looks[0]} blocks and {len(before.arms)} arms there): go on with "
            f"`{before.command}`, or ask anew with --study NAME"
        )
    if now.looks and not before.looks and not _places(before) <= _places(now):
        raise UsageError(
            f"study {before.name!r} has cells that were not asked for now: --until-decided takes "
            "all of a study into its first look; ask for them too, or choose another --study NAME"
        )


def _places(study: Study, num_blocks: int | None = None) -> set[tuple[str, int, int]]:
    """Arm, seed and fold of all cells, or of those on the first blocks."""
    first = set(study.blocks[:num_blocks])
    return {(cell.arm, *cell.block) for cell in study.cells if cell.block in first}
