"""Processes that see different data."""

from types import SimpleNamespace

import pytest

pytest.importorskip('mmengine')

from rexdense.engine.hooks import same_data
from rexdense.errors import DataError

NAMES = [f'class {number}' for number in range(20000)]


class Images(list):
    def __init__(self, size, classes):
        super().__init__(range(size))
        self.metainfo = dict(classes=classes)


@pytest.mark.parametrize(
    ('first', 'second', 'expected'),
    [
        (Images(3, ['a']), Images(2, ['a']), 'process 1 has size 2, that of process 0 3: give'),
        (Images(3, ['a']), Images(3, []), 'process 1 has classes none, that of process 0 a: give'),
        (Images(3, NAMES), Images(3, [*NAMES[:-1], 'fox']), 'class 19998, fox, that of process 0'),
        (Images(3, NAMES), Images(3, NAMES[:-1]), 'class 19998, that of process 0 '),
        (Images(3, NAMES), Images(3, ['fox']), r'has classes fox, that of process 0 class 0, cla'),
    ],
)
def test_differences_of_data_are_told_in_a_short_line(first, second, expected, monkeypatch):
    told = [same_data._facts(SimpleNamespace(dataset=dataset)) for dataset in (first, second)]
    monkeypatch.setattr(same_data, 'all_gather_object', lambda own: told)
    runner = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=second))
    with pytest.raises(DataError, match=expected) as caught:
        same_data.RequireSameData().before_test(runner)
    assert len(str(caught.value)) < 400
    told[1] = told[0]
    same_data.RequireSameData().before_test(runner)
