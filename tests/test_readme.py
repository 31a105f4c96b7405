"""README.md, docs/*.md and config docstrings: commands, options, files, links, figures."""

import argparse
import ast
import functools
import importlib
import re
import shlex
from pathlib import Path

import pytest

from rexdense import create_unet, list_backbones
from rexdense.cli.main import PROGRAMS
from rexdense.cli.parser import Parser
from rexdense.errors import InvalidArgument
from rexdense.zoo import UNET_CLASSES, format_count, zoo_entries
from tests.checkpoint.test_golden_outputs import CASES
from tests.pages import (
    CONFIGS,
    PAGES,
    README,
    ROOT,
    anchors,
    code_blocks,
    inline_code,
    name_of,
    text_of,
)
from tests.test_ground_rules import MODULES, level

MOST_LINES = 150
# Options of foreign programs.
FOREIGN_OPTIONS = {'--no-deps', '--no-build-isolation'}
PROGRAM = r'(rexdense|make|pip|sh|torchrun|[\w./]*python)(\s|$)'


def commands(text: str) -> list[str]:
    """Return the lines of a text that run programs, with continuations joined, without comments."""
    lines = re.sub(r'\\\n\s*', '', text).splitlines()
    parts = [part for line in lines for part in re.sub(r'(^|\s)#.*', '', line).split('&&')]
    # Environment variables may precede a program.
    parts = [re.sub(r'^(\w+=\S+ )+', '', part.strip()) for part in parts]
    return [part for part in parts if re.match(PROGRAM, part)]


def all_commands() -> list[tuple[str, str]]:
    """Return (source file, command) for each command."""
    found = []
    for page in PAGES:
        text = text_of(page)
        code = [*code_blocks(text, ''), *(line for line in inline_code(text) if ' ' in line)]
        found += [(name_of(page), line) for block in code for line in commands(block)]
    for path in CONFIGS:
        found += [(name_of(path), line) for line in commands(text_of(path))]
    return list(dict.fromkeys(found))


COMMANDS = all_commands()


class _Found(Exception):
    """Carries a parser out of the program that created it."""


@functools.cache
def parser_of(program: str) -> argparse.ArgumentParser:
    """Return the argument parser of a rexdense program."""
    if program == 'demo':
        return parser_of('train')

    def raise_parser(self, *args):
        raise _Found(self)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Found) as caught:
        patch.setattr(Parser, 'parse_args', raise_parser)
        importlib.import_module(f'rexdense.cli.{program.replace("-", "_")}').main(['x'])
    return caught.value.args[0]


def parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Return a parser and its subparsers."""
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [each for choice in action.choices.values() for each in parsers(choice)]
    return found


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {option for each in parsers(parser) for option in each._option_string_actions}


def check_rexdense(words: list[str]) -> None:
    """Check a rexdense command line with the program's own parser, as far as it is complete: a row
    of a table may omit required arguments."""
    if not words or words[0] in ('--help', '--version', 'PROGRAM'):
        return
    program, *rest = words
    assert program in PROGRAMS, f'rexdense has no program {program}'
    if program == 'demo':
        options = {word.split('=')[0] for word in rest if word.startswith('--')}
        assert options <= options_of(parser_of('demo'))
        return
    try:
        parser_of(program).parse_args(rest)
    except InvalidArgument as error:
        abridged = not any(word.startswith('--') for word in rest) or 'PART' in rest
        assert abridged and re.search('required|invalid choice', str(error)), error


def check_torchrun(words: list[str]) -> None:
    from torch.distributed.run import get_args_parser

    options = get_args_parser().parse_args(words)
    assert options.module and options.training_script == 'rexdense'
    assert '--launcher' in options.training_script_args
    check_rexdense(options.training_script_args)


def check_python(words: list[str]) -> None:
    if words[:2] == ['-m', 'rexdense']:
        check_rexdense(words[2:])
    elif words[0] == '-m':
        assert importlib.util.find_spec(words[1]), words[1]
    else:
        script = (ROOT / words[0]).read_text(encoding='utf-8')
        for option in (word for word in words if word.startswith('--')):
            assert f"'{option}'" in script, f'{words[0]} has no option {option}'


def check_make(words: list[str]) -> None:
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    for word in words:
        variable, is_variable, _ = word.partition('=')
        if is_variable:
            assert f'$({variable}' in makefile, f'the Makefile has no variable {variable}'
        else:
            assert re.search(rf'^{re.escape(word)}:', makefile, flags=re.MULTILINE), (
                f'the Makefile has no target {word}'
            )


def check_foreign(words: list[str]) -> None:
    options = {word for word in words if word.startswith('--')}
    assert options <= FOREIGN_OPTIONS, sorted(options - FOREIGN_OPTIONS)


CHECKS = {
    'rexdense': check_rexdense,
    'torchrun': check_torchrun,
    'python': check_python,
    'make': check_make,
    'pip': check_foreign,
    'sh': check_foreign,
}


def check_files(words: list[str]) -> None:
    for word in words:
        if re.match(r'(configs|tools|requirements|rexdense|tests|benchmarks|docs)/', word):
            assert (ROOT / word).exists(), f'{word} is not there'


@pytest.mark.parametrize(('source', 'command'), COMMANDS)
def test_command(source, command):
    pytest.importorskip('mmdet')
    words = shlex.split(command)
    check_files(words)
    CHECKS[Path(words[0]).name](words[1:])


def test_commands_are_found_on_every_page_and_in_every_config():
    assert {source for source, _ in COMMANDS} == {name_of(path) for path in (*PAGES, *CONFIGS)}
    called = {shlex.split(command)[1] for _, command in COMMANDS if command.startswith('rexdense ')}
    assert called >= set(PROGRAMS)


@pytest.mark.parametrize(
    'command',
    [
        'rexdense trian CONFIG',
        'rexdense train CONFIG --epoch 2',
        'rexdense export backbone CHECKPOINT --format timm --out FILE',
        'rexdense export detector CHECKPOINT --format onnx --out FILE --out-indices 1',
        'rexdense predict CHECKPOINT IMAGES --scales all',
        'torchrun --nproc-per-node 8 rexdense train CONFIG --launcher pytorch',
        'torchrun --nproc-per-nodes 8 -m rexdense train CONFIG --launcher pytorch',
        'python benchmarks/kills.py --kill 8',
        'python -m rexdens train CONFIG',
        'make tests',
        'make test STAK=original',
        'pip install --no-dep .',
    ],
)
def test_mistaken_commands_are_seen(command):
    pytest.importorskip('mmdet')
    program, *words = shlex.split(command)
    with pytest.raises((AssertionError, SystemExit)):
        CHECKS[program](words)


@functools.cache
def known_options() -> set[str]:
    """Return the options of all programs, and of foreign ones that the pages mention."""
    return FOREIGN_OPTIONS.union(*(options_of(parser_of(program)) for program in PROGRAMS))


@pytest.mark.parametrize('page', [*PAGES, *CONFIGS], ids=name_of)
def test_options_and_files_in_the_text(page):
    """Inline code: options must be known to a program, and paths must exist."""
    pytest.importorskip('mmdet')
    text = text_of(page)
    known = known_options()
    if page in PAGES:
        code = [each for each in inline_code(text) if not (' ' in each and commands(each))]
        words = [word for each in code for word in each.split()]
    else:
        # Folders may be mmdet's or mmseg's.
        words = [word for word in re.split(r'[\s,;:()]+', text) if not word.startswith('--nproc')]
        words = [word for word in words if word.startswith('--') or word.endswith('.py')]
    options = {word.split('=')[0] for word in words if re.match('--[a-z]', word)}
    assert options <= known, sorted(options - known)
    check_files(words)


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_pictures_links_and_anchors_are_there(page):
    for target in re.findall(r'\]\(([^)]+)\)', text_of(page)):
        if '://' in target:
            continue
        path, _, anchor = target.partition('#')
        linked = page.parent / path if path else page
        assert linked.exists(), f'{name_of(page)} links to {target}, which is not there'
        assert not anchor or anchor in anchors(text_of(linked)), (
            f'{name_of(linked)} lacks #{anchor}'
        )


def test_the_readme_is_short_and_links_to_every_page():
    text = text_of(README)
    assert len(text.splitlines()) <= MOST_LINES
    for page in PAGES[1:]:
        assert f']({name_of(page)})' in text, f'README.md does not link to {name_of(page)}'


def test_the_readme_s_networks_are_those_of_the_zoo():
    text = text_of(README)
    rows = re.findall(r'^\| `(\w[\w.]+)` \| (.*) \|$', text, flags=re.MULTILINE)
    entries = {entry.name: entry for entry in zoo_entries()}
    assert len(rows) == 8
    for name, cells in rows:
        entry = entries[name]
        expected = [*map(format_count, (entry.measured.parameters, entry.measured.macs))]
        expected += [str(entry.top1), entry.published.label]
        # The page has the network in its first table, its detectors in the second.
        detectors = table_rows('docs/zoo.md', f'`{name}`')[1]
        expected += detectors[1:4:2]
        assert cells.split(' | ') == expected, name
    number = str(len(list_backbones()))
    assert re.findall(r'## Eight of (\d+) networks', text) == [number]
    compared = str(len(set(CASES.values())))
    assert re.findall(r'the (\d+) of (\d+) networks with', text) == [(compared, number)]


def test_the_chinese_readme_says_what_the_readme_says():
    text, pages = text_of(ROOT / 'README.zh-CN.md'), ' '.join(map(text_of, PAGES))
    known = {command for page in PAGES for command in commands(text_of(page))}
    assert set(commands(text)) <= known
    for code in code_blocks(text, 'python'):
        assert re.sub('#.*', '', code) in re.sub('#.*', '', text_of(README))
    targets = re.findall(r'\]\(([^)#]+)', text)
    assert all((ROOT / target).exists() for target in targets)
    assert {target for target in targets if target.endswith('.md')} >= {
        name_of(page) for page in PAGES if page.parent.name == 'docs'
    }
    figures = re.findall(r'\d+\.\d+', text)
    assert figures and all(figure in pages for figure in figures)


def table_rows(page: str, first: str) -> list[list[str]]:
    """Return the rows of a page's tables whose first cell matches."""
    lines = text_of(ROOT / page).splitlines()
    rows = [line.strip('| ').split(' | ') for line in lines if line.startswith('| ')]
    return [row for row in rows if re.fullmatch(first, row[0])]


