"""The page about a run, made of what a training has really left, and opened in a browser."""

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import report
from rexdense.cli.main import PROGRAMS
from rexdense.errors import InvalidArgument, UnwritableFile
from tests.chromium import chromium
from tests.engine.report.logged_run import training_row, write_run

OFFLINE = ('--images', '0', '--no-data-check')


def read_page(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(path.read_text().removeprefix('<!DOCTYPE html>\n'))


def section(root: ElementTree.Element, anchor: str) -> ElementTree.Element:
    (found,) = (each for each in root.iter('section') if each.get('id') == anchor)
    return found


@pytest.fixture(scope='module')
def page(trained, tmp_path_factory):
    """The page of the tiny detector, with everything in it."""
    path = tmp_path_factory.mktemp('report') / 'new' / 'page.html'
    report.main([str(trained.work_dir), '--out', str(path), '--device', 'cpu'])
    return path


def test_the_program_is_listed():
    assert 'report' in PROGRAMS


def test_a_detector_has_every_section(page):
    root = read_page(page)
    assert [each.get('id') for each in root.iter('section')] == [
        *('summary', 'curves', 'metrics', 'classes', 'mistakes', 'images', 'time', 'config'),
        *('environment', 'data'),
    ]
    captions = [''.join(each.itertext()) for each in section(root, 'mistakes').iter('figcaption')]
    assert captions == ['confusion matrix, boxes', 'precision over recall, boxes', 'errors, boxes']
    images = section(root, 'images')
    assert 'for all 4 validation images' in ''.join(images.itertext())
    titles = [''.join(each.itertext()) for each in images.iter('h3')]
    assert titles == ['Worst', 'Best'] and len(list(images.iter('img'))) == 4
    values = [float(''.join(each.itertext()).split()[-1]) for each in images.iter('figcaption')]
    assert max(values[:2]) <= min(values[2:])
    assert 'images' in ''.join(section(root, 'data').itertext())
    assert 'train_cfg.max_epochs' in ''.join(section(root, 'config').itertext())


def test_predictions_can_be_few_and_the_data_left_out(trained, tmp_path, capsys):
    path = tmp_path / 'page.html'
    arguments = [str(trained.work_dir), '--out', str(path), '--device', 'cpu']
    report.main([*arguments, '--images', '2', '--no-data-check'])
    text = ''.join(read_page(path).itertext())
    assert 'for 2 of the 4 validation images' in text
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    assert 'id="data"' not in path.read_text()


@pytest.mark.parametrize(
    ('kind', 'quality', 'images'),
    [('segmented', 'mean IoU', 2), ('classified', 'score of the true class', 3)],
)
def test_other_tasks_show_their_images_too(kind, quality, images, request, tmp_path):
    run = request.getfixturevalue(kind)
    path = tmp_path / 'page.html'
    report.main(
        [str(run.work_dir), '--out', str(path), '--device', 'cpu', '--images', '3', *OFFLINE[2:]]
    )
    root = read_page(path)
    captions = [''.join(each.itertext()) for each in section(root, 'images').iter('figcaption')]
    assert len(captions) == images and all(quality in each for each in captions)
    assert [''.join(each.itertext()) for each in section(root, 'mistakes').iter('figcaption')] == [
        'confusion matrix'
    ]


def test_a_run_without_validation_gets_the_metrics_of_its_predictions(trained, tmp_path, capsys):
    folder = tmp_path / 'run'
    shutil.copytree(trained.work_dir, folder)
    (values,) = folder.glob('*/vis_data/scalars.json')
    lines = values.read_text().splitlines(keepends=True)
    values.write_text(''.join(line for line in lines if '"lr"' in line))
    report.main([str(folder), '--device', 'cpu', *OFFLINE[2:]])
    assert 'has logged no validation' in capsys.readouterr().out
    metrics = section(read_page(folder / 'report.html'), 'metrics')
    assert 'has logged none. Predicted by' in ''.join(metrics.itertext())
    shown = {cell.text for cell in metrics.iter('td')}
    logged = json.loads(next(line for line in lines if 'coco/bbox_mAP' in line))
    assert {'coco/bbox_mAP', f'{logged["coco/bbox_mAP"]:.3f}'} <= shown


def test_data_that_are_gone_are_told(trained, tmp_path, capsys):
    folder = tmp_path / 'run'
    shutil.copytree(trained.work_dir, folder)
    (config,) = folder.glob('*/vis_data/config.py')
    config.write_text(re.sub(r"data_root='[^']*'", "data_root='gone'", config.read_text()))
    report.main([str(folder), '--device', 'cpu'])
    output = capsys.readouterr().out
    assert f'{folder}: its data, gone, are not there from here: start in the folder where' in output
    assert {'mistakes', 'images', 'data'}.isdisjoint(
        each.get('id') for each in read_page(folder / 'report.html').iter('section')
    )


@pytest.mark.parametrize(
    ('setting', 'value'),
    [
        ('rexdense.CocoDataset', 'mmdet.LVISV1Dataset'),
        ('rexdense.CocoMetric', 'mmdet.DumpDetResults'),
        ('mmdet.LoadAnnotations', 'mmcv.LoadProposals'),
    ],
)
def test_a_config_chooses_no_other_class(trained, tmp_path, capsys, setting, value):
    folder = tmp_path / 'run'
    shutil.copytree(trained.work_dir, folder)
    (config,) = folder.glob('*/vis_data/config.py')
    config.write_text(config.read_text().replace(setting, value))
    report.main([str(folder), '--device', 'cpu', *OFFLINE[2:]])
    output = capsys.readouterr().out
    assert f"says '{value}' at val_" in output and 'nothing was built' in output


def test_a_trusted_config_may_name_others(trained, tmp_path):
    folder = tmp_path / 'run'
    shutil.copytree(trained.work_dir, folder)
    (config,) = folder.glob('*/vis_data/config.py')
    config.write_text(config.read_text().replace('rexdense.CocoDataset', 'mmdet.CocoDataset'))
    report.main([str(folder), '--device', 'cpu', *OFFLINE[2:], '--trust-config'])
    assert len(list(section(read_page(folder / 'report.html'), 'images').iter('img'))) == 4


def test_a_damaged_checkpoint_is_told(trained, tmp_path, capsys):
    folder = tmp_path / 'run'
    shutil.copytree(trained.work_dir, folder)
    (best,) = folder.glob('best_*.pth')
    best.write_bytes(best.read_bytes()[:9999])
    report.main([str(folder), '--device', 'cpu', *OFFLINE[2:]])
    assert f'nothing is predicted, because {best} is a zip archive, cut' in capsys.readouterr().out
    assert read_page(folder / 'report.html').tag == 'html'


def test_files_are_not_replaced_unasked(tmp_path):
    folder = write_run(tmp_path / 'run')
    (folder / 'report.html').write_text('mine')
    with pytest.raises(UnwritableFile, match='exists: choose another name, or pass --overwrite'):
        report.main([str(folder), *OFFLINE])
    assert (folder / 'report.html').read_text() == 'mine'
    report.main([str(folder), *OFFLINE, '--overwrite'])
    assert read_page(folder / 'report.html').tag == 'html'


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        (['--out', 'page.pdf'], 'a page ends in .html'),
        (['--images', '-1'], 'number of 0 or more'),
        (['RUN'], 'is named twice'),
        (['--device', 'tpu'], 'tpu'),
    ],
)
def test_bad_arguments(tmp_path, more, message):
    folder = str(write_run(tmp_path / 'run'))
    more = [folder if each == 'RUN' else each for each in more]
    with pytest.raises(InvalidArgument, match=message):
        report.main([folder, *more, *OFFLINE[: 2 * ('--images' not in more)], OFFLINE[2]])
    assert not list(tmp_path.glob('*/*.html'))


