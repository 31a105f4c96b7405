"""Rules of the code base: imports between modules, lengths of files, and writing of files."""

import ast
import functools
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
# From bottom to top. A module imports from its own level and lower ones; the longest name counts.
LEVELS = (
    (
        'rexdense.arch',
        'rexdense.dependencies',
        'rexdense.errors',
        'rexdense.files',
        'rexdense.findings',
        'rexdense.memory_shortage',
        'rexdense.shipped_configs',
        'rexdense.stop_signal',
        'rexdense.text_table',
    ),
    ('rexdense.mmengine_bases', 'rexdense.registry', 'rexdense.device'),
    (
        'rexdense.datasets',
        'rexdense.evaluation',
        'rexdense.models.backbones',
        'rexdense.models.layers',
        'rexdense.visualization',
    ),
    (
        'rexdense.analysis',
        'rexdense.models',
        'rexdense.checkpoint',
        'rexdense.zoo',
        'rexdense.deploy',
    ),
    ('rexdense.tasks',),
    ('rexdense.engine',),
    ('rexdense.benchmark', 'rexdense.inference'),
    ('rexdense.web',),
    ('rexdense.cli', 'rexdense.__main__'),
)
STANDARD_LIBRARY_ONLY = LEVELS[0]
# These take any nn.Module.
WITHOUT_NETWORKS = ('rexdense.checkpoint', 'rexdense.zoo', 'rexdense.deploy')
# The modules that register rexdense's parts in mmdet and mmseg, and use those packages.
ADAPTERS = (
    'rexdense.datasets.coco.dataset',
    'rexdense.evaluation.coco_metric',
    'rexdense.models.detection_mirroring',
)


# The only writer of files with its hidden files, and the checks whether a file can be written.
WRITERS = (
    'rexdense.files.writing',
    'rexdense.files.hidden_files',
    'rexdense.files.locks',
    'rexdense.files.destinations',
)
# Calls that write, create or rename a file, by the last part of their names.
FORBIDDEN = (
    *('imwrite', 'write_text', 'write_bytes', 'tofile', 'savetxt', 'download_url_to_file'),
    *('rename', 'renames', 'link', 'symlink', 'symlink_to', 'hardlink_to', 'touch', 'mknod'),
    *('copy2', 'copyfile', 'copytree', 'move', 'unpack_archive', 'extract', 'extractall'),
    *('NamedTemporaryFile', 'TemporaryDirectory', 'mkstemp', 'mkdtemp', 'urlretrieve'),
)
# Calls that may write to an open file or to memory, but not to a path.
TO_OPEN_FILES = ('save', 'savez', 'savez_compressed', 'savefig', 'dump', 'print_png')


def below(module: str, package: str) -> bool:
    return module == package or module.startswith(f'{package}.')


def level(module: str) -> int:
    """Return a module's index in LEVELS."""
    found = [
        (len(package), place)
        for place, packages in enumerate(LEVELS)
        for package in packages
        if below(module, package)
    ]
    assert found, f'{module} has no level; give it one in LEVELS'
    return max(found)[1]


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding='utf-8'))


@functools.cache
def imports(path: Path) -> list[str]:
    """Return the modules that a file imports, anywhere in it."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative imports hide the level'
            for alias in node.names:
                whole = f'{node.module}.{alias.name}'
                found.append(whole if whole in MODULES else node.module)
    return found


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
    tree = ast.parse(MODULES['rexdense'].read_text(encoding='utf-8'))
    # Statements in `if TYPE_CHECKING` are not among these.
    roots = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert roots - set(sys.stdlib_module_names) == {'rexdense.dependencies', 'rexdense.errors'}


def edges(module: str) -> set[str]:
    """Return the modules that are imported when a module is, without its own parent packages.

    Imports in functions run later, and those of rexdense/__init__.py for type checkers never run.
    """
    if module == 'rexdense':
        return set()
    tree = tree_of(MODULES[module])
    found = set()
    for node in own_nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = (f'{node.module}.{alias.name}' for alias in node.names)
            found |= {name if name in MODULES else node.module for name in names}
    # Importing a.b.c imports a and a.b first.
    parents = {'.'.join(name.split('.')[:end]) for name in found for end in range(1, 9)}
    return {name for name in found | parents if name in MODULES and not below(module, name)}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return a cycle in a graph, from a node back to it; empty if there is none."""
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for following in sorted(graph.get(node, ())):
            found = visit(following, [*path, node])
            if found:
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node, []))), [])


def test_no_modules_import_each_other_in_a_circle():
    found = circle({module: edges(module) for module in MODULES})
    assert not found, f'these import each other: {" -> ".join(found)}'


