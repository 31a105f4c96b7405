"""COCO folders as an mmdet dataset."""

import json

import pytest

pytest.importorskip('mmdet')

import numpy as np
from mmdet.datasets import CocoDataset as StockCocoDataset
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs
from mmengine.registry import DATASETS
from pycocotools import mask as mask_tools
from torch.utils.data import DataLoader

from rexdense.datasets.coco.dataset import CocoDataset
from rexdense.datasets.images.files import UnreadableImage
from rexdense.datasets.images.loading import LoadImage
from rexdense.errors import DataError
from tests.mmengine_log import mmengine_messages
from tests.shared_files import SHARED, needs_shared
from tests.small_coco import coco_content, write_coco

STOCK_LOADING = {'type': 'mmcv.LoadImageFromFile'}
PIPELINE = [
    {'type': 'rexdense.LoadImage'},
    {'type': 'mmdet.LoadAnnotations', 'with_bbox': True},
    {'type': 'mmdet.PackDetInputs'},
]


def dataset_of(root, **options):
    defaults = {
        'type': 'rexdense.CocoDataset',
        'data_root': str(root),
        'ann_file': 'annotations/train.json',
        'data_prefix': {'img': 'images/'},
        'pipeline': PIPELINE,
    }
    return DATASETS.build({**defaults, **options})


def damage(root, *names):
    for name in names:
        (root / 'images' / name).write_bytes(b'\xff\xd8 no image')


def test_classes_and_samples_come_from_the_file(tmp_path):
    write_coco(tmp_path)
    dataset = dataset_of(tmp_path)
    assert isinstance(dataset, CocoDataset)
    assert dataset.metainfo == {'classes': ('cat', 'dog')}
    assert [len(dataset.get_data_info(index)['instances']) for index in range(3)] == [2, 2, 0]
    sample = dataset[0]
    assert sample['inputs'].shape == (3, 32, 48)
    truth = sample['data_samples'].gt_instances
    assert truth.bboxes.tensor.tolist() == [[2, 3, 22, 13], [24, 8, 40, 28]]
    assert truth.labels.tolist() == [0, 1]
    assert sample['data_samples'].img_id == 1


@pytest.mark.parametrize(
    ('classes', 'labels'),
    [(['cat', 'dog'], [0, 1]), (['dog', 'cat'], [1, 0]), (('dog',), [0])],
)
def test_labels_follow_the_names(tmp_path, classes, labels):
    content = coco_content()
    content['categories'].reverse()
    write_coco(tmp_path, content)
    dataset = dataset_of(tmp_path, metainfo={'classes': classes})
    instances = dataset.get_data_info(0)['instances']
    assert [instance['bbox_label'] for instance in instances] == labels
    assert dataset.metainfo['classes'] == tuple(classes)


def test_string_ids(tmp_path):
    content = coco_content()
    for image in content['images']:
        image['id'] = f'image {image["id"]}'
    for category in content['categories']:
        category['id'] = f'class {category["id"]}'
    for entry in content['annotations']:
        entry['image_id'] = f'image {entry["image_id"]}'
        entry['category_id'] = f'class {entry["category_id"]}'
    write_coco(tmp_path, content)
    dataset = dataset_of(tmp_path, filter_cfg={'filter_empty_gt': True})
    assert [dataset.get_data_info(index)['img_id'] for index in range(2)] == ['image 1', 'image 2']
    assert len(dataset) == 2
    assert dataset.get_cat_ids(0) == [0, 1]


@pytest.mark.parametrize(
    ('options', 'names'),
    [
        ({}, ['1.png', '2.png', '3.png']),
        ({'filter_cfg': {'filter_empty_gt': True}}, ['1.png', '2.png']),
        ({'filter_cfg': {'filter_empty_gt': True}, 'test_mode': True}, ['1.png', '2.png', '3.png']),
        ({'indices': 1}, ['1.png']),
        ({'indices': [2, 0]}, ['3.png', '1.png']),
    ],
)
def test_which_images_are_kept(tmp_path, options, names):
    write_coco(tmp_path)
    dataset = dataset_of(tmp_path, **options)
    paths = [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]
    assert paths == [str(tmp_path / 'images' / name) for name in names]


def test_a_filter_that_leaves_nothing(tmp_path):
    write_coco(tmp_path)
    with pytest.raises(DataError, match=r'no image is left of 3 with filter_cfg=.*; loosen it'):
        dataset_of(tmp_path, filter_cfg={'min_size': 33})


def test_boxes_that_cannot_be_used_are_told(tmp_path, caplog):
    content = coco_content()
    content['annotations'][1]['bbox'] = [3, 3, 0, 5]
    write_coco(tmp_path, content)
    with mmengine_messages(caplog) as messages:
        dataset = dataset_of(tmp_path)
    assert len(dataset.get_data_info(0)['instances']) == 1
    assert messages == [f'{tmp_path}/annotations/train.json: annotations left out: 1 zero-size box']


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({'ann_file': 'annotations/trian.json'}, 'trian.json is not there; its folder has'),
        ({'metainfo': {'classes': ['cats']}}, "has no class 'cats', which was asked for;"),
        ({'data_prefix': {'img': 'image/'}}, 'image is not there; give the folder of the images'),
        (
            {'pipeline': [{'type': 'mmdet.LoadAnnotations', 'with_mask': True}]},
            '4 no mask); masks are needed here',
        ),
    ],
)
def test_bad_input(tmp_path, options, expected):
    write_coco(tmp_path)
    with pytest.raises(DataError) as caught:
        dataset_of(tmp_path, **options)
    assert expected in str(caught.value)
    assert '\n' not in str(caught.value)


