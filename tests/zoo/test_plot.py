"""The plot of the zoo: its content, and that the one in docs/ is up to date."""

from pathlib import Path

import pytest

from rexdense.errors import InvalidArgument, MissingDependency
from rexdense.zoo import plot_accuracy, zoo_entries
from rexdense.zoo.plot import STYLES, fingerprint, plotted_points

ROOT = Path(__file__).resolve().parents[2]
PICTURE = 'docs/accuracy_vs_cost.png'


def test_every_family_is_in_the_picture_and_every_published_accuracy():
    points = plotted_points()
    assert {point.family for point in points} == set(STYLES)
    published = [
        entry.name
        for entry in zoo_entries()
        if entry.top1 is not None and not entry.name.endswith('_tv')
    ]
    assert len(points) == len(published) + sum(p.family == 'efficientnet' for p in points)


def test_efficientnet_stands_where_it_was_published():
    efficientnets = [point[1:] for point in plotted_points() if point.family == 'efficientnet']
    assert efficientnets == [
        ('B0', 'clovaai', 0.39e9, 5.3e6, 77.3),
        ('B1', 'clovaai', 0.70e9, 7.8e6, 79.2),
        ('B2', 'clovaai', 1.0e9, 9.2e6, 80.3),
        ('B3', 'clovaai', 1.8e9, 12e6, 81.7),
    ]


def test_labels_that_are_asked_for_exist():
    for family, style in STYLES.items():
        labels = {point.label for point in plotted_points() if point.family == family}
        assert set(style.labels or {}) <= labels


def test_the_picture_is_written_once_and_replaced_only_on_request(tmp_path):
    pytest.importorskip('matplotlib')
    path = tmp_path / 'zoo.png'
    plot_accuracy(path)
    picture = path.read_bytes()
    assert picture.startswith(b'\x89PNG') and fingerprint(plotted_points()).encode() in picture
    path.write_text('mine')
    with pytest.raises(InvalidArgument, match='--overwrite'):
        plot_accuracy(path)
    assert path.read_text() == 'mine'
    plot_accuracy(path, overwrite=True)
    assert path.read_bytes() == picture
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_of_another_kind_or_in_no_folder_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match=r'ends in \.png'):
        plot_accuracy(tmp_path / 'zoo.pdf')
    pytest.importorskip('matplotlib')
    with pytest.raises(InvalidArgument, match='nowhere first'):
        plot_accuracy(tmp_path / 'nowhere' / 'zoo.png')
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_it_says_what_to_install(tmp_path, no_matplotlib):
    with pytest.raises(MissingDependency, match='pip install matplotlib'):
        plot_accuracy(tmp_path / 'zoo.png')


def test_the_picture_of_the_readme_is_drawn_from_the_numbers_of_today():
    assert f']({PICTURE})' in (ROOT / 'README.md').read_text(encoding='utf-8')
    picture = (ROOT / PICTURE).read_bytes()
    assert fingerprint(plotted_points()).encode() in picture, (
        f'{PICTURE} is stale: rexdense zoo --plot {PICTURE} --overwrite'
    )
