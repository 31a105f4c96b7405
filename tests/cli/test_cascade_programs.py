"""A Cascade Mask R-CNN through the programs: several heads where other detectors have one."""

import contextlib
import io
import json

import pytest

pytest.importorskip('mmdet')

from rexdense.checkpoint import read_checkpoint
from rexdense.cli import predict, test, train
from rexdense.engine.trained.file import read_training_file
from rexdense.visualization.scalars import read_scalars
from tests.small_coco import write_coco
from tests.tiny_run import FEW_REGIONS, MASK_CONFIG, NARROW_MASKS, ROOT, SHALLOW

pytestmark = pytest.mark.slow

PIECE = str(ROOT / 'configs/_base_/pieces/cascade.py')
STAGES = range(3)
KINDS = ('bbox', 'segm')


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The Mask R-CNN as a narrow one: heads in lists have no names for --cfg-options."""
    narrow = dict(entry.split('=') for entry in (*FEW_REGIONS, *NARROW_MASKS))
    path = tmp_path_factory.mktemp('config') / 'narrow.py'
    lines = [f"_base_ = ['{ROOT / MASK_CONFIG}']"]
    for key, value in narrow.items():
        base, *names = key.split('.')
        assert base == 'model'
        section = '['.join(f"'{name}']" for name in names)
        lines.append(f'_base_.model[{section} = {value}')
    path.write_text('\n'.join([*lines, 'model = _base_.model', '']))
    return str(path)


def options_of(data_root, work_dir, *more):
    return [
        *('--with', PIECE, '--data-root', str(data_root), '--work-dir', str(work_dir)),
        *('--device', 'cpu', '--scale', '64,64', '--batch-size', '2', '--workers', '0', *more),
        *('--cfg-options', SHALLOW),
    ]


@pytest.fixture(scope='module')
def trained(config, shapes, tmp_path_factory, quick_configs):
    """The work dir of one epoch in bfloat16."""
    work_dir = tmp_path_factory.mktemp('runs') / 'cascade'
    with contextlib.redirect_stdout(io.StringIO()):
        train.main([config, *options_of(shapes, work_dir, '--epochs', '1', '--amp')])
    return work_dir


def test_training_measures_every_stage(trained):
    row = read_scalars(trained).training[-1]
    for stage in STAGES:
        assert {f's{stage}.{name}' for name in ('loss_cls', 'loss_bbox', 'loss_mask')} <= set(row)
    (measured,) = read_scalars(trained).validation
    assert {f'coco/{kind}_mAP' for kind in KINDS} <= set(measured)
    head = read_training_file(trained / 'epoch_1.pth').config().model.roi_head
    assert [stage.num_classes for stage in head.bbox_head] == [6] * len(STAGES)
    assert head.mask_head.num_classes == 6


def test_measuring_and_predicting(trained, config, shapes, tmp_path, capsys):
    checkpoint, results = str(trained / 'epoch_1.pth'), tmp_path / 'results.json'
    options = options_of(shapes, tmp_path / 'run', '--out', str(results))
    test.main([config, checkpoint, *options])
    assert 'AP75' in capsys.readouterr().out
    assert all('segmentation' in entry for entry in json.loads(results.read_text()))
    out = tmp_path / 'out'
    command = [checkpoint, str(shapes / 'images/val'), '--out-dir', str(out), '--device', 'cpu']
    predict.main([*command, '--score', '0.01'])
    found = json.loads((out / 'predictions.json').read_text())
    assert found['annotations'] and len(found['images']) == 4


def test_other_classes_start_anew_in_every_stage(trained, config, tmp_path, capsys):
    for split in ('train', 'val'):
        write_coco(tmp_path / 'data', split=split)
    content = json.loads((tmp_path / 'data/annotations/train.json').read_text())
    for entry in content['annotations']:
        left, top, width, height = entry['bbox']
        corners = left, top, left + width, top, left + width, top + height, left, top + height
        entry['segmentation'] = [list(corners)]
    for split in ('train', 'val'):
        (tmp_path / f'data/annotations/{split}.json').write_text(json.dumps(content))
    checkpoint = trained / 'epoch_1.pth'
    more = ('--epochs', '1', '--load-from', str(checkpoint))
    train.main([config, *options_of(tmp_path / 'data', tmp_path / 'run', *more)])
    # Two tensors of each stage's scores, and two of its masks; boxes are for all classes.
    assert 'all is taken but 12 tensors of layers for 6 classes' in ' '.join(
        capsys.readouterr().out.split()
    )
    after = read_checkpoint(tmp_path / 'run/epoch_1.pth').content['state_dict']
    for stage in STAGES:
        assert len(after[f'roi_head.bbox_head.{stage}.fc_cls.bias']) == 3
