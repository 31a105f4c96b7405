"""Options, and how programs end."""

import argparse
import subprocess
import sys

import pytest

from rexdense.cli.options import add_config_options
from rexdense.cli.parser import (
    Parser,
    checkpoint_interval,
    fraction,
    parse_size,
    positive,
    random_seed,
    run_command,
)
from rexdense.errors import InvalidArgument
from tests.tiny_run import ROOT


@pytest.mark.parametrize('text', ['320,240', '320x240'])
def test_size(text):
    assert parse_size(text) == (320, 240)


@pytest.mark.parametrize('text', ['320', '320,', '0,240', '320,240,3', '-1,2', 'a,b', '3.5,2'])
def test_no_size(text):
    with pytest.raises(argparse.ArgumentTypeError, match='is no size: give width,height in pixels'):
        parse_size(text)


@pytest.mark.parametrize(
    ('parse', 'text', 'expected'),
    [
        (positive(int), '3', 3),
        (positive(float), '1e-3', 1e-3),
        (positive(int, or_zero=True), '0', 0),
        (random_seed, '4294967295', 2**32 - 1),
        (fraction, '0', 0.0),
        (fraction, '1', 1.0),
        (checkpoint_interval, '500i', '500i'),
        (checkpoint_interval, '10min', '10min'),
    ],
)
def test_number(parse, text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ('parse', 'text', 'expected'),
    [
        (positive(int), '0', 'a whole number above 0'),
        (positive(int), '1.5', 'a whole number above 0'),
        (positive(float), 'nan', 'a number above 0'),
        (positive(float), 'inf', 'a number above 0'),
        (positive(int, or_zero=True), '-1', 'a whole number of 0 or more'),
        (random_seed, '4294967296', 'a whole number from 0 to 4294967295'),
        (random_seed, '-1', 'a whole number from 0 to 4294967295'),
        (random_seed, 'one', 'a whole number from 0 to 4294967295'),
        (fraction, '30', 'a number from 0 to 1'),
        (fraction, 'x', 'a number from 0 to 1'),
        *(
            (checkpoint_interval, text, 'steps, such as 500i, or minutes, such as 10min')
            for text in ('10', '0i', '5h', '-5i', '1e3i', '')
        ),
    ],
)
def test_no_number(parse, text, expected):
    with pytest.raises(argparse.ArgumentTypeError, match=f'^{text!r}: give {expected}$'):
        parse(text)


@pytest.fixture
def parser():
    result = Parser(prog='rexdense x')
    result.add_argument('config')
    result.add_argument('--epochs', type=positive(int))
    result.add_argument('--batch-size', type=int)
    return result


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (['c', '--epoch', '3'], "unknown option '--epoch': did you mean '--epochs'?"),
        (
            ['c', '--batchsize=3'],
            "unknown option '--batchsize': did you mean '--batch-size' or '--epochs'?",
        ),
        (['c', 'd'], "unexpected argument 'd'; rexdense x --help shows what is taken"),
        ([], 'the following arguments are required: config; rexdense x --help shows what is taken'),
        (
            ['c', '--epochs', '0'],
            "argument --epochs: '0': give a whole number above 0; rexdense x --help shows what is "
            'taken',
        ),
    ],
)
def test_mistaken_arguments(parser, arguments, expected):
    with pytest.raises(InvalidArgument) as caught:
        parser.parse_args(arguments)
    assert str(caught.value) == expected


def ending(body: str, **options) -> subprocess.CompletedProcess:
    """Run a program with this body of ``main`` in a process of its own."""
    program = (
        'import sys\nfrom rexdense.cli.parser import run_command\n'
        'from rexdense.errors import DataError\n'
        f'def main(arguments):\n    {body}\n'
        "run_command(main, [], 'rexdense x')\n"
    )
    return subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=ROOT, **options
    )


def test_names_that_are_no_text_are_shown():
    done = ending(r"print('a\udcff.png')")
    assert (done.returncode, done.stdout) == (0, 'a\\udcff.png\n')


@pytest.mark.parametrize(
    ('body', 'status', 'last'),
    [
        ('pass', 0, ''),
        ('return 3', 3, ''),
        (r"raise DataError('a file\n  is missing')", 1, 'rexdense x: error: a file is missing'),
        ('raise KeyboardInterrupt', 130, 'rexdense x: interrupted'),
        ("raise ValueError('a bug')", 1, 'ValueError: a bug'),
        ('import no_such_package', 1, "ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise ImportError('a bug')", 1, 'ImportError: a bug'),
    ],
)
def test_how_a_program_ends(body, status, last):
    done = ending(body)
    assert done.returncode == status
    lines = done.stderr.splitlines() or ['']
    assert lines[-1] == last
    # A bug keeps its traceback, a mistake is one line.
    bug = last.partition(':')[0].endswith('Error')
    assert ('Traceback' in done.stderr) == bug
    assert bug or len(lines) == 1


def test_reader_that_goes_away():
    program = "for _ in range(100000): print('x' * 100)"
    done = subprocess.run(
        [
            'bash',
            '-c',
            f'"{sys.executable}" -c "$0" | head -1; echo "${{PIPESTATUS[0]}}"',
            'from rexdense.cli.parser import run_command\n'
            f'def main(arguments):\n    {program}\nrun_command(main, [], "rexdense x")',
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout.splitlines() == ['x' * 100, '141']
    assert done.stderr == ''


@pytest.mark.parametrize('variable', ['RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'])
def test_a_mistake_of_another_process_is_told_with_its_number(variable, monkeypatch, capsys):
    """Later than that of the first, at whose end the launcher ends the others."""
    waited = []
    monkeypatch.setattr('time.sleep', waited.append)

    def fail(arguments):
        raise InvalidArgument('no')

    for rank, expected in (
        ('0', 'rexdense x: error: no\n'),
        ('3', 'rexdense x: error: process 3: no\n'),
    ):
        monkeypatch.setenv(variable, rank)
        with pytest.raises(SystemExit, match='2'):
            run_command(fail, [], 'rexdense x')
        assert capsys.readouterr().err == expected
    assert len(waited) == 1 and waited[0] >= 3


@pytest.mark.parametrize('text', ['{:06d}.pth', '{0:03d}.pth', 'epoch_{}.pth', '{}', '{a:1'])
def test_braces_in_a_word_are_no_section(text):
    parser = Parser()
    add_config_options(parser)
    parsed = parser.parse_args(['--cfg-options', f'a={text}'])
    assert parsed.cfg_options == {'a': text}


@pytest.mark.parametrize(
    'text', ["[1,{'b':2}]", "{'b':{'c':2}}", 'x,dict(b=1,c=2)', '(dict(b=1),)']
)
def test_sections_are_no_values(text):
    parser = Parser()
    add_config_options(parser)
    with pytest.raises(InvalidArgument, match='give the keys of a section one by one'):
        parser.parse_args(['--cfg-options', f'a={text}'])
