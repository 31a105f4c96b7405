"""The page is well-formed, closed to the outside, and runs nothing foreign."""

import math
import re
from xml.etree import ElementTree

import pytest

pytest.importorskip('mmdet')

from rexdense.engine.report.page.document import document
from rexdense.engine.report.page.line_chart import MOST_POINTS, Line, line_chart
from rexdense.engine.report.page.markup import Markup, element
from rexdense.engine.report.page.parts import number_cell, picture, table, text_cell
from rexdense.engine.report.page.sections import sections_of
from rexdense.engine.report.run_content import RunContent
from rexdense.engine.report.run_record import read_run
from tests.engine.report.logged_run import training_row, write_run

EVIL = '<script>alert(1)</script>"\'&\x00\ud800'
CONFIG = "val_evaluator = dict(type='rexdense.CocoMetric', metric='bbox')\n"


def parsed(page: bytes) -> ElementTree.Element:
    """The page, by a reader that takes nothing but what is well-formed."""
    return ElementTree.fromstring(page.decode().removeprefix('<!DOCTYPE html>\n'))


def contents_of(tmp_path, names=('run',), classes=('cat', EVIL), **more) -> list[RunContent]:
    runs = []
    for number, name in enumerate(names):
        rows = [training_row(10, 1, memory=512), training_row(20, 2, loss_cls=0.5)]
        for step in (1, 2):
            rows.append({'step': step, 'coco/bbox_mAP': 0.25 * step + number / 10})
            rows[-1] |= {f'coco/bbox_AP/{each}': 0.5 for each in classes}
        config = f'{CONFIG}model = dict(type={EVIL.encode("ascii", "replace")!r}, depth={number})\n'
        runs.append(RunContent(read_run(write_run(tmp_path / name, rows, config)), **more))
    return runs


@pytest.mark.parametrize('names', [('one',), ('one', 'two')], ids=len)
def test_foreign_text_stays_text(tmp_path, names):
    runs = contents_of(tmp_path, names)
    for run in runs:
        run.record.environment['GPU'] = EVIL
        run.record.name += EVIL
    page = document(EVIL, [EVIL], sections_of(runs))
    root = parsed(page)
    (script,) = root.iter('script')
    assert 'alert' not in script.text and page.count(b'<script') == 1
    cells = [''.join(cell.itertext()) for cell in root.iter('td')]
    shown = EVIL.replace('\x00', '\ufffd').replace('\ud800', '\ufffd')
    assert shown in cells
    assert not [each for each in root.iter() for name in each.attrib if name.startswith('on')]


def test_nothing_is_asked_of_the_outside(tmp_path):
    page = document('run', [], sections_of(contents_of(tmp_path)))
    root = parsed(page)
    for each in root.iter():
        for name in ('src', 'href'):
            assert each.get(name, '#').startswith(('#', 'data:'))
    assert not re.search(rb'https?://|@import|url\(', page)
    (policy,) = (
        each.get('content')
        for each in root.iter('meta')
        if each.get('http-equiv') == 'Content-Security-Policy'
    )
    assert policy.startswith("default-src 'none'; img-src data:")


def test_links_lead_to_the_sections_that_there_are(tmp_path):
    root = parsed(document('run', [], sections_of(contents_of(tmp_path))))
    anchors = [link.get('href')[1:] for link in root.iter('a')]
    assert anchors == [section.get('id') for section in root.iter('section')]
    assert {'summary', 'curves', 'metrics', 'classes', 'time', 'config'} <= set(anchors)
    # Nothing was predicted, and the data were not looked through.
    assert not {'mistakes', 'images', 'data'} & set(anchors)


def test_runs_stand_side_by_side_with_what_differs(tmp_path):
    root = parsed(document('two', [], sections_of(contents_of(tmp_path, ('one', 'two')))))
    rows = {
        tuple(''.join(cell.itertext()) for cell in row): [cell.get('class') for cell in row]
        for row in root.iter('tr')
    }
    assert rows['coco/bbox_mAP', '0.500', '0.600'] == [None, 'number', 'number best']
    assert ('model.depth', '1', '0') in rows


