r"""Cascade R-CNN with ReXNet-1.0 on BCCD (blood cells, three classes), from random weights.

    rexdense train configs/rexnet/cascade-rcnn_rexnet-1.0_fpn_bccd.py --data-root DIR

Expected on val after 20 epochs: AP 0.572, AP50 0.872, AP75 0.671 (seed 0); 0.553, 0.869, 0.589
(seed 1); from the flipped images, too,

    rexdense test configs/rexnet/cascade-rcnn_rexnet-1.0_fpn_bccd.py CHECKPOINT --data-root DIR \
        --flip-test

0.606, 0.911, 0.700 and 0.596, 0.897, 0.681. It is faster-rcnn_rexnet-1.0_fpn_bccd.py
--with cascade. What one head leaves is mostly boxes that lie a little off: AP75 gains most.

Of no help: other thresholds of non-maximum suppression (0.4, 0.6: AP within 0.0005); its soft form
gains 0.003. A third of what is lost at an IoU of 0.5 is cells found where no annotation is.
"""

_base_ = ['./faster-rcnn_rexnet-1.0_fpn_bccd.py']
from rexdense.engine.config.cascade import cascade_model

model = cascade_model(_base_.model)
