"""Samples followed through the pipelines of configs of each kind."""

import copy
import random

import numpy as np
import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import torch
from mmengine.registry import DATASETS, DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from rexdense.cli import browse as program
from rexdense.engine.browse.pictures import draw_stage, shown_at
from rexdense.engine.browse.sheet import browse, draw_browsed
from rexdense.engine.browse.stages import NETWORK, Stage, seeded
from rexdense.engine.config.data_root import use_data_root
from rexdense.engine.config.load import load_config, set_scale
from rexdense.errors import DataError, InvalidArgument
from tests.small_classification import CLASSES
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.tiny_run import CONFIG, MASK_CONFIG, ROOT, SEGMENTATION_CONFIG


def config_of(file, folder, *more, training=True):
    options = program.parser().parse_args([str(ROOT / file), '--data-root', str(folder), *more])
    config = load_config(options.config)
    use_data_root(config, options, training)
    set_scale(config, (64, 64))
    return config


@pytest.fixture(scope='module')
def configs(shapes, label_maps, image_folder):
    return dict(
        boxes=config_of(CONFIG, shapes),
        masks=config_of(MASK_CONFIG, shapes),
        labels=config_of(SEGMENTATION_CONFIG, label_maps),
        depth=config_of('configs/depth/unet_rexnet-1.0_custom.py', shapes),
        **{'class': config_of(CLASSIFICATION_CONFIG, image_folder)},
    )


@pytest.mark.parametrize('kind', ['boxes', 'masks', 'labels', 'depth', 'class'])
def test_the_stages_are_the_pipeline(kind, configs):
    """The last transform gives what the data set itself gives for the same draws."""
    samples, metainfo = browse(configs[kind], 'train', 2, seed=3)
    assert len(samples) == 2
    dataset = configs[kind].train_dataloader.dataset
    with DefaultScope.overwrite_default_scope(configs[kind].default_scope):
        built = DATASETS.build(dataset)
    names = [step['type'].rpartition('.')[2] for step in dataset.pipeline]
    for sample in samples:
        assert [stage.name for stage in sample.stages] == [*names, NETWORK]
        seeded(3, sample.index)
        packed = built.prepare_data(sample.index)
        assert torch.equal(packed['inputs'], sample.stages[-2].results['inputs'])
        shown = shown_at(sample.stages[-2].results, len(metainfo.get('classes') or ()))
        assert shown.image.dtype == np.uint8 and shown.image.ndim == 3
        if kind in ('boxes', 'masks'):
            assert (shown.objects.masks is not None) == (kind == 'masks')
            assert len(shown.objects.boxes)
        else:
            assert (shown.labels is not None) == (kind == 'labels')
            assert (shown.depth is not None) == (kind == 'depth')
            assert (shown.scores is not None) == (kind == 'class')
    picture = draw_browsed(samples, metainfo)
    assert picture.ndim == 3 and picture.dtype == np.uint8


@pytest.mark.parametrize('kind', ['boxes', 'labels', 'class'])
def test_the_seed_decides(kind, configs):
    def drawn(seed):
        random.random(), np.random.rand(), torch.rand(1)
        return draw_browsed(*browse(configs[kind], 'train', 3, seed))

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize('kind', ['boxes', 'labels', 'class'])
def test_the_network_s_input_has_its_colours_back(kind, configs):
    """Normalised and undone again it is the packed image, and padding beside it."""
    samples, _ = browse(configs[kind], 'train', 2, seed=0)
    for sample in samples:
        packed, given = (shown_at(stage.results, 9).image for stage in sample.stages[-2:])
        height, width = packed.shape[:2]
        part = given[:height, :width].astype(int)
        assert np.abs(part - packed).max() <= 1


def test_a_stage_is_kept_as_it_was(configs):
    """Transforms that write into the same arrays do not change what was seen before."""
    samples, _ = browse(configs['labels'], 'train', 1, seed=0)
    shown = [shown_at(stage.results, 3) for stage in samples[0].stages]
    first = next(each for each in shown if each is not None)
    assert any(each.differs(first) for each in shown if each is not None)


def test_mixed_batches_name_their_shares(configs):
    config = copy.deepcopy(configs['class'])
    config.model.batch_augments = dict(type='rexdense.BatchMix', mixup=1.0)
    samples, _ = browse(config, 'train', 2, seed=0)
    shares = [shown_at(sample.stages[-1].results, 3).scores for sample in samples]
    assert all(share.sum() == pytest.approx(1) for share in shares)


def test_wrapped_data_sets(configs):
    """Repeated and joined ones lead to the samples within."""
    config = copy.deepcopy(configs['boxes'])
    inner = config.train_dataloader.dataset
    joined = dict(type='ConcatDataset', datasets=[inner, inner])
    config.train_dataloader.dataset = dict(type='RepeatDataset', times=3, dataset=joined)
    plain, _ = browse(configs['boxes'], 'train', 1, seed=0)
    wrapped, _ = browse(config, 'train', 1, seed=0)
    assert [each.name for each in wrapped[0].stages] == [each.name for each in plain[0].stages]


def test_samples_that_are_dropped(configs):
    config = copy.deepcopy(configs['boxes'])
    config.train_dataloader.dataset.pipeline.insert(
        2, dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(10_000, 10_000))
    )
    with pytest.raises(DataError, match='none of 6 samples comes through the pipeline'):
        browse(config, 'train', 2, seed=0)


def test_a_split_that_is_not_there(configs):
    config = copy.deepcopy(configs['boxes'])
    config.val_dataloader = None
    with pytest.raises(InvalidArgument, match='--split val: the config has no val_dataloader'):
        browse(config, 'val', 2, seed=0)


@pytest.mark.parametrize('channels', [None, 1, 2, 3, 4])
def test_images_of_any_number_of_channels_are_shown(channels):
    """As microscopes and multispectral cameras give them, before and after packing."""
    grey = np.arange(40 * 50, dtype=np.uint8).reshape(40, 50)
    image = grey if channels is None else np.dstack([grey, 255 - grey, grey, grey][:channels])
    expected = np.dstack([grey] * 3)
    if (channels or 1) >= 3:
        expected[..., 1] = 255 - grey
    boxes = dict(gt_bboxes=np.array([[5, 5, 30, 30.0]]), gt_bboxes_labels=np.array([0]))
    stages = [dict(img=image, **boxes), dict(img=image, gt_seg_map=grey % 3)]
    if channels is not None:
        sample = SegDataSample(gt_sem_seg=PixelData(data=torch.from_numpy(grey % 3)[None]))
        inputs = torch.from_numpy(image.transpose(2, 0, 1).copy())
        stages.append(dict(inputs=inputs, data_samples=sample))
    for results in stages:
        shown = shown_at(results, 3)
        assert np.array_equal(shown.image, expected)
        assert draw_stage(Stage('x', results), shown, None, dict(classes=CLASSES)).ndim == 3
