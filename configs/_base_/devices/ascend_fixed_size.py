"""Ascend NPU, for images of one size, such as classification: operators compiled per shape."""

_base_ = ['./ascend.py']

npu = dict(jit_compile=True)
