"""Every config is built and makes one training and one validation step on tiny data."""

import contextlib
import math
import re
from numbers import Real
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

from mmengine.config import Config
from mmengine.hooks import Hook

from rexdense.datasets import SHAPE_CLASSES
from rexdense.device import choose_device
from rexdense.engine.config.checks.faults import config_faults
from rexdense.engine.config.load import (
    dataloader_names,
    innermost_dataset,
    load_config,
    set_epochs,
    set_num_classes,
    set_scale,
    walk,
)
from rexdense.engine.runner import Runner
from rexdense.errors import InvalidArgument
from tests.config_kinds import CONFIGS, ROOT, take_kinds

SIZE = (64, 64)
FEW = dict(nms_pre=50, max_per_img=20, num=16, fc_out_channels=32)
BATCH = 2


def read_coco(dataset: dict, part: str, shapes: Path, work_dir: Path) -> None:
    """Point a section of rexdense.CocoDataset at Shapes."""
    dataset.update(
        data_root=str(shapes),
        ann_file=f'annotations/{part}.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=SHAPE_CLASSES),
    )


def read_label_maps(dataset: dict, part: str, shapes: Path, work_dir: Path) -> None:
    """Point a section of rexdense.SegmentationDataset at Shapes, with the classes of its file."""
    prefix = dict(img_path=f'images/{part}', seg_map_path=f'labels/{part}')
    dataset.update(data_root=str(shapes), data_prefix=prefix)


def read_as_mmseg(dataset: dict, part: str, shapes: Path, work_dir: Path) -> None:
    """Point a section of an mmseg data set at Shapes, with the set's own classes."""
    read_label_maps(dataset, part, shapes, work_dir)
    names = sorted(path.stem for path in (shapes / f'images/{part}').iterdir())[:BATCH]
    listed = work_dir / f'{part}.txt'
    listed.write_text('\n'.join(names))
    dataset.update(ann_file=str(listed), img_suffix='.png', seg_map_suffix='.png')


def read_depth(dataset: dict, part: str, shapes: Path, work_dir: Path) -> None:
    """Point a section of rexdense.DepthDataset at Shapes."""
    prefix = dict(img_path=f'images/{part}', depth_map_path=f'depth/{part}')
    dataset.update(data_root=str(shapes), ann_file='', data_prefix=prefix)


def read_classes(dataset: dict, part: str, shapes: Path, work_dir: Path) -> None:
    """Point a section of rexdense.ClassificationDataset at the crops of Shapes."""
    crops = str(shapes / 'crops')
    dataset.update(data_root=crops, split=part, class_split='train', ann_file='', cache=None)


def read_published(dataset: dict, part: str, shapes: Path, work_dir: Path) -> None:
    """Put the crops of Shapes in place of a published set; their layouts are read in
    tests/datasets/classification."""
    del dataset['layout']
    dataset['type'] = 'rexdense.ClassificationDataset'
    read_classes(dataset, part, shapes, work_dir)


# How to point each kind of data set at Shapes. A config with a new kind needs an entry here.
READERS = {
    'rexdense.ClassificationDataset': read_classes,
    'rexdense.CocoDataset': read_coco,
    'rexdense.DepthDataset': read_depth,
    'rexdense.PublishedDataset': read_published,
    'rexdense.SegmentationDataset': read_label_maps,
    'mmseg.ADE20KDataset': read_as_mmseg,
    'mmseg.COCOStuffDataset': read_as_mmseg,
    'mmseg.CityscapesDataset': read_as_mmseg,
    'mmseg.PascalVOCDataset': read_as_mmseg,
}
# Number of classes, for the kinds that take Shapes' classes; label maps have a background.
NUM_CLASSES = {
    'rexdense.ClassificationDataset': len(SHAPE_CLASSES),
    'rexdense.CocoDataset': len(SHAPE_CLASSES),
    'rexdense.PublishedDataset': len(SHAPE_CLASSES),
    'rexdense.SegmentationDataset': 1 + len(SHAPE_CLASSES),
}


