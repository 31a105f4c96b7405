"""Images of masks become annotations with masks."""

import cv2
import numpy as np
import pytest

from rexdense.datasets.coco.masks import decode_mask
from rexdense.datasets.formats.masks import read_masks
from rexdense.errors import DataError
from tests.small_coco import HEIGHT, WIDTH
from tests.small_formats import write_image


def mask_of(*values):
    """Squares of 5 x 5 pixels side by side, of these values."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint16)
    for place, value in enumerate(values):
        mask[4:9, 2 + 8 * place : 7 + 8 * place] = value
    return mask


def save(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), mask)


def numbered(root):
    write_image(root / 'images/a.png')
    # The two squares of value 300 are one object.
    save(root / 'masks/a.png', mask_of(1, 300, 300))


def black_and_white(root):
    write_image(root / 'images/a.jpg')
    save(root / 'masks/a.png', mask_of(255, 255).astype(np.uint8))


def grey_colours(root):
    write_image(root / 'images/a.jpg')
    save(root / 'masks/a.png', np.repeat(mask_of(255, 255).astype(np.uint8)[..., None], 3, 2))


def one_file_an_object(root):
    write_image(root / 'images/a.png')
    for number, values in enumerate([(255,), (0, 255)]):
        save(root / f'masks/a/{number}.png', mask_of(*values).astype(np.uint8))


def one_file_with_two_pieces(root):
    write_image(root / 'images/a.png')
    save(root / 'masks/a/0.png', mask_of(255, 255).astype(np.uint8))


def one_file_of_the_bowl_with_two_pieces(root):
    write_image(root / 'abc/images/abc.png')
    save(root / 'abc/masks/0.png', mask_of(255, 255).astype(np.uint8))


def one_file_with_numbers(root):
    write_image(root / 'images/a.png')
    save(root / 'masks/a/0.png', mask_of(1, 2).astype(np.uint8))


def jpeg(root):
    write_image(root / 'images/a.png')
    save(root / 'masks/a.jpg', mask_of(255, 255).astype(np.uint8))


def science_bowl(root):
    write_image(root / 'abc/images/abc.png')
    for number, values in enumerate([(255,), (0, 255)]):
        save(root / f'abc/masks/{number}.png', mask_of(*values).astype(np.uint8))


@pytest.mark.parametrize(
    ('write', 'boxes'),
    [
        (numbered, [[2, 4, 5, 5], [10, 4, 13, 5]]),
        (black_and_white, [[2, 4, 5, 5], [10, 4, 5, 5]]),
        (grey_colours, [[2, 4, 5, 5], [10, 4, 5, 5]]),
        (one_file_an_object, [[2, 4, 5, 5], [10, 4, 5, 5]]),
        (science_bowl, [[2, 4, 5, 5], [10, 4, 5, 5]]),
        (one_file_with_two_pieces, [[2, 4, 13, 5]]),
        (one_file_of_the_bowl_with_two_pieces, [[2, 4, 13, 5]]),
        (one_file_with_numbers, [[2, 4, 5, 5], [10, 4, 5, 5]]),
        (jpeg, [[2, 4, 5, 5], [10, 4, 5, 5]]),
    ],
)
def test_layouts(tmp_path, write, boxes):
    write(tmp_path)
    (read,) = read_masks(tmp_path).values()
    assert read.faults == []
    assert [entry['bbox'] for entry in read.content['annotations']] == boxes
    first = decode_mask(read.content['annotations'][0]['segmentation'], HEIGHT, WIDTH)
    assert first[4:9, 2:7].all() and first.sum() == 25 * (1 if boxes[0][2] == 5 else 2)
    assert read.content['annotations'][0]['area'] == first.sum()
    assert read.content['categories'] == [{'id': 1, 'name': 'object'}]


def test_splits_and_the_name_of_the_class(tmp_path):
    for split in ('train', 'val'):
        write_image(tmp_path / f'images/{split}/a.png')
        save(tmp_path / f'masks/{split}/a.png', mask_of(1, 2))
    (tmp_path / 'classes.txt').write_text('background\nnucleus\n')
    found = read_masks(tmp_path)
    assert list(found) == ['train', 'val']
    assert found['val'].content['categories'] == [{'id': 1, 'name': 'nucleus'}]
    (tmp_path / 'classes.txt').write_text('a\nb\n')
    with pytest.raises(DataError, match='names 2 classes, and masks that number objects are of on'):
        read_masks(tmp_path)


@pytest.mark.parametrize('folders', ['{}/{split}', '{split}/{}'])
def test_folders_in_upper_case(tmp_path, folders):
    for split in ('train', 'val'):
        write_image(tmp_path / folders.format('Images', split=split) / 'a.png')
        save(tmp_path / folders.format('MASKS', split=split) / 'a.png', mask_of(1, 2))
    found = read_masks(tmp_path)
    assert {split: len(read.content['annotations']) for split, read in found.items()} == {
        'train': 2,
        'val': 2,
    }


def test_masks_that_cannot_be_used(tmp_path):
    for name in 'abcd':
        write_image(tmp_path / f'images/{name}.png')
    save(tmp_path / 'masks/a.png', mask_of(1, 2)[:9])
    (tmp_path / 'masks/b.png').write_text('no image')
    save(tmp_path / 'masks/c.png', np.random.default_rng(0).integers(0, 9, (9, 9, 3), np.uint8))
    (read,) = read_masks(tmp_path).values()
    assert [fault.partition(': ')[0] for fault in read.faults[:3]] == [
        f'masks/{name}.png' for name in 'abc'
    ]
    assert 'it is 48 x 9 pixels (width x height), its image 48 x 32' in read.faults[0]
    assert 'it has colours' in read.faults[2]
    assert read.faults[3] == 'images/d.png has no mask'


def test_names_that_two_images_have(tmp_path):
    numbered(tmp_path)
    write_image(tmp_path / 'images/b.png')
    write_image(tmp_path / 'images/a.jpg')
    save(tmp_path / 'masks/b.png', mask_of(1))
    save(tmp_path / 'masks/b.bmp', mask_of(1).astype(np.uint8))
    (read,) = read_masks(tmp_path).values()
    assert [fault.partition(' differ')[0] for fault in read.faults] == [
        'a.jpg and a.png',
        'b.bmp and b.png',
    ]
    assert read.content['images'] == []


def test_no_masks(tmp_path):
    with pytest.raises(DataError, match='has no masks: looked for masks/ beside images/'):
        read_masks(tmp_path)
