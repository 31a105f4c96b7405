"""Check an environment: pinned versions, nothing in their way, imports, mmcv's operators.

Run by the environment's own Python: check_environment.py mminstall.txt
"""

import importlib
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OPENCV = {'opencv-python', 'opencv-contrib-python', 'opencv-contrib-python-headless'}
OTHER = {'mminstall.txt': 'mminstall-original.txt', 'mminstall-original.txt': 'mminstall.txt'}
IMPORTED = 'cv2', 'mmdet.apis', 'mmseg.apis', 'matplotlib', 'safetensors', 'onnxruntime', 'rexdense'


def pins(*names: str) -> dict[str, Requirement]:
    """What files pin for this Python, by the name of the package."""
    lines = [line.split('#')[0] for name in names for line in Path(__file__).with_name(name).open()]
    found = [Requirement(line) for line in lines if line.strip()]
    return {pin.name: pin for pin in found if not pin.marker or pin.marker.evaluate()}


def faults(line: str, versions: dict[str, str]) -> list[str]:
    """Complaints about pinned packages, and about those that write into the same folders."""
    unwanted = versions.keys() & (OPENCV | pins(OTHER[line]).keys() - {'imaug'})
    complaints = [f'{name} is installed too, and in the way' for name in sorted(unwanted)]
    for name, pin in pins('pins.txt', line).items():
        if name != 'torch' and versions.get(name, '0') not in pin.specifier:  # torch can be chosen
            complaints.append(f'{pin} is pinned, found: {versions.get(name)}')
    return complaints


def check_operators() -> None:
    """Run a compiled operator of mmcv, on the GPU too where torch sees one."""
    import torch
    from mmcv.ops import nms

    for device in ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']:
        boxes = torch.tensor([[0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 30, 30.0]], device=device)
        kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7], device=device), 0.5)[1].tolist()
        assert kept == [0, 2], f"mmcv's nms kept the boxes {kept} on {device}"


if __name__ == '__main__':
    line, installed = sys.argv[1], list(metadata.distributions())
    versions = {canonicalize_name(each.metadata['Name']): each.version for each in installed}
    problems = faults(line, versions)
    try:
        for name in IMPORTED:
            importlib.import_module(name)
        check_operators()
    except Exception as error:
        problems.append(f'{type(error).__name__}: {error}')
    if problems:
        sys.exit('\n'.join(f'fault: {problem}' for problem in problems))
    print(*(f'{name} {versions[name]}' for name in ('torch', *pins(line), 'rexdense')), sep=', ')
