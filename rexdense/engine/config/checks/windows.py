"""Check of the sliding windows of a segmentor."""

from typing import Any

from mmengine.config import Config

from rexdense.errors import InvalidArgument, suggest

MODES = ('whole', 'slide')


def require_windows(config: Config) -> None:
    """Raise InvalidArgument if the mode in ``model.test_cfg`` of a segmentor is unknown, or its
    windows are missing or leave gaps. mmseg raises an AssertionError, or fails after an epoch."""
    settings = (config.get('model') or {}).get('test_cfg') or {}
    mode = settings.get('mode')
    if mode is None or 'decode_head' not in config.model:
        return
    if mode not in MODES:
        raise InvalidArgument(f'model.test_cfg.mode={mode!r}: {suggest(mode, MODES)}')
    if mode == 'whole':
        return
    crop, stride = settings.get('crop_size'), settings.get('stride')
    for name, value in (('crop_size', crop), ('stride', stride)):
        if not _is_size(value):
            raise InvalidArgument(
                f'model.test_cfg.{name}={value!r}: mode=slide takes height and width in pixels, '
                f'such as model.test_cfg.{name}=[256,256]'
            )
    if any(step > side for step, side in zip(stride, crop, strict=True)):
        raise InvalidArgument(
            f'model.test_cfg.stride={list(stride)} leaves gaps between windows of '
            f'crop_size={list(crop)}; give a stride of at most that'
        )


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(side, int) and side > 0 for side in value)
    )
