"""Who imports whom, and how long files are."""

import ast
import statistics
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): path
    for path in (ROOT / 'rexdense').rglob('*.py')
}
# From the ground up: a module imports from its own level and those below. The longest name counts.
LEVELS = (
    ('rexdense.errors', 'rexdense.arch', 'rexdense.dependencies', 'rexdense.text_table'),
    ('rexdense.registry', 'rexdense.device'),
    (
        'rexdense.datasets',
        'rexdense.evaluation',
        'rexdense.models.activations',
        'rexdense.models.backbone',
        'rexdense.models.known_norm',
        'rexdense.models.layers',
        'rexdense.models.normalisation',
        'rexdense.models.recompute',
        'rexdense.models.recording',
    ),
    ('rexdense.models', 'rexdense.checkpoint', 'rexdense.zoo', 'rexdense.deploy'),
    ('rexdense.engine',),
)
STANDARD_LIBRARY_ONLY = LEVELS[0]
# They take an nn.Module, whatever network it is.
WITHOUT_NETWORKS = ('rexdense.checkpoint', 'rexdense.zoo', 'rexdense.deploy')
# The modules that make rexdense's parts known to mmdet and mmseg.
ADAPTERS = ('rexdense.datasets.coco_dataset', 'rexdense.evaluation.coco_metric')


def below(module: str, package: str) -> bool:
    return module == package or module.startswith(f'{package}.')


def level(module: str) -> int:
    """The place in LEVELS of a module."""
    found = [
        (len(package), place)
        for place, packages in enumerate(LEVELS)
        for package in packages
        if below(module, package)
    ]
    assert found, f'{module} has no level; give it one in LEVELS'
    return max(found)[1]


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative imports hide the level'
            for alias in node.names:
                whole = f'{node.module}.{alias.name}'
                yield whole if whole in MODULES else node.module


def own(path: Path) -> list[str]:
    return [name for name in imports(path) if below(name, 'rexdense') and name != 'rexdense']


@pytest.mark.parametrize('module', sorted(set(MODULES) - {'rexdense'}))
def test_imports_go_down(module):
    path = MODULES[module]
    above = [name for name in own(path) if level(name) > level(module)]
    assert not above, f'{module} imports {above} from a level above its own'
    if any(below(module, package) for package in STANDARD_LIBRARY_ONLY):
        roots = {name.split('.')[0] for name in imports(path)}
        assert roots <= {*sys.stdlib_module_names, 'rexdense'}
    if any(below(module, package) for package in WITHOUT_NETWORKS):
        assert not [name for name in own(path) if below(name, 'rexdense.models')]
    if module not in ADAPTERS:
        foreign = [name for name in imports(path) if name.split('.')[0] in ('mmdet', 'mmseg')]
        assert not foreign, f'{module} imports {foreign}; only adapters may (see ADAPTERS)'


def test_the_package_itself_imports_next_to_nothing():
    roots = {name for name in imports(MODULES['rexdense']) if below(name, 'rexdense')}
    assert roots <= {'rexdense.dependencies', 'rexdense.errors'}


def test_adapters_are_there():
    assert set(ADAPTERS) <= set(MODULES)


def test_files_are_short():
    """None beyond 400 lines; those beyond 300 are named among the warnings."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding='utf-8').splitlines())
        for folder in ('rexdense', 'tools', 'configs')
        for path in (ROOT / folder).rglob('*.py')
    }
    longest = sorted(lengths.items(), key=lambda item: -item[1])
    print(f'{len(lengths)} files, median {statistics.median(lengths.values())} lines')
    print('\n'.join(f'{length:5} {name}' for name, length in longest[:10]))
    long = [f'{name} ({length})' for name, length in longest if length > 300]
    if long:
        warnings.warn(f'files beyond 300 lines: {", ".join(long)}', stacklevel=1)
    assert longest[0][1] <= 400, f'{longest[0]} is too long: divide it'
