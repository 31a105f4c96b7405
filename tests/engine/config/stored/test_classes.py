"""The classes that a stored config may name: none opens a file or runs text by what it is."""

import ast
import functools
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

from mmengine import registry as mmengine_registry

from rexdense.engine.config.stored.classes import (
    MODEL,
    SCOPES,
    TASK_UTIL,
    TRANSFORM,
    Kind,
    buildable_classes_only,
    may_be_built,
)
from rexdense.errors import CheckpointUnreadable

# Methods that predicting does not call, and those that read the image whose path they are given.
EXPECTED = {
    MODEL: {'init_weights', '_dump_init_info'},
    TASK_UTIL: set(),
    TRANSFORM: {'transform', '_orientation', '_stored'},
}
READ = (*SCOPES, 'mmcv')
OPENING = {
    *('eval', 'exec', '__import__', 'import_module', 'open', 'create_model', 'load_url'),
    *('load', 'load_checkpoint', '_load_checkpoint', 'from_pretrained', 'fromfile', 'fromstring'),
    *('get_text', 'download_url_to_file', 'system', 'Popen', 'rmtree', 'memmap', 'urlopen'),
    *('put', 'put_text', 'dump', 'save', 'savez', 'savefig', 'tofile', 'write', 'write_text'),
    *('imread', 'imwrite', 'mkdir', 'makedirs', 'unlink', 'read_text', 'read_bytes'),
}
WHOLE_NAMES = {
    'fileio.get',
    'mmengine.fileio.get',
    'os.remove',
    'getattr(albumentations, obj_type)',
}


def registries(kind: Kind):
    """Every registry of a kind, filled, with the scope of its names."""
    root = getattr(mmengine_registry, kind.registry)
    for scope in SCOPES:
        may_be_built('None', kind, scope)
    return {scope: root.children.get(scope, root) for scope in SCOPES}


def allowed(kind: Kind) -> dict[str, type]:
    """Every registered name that may be built as this kind, with its scope."""
    return {
        f'{scope}.{name}': registry.module_dict[name]
        for scope, registry in registries(kind).items()
        for name in registry.module_dict
        if may_be_built(f'{scope}.{name}', kind, scope)
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
    if isinstance(node.func, ast.Call):
        # getattr(module, name)(...)
        return getattr(node.func.func, 'id', '') == 'getattr'
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
        (TRANSFORM, 'mmengine.ImageAug'),
        (TRANSFORM, 'mmdet.InstaBoost'),
        (TRANSFORM, 'mmdet.LoadPanopticAnnotations'),
        (TRANSFORM, 'mmdet.LoadOneDLSegmentation'),
        (TRANSFORM, 'mmengine.LoadAnnotations'),
        (TRANSFORM, 'mmengine.KeyMapper'),
        (TRANSFORM, 'mmseg.Albu'),
        (TRANSFORM, 'mmdet.RandomSamplingNegPos'),
        (TRANSFORM, 'mmseg.LoadBiomedicalImageFromFile'),
    ],
)
def test_registered_classes_that_open_files_are_left_out(kind, name):
    scope, bare = name.split('.')
    if bare not in registries(kind)[scope].module_dict:
        pytest.skip(f'{name} is not in this version')
    assert not may_be_built(name, kind, scope)
    assert not may_be_built(bare, kind, scope)


@pytest.mark.parametrize(
    ('name', 'scope', 'found'),
    [
        ('Normalize', 'mmdet', True),  # of the parent
        ('mmengine.Normalize', 'mmdet', True),
        ('mmdet.Normalize', 'mmdet', False),  # a scope that is named has no parent
        ('mmdet.Normalize', 'mmengine', True),  # but for the root
        ('mmdet.PackDetInputs', 'mmengine', True),
        ('mmdet.PackDetInputs', 'mmseg', True),
        ('PackDetInputs', 'mmseg', False),
        ('PackDetInputs', 'mmengine', False),
        ('mmdet.mmseg.PackSegInputs', 'mmengine', False),
    ],
)
def test_names_are_looked_up_as_the_builder_does(name, scope, found):
    assert may_be_built(name, TRANSFORM, scope) is found
    root = mmengine_registry.TRANSFORMS
    with root.switch_scope_and_registry(scope) as registry:
        if '.mmseg.' not in name:
            assert (name in registry) is found


def test_registries_build_allowed_classes_alone():
    """Whatever key a name stood under, and whichever registry is asked."""
    models, transforms = mmengine_registry.MODELS, mmengine_registry.TRANSFORMS
    said = r"^the config in file\.pth asks for '.*', which is no .* that a stored config may build"
    with buildable_classes_only('file.pth'):
        assert models.get('mmdet.FPN') and transforms.get('mmdet.PackDetInputs')
        assert mmengine_registry.TASK_UTILS.get('mmdet.DeltaXYWHBBoxCoder')
        assert models.get('os.path') is models.get('mmdet.os.path') is None
        for registry, name in (
            (models, 'mmdet.LAD'),
            (transforms, 'mmdet.Albu'),
            (mmengine_registry.HOOKS, 'EMAHook'),
            (mmengine_registry.DATA_SAMPLERS, 'DefaultSampler'),
        ):
            with pytest.raises(CheckpointUnreadable, match=said):
                registry.get(name)
    assert models.get('mmdet.LAD') and mmengine_registry.HOOKS.get('EMAHook')


def a_function() -> None:
    """A function that stands where a class belongs."""


class Foreign:
    """A class of a package that nobody has looked at."""


a_function.__module__ = 'rexdense.models'


@pytest.mark.parametrize('registered', [a_function, Foreign])
def test_registered_functions_and_classes_of_other_packages_are_not_built(registered):
    registry = mmengine_registry.MODELS
    registry.register_module(name='of_a_test', module=registered)
    try:
        assert registry.get('of_a_test') is registered
        assert not may_be_built('of_a_test', MODEL, 'mmengine')
    finally:
        del registry.module_dict['of_a_test']
