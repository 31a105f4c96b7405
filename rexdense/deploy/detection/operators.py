"""The two steps of a detector that torch has no operators for, each in two forms: run by mmcv, and
written with ONNX's own NonMaxSuppression and RoiAlign.

Both return tensors whose shapes are those of their arguments, so that nothing that depends on the
data decides a shape of the graph.
"""

from collections.abc import Callable

import torch
from torch import Tensor


@torch.library.custom_op('rexdense::kept_by_nms', mutates_args=())
def kept_by_nms(
    boxes: Tensor, scores: Tensor, iou_threshold: float, score_threshold: float
) -> Tensor:
    """Return a mask of the boxes that survive non-maximum suppression, group by group.

    Args:
        boxes: (groups, n, 4), as x1, y1, x2, y2.
        scores: (groups, n).
        iou_threshold: A box that overlaps a better one by more is dropped.
        score_threshold: And so is one whose score is not above this.

    Returns:
        Booleans (groups, n).
    """
    from mmcv.ops import nms

    kept = torch.zeros_like(scores, dtype=torch.bool)
    for group, candidates in enumerate(scores > score_threshold):
        places = candidates.nonzero()[:, 0]
        if len(places):
            _, survivors = nms(boxes[group, places], scores[group, places], iou_threshold)
            kept[group, places[survivors]] = True
    return kept


@kept_by_nms.register_fake
def _(boxes, scores, iou_threshold, score_threshold):
    return torch.empty_like(scores, dtype=torch.bool)


@torch.library.custom_op('rexdense::pool_level', mutates_args=())
def pool_level(
    pooled: Tensor,
    features: Tensor,
    regions: Tensor,
    chosen: Tensor,
    stride: int,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Return ``pooled`` with the rows of some regions replaced by what RoIAlign reads there.

    Args:
        pooled: (regions, C, height, width).
        features: A map (N, C, H, W).
        regions: (regions, 5): the image's index, x1, y1, x2, y2 in pixels of the image.
        chosen: Booleans (regions,): whose rows are replaced.
        stride: Pixels of the image per pixel of the map.
        sampling_ratio: Samples along each side of a bin; 0 takes as many as the bin has pixels.
        aligned: Pixel centres lie at half coordinates.
    """
    from mmcv.ops import roi_align

    result, rows = pooled.clone(), chosen.nonzero()[:, 0]
    if len(rows):
        size = tuple(pooled.shape[2:])
        result[rows] = roi_align(
            features, regions[rows], size, 1 / stride, sampling_ratio, 'avg', aligned
        )
    return result


@pool_level.register_fake
def _(pooled, features, regions, chosen, stride, sampling_ratio, aligned):
    return torch.empty_like(pooled)


def onnx_translations() -> dict[Callable, Callable]:
    """Return the form in ONNX of each operator, for ``torch.onnx.export``."""
    import onnx
    from onnxscript import opset18 as op

    number = onnx.TensorProto
    false = onnx.helper.make_tensor('value', number.BOOL, [1], [False])
    true = onnx.helper.make_tensor('value', number.BOOL, [1], [True])
    all_of_them = 2**62

    def non_max_suppression(boxes, scores, iou_threshold: float, score_threshold: float):
        # Rows of (group, class, box); there is one class.
        selected = op.NonMaxSuppression(
            boxes,
            op.Unsqueeze(scores, op.Constant(value_ints=[1])),
            op.Constant(value_ints=[all_of_them]),
            op.Constant(value_floats=[iou_threshold]),
            op.Constant(value_floats=[score_threshold]),
        )
        places = op.Gather(selected, op.Constant(value_ints=[0, 2]), axis=1)
        nothing = op.ConstantOfShape(op.Shape(scores), value=false)
        marks = op.ConstantOfShape(op.Shape(places, start=0, end=1), value=true)
        return op.ScatterND(nothing, places, marks)

    def roi_align(
        pooled, features, regions, chosen, stride: int, sampling_ratio: int, aligned: bool
    ):
        rows = op.Transpose(op.NonZero(chosen), perm=[1, 0])
        ours = op.GatherND(regions, rows)
        image = op.Cast(op.Gather(ours, op.Constant(value_int=0), axis=1), to=number.INT64)
        corners = op.Gather(ours, op.Constant(value_ints=[1, 2, 3, 4]), axis=1)
        height, width = pooled.shape[2:]
        values = op.RoiAlign(
            features,
            corners,
            image,
            mode='avg',
            output_height=int(height),
            output_width=int(width),
            sampling_ratio=sampling_ratio,
            spatial_scale=1 / stride,
            coordinate_transformation_mode='half_pixel' if aligned else 'output_half_pixel',
        )
        return op.ScatterND(pooled, rows, values)

    return {
        torch.ops.rexdense.kept_by_nms.default: non_max_suppression,
        torch.ops.rexdense.pool_level.default: roi_align,
    }
