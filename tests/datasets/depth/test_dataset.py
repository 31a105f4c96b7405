"""Depth folders and lists: what is read, what is skipped and counted, what is refused."""

import cv2
import numpy as np
import pytest

pytest.importorskip('mmcv')

from torch.utils.data import DataLoader

from rexdense.datasets.depth.dataset import DepthDataset
from rexdense.datasets.depth.loading import EmptyDepthMap, LoadDepth, read_depth
from rexdense.datasets.depth.pairs import pair_by_name
from rexdense.datasets.images.files import ImageError, UnreadableImage
from rexdense.datasets.images.loading import LoadImage
from rexdense.errors import DataError, InvalidArgument
from rexdense.registry import DATASETS
from tests.mmengine_log import mmengine_messages

HEIGHT, WIDTH = 6, 8
PIPELINE = [LoadImage(), LoadDepth()]


def write_png(path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), values)


def write_pairs(root, split='train', names=('a', 'b', 'c'), millimetres=2500):
    """Images with flat depth maps, b a millimetre farther than a, and so on."""
    for number, name in enumerate(names):
        write_png(
            root / f'images/{split}/{name}.png', np.full((HEIGHT, WIDTH, 3), 40 * number, np.uint8)
        )
        depth = np.full((HEIGHT, WIDTH), millimetres + number, np.uint16)
        write_png(root / f'depth/{split}/{name}.png', depth)
    return root


def empty(root, *names):
    for name in names:
        write_png(root / f'depth/train/{name}.png', np.zeros((HEIGHT, WIDTH), np.uint16))


def dataset_of(root, **options):
    return DepthDataset(data_root=str(root), pipeline=PIPELINE, **options)


def png(values: np.ndarray) -> bytes:
    return cv2.imencode('.png', values)[1].tobytes()


def npy(tmp_path, values: np.ndarray) -> bytes:
    np.save(tmp_path / 'map.npy', values)
    return (tmp_path / 'map.npy').read_bytes()


def test_shapes_are_read(shapes):
    dataset = dataset_of(
        shapes, data_prefix=dict(img_path='images/val', depth_map_path='depth/val'), test_mode=True
    )
    assert len(dataset) == 4
    for index in range(4):
        sample = dataset[index]
        depth = sample['gt_depth_map']
        assert depth.dtype == np.float32 and depth.shape == sample['img'].shape[:2] == (64, 64)
        stored = cv2.imread(sample['depth_map_path'], cv2.IMREAD_UNCHANGED)
        np.testing.assert_allclose(depth, stored / 1000, rtol=1e-6)
        assert 1.9 < depth.min() < depth.max() < 6.1
        assert sample['seg_fields'] == ['gt_depth_map']


def test_it_is_registered(tmp_path):
    built = DATASETS.build(
        dict(type='rexdense.DepthDataset', data_root=str(write_pairs(tmp_path)), pipeline=[])
    )
    assert [info['img_path'][-5:] for info in built] == ['a.png', 'b.png', 'c.png']


def test_names_in_folders_and_other_endings(tmp_path):
    write_pairs(tmp_path, names=('room/a', 'hall/a'))
    (tmp_path / 'depth/train/room/a.png').unlink()
    np.save(tmp_path / 'depth/train/room/a.npy', np.full((HEIGHT, WIDTH), 3.25))
    dataset = dataset_of(tmp_path)
    assert [dataset[index]['gt_depth_map'][0, 0] for index in (0, 1)] == [np.float32(2.501), 3.25]


def test_whole_numbers_count_units_and_others_are_metres(tmp_path):
    for dtype in (np.uint16, np.int32, np.int64):
        depth = read_depth(npy(tmp_path, np.array([[512, 0]], dtype)), 'map.npy', 256)
        assert depth.tolist() == [[2, 0]] and depth.dtype == np.float32
    assert read_depth(png(np.array([[512, 0]], np.uint16)), 'x.png', 256).tolist() == [[2, 0]]
    for dtype in (np.float16, np.float32, np.float64):
        assert read_depth(npy(tmp_path, np.array([[2.5]], dtype)), 'map.npy', 256) == 2.5
    encoded = cv2.imencode('.tiff', np.array([[2.5]], np.float32))[1].tobytes()
    assert read_depth(encoded, 'x.tiff') == 2.5
    assert read_depth(npy(tmp_path, np.ones((1, 3, 4))), 'map.npy').shape == (3, 4)


