"""Findings about a machine: devices and their software, types of mixed precision, cores."""

import os
from pathlib import Path

import torch
from torch import distributed

from rexdense.device.ascend import soc_version
from rexdense.device.bfloat16 import has_bfloat16
from rexdense.device.choice import DEVICES, why_absent
from rexdense.device.distributed import BACKENDS, available_cores
from rexdense.errors import first_line
from rexdense.findings import Finding

_NVIDIA_DRIVER = Path('/proc/driver/nvidia/version')
_ASCEND_DRIVER = Path('/usr/local/Ascend/driver/version.info')
_ASCEND_TOOLKIT = Path('/usr/local/Ascend/ascend-toolkit')


def machine_findings() -> list[Finding]:
    """Return findings about the devices, with a remedy for each that should be available but is
    not."""
    present = [kind for kind in DEVICES if why_absent(kind) is None]
    return [
        *_devices(),
        _cuda_software(),
        *_ascend_software(),
        Finding('AMP types', '; '.join(f'{kind}: {_types(kind)}' for kind in present)),
        Finding('backends', ', '.join(_backends()) or 'none'),
        _cores(),
    ]


def _devices() -> list[Finding]:
    found = []
    for kind in DEVICES[:-1]:
        reason = why_absent(kind)
        if reason:
            found.append(Finding(kind, f'no: {reason}'))
            continue
        module = getattr(torch, kind)
        names = [module.get_device_name(index) for index in range(module.device_count())]
        found.append(Finding(kind, f'{len(names)}: {", ".join(dict.fromkeys(names))}'))
    return found


def _cuda_software() -> Finding:
    driver = ''
    if _NVIDIA_DRIVER.is_file():
        driver = _NVIDIA_DRIVER.read_text(encoding='utf-8', errors='replace').splitlines()[0]
    value = f'torch for CUDA {torch.version.cuda or "none"}; driver: {driver or "none"}'
    if driver and why_absent('cuda'):
        return Finding(
            'CUDA',
            value,
            fault=f'there is a driver and {why_absent("cuda")}',
            remedy='pip install torch --index-url https://download.pytorch.org/whl/cu130, or the '
            'build for this driver; then compile mmcv anew with FORCE_CUDA=1',
        )
    return Finding('CUDA', value)


def _ascend_software() -> list[Finding]:
    toolkit = Path(os.environ.get('ASCEND_HOME_PATH', _ASCEND_TOOLKIT))
    here = [str(path) for path in (toolkit, _ASCEND_DRIVER) if path.exists()]
    reason = why_absent('npu')
    if reason is None:
        import torch_npu

        version = f'torch_npu {torch_npu.__version__}, SoC version {soc_version()}'
        return [Finding('CANN', f'{", ".join(here) or "no toolkit found"}; {version}')]
    value = ', '.join(here) or 'none'
    minor = '.'.join(torch.__version__.split('.')[:2])
    if 'failed' in reason:
        remedy = (
            'source /usr/local/Ascend/ascend-toolkit/set_env.sh, and install the torch_npu of this '
            f"torch: pip install 'torch_npu=={minor}.*'"
        )
        return [Finding('CANN', value, fault=reason, remedy=remedy)]
    if here and 'not installed' in reason:
        remedy = f"pip install 'torch_npu=={minor}.*'; then compile mmcv anew with FORCE_NPU=1"
        return [Finding('CANN', value, fault=f'CANN is here and {reason}', remedy=remedy)]
    if here:
        return [Finding('CANN', value, fault=reason, remedy='npu-smi info')]
    return [Finding('CANN', value)]


def _types(kind: str) -> str:
    if kind == 'cpu':
        return 'bf16' if has_bfloat16(kind) else 'bf16 (imitated in float32)'
    return 'bf16, fp16' if has_bfloat16(kind) else 'fp16'


def _backends() -> list[str]:
    if not distributed.is_available():
        return []
    names = [
        name for name in ('gloo', 'nccl', 'mpi') if getattr(distributed, f'is_{name}_available')()
    ]
    return names + [BACKENDS['npu']] * (why_absent('npu') is None)


def _cores() -> Finding:
    cores, asked = available_cores(), os.environ.get('OMP_NUM_THREADS')
    value = f'{cores} cores for this process, {torch.get_num_threads()} threads'
    if asked and asked.isdecimal() and int(asked) > cores:
        return Finding(
            'cores',
            value,
            fault=f'OMP_NUM_THREADS={asked} is more than the cores: threads wait for one another',
            remedy=f'export OMP_NUM_THREADS={cores}',
        )
    return Finding('cores', value)


def kernel_finding(kind: str) -> Finding:
    """Return whether mmcv's compiled operators work on an available kind of device."""
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]], device=kind)
    try:
        nms(boxes, boxes.new_tensor([0.9, 0.8]), 0.5)
    except RuntimeError as error:
        forced = '' if kind == 'cpu' else f'FORCE_{kind.upper()}=1 '
        return Finding(
            'mmcv.ops',
            f'do not work on {kind}',
            fault=first_line(error),
            remedy=f'pip uninstall onedl-mmcv mmcv; {forced}MMCV_WITH_OPS=1 pip install --no-deps '
            '--no-build-isolation --no-cache-dir -r requirements/mminstall.txt',
        )
    return Finding('mmcv.ops', f'compiled for {kind}')
