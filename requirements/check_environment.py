"""Check that an environment works: imports, and mmcv's compiled operators on CPU and GPU."""

import importlib

import mmcv
import torch
from mmcv.ops import nms

for name in ('cv2', 'matplotlib', 'mmdet.apis', 'mmseg.apis', 'onnxruntime', 'rexdense'):
    importlib.import_module(name)
for device in ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']:
    boxes = torch.tensor([[0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 30, 30.0]], device=device)
    kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7], device=device), 0.5)[1].tolist()
    if kept != [0, 2]:
        raise SystemExit(f"mmcv's nms kept the boxes {kept} on {device} instead of [0, 2]")
print(f'torch {torch.__version__} and mmcv {mmcv.__version__} work on {device}')
