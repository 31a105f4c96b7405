"""Cascade R-CNN: a Faster or Mask R-CNN with boxes refined in stages."""

import copy
from collections.abc import Mapping
from typing import Any

from rexdense.engine.config.load import class_name
from rexdense.errors import InvalidArgument

_STAGES = (
    # By stage: IoU of an object, standard deviations of its box offsets, weight of the losses.
    (0.5, (0.1, 0.1, 0.2, 0.2), 1.0),
    (0.6, (0.05, 0.05, 0.1, 0.1), 0.5),
    (0.7, (0.033, 0.033, 0.067, 0.067), 0.25),
)
"""Source: mmdet's cascade-rcnn_r50_fpn.py, after Cai and Vasconcelos 2018."""
_MODELS = ('FasterRCNN', 'MaskRCNN')
# Parts of mmdet's CascadeRoIHead: a list with one per stage, or a single one, copied for each
# stage.
_PARTS = ('bbox_head', 'bbox_roi_extractor', 'mask_head', 'mask_roi_extractor')


def cascade_model(model: Mapping[str, Any], stages: int = 3) -> dict[str, Any]:
    """Return the changes that turn the ``model`` of a Faster or Mask R-CNN into a Cascade R-CNN.

    Each stage has its own head, which trains on the boxes of the stage before. Later stages require
    a larger IoU of an object. Box regression is class-agnostic. A loss of whole boxes
    (``reg_decoded_bbox``) is kept; a loss of offsets is replaced by that of the cascade.

    Args:
        model: The config's ``model``, with one head for boxes, and one or none for masks.
        stages: 2 or 3.

    Raises:
        InvalidArgument: it is another kind of model, or already has cascaded heads.
    """
    roi = model.get('roi_head') or {}
    kind, head = (str(section.get('type') or '') for section in (model, roi))
    if _mmdets_name(kind) not in _MODELS or _mmdets_name(head) != 'StandardRoIHead':
        raise InvalidArgument(
            f'a cascade is made of {" or ".join(_MODELS)} with StandardRoIHead; this model is '
            f'{kind or "of no type"}' + (f' with {head}' if head else '')
        )
    if not isinstance(stages, int) or stages not in (2, 3):
        raise InvalidArgument(f'stages={stages!r}: 2 and 3 are known')
    if roi.get('shared_head'):
        raise InvalidArgument(
            'a cascade is made of heads that share no layers, and this model has roi_head.'
            'shared_head: take a model with FPN'
        )
    rcnn = (model.get('train_cfg') or {}).get('rcnn')
    assigner = rcnn.get('assigner') if isinstance(rcnn, dict) else None
    for name, section in (
        ('roi_head.bbox_head', roi.get('bbox_head')),
        ('train_cfg.rcnn.assigner', assigner),
    ):
        if not isinstance(section, dict):
            raise InvalidArgument(
                f'a cascade is made of one model.{name}, a section; this model has {section!r}'
            )
    chosen = _STAGES[:stages]
    others = {
        name: copy.deepcopy(value)
        for name, value in roi.items()
        if name not in ('type', 'bbox_head')
    }
    roi_head = dict(
        _delete_=True,
        type=f'{_scope(head)}CascadeRoIHead',
        num_stages=stages,
        stage_loss_weights=[weight for _, _, weight in chosen],
        bbox_head=[_box_head(roi['bbox_head'], spread) for _, spread, _ in chosen],
        **others,
    )
    by_stage = [_assignment(rcnn, overlap) for overlap, _, _ in chosen]
    return dict(type=f'{_scope(kind)}CascadeRCNN', roi_head=roi_head, train_cfg=dict(rcnn=by_stage))


def require_stages(model: Mapping[str, Any]) -> None:
    """Raise InvalidArgument unless a cascade has heads, loss weights and training settings for each
    stage. mmdet does not report this, or raises an AssertionError or IndexError that names no key.

    Args:
        model: The config's ``model``, of any kind.
    """
    head = model.get('roi_head')
    if not isinstance(head, Mapping) or class_name(head) != 'CascadeRoIHead':
        return
    stages = head.get('num_stages')
    parts = {f'roi_head.{name}': head.get(name) for name in _PARTS}
    by_stage = {'roi_head.stage_loss_weights': head.get('stage_loss_weights')}
    if model.get('train_cfg'):
        by_stage['train_cfg.rcnn'] = model['train_cfg'].get('rcnn')
    for name, value in {**parts, **by_stage}.items():
        is_list = isinstance(value, (list, tuple))
        if name in parts and not is_list:
            continue
        if not is_list or len(value) != stages:
            given = f'a list of {len(value)}' if is_list else 'no list'
            raise InvalidArgument(
                f'model.{name} is {given}, and model.roi_head.num_stages={stages!r}: a cascade '
                'has one entry for each stage'
            )


def _scope(name: str) -> str:
    return 'mmdet.' if name.startswith('mmdet.') else ''


def _mmdets_name(name: str) -> str:
    """Return the name of a class of mmdet without its scope; other names are unchanged."""
    return name.removeprefix('mmdet.')


def _box_head(head: Mapping[str, Any], spread: tuple[float, ...]) -> dict[str, Any]:
    changed = copy.deepcopy(dict(head))
    changed['bbox_coder'] = dict(
        type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=list(spread)
    )
    if not changed.get('reg_decoded_bbox'):
        changed['loss_bbox'] = dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0)
    return changed | dict(reg_class_agnostic=True)


def _assignment(rcnn: Mapping[str, Any], overlap: float) -> dict[str, Any]:
    changed = copy.deepcopy(dict(rcnn))
    changed['assigner'] = changed['assigner'] | dict(
        pos_iou_thr=overlap,
        neg_iou_thr=overlap,
        min_pos_iou=overlap,
        match_low_quality=False,
    )
    return changed
