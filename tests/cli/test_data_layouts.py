"""Folders as exporters lay them out are trained on and measured under --data-root."""

import json
import shutil

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import test, train
from rexdense.engine.config.data_root import use_data_root
from rexdense.engine.config.load import load_config
from rexdense.registry import DATASETS
from tests.small_coco import write_coco
from tests.small_formats import write_voc
from tests.tiny_run import CONFIG, ROOT, run_arguments, train_arguments


def laid_out(shapes, target, annotations, images):
    """Copy a folder to where ``annotations`` and ``images`` say, by split."""
    for split in ('train', 'val'):
        file, folder = target / annotations[split], target / images[split]
        shutil.copytree(shapes / 'images' / split, folder, dirs_exist_ok=True)
        content = json.loads((shapes / f'annotations/{split}.json').read_text())
        for image in content['images']:
            image['file_name'] = image['file_name'].rpartition('/')[2]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    return target


LAYOUTS = {
    'Roboflow': (
        dict(train='train/_annotations.coco.json', val='valid/_annotations.coco.json'),
        dict(train='train', val='valid'),
    ),
    'COCO': (
        {
            'train': 'annotations/instances_train2017.json',
            'val': 'annotations/instances_val2017.json',
        },
        dict(train='train2017', val='val2017'),
    ),
}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_loaders_and_evaluators_read_what_was_found(shapes, tmp_path, capsys, layout):
    annotations, images = LAYOUTS[layout]
    root = laid_out(shapes, tmp_path / 'data', annotations, images)
    config = load_config(ROOT / CONFIG)
    options = train.parser().parse_args(train_arguments(root, tmp_path / 'run'))
    use_data_root(config, options, training=True)
    output = capsys.readouterr().out
    for split in ('train', 'val'):
        said = f'{split} is read from {annotations[split]}, its images from {images[split]}/.'
        assert output.count(said) == 1
        dataset = config[f'{split}_dataloader'].dataset
        assert (dataset.ann_file, dataset.data_prefix.img) == (
            annotations[split],
            f'{images[split]}/',
        )
    assert config.val_evaluator.ann_file == str(root / annotations['val'])


def samples(root, work_dir):
    """The samples that training reads from a folder, by the names of the images."""
    config = load_config(ROOT / CONFIG)
    use_data_root(config, train.parser().parse_args(train_arguments(root, work_dir)), training=True)
    section = config.train_dataloader.dataset
    dataset = DATASETS.build({**section, 'pipeline': [], 'filter_cfg': None})
    infos = [dataset.get_data_info(place) for place in range(len(dataset))]
    assert config.val_evaluator.ann_file.startswith(str(root))
    return {
        info['img_path'].rpartition('/')[2]: (info['height'], info['width'], info['instances'])
        for info in infos
    }


def test_voc_gives_the_samples_of_the_coco_file(tmp_path, capsys):
    write_coco(tmp_path / 'coco')
    write_coco(tmp_path / 'coco', split='val')
    found = samples(write_voc(tmp_path / 'voc'), tmp_path / 'run')
    said = 'train is read from ImageSets/Main/train.txt, its images from JPEGImages/.'
    assert said in capsys.readouterr().out
    assert found == samples(tmp_path / 'coco', tmp_path / 'run')
    assert len(found) == 3


@pytest.mark.slow
def test_training_on_voc(tmp_path, capsys):
    root = write_voc(tmp_path / 'voc')
    train.main(train_arguments(root, tmp_path / 'run'))
    checkpoint = str(tmp_path / 'run/epoch_1.pth')
    assert 'AP50' in capsys.readouterr().out
    test.main([str(ROOT / CONFIG), checkpoint, *run_arguments(root, tmp_path / 'measured')])
    assert 'AP50' in capsys.readouterr().out


@pytest.mark.slow
def test_training_and_measuring(trained, shapes, tmp_path, capsys):
    root = laid_out(shapes, tmp_path / 'data', *LAYOUTS['Roboflow'])
    train.main(train_arguments(root, tmp_path / 'run'))
    # The data are the same, so the metrics are.
    table = trained.output[trained.output.index('\nmetric ') : trained.output.index('checkpoint ')]
    assert table in capsys.readouterr().out
    checkpoint = str(tmp_path / 'run/epoch_1.pth')
    test.main([str(ROOT / CONFIG), checkpoint, *run_arguments(root, tmp_path / 'measured')])
    output = capsys.readouterr().out
    assert output.endswith(table)
    assert 'val is read from valid/_annotations.coco.json' in output
    assert 'train is read' not in output
