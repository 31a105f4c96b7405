"""Two processes measure what one does: with images that pad the shorter share, and without."""

import json
import math

import pytest

pytest.importorskip('mmseg')
pytest.importorskip('mmdet')

from tests.evaluation.two_processes import CASES, annotations, measure, measure_all
from tests.forked import run_together


@pytest.fixture(scope='module')
def of_two(tmp_path_factory):
    """The folder of the annotation files, and the metrics of every case by two processes."""
    directory = tmp_path_factory.mktemp('two')
    for count in {case[1] for case in CASES}:
        (directory / f'{count}.json').write_text(json.dumps(annotations(count)))
    for process in run_together(measure_all, directory):
        assert process.returncode == 0, process.stderr
    return directory, json.loads((directory / 'metrics.json').read_text())


@pytest.mark.parametrize('place', range(len(CASES)), ids=[str(case) for case in CASES])
def test_two_processes_measure_what_one_does(of_two, place, fresh_mmengine):
    directory, metrics = of_two
    alone = measure(CASES[place], directory)
    assert list(metrics[place]) == list(alone)
    for name, value in alone.items():
        found = metrics[place][name]
        assert found == value or (math.isnan(found) and math.isnan(value)), name
