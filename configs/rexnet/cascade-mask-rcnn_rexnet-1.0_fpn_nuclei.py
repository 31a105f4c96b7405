r"""Cascade Mask R-CNN with ReXNet-1.0 on cell nuclei (one class), from random weights.

    rexdense train configs/rexnet/cascade-mask-rcnn_rexnet-1.0_fpn_nuclei.py --data-root DIR

Expected on val after 30 epochs (seed 0): segm AP 0.460, AP50 0.804, AP75 0.483, box AP 0.455, AP50
0.808, the Data Science Bowl's figure 0.424; 30 minutes on two cores, as --dry-run tells. Against
mask-rcnn_rexnet-1.0_fpn_nuclei.py:

- two heads in turn, whose boxes are more exact, so that fewer masks are cut off; a third head
  would make each step even longer;
- detections from a score of 0.01 on instead of 0.05 (segm AP 0.459, AP50 0.799 with that);
- images evaluated one by one: padding images of different sizes in a batch changes the means of
  squeeze-excitation, and so the features.

Soft NMS of boxes, which ONNX graphs lack, reaches segm AP 0.467 and AP50 0.808: --cfg-options
model.test_cfg.rcnn.nms.type=soft_nms model.test_cfg.rcnn.nms.min_score=0.01.
"""

_base_ = ['./mask-rcnn_rexnet-1.0_fpn_nuclei.py']
from rexdense.engine.config.cascade import cascade_model

model = cascade_model(_base_.model, stages=2) | dict(test_cfg=dict(rcnn=dict(score_thr=0.01)))
val_dataloader = dict(batch_size=1)
test_dataloader = val_dataloader
