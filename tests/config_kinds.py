"""The shipped configs, and one of each kind."""

import re
from pathlib import Path

from rexdense.zoo import load_measured

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.relative_to(ROOT).parts
)
MEASURED = load_measured()


def _parameters(path: str) -> int:
    """Return the parameters of the network in a config's file name; 0 if it is not one of ours."""
    measured = MEASURED.items()
    return sum(
        row.parameters for name, row in measured if name.replace('_', '-') in Path(path).stem
    )


def one_of_each_kind(paths: list[str]) -> list[str]:
    """Choose the config with the smallest network for each folder and recipe. All classifiers are
    built in tests/test_classification_configs.py, all detectors in tests/test_coco_configs.py, and
    --every-config runs the others, too."""
    kinds = {}
    for path in sorted(paths, key=_parameters):
        base = re.search(r"_base_ = \['(\S+/_base_/recipes/\w+\.py)'\]", (ROOT / path).read_text())
        key = (Path(path).parent, base[1]) if base else path
        kinds.setdefault(key, path)
    return list(kinds.values())


def take_kinds(metafunc, argument: str) -> None:
    """Parametrise a test by a config of each kind, or with --every-config by all configs."""
    if argument in metafunc.fixturenames:
        every = metafunc.config.getoption('--every-config')
        metafunc.parametrize(argument, CONFIGS if every else one_of_each_kind(CONFIGS))
