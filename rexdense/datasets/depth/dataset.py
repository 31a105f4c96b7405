"""A data set of images and depth maps for mmseg's transforms."""

import logging
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from rexdense.datasets.depth.loading import EmptyDepthMap
from rexdense.datasets.depth.pairs import find_depth_pairs
from rexdense.datasets.images.files import UnreadableImage
from rexdense.datasets.skipping import SkipUnreadable
from rexdense.registry import DATASETS


@DATASETS.register_module()
class DepthDataset(SkipUnreadable, BaseDataset):
    """Images and depth maps in two folders, or named by a list. It does not need mmseg.

    By default they lie in ``images/train`` and ``depth/train`` below ``data_root`` and are paired
    by name; see :func:`~rexdense.datasets.depth.pairs.pair_by_name`. Each sample has the keys
    ``img_path``, ``depth_map_path`` and ``seg_fields``, which ``rexdense.LoadImage``,
    ``rexdense.LoadDepth`` and mmseg's transforms read.

    A training image that cannot be decoded, or whose depth map has no measured pixel, is replaced
    by another one; see ``skipped_images``. With ``test_mode=True``, such an image is an error, and
    such a map is passed on to the metric.

    Args:
        ann_file: A list of pairs, see :func:`~rexdense.datasets.depth.pairs.read_pair_list`; ''
            pairs by name.
        data_prefix: The folders ``img_path`` and ``depth_map_path``.
        arguments: Further arguments of mmengine's ``BaseDataset``.

    Raises:
        DataError: images or depth maps are missing.
    """

    METAINFO: dict[str, Any] = {}
    faults = (UnreadableImage, EmptyDepthMap)

    def __init__(
        self,
        ann_file: str = '',
        data_prefix: dict[str, str] | None = None,
        **arguments: Any,
    ) -> None:
        folders = {'img_path': 'images/train', 'depth_map_path': 'depth/train'}
        super().__init__(ann_file, data_prefix=folders | (data_prefix or {}), **arguments)

    def load_data_list(self) -> list[dict]:
        """Return one dictionary per image."""
        images, depth = self.data_prefix['img_path'], self.data_prefix['depth_map_path']
        found = find_depth_pairs(images, depth, self.ann_file)
        for what, number in found.left_out.items():
            print_log(
                f'{self.ann_file or images}: left out: {number} {what}',
                logger='current',
                level=logging.WARNING,
            )
        return [
            {
                'img_path': image,
                'depth_map_path': depth_map,
                'seg_fields': [],
                'may_be_empty': self.test_mode,
            }
            for image, depth_map in found.pairs
        ]
