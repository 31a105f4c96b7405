"""The configs that come with the package, and their lookup by name."""

import re
from pathlib import Path

import pytest

from rexdense.cli import configs
from rexdense.errors import UnknownName
from rexdense.shipped_configs import config_names, configs_folder, find_config
from tests.pages import CONFIGS, ROOT

NAME = 'faster-rcnn_rexnet-1.0_fpn_custom_coco'
PATH = ROOT / f'configs/rexnet/{NAME}.py'
TWICE = 'unet_rexnet-1.0_custom'


def test_each_config_has_a_name_that_finds_it():
    names = config_names()
    assert configs_folder() == ROOT / 'configs'
    assert sorted(names.values()) == CONFIGS
    for name, path in names.items():
        assert find_config(name) == path
        assert name.rpartition('/')[2] == path.stem
    assert {'/' in name for name in names if name.endswith(TWICE)} == {True}


@pytest.mark.parametrize(
    'given',
    [
        NAME,
        f'{NAME}.py',
        f'rexnet/{NAME}',
        f'configs/rexnet/{NAME}.py',
        f'rexdense::rexnet/{NAME}.py',
    ],
)
def test_names_and_ends_of_paths_are_found_from_anywhere(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(given) == find_config(Path(given)) == PATH


def test_a_file_of_the_path_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = Path(f'configs/rexnet/{NAME}.py')
    own.parent.mkdir(parents=True)
    own.touch()
    assert find_config(own) == own
    assert find_config(NAME) == PATH


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (TWICE, f'called {TWICE}: give depth/{TWICE} or unet/{TWICE}'),
        (f'{NAME}x', f"no config file {NAME}x: did you mean '{NAME}'"),
        (f'/configs/rexnet/{NAME}.py', f"/{NAME}.py: did you mean '{NAME}'"),
        (f'../rexnet/{NAME}.py', f"/{NAME}.py: did you mean '{NAME}'"),
        (f'unet/{NAME}', f"did you mean '{NAME}'"),
        (f'net/{NAME}', f"did you mean '{NAME}'"),
        ('', 'no config file .: it is a folder; give a file, or a name of rexdense configs'),
        ('_base_/runtime.py', 'no config file _base_/runtime.py: '),
        ('zzz', r'zzz: there are \d+ names, .* \(rexdense configs lists all\)'),
    ],
)
def test_unknown_names_of_configs_are_refused(given, expected):
    expected = expected if '\\' in expected else re.escape(expected)
    with pytest.raises(UnknownName, match=expected) as caught:
        find_config(given)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('arguments', 'first'),
    [
        (['depth/*custom'], f'depth/{TWICE}  Depth'),
        (['*_fpn_custom_coco', '--names'], NAME),
        (['faster*_fpn_custom_coco', '--paths'], str(PATH)),
    ],
)
def test_the_list(arguments, first, capsys):
    configs.main(arguments)
    assert capsys.readouterr().out.splitlines()[0].startswith(first)


def test_every_config_of_the_list_says_what_it_is(capsys):
    configs.main([])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CONFIGS) and all(re.search(r'\S  +\S', line) for line in lines)


def test_a_pattern_that_fits_nothing():
    with pytest.raises(UnknownName, match=f"no config fits '{NAME}x': did you mean '{NAME}'"):
        config_names(f'{NAME}x')
