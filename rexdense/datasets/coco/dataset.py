"""mmdet's COCO dataset for users' own annotation files."""

import logging
from typing import Any

from mmdet.datasets import CocoDataset as _CocoDataset
from mmengine.fileio import get_local_path
from mmengine.logging import print_log

from rexdense.datasets.coco.annotations import CocoAnnotations, read_annotations
from rexdense.datasets.garbage_collection import collector_paused
from rexdense.datasets.skipping import SkipUnreadable
from rexdense.errors import DataError
from rexdense.registry import DATASETS


@DATASETS.register_module()
class CocoDataset(SkipUnreadable, _CocoDataset):
    """mmdet's ``CocoDataset`` for users' own annotation files.

    The arguments and samples are the same, with these differences:

    - Without ``metainfo['classes']``, the classes are those of the annotation file.
    - Labels follow the order of ``metainfo['classes']``. mmdet's follow the order of the file, so
      that another order silently swaps classes.
    - :func:`~rexdense.datasets.read_annotations` reads and cleans the annotations.
    - A training image that cannot be decoded is replaced by another one, with a warning; see
      ``skipped_images``. With ``test_mode=True`` it is an error.

    Raises:
        DataError: the annotations cannot be used, or images are missing.
    """

    METAINFO: dict[str, Any] = {}

    @collector_paused()
    def full_init(self) -> None:
        """Read the annotations, if they are not read yet."""
        super().full_init()

    def load_data_list(self) -> list[dict]:
        """Return one dictionary per image, as mmdet's transforms expect it."""
        self.data_prefix.setdefault('img', self.data_root or '')
        annotations = self._read()
        self._metainfo['classes'] = annotations.classes
        self.cat2label = annotations.labels
        self.cat_ids = list(annotations.labels)
        self.cat_img_map = {category_id: set() for category_id in self.cat_ids}
        by_image: dict[int | str, list[dict]] = {
            image['id']: [] for image in annotations.dataset['images']
        }
        for annotation in annotations.dataset['annotations']:
            by_image[annotation['image_id']].append(annotation)
            self.cat_img_map[annotation['category_id']].add(annotation['image_id'])
        return [
            self.parse_data_info(
                {
                    'raw_img_info': {
                        **image,
                        'img_id': image['id'],
                        'width': int(image['width']),
                        'height': int(image['height']),
                    },
                    'raw_ann_info': by_image[image['id']],
                }
            )
            for image in annotations.dataset['images']
        ]

    def _read(self) -> CocoAnnotations:
        with get_local_path(self.ann_file, backend_args=self.backend_args) as path:
            annotations = read_annotations(
                path,
                None if self.backend_args else self.data_prefix['img'],
                self._metainfo.get('classes'),
                may_lack_classes=self.test_mode,
                need_boxes=not self.test_mode,
                need_masks=any(
                    getattr(transform, 'with_mask', False) for transform in self.pipeline.transforms
                ),
            )
        if annotations.dropped:
            reasons = '; '.join(f'{count} {why}' for why, count in annotations.dropped.items())
            print_log(
                f'{self.ann_file}: annotations left out: {reasons}',
                logger='current',
                level=logging.WARNING,
            )
        return annotations

    def filter_data(self) -> list[dict]:
        """Return the images that ``filter_cfg`` keeps; raise DataError if there are none."""
        kept = super().filter_data()
        if not kept:
            raise DataError(
                f'{self.ann_file}: no image is left of {len(self.data_list)} with '
                f'filter_cfg={self.filter_cfg}; loosen it'
            )
        return kept
