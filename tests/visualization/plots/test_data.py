"""Plots of what a data set holds."""

import numpy as np
import pytest

pytest.importorskip('matplotlib')

from rexdense.visualization.plots.data import MOST_CLASSES, plot_counts

NAMES = ('_a', r'a $\frac$ b', 'Gefäß', '\u1d81', '红细胞', '\U0010ffff')
MANY = {f'class {number} of a long name, ${number}$': number for number in range(60)}


@pytest.mark.parametrize(
    ('counts', 'sides', 'objects'),
    [
        ({'train': {'cat': 5, 'dog': 0}, 'val': {'cat': 1}}, {}, {}),
        ({'train': MANY}, {}, {}),
        ({'train': dict.fromkeys(NAMES, 2)}, {}, {}),
        ({'all': {}}, {}, {}),
        ({'train': {'cat': 2}}, {'train': [10.0, 10.0]}, {'train': [2, 0]}),
        ({'train': {'cat': 0}}, {'train': []}, {'train': [0]}),
        (
            {'train': {'cat': 9}, 'val': {'cat': 0}},
            {'train': [0.5, 4e3], 'val': []},
            {'train': [3000], 'val': []},
        ),
    ],
)
@pytest.mark.filterwarnings('error')
def test_all_that_may_come(counts, sides, objects):
    picture = plot_counts(counts, 'objects', sides, objects)
    assert picture.dtype == np.uint8 and picture.shape[1:] == (1500, 3)
    assert picture.min() < 100 < picture.max()
    assert (picture.shape[0] > 420) == (len(next(iter(counts.values()))) >= MOST_CLASSES)
