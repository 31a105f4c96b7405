"""The transform that loads a label map, checked against its image and the classes."""

import numpy as np
from mmcv.transforms import BaseTransform

from rexdense.datasets.images.content import read_file
from rexdense.datasets.images.loading import ImageError
from rexdense.datasets.segmentation.label_maps import check_labels, check_size, read_label_map
from rexdense.errors import DataError
from rexdense.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadSegmentationAnnotations(BaseTransform):
    """Read the label map at ``seg_map_path``, (height, width), as uint8 or, if the labels need it,
    a wider integer type.

    It replaces mmseg's ``LoadAnnotations`` for :class:`~rexdense.datasets.SegmentationDataset`. It
    refuses labels that are no class, colour images, and maps of another size than the image.

    Required keys: ``seg_map_path``, ``num_classes``, ``ignore_index``, ``seg_fields``;
    ``ori_shape`` (height, width) to check the size. Added key: ``gt_seg_map``.

    Args:
        backend_args: arguments of mmengine's file backends, for label maps that are not on a disk.

    Raises:
        ImageError: the map cannot be used; the message says why.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the label map."""
        path = results['seg_map_path']
        content = read_file(path, 'label map', self.backend_args, ImageError)
        try:
            labels = read_label_map(path, content)
            check_labels(labels, results['num_classes'], path, results['ignore_index'])
            check_size(labels, tuple(results.get('ori_shape', labels.shape)), path)
        except DataError as error:
            raise ImageError(str(error)) from error
        results['gt_seg_map'] = labels.astype(
            _narrowest(results['num_classes'], results['ignore_index'])
        )
        results['seg_fields'].append('gt_seg_map')
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(backend_args={self.backend_args})'


def _narrowest(num_classes: int, void: int) -> type[np.integer]:
    """Return the narrowest type that holds all labels and that OpenCV can resize and rotate."""
    lowest, highest = min(void, 0), max(void, num_classes - 1)
    return next(
        (
            kind
            for kind in (np.uint8, np.uint16, np.int16)
            if np.iinfo(kind).min <= lowest and highest <= np.iinfo(kind).max
        ),
        np.int32,
    )