def test_the_page_of_a_run_that_logged_next_to_nothing(tmp_path):
    folder = write_run(tmp_path / 'run', [training_row(10)])
    record = read_run(folder)
    root = parsed(document('run', record.notes, sections_of([RunContent(record)])))
    assert 'no validation' in ''.join(root.itertext())


@pytest.mark.parametrize(
    ('points', 'marks', 'pieces'),
    [
        ([(1, 0.5)], 1, 1),
        ([(1, 2.0), (2, math.nan), (3, 1.0)], 2, 2),
        ([(1, math.inf), (2, 3.0)], 1, 1),
        ([(1, -1.0), (2, 1e-9)], 2, 1),
        ([(step, 5.0) for step in range(MOST_POINTS * 10)], 0, 1),
    ],
)
def test_a_line_is_drawn_where_it_has_values(points, marks, pieces):
    chart = ElementTree.fromstring(line_chart('loss', 'iteration', [Line('loss', points)]))
    assert len(list(chart.iter('circle'))) == marks
    lines = list(chart.iter('polyline'))
    assert len(lines) == pieces
    places = [tuple(map(float, p.split(','))) for each in lines for p in each.get('points').split()]
    assert len(places) <= MOST_POINTS + 1
    assert all(0 <= x <= 480 and 0 <= y <= 270 for x, y in places)


def test_there_is_no_chart_without_a_value():
    assert line_chart('loss', 'iteration', [Line('loss', [(1, math.nan)]), Line('a', [])]) is None


def test_the_axis_begins_at_zero_and_has_round_ticks():
    chart = ElementTree.fromstring(line_chart('a', 'epoch', [Line('a', [(1, 0.31), (4, 0.87)])]))
    texts = [each.text for each in chart.iter('text')]
    assert texts == ['a', '0', '0.2', '0.4', '0.6', '0.8', '1', '1', '2', '3', '4', 'epoch']


def test_elements_escape_all_but_markup():
    made = element('td', '<b>', Markup('<i/>'), None, class_='"', hidden=True, title=None)
    assert made == '<td class="&quot;" hidden="hidden">&lt;b&gt;<i/></td>'


def test_a_table_keeps_the_whole_value_for_sorting():
    made = ElementTree.fromstring(
        table(['name', 'AP'], [[text_cell('a'), number_cell(1 / 3)]], sortable=True)
    )
    (cell,) = (each for each in made.iter('td') if each.get('class') == 'number')
    assert cell.text == '0.333' and float(cell.get('data-value')) == 1 / 3
    assert number_cell(math.nan) == '<td class="number" data-value="NaN">-</td>'


def test_a_damaged_picture_is_told():
    assert picture(b'', 'errors') == '<p class="soft">errors: the file is damaged</p>'


@pytest.mark.parametrize('values', [(1e308, -1e308), (5e-324, 0.0), (10**300, 1.0)])
def test_values_at_the_ends_of_what_floats_hold(values):
    """As diverging losses are, and rates that have died down."""
    chart = line_chart('x', 'step', [Line('a', [(step, y) for step, y in enumerate(values)])])
    places = re.findall(r'points="([^"]+)"', chart)
    assert len(places) == 1 and len(places[0].split()) == 2
    assert not re.search('nan|inf', places[0])


def test_a_best_validation_without_a_value_is_left_out(tmp_path):
    rows = [training_row(10, 1), {'coco/bbox_mAP': math.nan, 'step': 1}]
    config = "val_evaluator = dict(type='rexdense.CocoMetric', metric='bbox')"
    run = read_run(write_run(tmp_path / 'run', rows, config))
    page = document('x', [], sections_of([RunContent(run)])).decode()
    assert 'best validation' not in page