@pytest.mark.parametrize(
    ('row', 'name', 'options'),
    [
        ('default, one output', 'unet_rexnet_1.0', {}),
        ('default, six outputs', 'unet_rexnet_1.0', dict(output_strides='all')),
        ('wide.*one output', 'unet_rexnet_1.0_wide', {}),
    ],
)
def test_the_sizes_of_u_nets_are_those_of_the_code(row, name, options):
    (cells,) = table_rows('docs/unet.md', row)
    unet = create_unet(name, UNET_CLASSES, **options)
    assert cells[1] == format_count(sum(tensor.numel() for tensor in unet.parameters()))


@pytest.mark.parametrize(
    ('config', 'pages'),
    [
        ('rexnet/cascade-mask-rcnn_rexnet-1.0_fpn_nuclei', ('docs/small_data.md',)),
        ('rexnet/cascade-rcnn_rexnet-1.0_fpn_bccd', ('docs/small_data.md',)),
        ('rexnet/faster-rcnn_rexnet-1.0_fpn_bccd', ('docs/small_data.md',)),
        ('rexnet/faster-rcnn_rexnet-1.0_fpn_demo_shapes', ('docs/quickstart.md',)),
        ('unet/unet_rexnet-1.0_camvid', ('docs/segmentation.md',)),
        ('depth/unet_rexnet-1.0_shapes', ('docs/depth.md',)),
    ],
)
def test_expected_results_are_the_same_in_configs_and_pages(config, pages):
    docstring = text_of(ROOT / f'configs/{config}.py')
    figures = set(re.findall(r'\b0\.\d{3}\b', docstring)) or set(re.findall(r'0\.\d\d', docstring))
    minutes = set(re.findall(r'\d+ minutes and \d+ seconds', ' '.join(docstring.split())))
    assert figures
    for page in pages:
        text = ' '.join(text_of(ROOT / page).split())
        missing = {figure for figure in figures | minutes if figure not in text}
        assert not missing, f'{page} lacks {missing}'


def test_the_readme_s_results_are_those_of_the_pages():
    said = re.search(r'reach AP (\S+) and AP50\s+(\S+) in (\d+) minutes', text_of(README))
    (row,) = table_rows('docs/small_data.md', 'Faster R-CNN, seed 0')
    assert list(said.groups()) == [*row[1:3], str(int(float(row[-1])))]


@pytest.mark.parametrize(
    ('stem', 'last'),
    [
        (config, int(last))
        for page in PAGES
        for config, last in re.findall(r'work_dirs/([\w.-]+)/epoch_(\d+)\.pth', text_of(page))
        if config != 'RUN'
    ],
)
def test_checkpoints_are_those_of_the_last_epoch(stem, last):
    from mmengine.config import Config

    stem = 'faster-rcnn_rexnet-1.0_fpn_demo_shapes' if stem == 'demo' else stem
    (path,) = (path for path in CONFIGS if path.stem == stem)
    assert Config.fromfile(path).train_cfg.max_epochs == last


def test_the_rooms_are_the_folders_and_levels_of_the_code():
    rows = {row[0].strip('`'): int(row[2]) for row in table_rows('docs/development.md', r'`rex.*`')}
    folders = {'/'.join(name.split('.')[:2]) for name in MODULES if '.' in name}
    folders = {folder for folder in folders if (ROOT / folder).is_dir()}
    assert set(rows) == folders
    for folder, stated in rows.items():
        assert level(folder.replace('/', '.')) == stated, folder


@pytest.mark.parametrize('path', sorted(ROOT.glob('tools/*.py')), ids=name_of)
def test_stubs_in_tools_run_programs(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert calls[-1].args[0].value in PROGRAMS
