"""Loading of depth maps in metres."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from rexdense.arch.checks import require_positive
from rexdense.datasets.images.content import read_file
from rexdense.datasets.images.file_checks import MapKind
from rexdense.datasets.images.files import ImageError, UnreadableImage, decode_pixels
from rexdense.datasets.images.orientation import orientation_of, turned_upright
from rexdense.datasets.images.sizes import wrong_map_size
from rexdense.registry import TRANSFORMS


class EmptyDepthMap(ImageError):
    """A depth map without a measured pixel."""


@TRANSFORMS.register_module()
class LoadDepth(BaseTransform):
    """Read the depth map at ``depth_map_path`` as metres, (height, width) of float32, 0 where
    nothing was measured.

    See :func:`read_depth` for the file formats.

    Required keys: ``depth_map_path`` and ``seg_fields``; ``ori_shape`` to compare the size with the
    image's; ``may_be_empty`` to accept a map without a measured pixel. Added key: ``gt_depth_map``,
    which mmseg's transforms resize by nearest pixels, as they do label maps.

    Args:
        units_per_metre: Integer units per metre: 1000 for millimetres, as in NYU Depth v2; 256 in
            KITTI.
        backend_args: Arguments of mmengine's file backends, for files that are not on a disk.

    Raises:
        InvalidArgument: ``units_per_metre`` is not above 0.
    """

    def __init__(self, units_per_metre: float = 1000, backend_args: dict | None = None) -> None:
        require_positive('units_per_metre', units_per_metre)
        self.units_per_metre, self.backend_args = units_per_metre, backend_args

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the depth map to ``results``.

        Raises:
            UnreadableImage: the file is missing or damaged.
            EmptyDepthMap: no pixel was measured.
            ImageError: the file holds no depth, or its size differs from the image's.
        """
        path = results['depth_map_path']
        content = read_file(path, 'depth map', self.backend_args)
        depth = read_depth(content, path, self.units_per_metre)
        size = tuple(results.get('ori_shape', depth.shape)[:2])
        if depth.shape != size:
            raise ImageError(wrong_map_size('depth map', path, depth.shape, size))
        if not depth.any() and not results.get('may_be_empty'):
            raise EmptyDepthMap(
                f'depth map {path} has no measured pixel: all are 0, negative, NaN or infinite'
            )
        results['gt_depth_map'] = depth
        results['seg_fields'].append('gt_depth_map')
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(units_per_metre={self.units_per_metre}, '
            f'backend_args={self.backend_args})'
        )


def read_depth(content: bytes, path: str, units_per_metre: float = 1000) -> np.ndarray:
    """Return a depth map in metres, (height, width) of float32; 0 where nothing was measured.

    Args:
        content: The bytes of a 16-bit PNG or TIFF with integers, or of a ``.npy`` file or TIFF with
            floating-point metres. Values of 0 or below, NaN and infinity are not measured.
        path: Name of the file in messages.
        units_per_metre: Integer units per metre.

    Raises:
        UnreadableImage: the content is damaged.
        ImageError: the content is no depth map, such as a colour image.
    """
    stored = _stored(content, path)
    if stored.ndim == 3 and 1 in (stored.shape[0], stored.shape[2]):
        stored = stored.squeeze(0 if stored.shape[0] == 1 else 2)
    if stored.ndim != 2 or not stored.size:
        raise ImageError(
            f'depth map {path} has the shape {stored.shape}; it must be (height, width), a grey '
            'image and not a colour one'
        )
    if stored.dtype.kind == 'f':
        depth = stored.astype(np.float32)
    elif stored.dtype.kind in 'iu' and stored.dtype.itemsize > 1:
        depth = stored.astype(np.float32) / np.float32(units_per_metre)
    else:
        raise ImageError(
            f'depth map {path} holds {stored.dtype} values, too coarse for depth; save it as a '
            '16-bit PNG, or as .npy in metres'
        )
    depth[~(np.isfinite(depth) & (depth > 0))] = 0
    return depth


def _stored(content: bytes, path: str) -> np.ndarray:
    """Return the values of a file as stored; an image is turned upright."""
    if str(path).endswith('.npy'):
        try:
            return np.load(io.BytesIO(content), allow_pickle=False)
        # NumPy raises almost any exception for a damaged file.
        except Exception as error:
            raise UnreadableImage(
                f'depth map {path} cannot be read: it is damaged, or no array of numbers'
            ) from error
    return turned_upright(decode_pixels(content, path, 'depth map'), orientation_of(content))


DEPTH_MAP = MapKind('depth map', lambda path: read_depth(Path(path).read_bytes(), path))
