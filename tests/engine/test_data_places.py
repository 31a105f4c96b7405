"""Places that a run reads, of which none is written or deleted."""

import pytest

pytest.importorskip('mmengine')

import torch
from mmengine.config import Config

from rexdense.checkpoint import published
from rexdense.engine.data_places import DataPlaces, refuse_data_places
from rexdense.errors import InvalidArgument

RUN = '20230101_010101'


@pytest.fixture
def work_dir(tmp_path):
    """The folder of an earlier run."""
    folder = tmp_path / 'run'
    (folder / RUN / 'vis_data').mkdir(parents=True)
    (folder / RUN / f'{RUN}.log').write_text('log')
    for name in ('epoch_1.pth', f'{RUN}/vis_data/good.pth', f'{RUN}/mine.pth'):
        torch.save({'a': torch.ones(1)}, folder / name)
    (folder / 'last_checkpoint').write_text('/elsewhere/epoch_1.pth')
    return folder


def config(work_dir, **settings):
    return Config(dict(work_dir=str(work_dir), **settings))


def initial(checkpoint):
    init = dict(type='rexdense.Pretrained', checkpoint=checkpoint)
    return dict(model=dict(backbone=dict(init_cfg=[init])))


@pytest.mark.parametrize('settings', [lambda file: dict(load_from=file), initial])
@pytest.mark.parametrize('name', ['epoch_1.pth', '', f'{RUN}/vis_data/good.pth'])
def test_weights_to_start_from_are_not_deleted(work_dir, name, settings):
    """By their name, by that of a work directory, and beside the values of a run."""
    run = config(work_dir, **settings(str(work_dir / name)))
    with pytest.raises(InvalidArgument, match=r'is read.* by this command and would be replaced'):
        refuse_data_places(run, removes=True)


@pytest.mark.parametrize('name', [f'{RUN}/mine.pth', 'absent.pth'])
def test_files_that_stay_may_be_read(work_dir, name):
    refuse_data_places(config(work_dir, load_from=str(work_dir / name)), removes=True)


def test_published_weights_are_not_deleted(work_dir, monkeypatch):
    monkeypatch.setenv('REXDENSE_CACHE', str(work_dir))
    monkeypatch.setattr(published, '_file_name', lambda row: 'epoch_1.pth')
    run = config(work_dir, **initial('rexnet_1.0:clovaai'))
    with pytest.raises(InvalidArgument, match=r'is read.* by this command and would be replaced'):
        refuse_data_places(run, removes=True)


@pytest.mark.parametrize('images', [RUN, f'{RUN}/vis_data', f'{RUN}/vis_data/vis_image'])
def test_images_in_the_folder_of_a_run_are_not_deleted(work_dir, images):
    (work_dir / images).mkdir(exist_ok=True)
    (work_dir / images / 'a.png').write_bytes(b'')
    data = dict(data_root=str(work_dir), data_prefix=dict(img=images), ann_file='a/train.json')
    run = config(work_dir, train_dataloader=dict(dataset=dict(data)))
    with pytest.raises(InvalidArgument, match='among the data'):
        refuse_data_places(run, removes=True)


def test_a_config_in_the_folder_of_a_run_is_not_deleted(work_dir):
    file = work_dir / RUN / 'vis_data/config.py'
    file.write_text(f'work_dir = {str(work_dir)!r}')
    with pytest.raises(InvalidArgument, match=r'config\.py is read'):
        refuse_data_places(Config.fromfile(file), removes=True)


FOLDERS = dict(type='rexdense.ClassificationDataset', split='val')
INPUTS = {
    'classes.txt': FOLDERS,
    'mine.csv': dict(FOLDERS, class_ann_file='mine.csv'),
    'meta/classes.txt': dict(layout='food-101'),
    'meta/test.txt': dict(layout='food-101'),
    'images/waffles/1.jpg': dict(layout='food-101'),
    'devkit/cars_meta.mat': dict(layout='stanford-cars'),
    'cars_train/00001.jpg': dict(layout='stanford-cars'),
    'cars_test_annos_withlabels.mat': dict(layout='stanford-cars'),
    'data/variants.txt': dict(layout='fgvc-aircraft'),
    'data/images/1.jpg': dict(layout='fgvc-aircraft'),
    'imagelabels.mat': dict(layout='oxford-flowers'),
    'setid.mat': dict(layout='oxford-flowers'),
    'jpg/image_00001.jpg': dict(layout='oxford-flowers'),
}


@pytest.mark.parametrize('name', INPUTS)
def test_files_that_define_labels_are_not_replaced(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('data')
    section = dict(split='test', data_root=str(tmp_path)) | INPUTS[name]
    run = config(tmp_path / 'run', test_dataloader=dict(dataset=section))
    with pytest.raises(InvalidArgument, match=r'--out|is read'):
        DataPlaces.of(run).refuse([file], '--out')
    DataPlaces.of(run).refuse([tmp_path / 'predictions.json'], '--out')
