"""Custom operators for NMS and RoIAlign, run by mmcv and translated to ONNX's NonMaxSuppression and
RoiAlign.

torch has no operators for them. The shapes of the results depend only on the shapes of the
arguments, so that no shape of the graph depends on the data.
"""

from collections.abc import Callable

import torch
from torch import Tensor


@torch.library.custom_op('rexdense::kept_by_nms', mutates_args=())
def kept_by_nms(
    boxes: Tensor, scores: Tensor, iou_threshold: float, score_threshold: float
) -> Tensor:
    """Return a mask of the boxes that non-maximum suppression keeps, per group.

    Args:
        boxes: (groups, n, 4), as x1, y1, x2, y2.
        scores: (groups, n).
        iou_threshold: A box whose IoU with a better one is above this is dropped.
        score_threshold: A box whose score is not above this is dropped.

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
    """Return ``pooled`` with the rows of the chosen regions replaced by their RoIAlign features.

    Args:
        pooled: (regions, C, height, width).
        features: A feature map (N, C, H, W).
        regions: (regions, 5): the image's index, x1, y1, x2, y2 in pixels of the image.
        chosen: Booleans (regions,): the rows to replace.
        stride: Image pixels per feature pixel.
        sampling_ratio: Samples along each side of a bin; 0 takes the bin's number of pixels.
        aligned: Whether pixel centres are at half coordinates.
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
    """Return the ONNX translation of each operator, for ``torch.onnx.export``."""
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