@pytest.mark.parametrize(
    ('graph', 'expected'),
    [
        ({'a': {'b'}, 'b': {'c'}, 'c': set()}, []),
        ({'a': {'b', 'c'}, 'b': {'c'}, 'c': set()}, []),
        ({'a': {'b'}, 'b': {'a'}}, ['a', 'b', 'a']),
        ({'a': {'b'}, 'b': {'c'}, 'c': {'d'}, 'd': {'b'}}, ['b', 'c', 'd', 'b']),
    ],
)
def test_the_rule_sees_circles(graph, expected):
    assert circle(graph) == expected


def test_adapters_are_there():
    assert set(ADAPTERS) <= set(MODULES)


def test_files_are_short():
    """No file has more than 400 lines; those of more than 300 are listed in a warning."""
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


def written_files(tree: ast.Module) -> Iterator[str]:
    """Yield the calls in a module that write, or may write, a file to its final place."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in ('os', 'shutil', 'tempfile', 'cv2')
        for alias in node.names
    }
    for scope in (*functions, tree):
        opened = open_files(scope)
        for call in (node for node in own_nodes(scope) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            last = name.rpartition('.')[2]
            if (
                (last in FORBIDDEN and (name != last or name in imported))
                # str.replace has two arguments, Path.replace has one.
                or (last == 'replace' and len(call.args) == 1 and name != 'dataclasses.replace')
                or name in ('os.replace', 'shutil.copy')
                or (last == 'open' and opens_to_write(name, call))
                or (
                    last in TO_OPEN_FILES
                    and not any(isinstance(a, ast.Name) and a.id in opened for a in call.args)
                )
            ):
                yield f'line {call.lineno}: {ast.unparse(call)}'


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function or module, without those of nested functions."""
    waiting = [scope]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if not isinstance(node, ast.FunctionDef):
                yield node
                waiting.append(node)


def open_files(scope: ast.AST) -> set[str]:
    """Return the names in a function that are open files or buffers."""
    names = set()
    if isinstance(scope, ast.FunctionDef):
        parameters = (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)
        names |= {
            a.arg for a in parameters if a.annotation and ast.unparse(a.annotation) == 'BinaryIO'
        }
    for node in own_nodes(scope):
        made = node.value if isinstance(node, ast.Assign) else None
        if isinstance(made, ast.Call) and ast.unparse(made) == 'io.BytesIO()':
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def opens_to_write(name: str, call: ast.Call) -> bool:
    if name == 'os.open':
        return ast.unparse(call.args[0]) != 'os.devnull'
    modes = [keyword.value for keyword in call.keywords if keyword.arg == 'mode']
    modes += call.args[1:2] if name in ('open', 'io.open') else call.args[:1]
    return any(
        isinstance(mode, ast.Constant)
        and isinstance(mode.value, str)
        and set(mode.value) & set('wax+')
        for mode in modes
    )


@pytest.mark.parametrize('module', sorted(set(MODULES) - set(WRITERS)))
def test_one_module_writes_all_files(module):
    found = list(written_files(tree_of(MODULES[module])))
    assert not found, f'{module} writes files past rexdense.files.writing: {found}'


@pytest.mark.parametrize(
    ('source', 'written'),
    [
        ("open(path, 'w')", True),
        ("open(path, mode='r+b')", True),
        ("path.open('ab')", True),
        ('path.write_text(text)', True),
        ('os.replace(a, b)', True),
        ('aside.replace(path)', True),
        ('aside.rename(path)', True),
        ('from os import rename\nrename(a, b)', True),
        ('write_text(picture, title, 3, 4)', False),
        ('cv2.imwrite(path, image)', True),
        ('np.save(path, array)', True),
        ('torch.save(state, path)', True),
        ("figure.savefig('a.png')", True),
        ('json.dump(content, file)', True),
        ('shutil.move(a, b)', True),
        ('config.dump(path)', True),
        ('os.open(path, os.O_WRONLY)', True),
        ('buffer = io.BytesIO()\ndef save():\n    np.save(buffer, array)', True),
        ('open(path)', False),
        ("path.open('rb')", False),
        ("text.replace('a', 'b')", False),
        ('dataclasses.replace(row, **new)', False),
        ('buffer = io.BytesIO()\nimage.save(buffer)', False),
        ('def write(file: BinaryIO):\n    torch.save(state, file)', False),
        ('source.open()', False),
    ],
)
def test_the_rule_sees_what_writes(source, written):
    assert bool(list(written_files(ast.parse(source)))) == written
