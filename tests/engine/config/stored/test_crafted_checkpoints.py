"""Checkpoints whose configs try to run code: every route refuses or ignores them."""

import shutil
import sys

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import torch

from rexdense.checkpoint import load_weights, read_checkpoint
from rexdense.cli import export, predict, test, train
from rexdense.engine.trained.model import load_trained_model
from rexdense.errors import CheckpointUnreadable, RexdenseError
from rexdense.models import create_backbone
from tests.engine.config.stored.crafted_checkpoints import (
    IGNORED,
    IN_BACKBONE,
    IN_DETECTOR,
    IN_SEGMENTOR,
    IN_WORDS,
    MODULES,
    PUT_TEXT,
    backbone,
    prepare,
    untouched,
    write_crafted,
)
from tests.tiny_run import CONFIG, ROOT, run_arguments, train_arguments

IMAGES = 'images/val'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder of a user, from which Python imports."""
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    # A module that another test has imported would not be run again.
    for name in [name for name in sys.modules if name.split('.')[0] in MODULES]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def to_predict(path, data):
    predict.main([str(path), str(data / IMAGES), '--out-dir', 'out', '--device', 'cpu'])


def to_export(part, kind='onnx'):
    def route(path, data):
        export.main([part, str(path), '--format', kind, '--out', 'graph.out'])

    return route


def in_python(path, data):
    load_trained_model(path, 'cpu')


WHOLE = {
    'predict': to_predict,
    'Python': in_python,
    'export detector': to_export('detector'),
    'export rpn': to_export('rpn', 'torchscript'),
    'export segmentor': to_export('segmentor'),
}
EVERY = {**WHOLE, 'export backbone': to_export('backbone')}


def refusal(route, path, data, folder):
    with pytest.raises(CheckpointUnreadable) as caught:
        route(path, data)
    assert untouched(folder)
    message = str(caught.value)
    assert message.startswith(f'the config in {path} says ')
    assert '\n' not in message and '--trust-config' in message and 'nothing was built' in message
    return message


TEN = (
    'a function that unpickles',
    'a function that writes',
    'a function that deletes',
    'a module of the current folder',
    'a name of another registry',
    'another package as scope',
    'another package before the name',
    'another default scope',
    'an argument',
    'an argument of a tuple in a list',
)


@pytest.mark.parametrize('route', EVERY.values(), ids=EVERY)
@pytest.mark.parametrize('form', [IN_BACKBONE[name] for name in TEN], ids=TEN)
def test_a_backbone_runs_nothing(form, route, trained, shapes, folder):
    path = write_crafted(trained.checkpoint, folder, form)
    refusal(route, path, shapes, folder)


@pytest.mark.parametrize('route', WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize(
    'name',
    [
        'an augmentation in the preprocessor',
        'a config file that is run',
        'that step in a scope',
        'that step by the name of a package',
    ],
)
def test_a_detector_runs_nothing(name, route, trained, shapes, folder):
    path = write_crafted(trained.checkpoint, folder, IN_DETECTOR[name])
    refusal(route, path, shapes, folder)


@pytest.mark.parametrize('route', WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize('form', IN_SEGMENTOR.values(), ids=IN_SEGMENTOR)
def test_a_segmentor_opens_nothing(form, route, segmented, label_maps, folder):
    path = write_crafted(segmented.checkpoint, folder, form)
    refusal(route, path, label_maps, folder)


@pytest.mark.parametrize('route', WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize('form', IN_WORDS.values(), ids=IN_WORDS)
def test_plain_words_reach_nothing(form, route, trained, shapes, folder):
    path = write_crafted(trained.checkpoint, folder, form)
    with pytest.raises(RexdenseError, match=rf'^the config in {path} '):
        route(path, shapes)
    assert untouched(folder)


def test_a_refusal_names_type_and_place(trained, shapes, folder):
    for form, said in (
        (backbone(**PUT_TEXT), "'mmengine.put_text' at model.backbone.type"),
        (IN_DETECTOR['a step'], "'mmengine.put_text' at test_dataloader.dataset.pipeline[0].type"),
        (
            IN_BACKBONE['an argument of a tuple in a list'],
            "'mmengine.put_text' at model.backbone.levels[0][1].deep[0].type",
        ),
        (IN_BACKBONE['another default scope'], "'evil_scope' at default_scope"),
        (IN_BACKBONE['another package as scope'], "'evil_scope' at model.backbone._scope_"),
    ):
        path = write_crafted(trained.checkpoint, folder, form)
        assert f' says {said}, which is ' in refusal(in_python, path, shapes, folder)


@pytest.mark.parametrize('form', IGNORED.values(), ids=IGNORED)
def test_parts_that_no_prediction_needs_are_left_out(form, trained, shapes, folder):
    path = write_crafted(trained.checkpoint, folder, form)
    to_predict(path, shapes)
    assert untouched(folder)
    assert (folder / 'out' / 'predictions.json').is_file()


FEW = {
    name: IN_BACKBONE[name]
    for name in (
        'a function that unpickles',
        'a module of the current folder',
        'another default scope',
    )
} | {name: IGNORED[name] for name in ('imports', 'a visualizer')}


@pytest.mark.parametrize('form', FEW.values(), ids=FEW)
def test_weights_alone_need_no_config(form, trained, shapes, folder):
    path = write_crafted(trained.checkpoint, folder, form)
    content = read_checkpoint(path).content
    # The run's own backbone is shallow and has no name.
    state = create_backbone('rexnet_1.0').state_dict()
    content['state_dict'] = {f'backbone.{name}': value for name, value in state.items()}
    torch.save(content, path)
    assert load_weights(create_backbone('rexnet_1.0'), path).complete
    export.main(['weights', str(path), '--format', 'timm', '--out', 'timm.safetensors'])
    assert untouched(folder)


@pytest.fixture
def watched(monkeypatch):
    """Every call of torch.load: whether it might have run the file."""
    running = []
    load = torch.load

    def watched_load(*arguments, **options):
        running.append(options.get('weights_only') is not True)
        return load(*arguments, **options)

    monkeypatch.setattr(torch, 'load', watched_load)
    yield
    assert running and not any(running)


@pytest.mark.parametrize('form', FEW.values(), ids=FEW)
def test_measuring_takes_weights_and_classes_alone(form, trained, shapes, folder, watched):
    path = write_crafted(trained.checkpoint, folder, form)
    test.main([str(ROOT / CONFIG), str(path), *run_arguments(shapes, folder / 'run')])
    assert untouched(folder)


def test_going_on_runs_nothing_and_deletes_nothing(trained, shapes, folder, watched):
    """mmengine's resume runs ``meta.config``, and its hooks delete ``best_ckpt``."""
    run = shutil.copytree(trained.work_dir, folder / 'run')
    content = read_checkpoint(run / 'epoch_1.pth').content
    mark = folder / 'mark'
    content['meta']['config'] = f'import os\nos.mkdir({str(mark)!r})\n'
    content['meta']['cfg'] = content['meta']['config']
    precious = folder / 'precious.pth'
    precious.write_text('mine')
    hub = content['message_hub']
    hub['runtime_info'].update(
        best_ckpt=str(precious), best_score=-1.0, keep_ckpt_ids=['../../x', 1], cfg='import os'
    )
    hub['resumed_keys'].update(best_ckpt=True, best_score=True, keep_ckpt_ids=True)
    torch.save(content, run / 'epoch_1.pth')
    settings = ('default_hooks.checkpoint.save_best=coco/bbox_mAP',)
    train.main(train_arguments(shapes, run, '--epochs', '2', '--resume', settings=settings))
    assert untouched(folder)
    assert precious.read_text() == 'mine'
    assert list(run.glob('best_*.pth')) and (run / 'epoch_2.pth').is_file()


@pytest.mark.parametrize('form', FEW.values(), ids=FEW)
def test_starting_from_other_weights_runs_nothing(form, trained, shapes, folder, watched):
    path = write_crafted(trained.checkpoint, folder, form)
    train.main(train_arguments(shapes, folder / 'run', '--load-from', str(path)))
    assert untouched(folder)


def test_who_trusts_a_config_gets_what_it_names(trained, folder):
    (folder / 'mine.py').write_text(
        'from rexdense.models import ReXNet\n'
        'from rexdense.registry import MODELS\n'
        "@MODELS.register_module(name='Mine', force=True)\n"
        'class Mine(ReXNet):\n    pass\n'
    )

    def form(config, folder):
        config['custom_imports'] = dict(imports=['mine'])
        config['model']['backbone']['type'] = 'rexdense.Mine'

    path = write_crafted(trained.checkpoint, folder, form)
    with pytest.raises(CheckpointUnreadable, match=r"'rexdense\.Mine' at model\.backbone\.type"):
        load_trained_model(path, 'cpu')
    model = load_trained_model(path, 'cpu', trust_config=True).model
    assert type(model.backbone).__name__ == 'Mine'
