"""One training step of a tiny model of each task, in seconds."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.structures import BaseDataElement
from mmengine.utils import get_installed_path
from torch import nn

from rexdense.arch import channels
from rexdense.engine.scope import import_scope
from rexdense.errors import first_line
from rexdense.findings import Finding
from rexdense.registry import MODELS, TRANSFORMS

_SIDE = 64
_BACKBONE = dict(type='rexdense.ReXNet', arch='rexnet_1.0')
_WIDTH = 16
# Settings of mmdet's Faster R-CNN, whose heads are wide.
_NARROWED = {
    'neck.out_channels': _WIDTH,
    'rpn_head.in_channels': _WIDTH,
    'rpn_head.feat_channels': _WIDTH,
    'roi_head.bbox_roi_extractor.out_channels': _WIDTH,
    'roi_head.bbox_head.in_channels': _WIDTH,
    'roi_head.bbox_head.fc_out_channels': _WIDTH,
    'roi_head.bbox_head.num_classes': 2,
    'train_cfg.rpn_proposal.nms_pre': 50,
    'train_cfg.rpn_proposal.max_per_img': 20,
    'train_cfg.rcnn.sampler.num': 16,
}


def self_test(device: str) -> Iterator[Finding]:
    """Train a classifier, a detector and a segmentor for one step each on noise, and yield the
    results.

    Args:
        device: An available kind of device.
    """
    tasks = dict(classifier=_classifier, detector=_detector, segmentor=_segmentor)
    for name, task in tasks.items():
        began = time.perf_counter()
        try:
            loss = _train(*task(), device)
        except Exception as error:  # the test reports any fault below
            yield Finding(
                name,
                f'failed on {device}',
                fault=f'{type(error).__name__}: {first_line(error)}',
                remedy='mend the faults above first; without any, report this with the output of '
                'rexdense doctor --json',
            )
            continue
        seconds = time.perf_counter() - began
        yield Finding(name, f'a step on {device} in {seconds:.1f} s, loss {loss:.3g}')


def _train(model: nn.Module, packed: list[dict], device: str) -> float:
    """Train one step and return its loss."""
    model = model.to(device).train()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    before = [value.detach().clone() for value in model.parameters()]
    batch = {key: [sample[key] for sample in packed] for key in packed[0]}
    loss = float(model.train_step(batch, wrapper)['loss'].detach())
    if not math.isfinite(loss):
        raise ArithmeticError(f'the loss is {loss}')
    if all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)):
        raise ArithmeticError('the step changed no weight')
    return loss


def _image(number: int) -> np.ndarray:
    """Return noise as an image (H, W, 3)."""
    return np.random.default_rng(number).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)


def _classifier() -> tuple[nn.Module, list[dict]]:
    model = dict(
        type='rexdense.ImageClassifier',
        backbone=_BACKBONE,
        num_classes=2,
        data_preprocessor=dict(
            type='mmengine.ImgDataPreprocessor', mean=[127.5] * 3, std=[64.0] * 3
        ),
    )
    packed = []
    for label in range(2):
        sample = BaseDataElement()
        sample.gt_label = label
        inputs = torch.from_numpy(_image(label)).permute(2, 0, 1).contiguous()
        packed.append(dict(inputs=inputs, data_samples=sample))
    return MODELS.build(model), packed


def _detector() -> tuple[nn.Module, list[dict]]:
    import_scope(Config(dict(default_scope='mmdet')))
    base = '.mim/configs/_base_/models/faster-rcnn_r50_fpn.py'
    config = Config.fromfile(Path(get_installed_path('mmdet'), base)).model
    # Its names are those of mmdet, whatever the default scope is.
    config._scope_ = 'mmdet'
    config.backbone = _BACKBONE
    config.neck.in_channels = channels(_BACKBONE['arch'])
    config = Config(dict(model=config))
    config.merge_from_dict({f'model.{key}': value for key, value in _NARROWED.items()})
    pack = TRANSFORMS.build(
        dict(type='mmdet.PackDetInputs', meta_keys=('img_shape', 'ori_shape', 'scale_factor'))
    )
    packed = []
    for number in range(2):
        sample = dict(
            img=_image(number),
            img_shape=(_SIDE, _SIDE),
            ori_shape=(_SIDE, _SIDE),
            scale_factor=(1.0, 1.0),
            gt_bboxes=np.array([[8, 8, 40, 40]], np.float32),
            gt_bboxes_labels=np.array([number]),
            gt_ignore_flags=np.array([False]),
        )
        packed.append(pack(sample))
    return MODELS.build(config.model), packed


def _segmentor() -> tuple[nn.Module, list[dict]]:
    import_scope(Config(dict(default_scope='mmseg')))
    model = dict(
        type='mmseg.EncoderDecoder',
        data_preprocessor=dict(
            type='mmseg.SegDataPreProcessor',
            mean=[127.5] * 3,
            std=[64.0] * 3,
            size=(_SIDE, _SIDE),
        ),
        backbone=_BACKBONE | dict(out_indices=(0, 1, 2, 3, 4)),
        decode_head=dict(
            type='rexdense.MultiScaleUNetHead',
            arch=_BACKBONE['arch'],
            num_classes=2,
            loss_decode=dict(type='rexdense.CrossEntropyLoss'),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    pack = TRANSFORMS.build(dict(type='mmseg.PackSegInputs', meta_keys=('img_shape', 'ori_shape')))
    labels = np.zeros((_SIDE, _SIDE), np.uint8)
    labels[: _SIDE // 2] = 1
    packed = [
        pack(
            dict(
                img=_image(number),
                img_shape=(_SIDE, _SIDE),
                ori_shape=(_SIDE, _SIDE),
                gt_seg_map=labels,
                seg_fields=['gt_seg_map'],
            )
        )
        for number in range(2)
    ]
    return MODELS.build(model), packed
