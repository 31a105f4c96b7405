"""Scripts of the documentation site."""

import pytest

from rexdense.zoo import as_markdown, zoo_entries
from rexdense.zoo.table import family_of
from tests.chromium import chromium
from tests.pages import ROOT

SCRIPT, PLOT = 'docs/site/sort_tables.js', 'docs/site/plot_zoo.js'
ROWS = [('b2', '348M', '77.9'), ('b10', '1.53G', '-'), ('a1', '900k', '9.5')]
FILLER = [(f'c{number}', f'{number}G', str(number)) for number in range(3, 9)]


@pytest.fixture(scope='module')
def browser():
    with chromium() as driver:
        yield driver


def show(browser, path, script, heads, rows):
    """Open a page with a table and a script of the site."""
    heads = ''.join(f'<th>{each}</th>' for each in heads)
    rows = ''.join(f'<tr>{"".join(f"<td>{cell}</td>" for cell in row)}</tr>' for row in rows)
    script = (ROOT / script).read_text(encoding='utf-8')
    table = f'<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    path.write_text(f'<meta charset="utf-8"><article>{table}</article><script>{script}</script>')
    browser.get(path.as_uri())


def test_the_site_loads_the_scripts():
    text = (ROOT / 'mkdocs.yml').read_text(encoding='utf-8')
    assert f'extra_javascript: [{SCRIPT}, {PLOT}]' in text


def test_the_plot_has_a_point_for_each_published_accuracy(browser, tmp_path):
    """With the actual table of the zoo: the networks' positions and labels."""
    heads, _, *rows = (
        [cell.strip(' `') for cell in line.strip('|').split('|')]
        for line in as_markdown(zoo_entries()).splitlines()
    )
    show(browser, tmp_path / 'page.html', PLOT, heads, rows)
    points = browser.find_elements('css selector', 'svg circle[role=img]')
    published = [entry for entry in zoo_entries() if entry.top1 is not None]
    said = {each.get_attribute('aria-label'): each for each in points}
    assert len(said) == len(points) == len(published)
    place = {
        name: [float(said[name].get_attribute(axis)) for axis in ('cx', 'cy')]
        for name in (
            'rexnet_1.0: 77.9 % with 398M MACs (clovaai)',
            'regnetx_400mf: 72.7 % with 398M MACs (pycls)',
            'resnext101_32x8d: 79.312 % with 16.4G MACs (torchvision)',
        )
    }
    small, below, large = place.values()
    assert small[0] == below[0] < large[0] and large[1] < small[1] < below[1]
    families = [each.text for each in browser.find_elements('css selector', 'svg circle + text')]
    assert families == list(dict.fromkeys(family_of(entry.name) for entry in published))
    points[0].click()
    shown = [each.text for each in browser.find_elements('css selector', 'svg text')]
    assert points[0].get_attribute('aria-label') in shown
    assert browser.get_log('browser') == []


@pytest.mark.parametrize(
    ('heads', 'rows'),
    [
        (('name', 'parameters', 'MACs'), ROWS),
        (('name', 'MACs', 'top-1', 'accuracy by'), [(*ROWS[0], 'a'), (*ROWS[1], '-')]),
        (('name', 'MACs', 'top-1', 'accuracy by'), []),
    ],
)
def test_other_tables_are_not_plotted(browser, tmp_path, heads, rows):
    show(browser, tmp_path / 'page.html', PLOT, heads, rows)
    assert browser.find_elements('css selector', 'svg') == []
    assert browser.get_log('browser') == []


def test_a_click_on_a_heading_sorts_a_table(browser, tmp_path):
    rows = (*ROWS, *FILLER)
    show(browser, tmp_path / 'page.html', SCRIPT, ('name', 'MACs', 'top-1'), rows)
    heads = browser.find_elements('css selector', 'th')

    def first_column():
        return [each.text for each in browser.find_elements('css selector', 'td:first-child')]

    heads[1].click()
    assert first_column() == ['c8', 'c7', 'c6', 'c5', 'c4', 'c3', 'b10', 'b2', 'a1']
    heads[1].click()
    assert first_column()[:3] == ['a1', 'b2', 'b10']
    assert heads[1].get_attribute('aria-sort') == 'ascending'
    # Rows without a value come last in both directions.
    for _ in range(2):
        heads[2].click()
        assert first_column()[-1] == 'b10'
    heads[0].click()
    assert first_column()[-3:] == ['b10', 'b2', 'a1']
    assert browser.get_log('browser') == []
