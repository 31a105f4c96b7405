"""The classes that a stored config may name: none opens a file or runs text by what it is."""

import ast
import functools
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

from rexdense.engine.config import stored_types
from rexdense.engine.config.stored_types import MODEL, SCOPES, TASK_UTIL, TRANSFORM

# Methods that predicting does not call, and those that read the image whose path they are given.
EXPECTED = {
    MODEL: {'init_weights'},
    TASK_UTIL: set(),
    TRANSFORM: {'transform', '_load_seg_map', '_orientation', '_stored'},
}
READ = (*SCOPES, 'mmcv')
OPENING = {
    *('eval', 'exec', '__import__', 'import_module', 'open', 'create_model', 'load_url'),
    *('load', 'load_checkpoint', '_load_checkpoint', 'from_pretrained', 'fromfile', 'fromstring'),
    *('get_text', 'download_url_to_file', 'system', 'Popen', 'rmtree'),
}
WHOLE_NAMES = {
    'fileio.get',
    'mmengine.fileio.get',
    'os.remove',
    'getattr(albumentations, obj_type)',
}


def allowed(kind: stored_types.Kind) -> dict[str, type]:
    """Every registered name that may be built as this kind, with its scope."""
    return {
        f'{scope}.{name}': table[name]
        for scope in SCOPES
        for table in stored_types._tables(kind.registry, scope)
        for name in table
        if stored_types._may_be_built(f'{scope}.{name}', kind, scope)
    }


@functools.cache
def opening_methods(module: str) -> dict[str, set[str]]:
    """Return by class the methods that open files or run text, of the classes of a module."""
    source = Path(sys.modules[module].__file__).read_text(encoding='utf-8')
    return {
        cls.name: {
            method.name
            for method in cls.body
            if isinstance(method, ast.FunctionDef) and any(map(_opens, ast.walk(method)))
        }
        for cls in ast.parse(source).body
        if isinstance(cls, ast.ClassDef)
    }


def _opens(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        name = node.func.id
    else:
        # A module's eval() only sets its mode.
        name = getattr(node.func, 'attr', '').replace('eval', '')
    if name in ('get', 'remove', 'getattr'):
        return bool({ast.unparse(node.func), ast.unparse(node)} & WHOLE_NAMES)
    return name in OPENING


@pytest.mark.parametrize('kind', EXPECTED, ids=lambda kind: kind.title)
def test_no_class_opens_files_when_it_is_built(kind):
    classes = allowed(kind)
    assert len(classes) > 20
    for name, cls in classes.items():
        parents = [each for each in cls.__mro__ if each.__module__.split('.')[0] in READ]
        found = {
            method
            for parent in parents
            for method in opening_methods(parent.__module__).get(parent.__name__, ())
        } - EXPECTED[kind]
        assert not found, f'{name} opens files or runs text in {found}: leave it out'


@pytest.mark.parametrize(
    ('kind', 'name'),
    [
        (MODEL, 'mmseg.TIMMBackbone'),
        (MODEL, 'mmseg.VPD'),
        (MODEL, 'mmseg.CLIPTextEncoder'),
        (MODEL, 'mmdet.BertModel'),
        (MODEL, 'mmdet.LAD'),
        (MODEL, 'mmdet.KnowledgeDistillationSingleStageDetector'),
        (MODEL, 'mmdet.Detectron2Wrapper'),
        (TASK_UTIL, 'mmdet.AppearanceFreeLink'),
        (TASK_UTIL, 'mmdet.CameraMotionCompensation'),
        (TRANSFORM, 'mmdet.Albu'),
        (TRANSFORM, 'mmseg.Albu'),
        (TRANSFORM, 'mmdet.RandomSamplingNegPos'),
        (TRANSFORM, 'mmseg.LoadBiomedicalImageFromFile'),
    ],
)
def test_registered_classes_that_open_files_are_left_out(kind, name):
    scope, bare = name.split('.')
    tables = stored_types._tables(kind.registry, scope)
    if not any(bare in table for table in tables):
        pytest.skip(f'{name} is not in this version')
    assert not stored_types._may_be_built(name, kind, scope)


def a_function() -> None:
    """A function that stands where a class belongs."""


class Foreign:
    """A class of a package that nobody has looked at."""


a_function.__module__ = 'rexdense.models'


@pytest.mark.parametrize('registered', [a_function, Foreign])
def test_what_is_registered_must_be_a_class_of_a_known_package(registered):
    registry = stored_types.mmengine_registry.MODELS
    registry.register_module(name='of_a_test', module=registered)
    try:
        assert registry.get('of_a_test') is registered
        assert not stored_types._may_be_built('of_a_test', MODEL, 'mmengine')
    finally:
        del registry.module_dict['of_a_test']