def shrink(config: Config, shapes: Path, work_dir: Path) -> None:
    """Make a config read two images of Shapes at their size, and train for one step."""
    for name in dataloader_names(config):
        dataset = innermost_dataset(config[name])
        kind = dataset.type
        assert kind in READERS, (
            f'{config.filename}: {name} reads {kind}, which this test cannot point at Shapes; add '
            'a reader for it to READERS in tests/test_configs.py'
        )
        READERS[kind](dataset, 'train' if name.startswith('train') else 'val', shapes, work_dir)
        dataset.indices = BATCH
        config[name].update(batch_size=BATCH, num_workers=0, persistent_workers=False)
        if kind in NUM_CLASSES:
            set_num_classes(config, NUM_CLASSES[kind])
    for section in walk([config.get('val_evaluator'), config.get('test_evaluator')]):
        if 'ann_file' in section:
            section.ann_file = str(shapes / 'annotations/val.json')
        if section.get('crop') == 'nyu':
            section.crop = None  # only for frames of 640 x 480
    for section in walk(config.train_dataloader.dataset):
        if 'times' in section:
            section.times = 1
    for section in walk(config.model):
        if isinstance(section.get('init_cfg'), dict) and 'checkpoint' in section.init_cfg:
            section.init_cfg = None
        for key, few in FEW.items():
            if key in section:
                section[key] = few
    with contextlib.suppress(InvalidArgument):  # the config accepts images of any size
        set_scale(config, SIZE)
    if 'max_epochs' in config.train_cfg:
        set_epochs(config, 1)
    else:
        config.train_cfg.update(max_iters=1, val_interval=1)
    config.default_hooks.checkpoint = None
    config.randomness = dict(seed=0)
    config.work_dir = str(work_dir)


class Watch(Hook):
    """Keeps the results of the steps."""

    def __init__(self) -> None:
        self.losses: list[dict] = []
        self.metrics: dict = {}
        self.predictions = 0
        self.with_gradient: set[str] = set()

    def before_train(self, runner) -> None:
        for name, value in runner.model.named_parameters():
            if value.requires_grad:
                value.register_post_accumulate_grad_hook(
                    lambda value, name=name: self.with_gradient.add(name)
                )

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses.append({name: float(value) for name, value in outputs.items()})

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.predictions += len(outputs)

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.metrics = metrics


def test_there_are_configs():
    assert 'configs/rexnet/faster-rcnn_rexnet-1.0_fpn_custom_coco.py' in CONFIGS


def pytest_generate_tests(metafunc):
    """Parametrise by a config of each kind, or by all configs."""
    take_kinds(metafunc, 'stepped')


@pytest.mark.slow
def test_one_step_of_training_and_of_validation(stepped, shapes, tmp_path, fresh_mmengine):
    choose_device('cpu')
    config = load_config(ROOT / stepped)
    shrink(config, shapes, tmp_path)
    watch = Watch()
    with config_faults():
        runner = Runner.from_cfg(config)
        runner.register_hook(watch, priority='VERY_HIGH')
        runner.train()
    (losses,) = watch.losses
    assert losses['loss'] > 0 and all(math.isfinite(value) for value in losses.values()), losses
    trainable = {name for name, value in runner.model.named_parameters() if value.requires_grad}
    assert trainable and watch.with_gradient == trainable
    assert watch.predictions == BATCH
    assert watch.metrics and all(isinstance(value, Real) for value in watch.metrics.values())


@pytest.mark.parametrize('path', CONFIGS)
def test_its_docstring_says_how_it_is_run_and_what_comes_out(path):
    text = (ROOT / path).read_text()
    docstring = text.split('"""')[1]
    assert any(text in docstring for text in (Path(path).name, 'make ', 'rexdense demo '))
    assert re.search('^(Expected|Not trained here)', docstring, re.MULTILINE)
