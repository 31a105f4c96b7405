"""Masks as COCO's run lengths: lengths of alternating runs outside and inside, down the columns.

The text form is that of ``rleToString`` in pycocotools (common/maskApi.c).
"""

from collections.abc import Sequence

_MOST_BITS = 60
"""Most bits of a number; the time to read a longer one grows with the square of its length."""


def runs_of_text(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed text; none if it is damaged."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > _MOST_BITS:
            return []
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        # From the fourth on, the difference to the run two before is stored.
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return [] if shift or min(runs, default=0) < 0 else runs


def box_of_runs(runs: Sequence[int], height: int) -> list[int] | None:
    """Return [left, top, width, height] of a mask in pixels; None if it has no pixel.

    Args:
        runs: Run lengths down the columns.
        height: Height of the image in pixels.
    """
    columns: list[int] = []
    rows: list[int] = []
    start = 0
    for place, length in enumerate(runs):
        end = start + length
        if place % 2 and length:
            columns += (start // height, (end - 1) // height)
            through = columns[-1] > columns[-2]
            rows += (0, height - 1) if through else (start % height, (end - 1) % height)
        start = end
    if not columns:
        return None
    left, top = min(columns), min(rows)
    return [left, top, max(columns) + 1 - left, max(rows) + 1 - top]
