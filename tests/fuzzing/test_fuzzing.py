"""Readers and networks take whatever comes, or refuse it in one line.

``python -m benchmarks.fuzz`` runs the same cases for as long as asked, each target in a process
whose memory is bounded.
"""

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

from rexdense.errors import RexdenseError
from tests.fuzzing.cases import TARGETS, fault_of
from tests.fuzzing.files import FILES, FileTarget

# Of those that build networks, or decode large images; of others 150.
FIRST_CASES = {
    'PNG': 30,
    'config overrides': 25,
    'backbone arguments': 12,
    'decoder shapes': 12,
    'image sizes': 6,
}


@pytest.mark.parametrize('name', [name for name in FILES if isinstance(FILES[name], FileTarget)])
def test_whole_files_are_taken(name, tmp_path):
    """Otherwise no damage would get past the first check. A PNG that claims too much is refused."""
    target, refused = FILES[name], 0
    path = tmp_path / target.name
    path.parent.mkdir(exist_ok=True)
    for content in target.wholes():
        path.write_bytes(content)
        try:
            target.read(path)
        except RexdenseError:
            refused += 1
    assert refused == (name == 'PNG')


@pytest.mark.parametrize('target', TARGETS)
def test_the_first_cases(target, tmp_path):
    refused = 0
    for number in range(FIRST_CASES.get(target, 150)):
        was_refused, fault = fault_of(target, number, tmp_path)
        refused += was_refused
        if fault is not None:
            raise AssertionError(f'case {number} of {target}: {fault!r}') from fault
    assert refused or target == 'image sizes'
