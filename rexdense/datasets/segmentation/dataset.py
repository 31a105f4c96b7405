"""A data set of images and label maps for mmseg's pipelines."""

from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from rexdense.datasets.segmentation.class_list import read_class_list
from rexdense.datasets.segmentation.folder import find_pairs
from rexdense.datasets.segmentation.label_maps import VOID
from rexdense.datasets.skipping import SkipUnreadable
from rexdense.datasets.text_files import CLASS_FILE
from rexdense.errors import InvalidArgument
from rexdense.registry import DATASETS


@DATASETS.register_module()
class SegmentationDataset(SkipUnreadable, BaseDataset):
    """Images with label maps of the same names, for mmseg's transforms and models.

    It does not need mmseg. Without ``metainfo['classes']``, names and colours come from
    ``classes.txt`` in ``data_root``. A training image that cannot be decoded is replaced by another
    one, with a warning; see :class:`~rexdense.datasets.skipping.SkipUnreadable`.

    Args:
        data_root: The folder of ``classes.txt``.
        data_prefix: ``img_path`` and ``seg_map_path``, the folders of images and of label maps,
            below ``data_root``.
        ignore_index: The label of void pixels. Heads and metrics must have the same value.
        arguments: Further arguments of mmengine's ``BaseDataset``, such as metainfo and pipeline.

    Raises:
        DataError: a folder is missing or empty, or an image has no label map.
        InvalidArgument: ``ignore_index`` is the label of a class.
    """

    def __init__(
        self, data_root: str, data_prefix: dict, ignore_index: int = VOID, **arguments: Any
    ) -> None:
        self.ignore_index = ignore_index
        metainfo = dict(arguments.pop('metainfo', None) or {})
        if 'classes' not in metainfo:
            names, palette = read_class_list(Path(data_root) / CLASS_FILE)
            metainfo = dict(classes=names, palette=palette)
        if 0 <= ignore_index < len(metainfo['classes']):
            raise InvalidArgument(
                f'ignore_index={ignore_index} is the label of the class '
                f'{metainfo["classes"][ignore_index]!r}: void needs a number of its own, '
                f'{len(metainfo["classes"])} or more'
            )
        super().__init__(
            data_root=data_root, data_prefix=data_prefix, metainfo=metainfo, **arguments
        )

    def load_data_list(self) -> list[dict]:
        """Return one dictionary per image, as mmseg's transforms expect it."""
        pairs = find_pairs(
            Path(self.data_prefix['img_path']), Path(self.data_prefix['seg_map_path'])
        )
        return [
            dict(
                img_path=str(image),
                seg_map_path=str(labels),
                num_classes=len(self.metainfo['classes']),
                ignore_index=self.ignore_index,
                label_map=None,
                reduce_zero_label=False,
                seg_fields=[],
            )
            for image, labels in pairs
        ]