def test_validation_may_lack_classes_and_boxes(tmp_path):
    content = coco_content()
    content['annotations'] = []
    write_coco(tmp_path, content)
    dataset = dataset_of(tmp_path, test_mode=True, metainfo={'classes': ['bird', 'dog']})
    assert len(dataset) == 3


def test_masks_of_all_forms_reach_the_sample(tmp_path):
    content = coco_content()
    runs = {'size': [32, 48], 'counts': [32, 8, 32 * 48 - 40]}
    packed = mask_tools.frPyObjects(runs, 32, 48)
    masks = [
        [[2, 3, 22, 3, 22, 13, 2, 13]],
        runs,
        {'size': [32, 48], 'counts': packed['counts'].decode()},
        None,
    ]
    for entry, mask in zip(content['annotations'], masks, strict=True):
        entry['segmentation'] = mask
        if isinstance(mask, dict):
            entry['bbox'] = [1, 0, 1, 8]
    write_coco(tmp_path, content)
    pipeline = [
        LoadImage(),
        LoadAnnotations(with_bbox=True, with_mask=True),
        PackDetInputs(),
    ]
    dataset = dataset_of(tmp_path, pipeline=pipeline)
    first, second = (dataset[index]['data_samples'].gt_instances for index in range(2))
    rectangle, column = first.masks.masks
    assert rectangle[3:13, 2:22].all() and rectangle.sum() == 200
    assert column[:8, 1].all() and column.sum() == 8
    assert np.array_equal(second.masks.masks, column[None])
    assert second.labels.tolist() == [0]


@needs_shared
@pytest.mark.parametrize('data', ['bccd', 'nuclei'])
def test_samples_are_those_of_mmdet(data):
    root, masks = SHARED / 'data' / data, data == 'nuclei'
    options = {
        'data_root': str(root),
        'ann_file': 'annotations/val.json',
        'data_prefix': {'img': 'images/'},
        'indices': 5,
    }
    rest = [LoadAnnotations(with_bbox=True, with_mask=masks), PackDetInputs()]
    names = [
        c['name'] for c in json.loads((root / 'annotations/val.json').read_text())['categories']
    ]
    ours = CocoDataset(pipeline=[LoadImage(), *rest], **options)
    stock = StockCocoDataset(
        pipeline=[STOCK_LOADING, *rest], metainfo={'classes': names}, **options
    )
    for index in range(5):
        assert ours.get_data_info(index) == stock.get_data_info(index)
        mine, theirs = ours[index], stock[index]
        assert mine['inputs'].equal(theirs['inputs'])
        mine, theirs = mine['data_samples'].gt_instances, theirs['data_samples'].gt_instances
        assert mine.bboxes.tensor.equal(theirs.bboxes.tensor)
        assert mine.labels.equal(theirs.labels)
        if masks:
            assert np.array_equal(mine.masks.masks, theirs.masks.masks)


@pytest.mark.parametrize('workers', [0, 2])
def test_damaged_training_images_are_skipped_and_counted(tmp_path, workers):
    write_coco(tmp_path)
    damage(tmp_path, '2.png', '3.png')
    dataset = dataset_of(tmp_path)
    loader = DataLoader(dataset, num_workers=workers, collate_fn=list)
    for _ in range(2):
        paths = [batch[0]['data_samples'].img_path for batch in loader]
        assert paths == [str(tmp_path / 'images' / '1.png')] * 3
        assert dataset.skipped_images == 2


def test_each_damaged_image_is_told_once(tmp_path, caplog):
    write_coco(tmp_path)
    damage(tmp_path, '2.png', '3.png')
    dataset = dataset_of(tmp_path)
    with mmengine_messages(caplog) as messages:
        for index in (0, 1, 2, 1, 2):
            assert dataset[index]['data_samples'].img_id == 1
    assert sorted(messages) == [
        f'skipped: image {tmp_path}/images/{name}.png cannot be decoded: it is damaged or no '
        'image; replace it or take it out of the data'
        for name in (2, 3)
    ]


def test_no_image_can_be_decoded(tmp_path):
    write_coco(tmp_path)
    damage(tmp_path, '1.png', '2.png', '3.png')
    dataset = dataset_of(tmp_path)
    with pytest.raises(UnreadableImage, match='none of its 3 images can be used; the last one'):
        dataset[0]


@pytest.mark.parametrize('workers', [0, 1])
def test_damaged_validation_image_is_an_error(tmp_path, workers):
    write_coco(tmp_path)
    damage(tmp_path, '2.png')
    samples = iter(
        DataLoader(dataset_of(tmp_path, test_mode=True), num_workers=workers, collate_fn=list)
    )
    with pytest.raises(DataError) as caught:
        list(samples)
    assert str(caught.value) == (
        f'image {tmp_path}/images/2.png cannot be decoded: it is damaged or no image; '
        'replace it or take it out of the data'
    )
    if workers:
        samples._shutdown_workers()  # left to the garbage collector, it waits for five seconds
