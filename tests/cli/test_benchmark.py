"""rexdense benchmark: tables and JSON, and a line for what cannot be measured."""

import json

import pytest

from rexdense.benchmark import measurement
from rexdense.cli import benchmark
from rexdense.errors import InvalidArgument

SMALL = ['--shape', '1x3x33x33', '--threads', '1', '--rounds', '1', '--allocator', 'default']


def test_a_backbone_in_turns_on_a_busy_machine(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measurement, 'busy_share', lambda: 0.5)
    path = tmp_path / 'new' / 'figures.json'
    command = ['backbone', 'rexnet_1.0', *SMALL, '--json', str(path)]
    assert benchmark.main(command) == 1
    content = json.loads(path.read_text())
    assert list(content['figures']) == ['rexdense', 'rexdense, optimised']
    assert content['reference'] == 'rexdense'
    for own in content['figures'].values():
        assert own['milliseconds'] > 0 and own['resident'] > 1e7
        assert 0 < own['share_of_ceiling'] < 1
        low, high = own['speed_interval']
        assert low <= own['speed'] <= high
    output = capsys.readouterr().out
    assert 'rexdense, optimised' in output and output.splitlines()[-1] == str(path)
    assert 'No result: others took 50% of the processors' in output
    with pytest.raises(InvalidArgument, match=r'figures\.json'):
        benchmark.main(command)


@pytest.mark.slow
def test_a_step_of_training_keeps_less_where_it_recomputes(tmp_path):
    path = tmp_path / 'figures.json'
    benchmark.main(['train-step', 'rexnet_1.0', *SMALL, '--json', str(path)])
    figures = json.loads(path.read_text())['figures']
    kept = [own['kept'] for own in figures.values()]
    assert kept[0] > 1.5 * kept[2] > 0 and kept[1] > 1.5 * kept[3] > 0


def test_imports(capsys):
    benchmark.main(['import', '--rounds', '1'])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split('  ')[0] for line in lines[1:4]] == [
        'python',
        'import rexdense',
        'rexdense --help',
    ]
