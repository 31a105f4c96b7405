"""Flip test of segmentors and depth estimators."""

from typing import Any

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData

from rexdense.device import bare_model


class FlipTest(BaseTTAModel):
    """Flip test of an mmseg model: the mean of the predictions for an image and its mirror image.

    It averages the class probabilities or the depths. It uses the data of a plain test pipeline,
    while ``mmseg.SegTTAModel`` requires a pipeline of its own. With one output channel, mmseg's
    logits are already probabilities, which is taken into account.

    Args:
        module: The model; it may be wrapped for distributed training.
    """

    def test_step(self, data: dict[str, Any]) -> list[Any]:
        """Return the data samples of a batch with the mean predictions."""
        mirrored = dict(
            inputs=[image.flip(-1) for image in data['inputs']],
            data_samples=[sample.new() for sample in data['data_samples']],
        )
        for sample in mirrored['data_samples']:
            # mmseg flips the predictions back.
            sample.set_metainfo(dict(flip=True, flip_direction='horizontal'))
        predictions = self.module.test_step(data), self.module.test_step(mirrored)
        return self.merge_preds(list(zip(*predictions, strict=True)))

    def merge_preds(self, data_samples_list: list[tuple[Any, ...]]) -> list[Any]:
        """Return the first data sample of each image with the mean prediction of its views."""
        return [self._merged(samples) for samples in data_samples_list]

    def _merged(self, samples: tuple[Any, ...]) -> Any:
        merged = samples[0]
        if 'pred_depth_map' in merged:
            depth = torch.stack([sample.pred_depth_map.data for sample in samples]).mean(0)
            merged.pred_depth_map = PixelData(data=depth)
            return merged
        scores = [sample.seg_logits.data for sample in samples]
        if len(scores[0]) > 1:
            probabilities = torch.stack([score.softmax(0) for score in scores]).mean(0)
            merged.seg_logits = PixelData(data=probabilities.log())
            labels = probabilities.argmax(0, keepdim=True)
        else:
            probabilities = torch.stack(scores).mean(0)
            merged.seg_logits = PixelData(data=probabilities)
            labels = (probabilities > bare_model(self.module).decode_head.threshold).to(
                probabilities
            )
        merged.pred_sem_seg = PixelData(data=labels)
        return merged
