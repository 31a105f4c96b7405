"""Mask R-CNN with FPN, narrowed for small data sets trained from random weights, also on a CPU.

It consists of the Faster R-CNN of faster-rcnn_fpn_small.py and the branch of mask_branch_small.py.
"""

_base_ = ['./faster-rcnn_fpn_small.py', './mask_branch_small.py']

model = _base_.mask_branch
