"""Check that an environment works: imports, and mmcv's compiled operators on CPU and GPU."""

import importlib

import torch

MODULES = 'cv2', 'mmengine', 'mmcv', 'mmdet', 'mmseg', 'matplotlib', 'onnxruntime', 'rexdense'


def check_operators(device: str) -> None:
    """Let mmcv's nms drop the second of three boxes.

    Raises:
        ValueError: it kept others.
    """
    from mmcv.ops import nms

    boxes = torch.tensor([[0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 30, 30.0]], device=device)
    kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7], device=device), 0.5)[1].tolist()
    if kept != [0, 2]:
        raise ValueError(f"mmcv's nms kept the boxes {kept} on {device} instead of [0, 2]")


if __name__ == '__main__':
    found = {name: importlib.import_module(name).__version__ for name in ('torch', *MODULES)}
    for name in ('mmdet.apis', 'mmseg.apis', 'pycocotools.mask', 'safetensors.torch'):
        importlib.import_module(name)
    for device in ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']:
        check_operators(device)
    print(', '.join(f'{name} {version}' for name, version in found.items()))