def test_runs_of_one_name_are_told_apart(tmp_path):
    folders = [write_run(tmp_path / each / 'run', [training_row(10)]) for each in 'ab']
    report.main([*map(str, folders), *OFFLINE, '--out', str(tmp_path / 'page.html')])
    first = next(section(read_page(tmp_path / 'page.html'), 'summary').iter('tr'))
    assert [''.join(each.itertext()) for each in first] == ['', *map(str, folders)]


@pytest.fixture(scope='module')
def browser():
    with chromium() as driver:
        yield driver


def test_the_page_works_in_a_browser(page, browser):
    find, find_all = (
        lambda css: browser.find_element('css selector', css),
        lambda css: browser.find_elements('css selector', css),
    )
    browser.get(page.as_uri())
    assert browser.get_log('browser') == []
    for picture in find_all('img'):
        assert browser.execute_script('return arguments[0].naturalWidth', picture) > 0

    # A heading sorts, largest first, then smallest first.
    heading = find_all('#metrics th button')[1]
    shown = []
    for order in ('descending', 'ascending'):
        heading.click()
        assert find('#metrics th:nth-child(2)').get_attribute('aria-sort') == order
        values = [float(each.text) for each in find_all('#metrics td.number') if each.text != '-']
        assert values == sorted(values, reverse=order == 'descending')
        shown.append(values)
    assert shown[0] != shown[1] or len(set(shown[0])) == 1

    # The legend hides a line and shows it again.
    button = find('#curves .chart figcaption button')
    line = find('#curves .chart g[data-line="0"]')
    button.click()
    assert not line.is_displayed() and button.get_attribute('aria-pressed') == 'false'
    button.click()
    assert line.is_displayed()

    # A picture fills the window until Escape.
    button = find('#images .picture button')
    browser.execute_script('arguments[0].scrollIntoView({block: "center"})', button)
    button.click()
    assert find('.picture.large').size['height'] > 800
    find('body').send_keys('\ue00c')
    assert not find_all('.picture.large')

    find('nav a[href="#config"]').click()
    find('#config summary').click()
    assert 'train_dataloader' in find('#config details pre').text

    # Nothing but the file itself was asked for.
    asked = re.findall(
        r'"url":"((?:https?|file|ftp|ws)[^"]*)"', str(browser.get_log('performance'))
    )
    assert {each for each in asked} <= {page.as_uri(), f'{page.as_uri()}#config'}
    assert browser.get_log('browser') == []


def test_a_class_called_as_a_script_does_not_run(tmp_path, browser):
    name = "<script>document.title = 'broken'</script>"
    image = "<img src='x' onerror='document.title = 1'/>"
    rows = [training_row(1, 1), {'step': 1, f'coco/bbox_AP/{name}': 0.5, f'coco/b/{image}': 0.5}]
    folder = write_run(tmp_path / 'run', rows)
    report.main([str(folder), *OFFLINE])
    browser.get((folder / 'report.html').as_uri())
    assert browser.title == 'run'
    cells = [each.text for each in browser.find_elements('css selector', '#classes td:first-child')]
    assert cells == [name, image]
    assert browser.get_log('browser') == []
