"""Plots of ranks: they are written, and never over another file."""

import cv2
import pytest

pytest.importorskip('matplotlib')

from rexdense.errors import UnwritableFile
from rexdense.visualization.plots.ranks import plot_block_ranks, plot_random_layers

BLOCKS = (['stem', 'a'], [32, 64], [32, 10], [8.0, 3.5], 'title')
CURVE = ([0.1, 0.5], [0.2, 1.0])


@pytest.mark.parametrize(
    'plot',
    [
        lambda path, **force: plot_block_ranks(path, *BLOCKS, **force),
        lambda path, **force: plot_random_layers(
            path, {'conv 1x1': {'none': (CURVE, CURVE)}, 'b': {'SiLU': (CURVE, CURVE)}}, **force
        ),
    ],
)
def test_plots_are_pictures(tmp_path, plot):
    plot(tmp_path / 'a.png')
    assert cv2.imread(str(tmp_path / 'a.png')).std() > 5
    with pytest.raises(UnwritableFile):
        plot(tmp_path / 'a.png')
    plot(tmp_path / 'a.png', force=True)
