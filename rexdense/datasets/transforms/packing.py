"""The last step of a classification pipeline: an image and its label as inputs of the model."""

from typing import Any

import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from rexdense.datasets.images.memory import in_order
from rexdense.registry import TRANSFORMS

META_KEYS = ('img_path', 'sample_idx', 'ori_shape')


@TRANSFORMS.register_module()
class PackClassification(BaseTransform):
    """Return ``inputs``, the image (C, H, W) of uint8, and ``data_samples``, a data element with
    ``gt_label`` if the image has one."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack an image."""
        # Channels stay last in memory: one copy less, and the fastest order for convolutions.
        image = torch.from_numpy(in_order(results['img'])).permute(2, 0, 1)
        sample = BaseDataElement(
            metainfo={key: results[key] for key in META_KEYS if key in results}
        )
        if 'gt_label' in results:
            sample.gt_label = results['gt_label']
        return dict(inputs=image, data_samples=sample)

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
