"""The configs of detectors on COCO, written from a row for each backbone."""

import textwrap
from pathlib import Path
from typing import NamedTuple

from rexdense.files import atomic_write
from rexdense.zoo.published import PublishedRow, load_published

__all__ = ['DETECTORS', 'METHODS', 'Detector', 'coco_configs', 'write_coco_configs']


class Detector(NamedTuple):
    """A backbone that has configs for COCO.

    Attributes:
        arch: Its name.
        title: Its name in a sentence.
        weights: Publisher and tag of the weights it starts from; None where none are published.
    """

    arch: str
    title: str
    weights: str | None

    def config(self, method: str) -> str:
        """Return the path of a config below ``configs``; ``method`` is one of ``METHODS``."""
        return f'{self.folder}/{method}-rcnn_{self.arch.replace("_", "-")}_fpn_1x_coco.py'

    @property
    def folder(self) -> str:
        """The folder of its configs, by its family."""
        return next(name for name in _FOLDERS if self.arch.startswith(name))


_FOLDERS = ('rexnet_lite', 'rexnetr', 'rexnet', 'regnet', 'resnext')
_TIMM, _PYCLS = 'timm.nav_in1k_pth', 'pycls.dds_8gpu'
DETECTORS = (
    Detector('rexnet_0.9', 'ReXNet-0.9', 'mindcv.910'),
    Detector('rexnet_1.0', 'ReXNet-1.0', _TIMM),
    Detector('rexnet_1.3', 'ReXNet-1.3', _TIMM),
    Detector('rexnet_1.5', 'ReXNet-1.5', _TIMM),
    Detector('rexnet_2.0', 'ReXNet-2.0', _TIMM),
    Detector('rexnet_2.2', 'ReXNet-2.2', None),
    Detector('rexnet_3.0', 'ReXNet-3.0', 'timm.nav_in1k'),
    Detector('rexnet_lite_1.0', 'ReXNet-lite-1.0', 'clovaai.in1k'),
    Detector('rexnet_lite_2.0', 'ReXNet-lite-2.0', 'clovaai.in1k'),
    Detector('rexnetr_2.0', 'ReXNet-R-2.0', 'timm.sw_in12k_ft_in1k'),
    Detector('regnetx_400mf', 'RegNetX-400MF', _PYCLS),
    Detector('regnetx_800mf', 'RegNetX-800MF', _PYCLS),
    Detector('regnetx_3.2gf', 'RegNetX-3.2GF', _PYCLS),
    Detector('regnetx_8.0gf', 'RegNetX-8.0GF', _PYCLS),
    Detector('regnety_400mf', 'RegNetY-400MF', _PYCLS),
    Detector('regnety_800mf', 'RegNetY-800MF', _PYCLS),
    Detector('regnety_3.2gf', 'RegNetY-3.2GF', _PYCLS),
    Detector('regnety_8.0gf', 'RegNetY-8.0GF', _PYCLS),
    Detector('resnext50_32x4d', 'ResNeXt-50 32x4d', 'torchvision.v1'),
    Detector('resnext101_32x4d', 'ResNeXt-101 32x4d', 'openmmlab.in1k'),
)
METHODS = {'faster': 'Faster R-CNN', 'mask': 'Mask R-CNN'}
_OWN_WEIGHTS = (
    'No ImageNet weights of this network are published. With those of a classifier of your own, '
    'freeze what mmdet freezes:'
)


def coco_configs() -> dict[str, str]:
    """Return the text of each config, by its path below ``configs``."""
    return {
        detector.config(method): _text(detector, method)
        for detector in DETECTORS
        for method in METHODS
    }


def write_coco_configs(folder: Path) -> list[Path]:
    """Write the configs into a folder, in place of what is there under their names."""
    return [
        atomic_write(folder / path, text.encode(), overwrite=True, make_folder=True)
        for path, text in coco_configs().items()
    ]


def _text(detector: Detector, method: str) -> str:
    arch, title, weights = detector
    lines = [
        f'r"""{METHODS[method]} with {title} and FPN on COCO 2017, for 8 GPUs x 2 images.',
        '',
        '    torchrun --nproc-per-node 8 -m rexdense train \\',
        f'        configs/{detector.config(method)} --launcher pytorch',
        '',
    ]
    if weights is None:
        lines += [
            *textwrap.wrap(_OWN_WEIGHTS, 100),
            '',
            '    --pretrained FILE --cfg-options model.backbone.frozen_stages=1 \\',
            '        model.backbone.norm_eval=True',
            '',
        ]
    else:
        begin = f'It starts from the ImageNet weights {arch}:{weights}, which are downloaded once'
        others = 'others: --pretrained NAME or FILE, which sets the data preprocessor, too'
        drive = '; Google Drive has them, pip install gdown' if 'clovaai' in weights else ''
        lines += [*textwrap.wrap(f'{begin}{drive}; {others}.', 100), '']
    lines += [*textwrap.wrap(f'Not trained here. {_figures(arch, method)}'.strip(), 100), '"""', '']
    lines += [
        f"_base_ = ['../_base_/recipes/{method}_rcnn_fpn_1x_coco.py']",
        'from rexdense.engine.config.pretrained import detector_sections',
        '',
        f'model = detector_sections({arch!r}, {weights!r})',
    ]
    if detector.folder == 'regnet':
        lines += [
            "# mmdet's RegNets have half the decay of its ResNets (mmdet configs/regnet).",
            'optim_wrapper = dict(optimizer=dict(weight_decay=0.00005))',
        ]
    return '\n'.join([*lines, ''])


def _figures(arch: str, method: str) -> str:
    """Return sentences on what others report of the detector."""
    return ' '.join(
        f'{row.label} prints {_printed(row)} ({row.setting}).'
        for row in load_published()
        if row.name == arch and row.table.endswith(f'-{method}-rcnn')
    )


def _printed(row: PublishedRow) -> str:
    named = {'box_ap': 'box AP', 'mask_ap': 'mask AP'}
    return ' and '.join(
        f'{row.numbers[key].printed} {name}' for key, name in named.items() if key in row.numbers
    )
