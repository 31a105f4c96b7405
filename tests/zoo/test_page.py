"""docs/zoo.md has the current numbers of the zoo."""

from pathlib import Path

import pytest

from rexdense.errors import InvalidArgument
from rexdense.zoo import as_markdown, render_page, zoo_entries
from rexdense.zoo.page import BEGIN, END, with_zoo, zoo_section

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_not_stale():
    text = (ROOT / 'docs/zoo.md').read_text(encoding='utf-8')
    assert with_zoo(text) == text, 'docs/zoo.md is stale: rexdense zoo --page'


def test_the_section_has_all_tables():
    section = zoo_section()
    assert as_markdown(zoo_entries()) in section
    assert '| Mask R-CNN, 1x | `regnetx_3.2gf` | 40.3 | 36.6 | - | - | mmdet |' in section
    assert '| Faster R-CNN | `rexnet_1.0` | 38.5 | - | 20.7M | 124.1G | clovaai |' in section
    sizes = '| 20.64M | 20.7M | 117.1G | 124.1G | 23.29M | 23.3M | 170.1G | 124.1G | 124.0G |'
    assert f'| `rexnet_1.0` {sizes}' in section
    assert '| `rexnet_1.0` | 7.37G | 47.99G | 47.46G | 14.30G | 52.99G |' in section
    assert '| `rexunet` | 4.01M | 417M |' in section


def test_all_around_the_markers_stays(tmp_path):
    path = tmp_path / 'README.md'
    path.write_text(f'# Title\n\n{BEGIN}\nold\n{END}\n\nMore, até.\n', encoding='utf-8')
    render_page(path)
    text = path.read_text(encoding='utf-8')
    assert text == f'# Title\n\n{BEGIN}\n{zoo_section()}\n{END}\n\nMore, até.\n'
    assert with_zoo(text) == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    'text', ['no markers', BEGIN, END, f'{END}\n{BEGIN}', f'{BEGIN}\n{END}\n{BEGIN}\n{END}']
)
def test_markers_that_are_missing_or_misplaced_are_refused(text, tmp_path):
    path = tmp_path / 'README.md'
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=f'{path}.*{BEGIN}.*{END}'):
        render_page(path)
    assert path.read_text() == text


def test_a_page_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match='No such file'):
        render_page(tmp_path / 'README.md')