def test_zeros_nan_infinity_and_negatives_are_not_measured(tmp_path):
    values = np.array([[0, np.nan, np.inf, -np.inf, -2, 3]], np.float32)
    assert read_depth(npy(tmp_path, values), 'map.npy').tolist() == [[0, 0, 0, 0, 0, 3]]


@pytest.mark.parametrize('workers', [0, 2])
def test_empty_training_maps_are_skipped_and_counted(tmp_path, workers, caplog):
    empty(write_pairs(tmp_path), 'b')
    np.save(tmp_path / 'depth/train/c.npy', np.full((HEIGHT, WIDTH), np.nan))
    (tmp_path / 'depth/train/c.png').unlink()
    dataset = dataset_of(tmp_path)
    loader = DataLoader(dataset, num_workers=workers, collate_fn=list)
    with mmengine_messages(caplog) as messages:
        paths = [batch[0]['img_path'] for _ in range(2) for batch in loader]
    assert paths == [str(tmp_path / 'images/train/a.png')] * 6
    assert dataset.skipped_images == 2
    if not workers:
        assert sorted(messages) == [
            f'skipped: depth map {tmp_path}/depth/train/{name} has no measured pixel: all are 0, '
            'negative, NaN or infinite'
            for name in ('b.png', 'c.npy')
        ]


def test_damaged_training_images_are_skipped_too(tmp_path):
    write_pairs(tmp_path)
    (tmp_path / 'images/train/a.png').write_bytes(b'no image')
    (tmp_path / 'depth/train/b.png').write_bytes(b'')
    dataset = dataset_of(tmp_path)
    assert {dataset[index]['img_path'][-5:] for index in range(3)} == {'c.png'}
    assert dataset.skipped_images == 2


def test_all_maps_are_empty(tmp_path):
    empty(write_pairs(tmp_path), 'a', 'b', 'c')
    with pytest.raises(EmptyDepthMap, match='none of its 3 images can be used; the last one tried'):
        dataset_of(tmp_path)[0]


def test_validation_keeps_empty_maps_and_refuses_damaged_ones(tmp_path):
    empty(write_pairs(tmp_path), 'a')
    (tmp_path / 'depth/train/b.png').write_bytes(b'')
    dataset = dataset_of(tmp_path, test_mode=True)
    assert not dataset[0]['gt_depth_map'].any()
    with pytest.raises(UnreadableImage, match=r'depth map .*b\.png is empty; replace it'):
        dataset[1]


def test_a_map_of_another_kind_ends_training_at_once(tmp_path):
    write_png(write_pairs(tmp_path) / 'depth/train/a.png', np.ones((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(ImageError, match=r'a\.png holds uint8 values'):
        dataset_of(tmp_path)[0]


def test_a_map_of_another_size(tmp_path):
    write_pairs(tmp_path)
    write_png(tmp_path / 'depth/train/a.png', np.ones((3, 4), np.uint16))
    message = r'a\.png is 4 x 3 pixels \(width x height\), its image 8 x 6; put the map of'
    with pytest.raises(ImageError, match=message):
        dataset_of(tmp_path)[0]
    # A map is compared with the image as it lies on the disk.
    sample = dict(
        depth_map_path=str(tmp_path / 'depth/train/b.png'),
        ori_shape=(HEIGHT, WIDTH),
        img_shape=(3, 4),
        seg_fields=[],
    )
    assert LoadDepth()(sample)['gt_depth_map'].shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (
            np.ones((4, 5), np.uint8),
            'holds uint8 values, too coarse for depth; save it as a 16-bit',
        ),
        (np.ones((4, 5, 3), np.uint16), r'shape \(4, 5, 3\); it must be \(height, width\), a grey'),
    ],
)
def test_pictures_that_are_no_depth_maps(values, message):
    with pytest.raises(ImageError, match=message):
        read_depth(png(values), 'x.png')


def test_files_that_are_no_depth_maps(tmp_path):
    for content in (b'', b'\x93NUMPY', npy(tmp_path, np.array([{}], object))):
        with pytest.raises(UnreadableImage, match='it is damaged, or no array of numbers'):
            read_depth(content, 'map.npy')
    for values in (np.ones((2, 2), bool), np.ones((2, 2), complex), np.array([['a']])):
        with pytest.raises(ImageError, match='too coarse for depth'):
            read_depth(npy(tmp_path, values), 'map.npy')
    with pytest.raises(
        UnreadableImage, match=r'depth map /nowhere\.png cannot be read: No such file'
    ):
        LoadDepth()(dict(depth_map_path='/nowhere.png', seg_fields=[]))
    for units in (0, '1000'):
        with pytest.raises(InvalidArgument, match=f'units_per_metre={units!r}: give a number'):
            LoadDepth(units_per_metre=units)


def test_images_without_depth_maps(tmp_path):
    write_pairs(tmp_path)
    for name in 'ab':
        (tmp_path / f'depth/train/{name}.png').unlink()
    message = (
        rf'2 of 3 images in {tmp_path}/images/train have no depth map of the same name in '
        rf'{tmp_path}/depth/train, such as {tmp_path}/images/train/a\.png; add the maps or take'
    )
    with pytest.raises(DataError, match=message):
        dataset_of(tmp_path)


def test_depth_maps_without_images_are_counted(tmp_path, caplog):
    write_pairs(tmp_path)
    (tmp_path / 'images/train/a.png').unlink()
    with mmengine_messages(caplog) as messages:
        assert len(dataset_of(tmp_path)) == 2
    assert messages == [f'{tmp_path}/images/train: left out: 1 depth maps without an image']


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(
        DataError, match=r'folder .*images/train of the images is not there; data_r'
    ):
        dataset_of(tmp_path)
    write_pairs(tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataError, match=r'empty holds no depth maps; they end in \.png, \.npy'):
        dataset_of(tmp_path, data_prefix=dict(depth_map_path='empty'))
    write_png(tmp_path / 'images/train/a.jpg', np.ones((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r'a\.jpg and .*a\.png have the same name but for the end'):
        pair_by_name(tmp_path / 'images/train', tmp_path / 'depth/train')


def test_a_list_names_the_pairs(tmp_path, caplog):
    write_pairs(tmp_path)
    listed = tmp_path / 'list.txt'
    listed.write_text(
        'train/c.png train/a.png 721.5\n\ntrain/a.png None 721.5\ntrain/a.png train/b.png\n'
    )
    with mmengine_messages(caplog) as messages:
        dataset = dataset_of(
            tmp_path,
            ann_file='list.txt',
            data_prefix=dict(img_path='images', depth_map_path='depth'),
        )
    assert messages == [f'{listed}: left out: 1 images without a depth map']
    named = [
        (info['img_path'][-5:], info['depth_map_path'][-5:])
        for info in map(dataset.get_data_info, range(2))
    ]
    assert named == [('a.png', 'b.png'), ('c.png', 'a.png')]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('train/a.png\n', r"list\.txt, line 1: 'train/a.png' names one file; give an image and"),
        ('train/a.png train/x.png\n', r'names 1 files that are not there, such as .*depth/train/x'),
        ('train/a.png None\n', 'names no image with a depth map; give a list that does'),
        (b'\xff\xfe\x00', r'list\.txt is no UTF-8 text.*; give a text file'),
        (None, r'cannot be read \(No such file or directory\)'),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, content, message):
    write_pairs(tmp_path)
    if content is not None:
        (tmp_path / 'list.txt').write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
    with pytest.raises(DataError, match=message):
        dataset_of(
            tmp_path,
            ann_file='list.txt',
            data_prefix=dict(img_path='images', depth_map_path='depth'),
        )
