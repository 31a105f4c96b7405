"""The shipped configs, and one of each kind of them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.relative_to(ROOT).parts
)


def one_of_each_kind(paths: list[str]) -> list[str]:
    """Leave out configs of a folder and a recipe that another one stands for: all classifiers are
    built in tests/test_classification_configs.py, all detectors in tests/test_coco_configs.py, and
    --every-config runs the others, too."""
    kinds = {}
    for path in paths:
        base = re.search(r"_base_ = \['(\S+/_base_/recipes/\w+\.py)'\]", (ROOT / path).read_text())
        key = (Path(path).parent, base[1]) if base else path
        kinds.setdefault(key, path)
    return list(kinds.values())


def take_kinds(metafunc, argument: str) -> None:
    """Parametrise a test by a config of each kind, or with --every-config by all of them."""
    if argument in metafunc.fixturenames:
        every = metafunc.config.getoption('--every-config')
        metafunc.parametrize(argument, CONFIGS if every else one_of_each_kind(CONFIGS))
