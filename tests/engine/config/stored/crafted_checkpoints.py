"""Configs in checkpoints that try to run code, open files or delete them, each in its own way.

A form changes the config of a real checkpoint. Whatever it reaches for leaves a file ``mark``, or
takes the folder ``victim`` away, or puts files into it.
"""

import functools
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from rexdense.checkpoint import read_checkpoint
from rexdense.checkpoint.formats.config_text import read_config_text

Config = dict[str, Any]
Form = Callable[[Config, Path], None]

# Names of other registries or of no registry, each also a module in the current folder.
MODULES = (
    'evil_module',
    'DefaultSampler',
    'DeltaXYWHBBoxCoder',
    'PackDetInputs',
    'mc',
    'evil_scope',
)


class _Mark:
    """Leaves the file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def prepare(folder: Path) -> None:
    """Put what the forms reach for into the current folder of a user."""
    mark = f'import os\nos.makedirs({str(folder / "mark")!r}, exist_ok=True)\n'
    for name in MODULES[:-1]:
        (folder / f'{name}.py').write_text(f'{mark}\nclass {name}:\n    pass\n')
    for name in ('evil_scope', 'evil_scope/datasets'):
        (folder / name).mkdir()
        (folder / name / '__init__.py').write_text(mark)
    (folder / 'evil_scope' / 'registry.py').write_text(mark)
    (folder / 'teacher.py').write_text(f'{mark}model = dict()\n')
    (folder / 'evil.pkl').write_bytes(pickle.dumps(_Mark(folder / 'mark')))
    torch.save({'a': _Mark(folder / 'mark')}, folder / 'evil.pth')
    (folder / 'victim').mkdir()


def untouched(folder: Path) -> bool:
    """Whether nothing that :func:`prepare` laid out was run, opened or deleted."""
    victim = folder / 'victim'
    return not (folder / 'mark').exists() and victim.is_dir() and not list(victim.iterdir())


@functools.cache
def _content(checkpoint: Path) -> dict[str, Any]:
    return read_checkpoint(checkpoint).content


def write_crafted(checkpoint: Path, folder: Path, form: Form) -> Path:
    """Write a copy of a checkpoint whose config was changed."""
    content = dict(_content(checkpoint))
    content['meta'] = dict(content['meta'])
    config = read_config_text(content['meta']['cfg'], str(checkpoint))
    form(config, folder)
    content['meta']['cfg'] = '\n'.join(f'{key} = {value!r}' for key, value in config.items())
    path = folder / 'crafted.pth'
    torch.save({key: content[key] for key in ('state_dict', 'meta')}, path)
    return path


def backbone(**settings: Any) -> Form:
    """Another backbone."""

    def form(config: Config, folder: Path) -> None:
        config['model']['backbone'] = _filled(settings, folder)

    return form


def in_backbone(**settings: Any) -> Form:
    """More arguments of the backbone."""

    def form(config: Config, folder: Path) -> None:
        config['model']['backbone'].update(_filled(settings, folder))

    return form


def in_model(*place: str, **settings: Any) -> Form:
    """More arguments of a section of the model."""

    def form(config: Config, folder: Path) -> None:
        section = config['model']
        for key in place:
            section = section[key]
        section.update(_filled(settings, folder))

    return form


def first_step(**settings: Any) -> Form:
    """One more step at the start of the test pipeline."""

    def form(config: Config, folder: Path) -> None:
        config['test_dataloader']['dataset']['pipeline'].insert(0, _filled(settings, folder))

    return form


def in_first_step(**settings: Any) -> Form:
    """More arguments of the first step of the test pipeline."""

    def form(config: Config, folder: Path) -> None:
        config['test_dataloader']['dataset']['pipeline'][0].update(_filled(settings, folder))

    return form


def in_config(**settings: Any) -> Form:
    """Other sections of the config."""

    def form(config: Config, folder: Path) -> None:
        config.update(_filled(settings, folder))

    return form


def _filled(value: Any, folder: Path) -> Any:
    """Return the value with the folder's path in place of ``{}``."""
    if isinstance(value, dict):
        return {key: _filled(item, folder) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_filled(item, folder) for item in value)
    return value.replace('{}', str(folder)) if isinstance(value, str) else value


# imgaug calls what bears the name, here a class that writes pictures.
AUGMENTERS = dict(
    type='ImageAug',
    pipeline=[
        dict(name='Resize', p=0, parameters=dict(size=dict(height=64, width=64))),
        dict(
            name='SaveDebugImageEveryNBatches',
            p=1,
            parameters=dict(destination='victim', interval=1),
        ),
    ],
)
LAYER = dict(type='ConvModule', in_channels=3, out_channels=3, kernel_size=1)
PUT_TEXT = dict(type='mmengine.put_text', obj='', filepath='{}/mark')

