"""Writing of the COCO detector configs, from a table of backbones."""

import textwrap
from pathlib import Path
from typing import NamedTuple

from rexdense.files.writing import atomic_write
from rexdense.zoo.published import PublishedRow, load_published


class Detector(NamedTuple):
    """A backbone with COCO configs.

    Attributes:
        arch: The backbone's name.
        title: The name in a sentence.
        weights: Publisher and tag of the initial weights; None if none are published.
    """

    arch: str
    title: str
    weights: str | None

    def config(self, method: str) -> str:
        """Return the path of a config below ``configs``; ``method`` is one of ``METHODS``."""
        return _path(self.folder, method, self.arch)

    @property
    def folder(self) -> str:
        """The folder of the configs, by family."""
        return next(name for name in _FOLDERS if self.arch.startswith(name))

    @property
    def name(self) -> str:
        """The name in measured.json and on the pages."""
        return self.arch

    def printed_in(self, row: PublishedRow) -> bool:
        """Return whether a published row is about this backbone."""
        return row.name == self.arch

    def start(self, method: str) -> list[str]:
        """Return the paragraph of the config's docstring on the initial weights."""
        if self.weights is None:
            return [
                *textwrap.wrap(_OWN_WEIGHTS, 100),
                '',
                '    --pretrained FILE --cfg-options model.backbone.frozen_stages=1 \\',
                '        model.backbone.norm_eval=True',
            ]
        name = f'{self.arch}:{self.weights}'
        begin = f'It starts from the ImageNet weights {name}, which are downloaded once'
        others = 'others: --pretrained NAME or FILE, which sets the data preprocessor, too'
        drive = '; Google Drive has them, pip install gdown' if 'clovaai' in self.weights else ''
        return textwrap.wrap(f'{begin}{drive}; {others}.', 100)

    def settings(self) -> list[str]:
        """Return the lines that follow the config's ``_base_``."""
        lines = [
            'from rexdense.engine.config.pretrained import detector_sections',
            '',
            f'model = detector_sections({self.arch!r}, {self.weights!r})',
        ]
        if self.folder == 'regnet':
            lines += [
                "# mmdet's RegNets have half the decay of its ResNets (mmdet configs/regnet).",
                'optim_wrapper = dict(optimizer=dict(weight_decay=0.00005))',
            ]
        return lines


class Baseline(NamedTuple):
    """An mmdet backbone with which the authors of ReXNet compare their networks.

    Attributes:
        name: The name in measured.json and on the pages.
        title: The name in a sentence.
        published: The model's name in the authors' tables.
        backbone: The lines of the config section, without ``init_cfg``.
        weights: The lines of ``init_cfg``.
        channels: Channels of the levels c2 to c5.
    """

    name: str
    title: str
    published: str
    backbone: tuple[str, ...]
    weights: tuple[str, ...]
    channels: tuple[int, ...]

    def config(self, method: str) -> str:
        """Return the path of a config below ``configs``; ``method`` is one of ``METHODS``."""
        return _path('baselines', method, self.name)

    def printed_in(self, row: PublishedRow) -> bool:
        """Return whether a published row is about this backbone."""
        return row.model == self.published and row.label == 'clovaai'

    def start(self, method: str) -> list[str]:
        """Return the paragraph of the config's docstring on its purpose."""
        return textwrap.wrap(
            f"It is {self.title} as mmdet has it, by the recipe of this folder's neighbours, to be "
            'measured beside them. It starts from ImageNet weights that are downloaded once.',
            100,
        )

    def settings(self) -> list[str]:
        """Return the lines that follow the config's ``_base_``."""
        return [
            '',
            'model = dict(',
            '    backbone=dict(',
            *(f'        {line},' for line in self.backbone),
            '        init_cfg=dict(',
            "            type='Pretrained',",
            *(f'            {line},' for line in self.weights),
            '        ),',
            '    ),',
            f'    neck=dict(in_channels={list(self.channels)}),',
            ')',
        ]


def _path(folder: str, method: str, name: str) -> str:
    return f'{folder}/{method}-rcnn_{name.replace("_", "-")}_fpn_1x_coco.py'


def _resnet(depth: int, address: str) -> Baseline:
    return Baseline(
        f'resnet_{depth}',
        f'ResNet-{depth}',
        f'ResNet{depth}',
        backbone=(
            "type='ResNet'",
            f'depth={depth}',
            'frozen_stages=1',
            "norm_cfg=dict(type='BN', requires_grad=True)",
            'norm_eval=True',
        ),
        weights=(f"checkpoint='https://download.pytorch.org/models/{address}'",),
        channels=(256, 512, 1024, 2048),
    )


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
BASELINES = (
    _resnet(50, 'resnet50-0676ba61.pth'),
    _resnet(101, 'resnet101-63fe2227.pth'),
    Baseline(
        'efficientnet_b0',
        'EfficientNet-B0',
        'EfficientNet-B0',
        backbone=(
            "type='EfficientNet'",
            "arch='b0'",
            'out_indices=(2, 3, 4, 5)',
            'frozen_stages=3',
            "norm_cfg=dict(type='BN', eps=0.001, requires_grad=True)",
            'norm_eval=True',
        ),
        weights=(
            "prefix='backbone'",
            "checkpoint='https://download.openmmlab.com/mmclassification/v0/efficientnet/'\n"
            "            'efficientnet-b0_3rdparty_8xb32_in1k_20220119-a7e2a0b1.pth'",
        ),
        channels=(24, 40, 112, 320),
    ),
)
"""FBNet-C, their fourth network for comparison, has no implementation in mmdet. Only its published
figures are listed."""
METHODS = {'faster': 'Faster R-CNN', 'mask': 'Mask R-CNN'}
_OWN_WEIGHTS = (
    'No ImageNet weights of this network are published. With those of a classifier of your own, '
    'freeze what mmdet freezes:'
)


_PIECES = 'Longer, and at several scales: --with 3x 1333x640-800 (docs/detection.md).'


def coco_configs() -> dict[str, str]:
    """Return the text of each config by its path below ``configs``."""
    return {
        detector.config(method): _text(detector, method)
        for detector in (*DETECTORS, *BASELINES)
        for method in METHODS
    }


def write_coco_configs(folder: Path) -> list[Path]:
    """Write the configs into a folder, and overwrite those of the same name."""
    return [
        atomic_write(folder / path, text.encode(), overwrite=True, make_folder=True)
        for path, text in coco_configs().items()
    ]


def _text(detector: Detector | Baseline, method: str) -> str:
    figures = f'Not trained here. {_figures(detector, method)}'.strip()
    lines = [
        f'r"""{METHODS[method]} with {detector.title} and FPN on COCO 2017, for 8 GPUs x 2 images.',
        '',
        '    torchrun --nproc-per-node 8 -m rexdense train \\',
        f'        configs/{detector.config(method)} --launcher pytorch',
        '',
        *detector.start(method),
        '',
        *textwrap.wrap(f'{figures} {_PIECES}', 100),
        '"""',
        '',
        f"_base_ = ['../_base_/recipes/{method}_rcnn_fpn_1x_coco.py']",
        *detector.settings(),
    ]
    return '\n'.join([*lines, ''])


def _figures(detector: Detector | Baseline, method: str) -> str:
    """Return sentences on the published figures of the detector."""
    return ' '.join(
        f'{row.label} prints {_printed(row)} ({row.setting}).'
        for row in load_published()
        if detector.printed_in(row) and row.table.endswith(f'-{method}-rcnn')
    )


def _printed(row: PublishedRow) -> str:
    named = {'box_ap': 'box AP', 'mask_ap': 'mask AP'}
    return ' and '.join(
        f'{row.numbers[key].printed} {name}' for key, name in named.items() if key in row.numbers
    )
