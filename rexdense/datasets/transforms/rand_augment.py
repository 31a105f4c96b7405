"""RandAugment with the operations, levels and text form of timm (``rand-m9-mstd0.5-inc1``)."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageEnhance, ImageOps

from rexdense.datasets.images.memory import in_order
from rexdense.errors import InvalidArgument
from rexdense.registry import TRANSFORMS

TOP_LEVEL = 10.0
FORM = (
    'rand-, then parts joined by -: m9 (level, 0 to 10), mstd0.5 (its noise; above 100 it is '
    'uniform from 0), mmax10 (highest level), n2 (operations an image), p0.5 (share that is '
    'applied), inc1 (severity grows with the level for all operations)'
)


class RandAugmentPolicy(NamedTuple):
    """Settings of the text form.

    Attributes:
        level: Severity, 0 to 10.
        deviation: Standard deviation of the Gaussian noise on the level of each operation; infinite
            for a level uniform from 0 to ``level``.
        highest: Upper limit of the noisy level.
        operations: Number of operations per image.
        probability: Share of the operations that is applied.
        increasing: Whether a higher level is a stronger change for every operation.
    """

    level: float = 10.0
    deviation: float = 0.0
    highest: float = TOP_LEVEL
    operations: int = 2
    probability: float = 0.5
    increasing: bool = False


_PARTS: dict[str, tuple[str, Callable[[float], Any]]] = {
    'm': ('level', float),
    'mstd': ('deviation', lambda value: value if value <= 100 else np.inf),
    'mmax': ('highest', float),
    'n': ('operations', int),
    'p': ('probability', float),
    'inc': ('increasing', bool),
}


def parse_policy(text: str) -> RandAugmentPolicy:
    """Parse a policy such as 'rand-m9-mstd0.5-inc1'.

    Raises:
        InvalidArgument: the text has another form; the message shows the allowed one.

    Example:
        >>> parse_policy('rand-m9-mstd0.5').deviation
        0.5
    """
    fault = InvalidArgument(f'policy={text!r} is not understood; it is {FORM}')
    if not isinstance(text, str):
        raise fault
    kind, *parts = text.split('-')
    fields: dict[str, Any] = {}
    for part in parts:
        match = re.fullmatch(r'([a-z]+)(\d+(?:\.\d+)?)', part)
        if match is None or match[1] not in _PARTS:
            raise fault
        field, convert = _PARTS[match[1]]
        fields[field] = convert(float(match[2]))
    policy = RandAugmentPolicy(**fields)
    if kind != 'rand' or not 0 <= policy.level <= TOP_LEVEL or not 0 <= policy.probability <= 1:
        raise fault
    return policy


class _Setting(NamedTuple):
    """Arguments of an operation other than its level."""

    increasing: bool
    fill: tuple[int, int, int]
    resample: Image.Resampling

    def warp(self, image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
        return image.transform(
            image.size, Image.Transform.AFFINE, matrix, self.resample, fillcolor=self.fill
        )


def _sign(value: float) -> float:
    return -value if np.random.rand() < 0.5 else value


def _enhancement(kind: type) -> Callable[[Image.Image, float, _Setting], Image.Image]:
    def enhance(image: Image.Image, level: float, setting: _Setting) -> Image.Image:
        if setting.increasing:
            factor = max(0.1, 1 + _sign(level / TOP_LEVEL * 0.9))
        else:
            factor = level / TOP_LEVEL * 1.8 + 0.1
        return kind(image).enhance(factor)

    return enhance


def _rotate(image: Image.Image, level: float, setting: _Setting) -> Image.Image:
    return image.rotate(
        _sign(level / TOP_LEVEL * 30), resample=setting.resample, fillcolor=setting.fill
    )


def _posterize(image: Image.Image, level: float, setting: _Setting) -> Image.Image:
    bits = int(level / TOP_LEVEL * 4)
    return ImageOps.posterize(image, 4 - bits if setting.increasing else bits)


def _solarize(image: Image.Image, level: float, setting: _Setting) -> Image.Image:
    threshold = min(256, int(level / TOP_LEVEL * 256))
    return ImageOps.solarize(image, 256 - threshold if setting.increasing else threshold)


def _solarize_add(image: Image.Image, level: float, setting: _Setting) -> Image.Image:
    added = min(128, int(level / TOP_LEVEL * 110))
    return image.point(
        [min(255, value + added) if value < 128 else value for value in range(256)] * 3
    )


def _shear_x(image: Image.Image, level: float, setting: _Setting) -> Image.Image:
    return setting.warp(image, (1, _sign(level / TOP_LEVEL * 0.3), 0, 0, 1, 0))


def _shear_y(image: Image.Image, level: float, setting: _Setting) -> Image.Image:
    return setting.warp(image, (1, 0, 0, _sign(level / TOP_LEVEL * 0.3), 1, 0))


def _translate_x(image: Image.Image, level: float, setting: _Setting) -> Image.Image:
    return setting.warp(image, (1, 0, _sign(level / TOP_LEVEL * 0.45) * image.width, 0, 1, 0))


def _translate_y(image: Image.Image, level: float, setting: _Setting) -> Image.Image:
    return setting.warp(image, (1, 0, 0, 0, 1, _sign(level / TOP_LEVEL * 0.45) * image.height))


# The fifteen of timm/data/auto_augment.py, _RAND_TRANSFORMS. Without ``increasing``, a higher level
# keeps more bits and solarizes less, as in timm.
OPERATIONS: dict[str, Callable[[Image.Image, float, _Setting], Image.Image]] = {
    'AutoContrast': lambda image, level, setting: ImageOps.autocontrast(image),
    'Equalize': lambda image, level, setting: ImageOps.equalize(image),
    'Invert': lambda image, level, setting: ImageOps.invert(image),
    'Rotate': _rotate,
    'Posterize': _posterize,
    'Solarize': _solarize,
    'SolarizeAdd': _solarize_add,
    'Color': _enhancement(ImageEnhance.Color),
    'Contrast': _enhancement(ImageEnhance.Contrast),
    'Brightness': _enhancement(ImageEnhance.Brightness),
    'Sharpness': _enhancement(ImageEnhance.Sharpness),
    'ShearX': _shear_x,
    'ShearY': _shear_y,
    'TranslateX': _translate_x,
    'TranslateY': _translate_y,
}


@TRANSFORMS.register_module()
class RandAugment(BaseTransform):
    """Apply randomly drawn operations to an image (Cubuk et al. 2020), as timm does.

    Each image gets ``n`` operations, drawn with replacement, each of which is applied with
    probability ``p`` at the level ``m`` plus noise.

    Required and changed keys: ``img``, uint8, blue, green, red.

    Args:
        policy: The text form of timm, such as 'rand-m9-mstd0.5-inc1'.
        fill: Colour (red, green, blue) of pixels from outside the image; timm's is ImageNet's mean.
        operations: Names from ``OPERATIONS``; None takes all.

    Raises:
        InvalidArgument: the policy or an operation is not known.
    """

    def __init__(
        self,
        policy: str = 'rand-m9-mstd0.5',
        fill: tuple[int, int, int] = (124, 116, 104),
        operations: Sequence[str] | None = None,
    ) -> None:
        self.policy_text = policy
        self.policy = parse_policy(policy)
        self.fill = tuple(fill)
        self.operations = list(OPERATIONS if operations is None else operations)
        unknown = [name for name in self.operations if name not in OPERATIONS]
        if unknown or not self.operations:
            raise InvalidArgument(
                f'operations={operations!r}: give some of {", ".join(OPERATIONS)}'
            )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Augment the image."""
        chosen = [
            name
            for name in np.random.choice(self.operations, self.policy.operations)
            if np.random.rand() < self.policy.probability
        ]
        if not chosen:
            return results
        # OpenCV reorders channels many times faster than a copy of a flipped array.
        image = Image.fromarray(cv2.cvtColor(in_order(results['img']), cv2.COLOR_BGR2RGB))
        for name in chosen:
            resample = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)[np.random.randint(2)]
            setting = _Setting(self.policy.increasing, self.fill, resample)
            image = OPERATIONS[name](image, self._draw_level(), setting)
        results['img'] = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)
        return results

    def _draw_level(self) -> float:
        level, deviation = self.policy.level, self.policy.deviation
        if np.isinf(deviation):
            level = np.random.uniform(0, level)
        elif deviation:
            level = np.random.normal(level, deviation)
        return float(np.clip(level, 0, self.policy.highest))

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.policy_text!r}, fill={self.fill})'