# Refused by every route that builds the backbone, hence by all that build.
IN_BACKBONE = {
    'a function that unpickles': backbone(
        type='mmengine.load', file='{}/evil.pkl', file_format='pkl'
    ),
    'a function that writes': backbone(**PUT_TEXT),
    'a function that deletes': backbone(type='mmengine.rmtree', dir_path='{}/victim'),
    'a function by its whole path': backbone(
        type='mmengine.fileio.io.put_text', obj='', filepath='{}/mark'
    ),
    'a function of the system': backbone(type='os.mkdir', path='{}/mark'),
    'a builtin': backbone(type='builtins.exec', source='1'),
    'a module of the current folder': backbone(type='evil_module'),
    'a class of that module': backbone(type='evil_module.evil_module'),
    'a name of another registry': backbone(type='DefaultSampler'),
    'a name of the task utils': backbone(type='DeltaXYWHBBoxCoder'),
    'a name of the transforms': backbone(type='PackDetInputs'),
    'a module of a package': backbone(type='mmengine.fileio'),
    'a class of no registry': backbone(type='mmengine.Config', cfg_dict={}),
    'another package as scope': in_backbone(_scope_='evil_scope'),
    'another package before the name': backbone(type='evil_scope.ReXNet'),
    'another default scope': in_config(default_scope='evil_scope'),
    'no text as type': backbone(type=5),
    'a list as type': backbone(type=['mmengine.put_text']),
    'an argument': in_backbone(norm_cfg=dict(type='evil_module')),
    'an argument of a tuple in a list': in_backbone(levels=[(1, dict(deep=[PUT_TEXT]))]),
    'a network from a file': backbone(
        type='mmseg.TIMMBackbone', model_name='resnet18', checkpoint_path='evil.pth'
    ),
    'an argument that names a file': in_backbone(arch='{}/evil.pkl'),
    'an argument that is an address': in_backbone(arch='http://127.0.0.1:9/evil'),
}
# Refused by the routes that build the whole model and its pipeline.
IN_DETECTOR = {
    'an augmentation in the preprocessor': in_model(
        'data_preprocessor', batch_augments=[dict(type='evil_module'), PUT_TEXT]
    ),
    'a coder': in_model('rpn_head', bbox_coder=PUT_TEXT),
    'a model in place of a coder': in_model('rpn_head', bbox_coder=dict(type='mmdet.FPN')),
    'a loss': in_model('roi_head', 'bbox_head', loss_cls=PUT_TEXT),
    'an activation': in_model('neck', act_cfg=dict(type='evil_module')),
    'text that mmcv evaluates': in_model(
        'test_cfg', 'rcnn', nms=dict(type='__import__("os").mkdir("{}/mark")', iou_threshold=0.5)
    ),
    'a word that mmcv evaluates': in_model(
        'test_cfg', 'rcnn', nms=dict(type='breakpoint', iou_threshold=0.5)
    ),
    'another attribute of mmcv.ops': in_model(
        'roi_head', 'bbox_roi_extractor', roi_layer=dict(type='nms')
    ),
    'a config file that is run': in_config(
        model=dict(
            type='mmdet.KnowledgeDistillationSingleStageDetector', teacher_config='{}/teacher.py'
        )
    ),
    'a step': first_step(**PUT_TEXT),
    'a step in a step': first_step(
        type='RandomApply', transforms=[dict(type='Compose', transforms=[PUT_TEXT])]
    ),
    'a step that takes any function of a package': first_step(
        type='mmdet.Albu', transforms=[dict(type='load')]
    ),
    'a model as step': first_step(type='mmdet.FPN'),
    'a step that takes any augmenter of a package': first_step(**AUGMENTERS),
    'that step in a scope': first_step(_scope_='mmdet', **AUGMENTERS),
    'that step by the name of its registry': first_step(
        _scope_='mmdet', **AUGMENTERS | dict(type='mmengine.ImageAug')
    ),
    'that step by the name of a package': first_step(**AUGMENTERS | dict(type='mmdet.ImageAug')),
}
IN_SEGMENTOR = {
    'class weights in a file': in_model(
        'decode_head',
        loss_decode=dict(type='mmseg.CrossEntropyLoss', class_weight='{}/evil.pkl'),
    ),
    'class weights in a file of the current folder': in_model(
        'decode_head', loss_decode=dict(type='mmseg.CrossEntropyLoss', class_weight='evil.pkl')
    ),
}
# Plain words, which reach mmengine's registries under other keys than ``type``.
IN_WORDS = {
    'a module before the name of a layer': backbone(**LAYER, padding_mode='evil_scope.1'),
    'a class that fetches a network': backbone(**LAYER, padding_mode='LAD', _scope_='mmdet'),
}
# Not taken at all: the checkpoint predicts as before.
IGNORED = {
    'imports': in_config(custom_imports=dict(imports=['evil_module'])),
    'hooks': in_config(custom_hooks=[dict(type='evil_module')]),
    'a visualizer': in_config(visualizer=PUT_TEXT),
    'an evaluator': in_config(test_evaluator=PUT_TEXT),
    'initial weights': in_backbone(init_cfg=dict(type='Pretrained', checkpoint='{}/evil.pth')),
    'file service': in_first_step(
        type='LoadImageFromFile',
        backend_args=dict(backend='memcached', server_list_cfg='', client_cfg='', sys_path='{}'),
    ),
    'what only training needs': in_model(
        'train_cfg', 'rcnn', assigner=PUT_TEXT, sampler=dict(type='evil_module')
    ),
    'text in the place of another program': in_config(env_cfg=dict(type='os.system')),
}
