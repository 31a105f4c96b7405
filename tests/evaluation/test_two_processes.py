"""Two processes measure what one does: with images that pad the shorter share, and without."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmseg')
pytest.importorskip('mmdet')

from tests.evaluation.two_processes import CASES, annotations, measure

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def of_two(tmp_path_factory):
    """The folder of the annotation files, and the metrics of every case by two processes."""
    directory = tmp_path_factory.mktemp('two')
    for count in {case[1] for case in CASES}:
        (directory / f'{count}.json').write_text(json.dumps(annotations(count)))
    processes = [
        subprocess.Popen(
            [sys.executable, '-m', 'tests.evaluation.two_processes', str(rank), str(directory)],
            cwd=directory,
            env=os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert all(process.returncode == 0 for process in processes), errors
    return directory, json.loads((directory / 'metrics.json').read_text())


@pytest.mark.parametrize('place', range(len(CASES)), ids=[str(case) for case in CASES])
def test_two_processes_measure_what_one_does(of_two, place, fresh_mmengine):
    directory, metrics = of_two
    alone = measure(CASES[place], directory)
    assert list(metrics[place]) == list(alone)
    for name, value in alone.items():
        found = metrics[place][name]
        assert found == value or (math.isnan(found) and math.isnan(value)), name
