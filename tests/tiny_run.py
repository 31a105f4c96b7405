"""Command lines of runs that take a second or two."""

from pathlib import Path

CONFIG = 'configs/rexnet/faster-rcnn_rexnet-1.0_fpn_custom_coco.py'
MASK_CONFIG = 'configs/rexnet/mask-rcnn_rexnet-1.0_fpn_custom_coco.py'
SSDLITE_CONFIG = 'configs/ssdlite/ssdlite_rexnet-1.0_320_custom_coco.py'
SEGMENTATION_CONFIG = 'configs/unet/unet_rexnet-1.0_custom.py'
ROOT = Path(__file__).resolve().parents[1]
# Most of a tiny run's time is spent on reading and writing tensors.
SHALLOW, NARROW = 'model.backbone.depth_mult=0.3', 'model.backbone.width_mult=0.3'
FEW_REGIONS = [
    'model.neck.out_channels=32',
    'model.rpn_head.in_channels=32',
    'model.rpn_head.feat_channels=32',
    'model.roi_head.bbox_roi_extractor.out_channels=32',
    'model.roi_head.bbox_head.in_channels=32',
    'model.roi_head.bbox_head.fc_out_channels=32',
    'model.train_cfg.rpn_proposal.nms_pre=50',
    'model.train_cfg.rpn_proposal.max_per_img=20',
    'model.train_cfg.rcnn.sampler.num=16',
    'model.test_cfg.rpn.nms_pre=50',
    'model.test_cfg.rpn.max_per_img=20',
]
NARROW_MASKS = [
    'model.roi_head.mask_roi_extractor.out_channels=32',
    'model.roi_head.mask_head.in_channels=32',
    'model.roi_head.mask_head.conv_out_channels=32',
]


def run_arguments(
    data_root: Path, work_dir: Path, *more: str, settings: tuple = (), config: str = CONFIG
) -> list[str]:
    """Return options that tools/train.py and tools/test.py share; ``settings`` are KEY=VALUE."""
    narrow = [SHALLOW, *FEW_REGIONS, *(NARROW_MASKS if config == MASK_CONFIG else ())]
    return [
        *('--data-root', str(data_root), '--work-dir', str(work_dir), '--device', 'cpu'),
        *('--scale', '64,64', '--batch-size', '2', '--workers', '0', *more),
        *('--cfg-options', *narrow, *settings),
    ]


def train_arguments(
    data_root: Path, work_dir: Path, *more: str, settings: tuple = (), config: str = CONFIG
) -> list[str]:
    """Return a command line of tools/train.py: one epoch of three iterations."""
    epochs = () if '--epochs' in more else ('--epochs', '1')
    options = (*epochs, '--seed', '0', *more)
    arguments = run_arguments(data_root, work_dir, *options, settings=settings, config=config)
    return [str(ROOT / config), *arguments]


def segmentation_arguments(data_root: Path, work_dir: Path, *more: str) -> list[str]:
    """Return options of tools/train.py and tools/test.py for a folder of label maps."""
    return [
        *('--data-root', str(data_root), '--work-dir', str(work_dir), '--device', 'cpu'),
        *('--scale', '48,40', '--batch-size', '2', '--workers', '0'),
        *('--cfg-options', NARROW, SHALLOW, *more),
    ]
