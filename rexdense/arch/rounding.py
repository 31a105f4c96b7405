"""Rounding of channel counts."""


def make_divisible(value: float, divisor: int) -> int:
    """Round to the nearest multiple of ``divisor``, but never reduce by more than 10 %.

    Source: MobileNet's rule, in clovaai/rexnet ``rexnetv1_lite.py`` and timm
    ``layers/helpers.py``.

    Example:
        >>> make_divisible(38, 8), make_divisible(9, 8), make_divisible(38, 1)
        (40, 16, 38)
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded
