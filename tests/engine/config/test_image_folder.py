"""The split of a classifier's data that --data-root and --split choose."""

import pytest

pytest.importorskip('mmdet')

from mmengine.config import Config

from rexdense.engine.config.image_folder import use_image_folder
from rexdense.errors import InvalidArgument
from rexdense.registry import DATASETS
from tests.small_classification import write_classification, write_images

OWN = {'folders': 'val', 'food-101': 'test'}


@pytest.fixture(params=OWN)
def measured(request, tmp_path, capsys):
    """A function that chooses a split and returns the number of images of the data set that is
    measured, and the words of the table that was printed."""
    if request.param == 'folders':
        write_classification(tmp_path)
        kind = dict(type='rexdense.ClassificationDataset')
        write_images(tmp_path / 'test/red', 5, (200, 30, 30))
    else:
        write_food(tmp_path)
        kind = dict(type='rexdense.PublishedDataset', layout=request.param)
    own = OWN[request.param]

    def measure(split):
        sections = dict(
            train_dataloader=dict(kind, split='train'),
            test_dataloader=dict(kind, split=own, test_mode=True),
        )
        model = dict(type='rexdense.ImageClassifier', num_classes=1000)
        loaders = {name: dict(dataset=section) for name, section in sections.items()}
        config = Config(dict(model=model, **loaders))
        splits = dict(train_dataloader='train', test_dataloader=split)
        use_image_folder(config, tmp_path, splits, training=False, classes=None)
        found = DATASETS.build(config.test_dataloader.dataset | dict(pipeline=[]))
        words = capsys.readouterr().out.split()
        place = words.index('images')
        return len(found), words[place - 1 : place + 2]

    return measure


def write_food(root):
    counts = dict(train=6, test=3)
    (root / 'meta').mkdir()
    (root / 'meta/classes.txt').write_text('green\nred\n')
    for name in ('green', 'red'):
        write_images(root / f'images/{name}', 6, (30, 200, 30))
        for path in (root / f'images/{name}').iterdir():
            path.rename(path.with_suffix('.jpg'))
    for split, number in counts.items():
        names = [f'{name}/{index}' for name in ('green', 'red') for index in range(number)]
        (root / f'meta/{split}.txt').write_text('\n'.join(names))


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_the_split_that_is_named_is_measured(measured, split, request):
    kind = request.node.callspec.params['measured']
    read = OWN[kind] if split == 'val' else split
    numbers = dict(folders=dict(train=12, val=6, test=5)).get(kind, dict(train=12, test=6))
    assert measured(split) == (numbers[read], [read, 'images', str(numbers[read])])


@pytest.mark.parametrize('measured', ['food-101'], indirect=True)
def test_a_split_that_a_published_set_lacks(measured):
    with pytest.raises(InvalidArgument, match="split 'nonsense': food-101 is published with"):
        measured('nonsense')
