"""Proves that an environment works: one OpenCV, one OpenMMLab line, operators, pins, imports.

Runs in the environment itself: `.venv/bin/python requirements/check_environment.py`.
"""

import argparse
import contextlib
import importlib
import io
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent
HEADLESS = 'opencv-python-headless'
OPENCV = (HEADLESS, 'opencv-python', 'opencv-contrib-python', 'opencv-contrib-python-headless')
LINES = {
    'default': ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmsegmentation'),
    'original': ('mmengine', 'mmcv', 'mmdet', 'mmsegmentation'),
}
# What the OpenMMLab packages and imaug name and rexdense leaves out on purpose: the second OpenCV,
# and an optional part of imaug that needs numba.
LEFT_OUT = ('opencv-python', 'imagecorruptions-imaug')
IMPORTED = (
    'torch',
    'numpy',
    'cv2',
    'mmengine',
    'mmcv',
    'mmdet',
    'mmdet.apis',
    'mmdet.datasets',
    'mmdet.models',
    'mmseg',
    'mmseg.apis',
    'mmseg.datasets',
    'mmseg.models',
    'pycocotools.mask',
    'matplotlib',
    'safetensors',
    'onnx',
    'onnxruntime',
    'onnxscript',
    'rexdense',
)


def installed() -> dict[str, str]:
    """Version of each installed distribution, by its normalised name."""
    return {
        re.sub(r'[-_.]+', '-', found.metadata['Name']).lower(): found.version
        for found in metadata.distributions()
        if found.metadata['Name']
    }


def opencv_faults(versions: dict[str, str]) -> list[str]:
    """Complaints unless the headless OpenCV is the only one."""
    found = [name for name in OPENCV if name in versions]
    if found == [HEADLESS]:
        return []
    return [f'exactly {HEADLESS} must be installed, found: {", ".join(found) or "no OpenCV"}']


def line_faults(versions: dict[str, str], stack: str) -> list[str]:
    """Complaints about a missing package of `stack`, or one of the other line."""
    faults = [f'{name} is not installed' for name in LINES[stack] if name not in versions]
    for other in LINES.keys() - {stack}:
        mixed = [name for name in LINES[other] if name in versions]
        faults += [f'{name} of the {other} line is installed as well' for name in mixed]
    return faults


def pin_faults(versions: dict[str, str], pins: list[str]) -> list[str]:
    """Complaints about pinned packages that are missing or of another version."""
    faults = []
    for pin in pins:
        name, pinned = pin.split('==')
        found = versions.get(name)
        # 2.13.0+cpu satisfies 2.13.0, as it does for pip.
        if found is None or found.split('+')[0] != pinned.split('+')[0]:
            faults.append(f'{name} {pinned} is pinned, found: {found or "none"}')
    return faults


def pins_of(stack: str) -> list[str]:
    """`name==version` of each line that holds for this Python, torch's apart (it can be chosen)."""
    name = 'mminstall.txt' if stack == 'default' else 'mminstall-original.txt'
    lines = [
        line.split('#')[0].strip()
        for path in (REQUIREMENTS / 'pins.txt', REQUIREMENTS / name)
        for line in path.read_text().splitlines()
    ]
    old_python = sys.version_info < (3, 11)
    return [
        line.split(';')[0].strip()
        for line in lines
        if line and not line.startswith('torch==') and (old_python or ';' not in line)
    ]


def operator_faults() -> list[str]:
    """Complaints unless mmcv's compiled operators run, on the GPU too where torch sees one."""
    try:
        import torch
        from mmcv.ops import get_compiling_cuda_version, nms

        boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [0.0, 0.0, 9.0, 8.0], [20.0, 20.0, 30.0, 30.0]])
        devices = ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']
        if 'cuda' in devices and get_compiling_cuda_version() == 'not available':
            return ['torch sees a CUDA device, but mmcv was compiled for the CPU alone']
        for device in devices:
            scores = torch.tensor([0.9, 0.8, 0.7], device=device)
            _, kept = nms(boxes.to(device), scores, iou_threshold=0.5)
            if kept.tolist() != [0, 2]:
                return [f"mmcv's nms kept the boxes {kept.tolist()} on {device} instead of [0, 2]"]
    except Exception as error:
        return [f"mmcv's compiled operators do not work: {type(error).__name__}: {error}"]
    return []


def import_faults() -> list[str]:
    """Complaints about packages that cannot be imported."""
    faults = []
    for name in IMPORTED:
        try:
            # mmdet and mmseg print what they do without.
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module(name)
        except Exception as error:
            faults.append(f'import {name}: {type(error).__name__}: {error}')
    return faults


def dependency_faults() -> list[str]:
    """What `pip check` complains about, apart from what is left out on purpose."""
    command = [sys.executable, '-m', 'pip', 'check']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line.strip() for line in done.stdout.splitlines()]
    left_out = rf'requires (?:{"|".join(LEFT_OUT)}), which is not installed'
    accepted = re.compile(rf'{left_out}|^No broken requirements found|^$')
    return [line for line in lines if not accepted.search(line)]


def report(versions: dict[str, str], stack: str) -> str:
    """Versions of what matters most, one line each."""
    import torch

    if torch.cuda.is_available():
        device = f'CUDA {torch.version.cuda}, {torch.cuda.get_device_name()}'
    else:
        device = 'CPU'
    names = ('torch', *LINES[stack], HEADLESS, 'numpy', 'pycocotools', 'rexdense')
    lines = [f'{name} {versions.get(name, "?")}' for name in names]
    return '\n'.join([f'Python {sys.version.split()[0]}, {device}', *lines])


def main() -> int:
    """Check, print the versions or the complaints; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stack', choices=LINES, default='default', help='OpenMMLab line')
    parser.add_argument('--operators-only', action='store_true', help="only mmcv's operators")
    options = parser.parse_args()
    if options.operators_only:
        faults = operator_faults()
    else:
        versions = installed()
        faults = [
            *opencv_faults(versions),
            *line_faults(versions, options.stack),
            *pin_faults(versions, pins_of(options.stack)),
            *import_faults(),
            *operator_faults(),
            *dependency_faults(),
        ]
    if faults:
        print('\n'.join(f'fault: {fault}' for fault in faults))
        return 1
    if not options.operators_only:
        print(report(versions, options.stack))
    return 0


if __name__ == '__main__':
    sys.exit(main())
