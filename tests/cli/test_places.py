"""Outputs of the programs never take the place of what they read, nor of one another."""

import json
import os
import shutil
import signal

import pytest

pytest.importorskip('mmseg')
pytest.importorskip('mmdet')

import cv2
import numpy as np
from PIL import Image

from rexdense.cli import predict, test, train
from rexdense.errors import InvalidArgument
from rexdense.inference import writing
from tests.folder_contents import contents
from tests.forked import Forked
from tests.small_coco import coco_content, write_coco
from tests.small_segmentation import HEIGHT, WIDTH, label_map, write_image, write_labels
from tests.tiny_run import (
    CONFIG,
    ROOT,
    SEGMENTATION_CONFIG,
    run_arguments,
    segmentation_arguments,
    train_arguments,
)


def measure(segmented, root, work_dir, *more):
    command = [str(ROOT / SEGMENTATION_CONFIG), str(segmented.checkpoint)]
    test.main([*command, *segmentation_arguments(root, work_dir, *more)])


def detect(trained, root, work_dir, *more):
    command = [str(ROOT / CONFIG), str(trained.checkpoint)]
    test.main([*command, *run_arguments(root, work_dir, *more)])


def show(trained, images, folder, *more):
    command = [str(trained.checkpoint), str(images), '--out-dir', str(folder)]
    predict.main([*command, '--device', 'cpu', *more])


def show_until_killed(trained, images, folder):
    """Predict, to be forked, until the first picture is to be written."""
    writing.write_picture = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    show(trained, images, folder)


@pytest.fixture
def data(label_maps, tmp_path):
    """A copy of the label maps that must stay as it is, with names for it."""
    root = shutil.copytree(label_maps, tmp_path / 'data')
    (tmp_path / 'link').symlink_to('data')
    for kind in ('images', 'labels'):
        (tmp_path / f'linked {kind}').symlink_to(root / kind / 'val')
        (tmp_path / f'hard {kind}').mkdir()
        os.link(root / kind / 'val/0.png', tmp_path / f'hard {kind}/0.png')
        (tmp_path / f'soft {kind}').mkdir()
        (tmp_path / f'soft {kind}/1.png').symlink_to(root / kind / 'val/1.png')
    before = contents(tmp_path)
    yield root
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before
    assert not [name for name in set(after) - set(before) if name.startswith('data/')]


PLACES = [
    *('data/images/val', 'data/labels/val', 'data/labels/train', 'data/images/train'),
    *('link/images/val', 'data/../link/labels/val', 'linked images', 'linked labels'),
    *('hard images', 'hard labels', 'soft images', 'soft labels'),
    *('data/images', 'data/labels/val/new', 'data/labels/test', 'data/depth'),
]
REFUSED = r'is read.* by this command|would lie among the data|leads out of|is the folder of the im'


class TestMeasuring:
    @pytest.mark.parametrize(
        ('option', 'place'),
        [
            *(('--out', place) for place in PLACES),
            # One of each row: both options are checked alike.
            *(('--show-dir', place) for place in PLACES[::4]),
        ],
    )
    def test_data_are_not_written_over(self, segmented, data, tmp_path, place, option):
        more = [option, str(tmp_path / place), '--overwrite']
        with pytest.raises(InvalidArgument, match=REFUSED) as told:
            measure(segmented, data, tmp_path / 'run', *more)
        assert '\n' not in str(told.value)

    def test_relative_names_of_the_data(self, segmented, data, tmp_path, monkeypatch):
        monkeypatch.chdir(data / 'images')
        for place in ('val', '../labels/val', '.'):
            with pytest.raises(InvalidArgument, match=REFUSED):
                measure(segmented, data, tmp_path / 'run', '--out', place, '--overwrite')

    @pytest.mark.parametrize('place', ['data/labels/val', 'data/images', 'linked images'])
    def test_the_log_does_not_go_among_the_data(self, segmented, data, tmp_path, place):
        with pytest.raises(InvalidArgument, match=r'--work-dir: .* among the data'):
            measure(segmented, data, tmp_path / place)

    def test_maps_and_pictures_in_one_folder(self, segmented, data, tmp_path):
        more = ['--out', str(tmp_path / 'both'), '--show-dir', str(tmp_path / 'link/../both')]
        with pytest.raises(InvalidArgument, match='would have files of the same names'):
            measure(segmented, data, tmp_path / 'run', *more)

    @pytest.mark.slow
    def test_results_are_written_and_written_again(self, segmented, label_maps, tmp_path):
        """Images that differ in their endings, or bear the name of another result."""
        root = shutil.copytree(label_maps, tmp_path / 'data')
        for split, name in (('val', '0.jpg'), ('val', 'confusion_matrix.png'), ('val', 'x/0.png')):
            write_image(root / f'images/{split}/{name}', label_map(0))
            write_labels(root / f'labels/{split}/{name.replace("jpg", "png")}', label_map(0))
        maps, pictures = root / 'results/maps', root / 'results/pictures'
        more = ['--out', str(maps), '--show-dir', str(pictures)]
        measure(segmented, root, tmp_path / 'run', *more)
        names = [str(path.relative_to(maps)) for path in sorted(maps.rglob('*.*'))]
        assert names == ['0.jpg.png', '0.png.png', '1.png', 'confusion_matrix.png', 'x/0.png']
        drawn = {str(path.relative_to(pictures)) for path in pictures.rglob('*.*')}
        results = {'confusion_matrix.csv', 'confusion_matrix.png'}
        (other,) = drawn - {'0.jpg', '0.png', '1.png', 'x/0.png'} - results
        assert other.startswith('confusion_matrix~') and len(drawn) == 7
        before = contents(maps)
        measure(segmented, root, tmp_path / 'run', *more, '--overwrite')
        assert contents(maps) == before

    def test_a_config_is_not_written_over(self, segmented, label_maps, tmp_path):
        """mmengine copies the config into the work directory, under its name."""
        path = tmp_path / 'configs/mine.py'
        path.parent.mkdir()
        path.write_text(f'_base_ = [{str(ROOT / SEGMENTATION_CONFIG)!r}]\n')
        text = path.read_text()
        options = segmentation_arguments(label_maps, path.parent)
        # It does not where it measures.
        test.main([str(path), str(segmented.checkpoint), *options])
        assert path.read_text() == text
        for more in ([], ['--overwrite']):
            with pytest.raises(InvalidArgument, match=r'mine\.py is read by this command'):
                train.main([str(path), *options, *more])
        assert path.read_text() == text


def coco_of(root, names, split='val'):
    """A COCO folder whose images have these names, drawn where the names lead."""
    content = coco_content()
    for image, name in zip(content['images'], names, strict=True):
        image['file_name'] = name
    write_coco(root, content, split)


class TestDetections:
    @pytest.mark.slow
    def test_images_beside_their_folder(self, trained, tmp_path):
        root, pictures = tmp_path / 'data', tmp_path / 'out/pictures'
        names = ['../b.jpg', str(tmp_path / 'p/x.jpg'), str(tmp_path / 'q/x.jpg')]
        coco_of(root, names)
        (pictures.parent).mkdir()
        (pictures.parent / 'b.jpg').write_bytes(b'mine')
        before = contents(tmp_path)
        more = ['--show-dir', str(pictures), '--classes', 'cat', 'dog']
        more += ['--cfg-options', 'model.roi_head.bbox_head.num_classes=6']
        detector_of_two_classes(trained, tmp_path / 'two.pth')
        command = [str(ROOT / CONFIG), str(tmp_path / 'two.pth')]
        before = contents(tmp_path)
        test.main([*command, *run_arguments(root, tmp_path / 'run', *more[:2])])
        drawn = sorted(str(path.relative_to(pictures)) for path in pictures.rglob('*.jpg'))
        assert drawn == ['data/b.jpg', 'p/x.jpg', 'q/x.jpg']
        after = contents(tmp_path)
        assert {name: after[name] for name in before} == before

    @pytest.mark.parametrize('place', ['annotations/val.json', 'annotations/train.json'])
    @pytest.mark.slow
    def test_annotations_are_not_written_over(self, trained, shapes, tmp_path, place):
        root = shutil.copytree(shapes, tmp_path / 'data')
        (tmp_path / 'link.json').symlink_to(root / place)
        os.link(root / place, tmp_path / 'hard.json')
        (root / 'annotations/other.json').write_text('[]')
        before = contents(root)
        for out in (root / place, tmp_path / 'link.json', tmp_path / 'hard.json'):
            with pytest.raises(InvalidArgument, match=r'is read.* by this command|holds data'):
                detect(trained, root, tmp_path / 'run', '--out', str(out), '--overwrite')
        out = str(root / 'annotations/other.json')
        with pytest.raises(InvalidArgument, match=r'would be replaced, and .*annotations holds'):
            detect(trained, root, tmp_path / 'run', '--out', out, '--overwrite')
        assert contents(root) == before

    def test_checkpoint_and_config_are_not_written_over(self, trained, shapes, tmp_path):
        checkpoint = shutil.copy(trained.checkpoint, tmp_path / 'a.pth')
        config = tmp_path / 'mine.py'
        config.write_text(f'_base_ = [{str(ROOT / CONFIG)!r}]\n')
        before = contents(tmp_path)
        for out in (checkpoint, config):
            options = run_arguments(shapes, tmp_path / 'run', '--out', str(out), '--overwrite')
            with pytest.raises(InvalidArgument, match='is read by this command'):
                test.main([str(config), str(checkpoint), *options])
        assert contents(tmp_path) == before


def detector_of_two_classes(trained, path):
    """The checkpoint of six classes with the heads of two, for the folders of cats and dogs."""
    import torch

    content = torch.load(trained.checkpoint, weights_only=False)
    for key, rows in (('fc_cls', 3), ('fc_reg', 8)):
        for kind in ('weight', 'bias'):
            name = f'roi_head.bbox_head.{key}.{kind}'
            content['state_dict'][name] = content['state_dict'][name][:rows].clone()
    content['meta']['dataset_meta']['classes'] = ('cat', 'dog')
    torch.save(content, path)


class TestTraining:
    @pytest.mark.parametrize('place', ['images', 'images/train', 'labels/val', 'depth/new'])
    @pytest.mark.parametrize('more', [[], ['--overwrite']])
    def test_results_do_not_go_among_the_data(self, data, tmp_path, place, more):
        config = str(ROOT / SEGMENTATION_CONFIG)
        with pytest.raises(InvalidArgument, match=r'--work-dir: .* among the data'):
            train.main([config, *segmentation_arguments(data, data / place, *more)])

    @pytest.mark.parametrize('how', ['--load-from', 'init_cfg', 'link'])
    def test_overwrite_does_not_delete_what_is_loaded(self, trained, shapes, tmp_path, how):
        run = tmp_path / 'run'
        run.mkdir()
        checkpoint = shutil.copy(trained.checkpoint, run / 'epoch_1.pth')
        read = str(checkpoint)
        if how == 'link':
            read = str(tmp_path / 'link.pth')
            (tmp_path / 'link.pth').symlink_to(checkpoint)
        more, settings = ['--load-from', read], ()
        if how == 'init_cfg':
            more = []
            settings = (
                'model.backbone.init_cfg.type=rexdense.Pretrained',
                f'model.backbone.init_cfg.checkpoint={read}',
            )
        before = contents(tmp_path)
        with pytest.raises(InvalidArgument, match=r'is read.* by this command|holds data'):
            train.main(train_arguments(shapes, run, '--overwrite', *more, settings=settings))
        assert contents(tmp_path) == before

    @pytest.mark.slow
    def test_overwrite_deletes_what_runs_have_saved_alone(self, trained, shapes, tmp_path):
        run = tmp_path / 'run'
        run.mkdir()
        for name in ('epoch_9.pth', 'iter_40.pth', 'best_coco_bbox_mAP_epoch_7.pth', 'mine.pth'):
            (run / name).write_bytes(b'old')
        train.main(train_arguments(shapes, run, '--overwrite'))
        kept = ['best_coco_bbox_mAP_epoch_1.pth', 'epoch_1.pth', 'mine.pth']
        assert sorted(path.name for path in run.glob('*.pth')) == kept
        assert (run / 'mine.pth').read_bytes() == b'old'


class TestPredicting:
    @pytest.mark.parametrize('place', PLACES[:-4])
    def test_data_are_not_written_over(self, segmented, data, tmp_path, place):
        with pytest.raises(InvalidArgument, match=f'{REFUSED}|was not written by an earlier run'):
            show(segmented, data / 'images/val', tmp_path / place, '--overwrite')

    @pytest.mark.slow
    def test_labels_beside_the_images(self, segmented, label_maps, tmp_path):
        """Without folders of splits, the label maps are where predictions go."""
        for kind in ('images', 'labels'):
            shutil.copytree(label_maps / kind / 'val', tmp_path / 'set' / kind)
        shutil.copytree(label_maps / 'labels/val', tmp_path / 'set/masks')
        before = contents(tmp_path)
        for place in ('set', 'set/masks', 'set/labels', 'set/images/..'):
            with pytest.raises(InvalidArgument, match='was not written by an earlier run'):
                show(segmented, tmp_path / 'set/images', tmp_path / place, '--overwrite')
        assert contents(tmp_path) == before

    def test_a_checkpoint_is_not_written_over(self, segmented, label_maps, tmp_path):
        (tmp_path / 'out').mkdir()
        checkpoint = shutil.copy(segmented.checkpoint, tmp_path / 'out/predictions.json')
        before = contents(tmp_path)
        command = [str(checkpoint), str(label_maps / 'images/val'), '--out-dir']
        with pytest.raises(InvalidArgument, match='is read by this command'):
            predict.main([*command, str(tmp_path / 'out'), '--device', 'cpu', '--overwrite'])
        assert contents(tmp_path) == before

    @pytest.mark.slow
    def test_results_of_an_earlier_run_may_be_replaced(self, segmented, label_maps, tmp_path):
        images, out = label_maps / 'images/val', tmp_path / 'out'
        show(segmented, images, out)
        files = contents(out)
        named = json.loads(files['predictions.json'])
        assert named['files'] == sorted(set(files) - {'predictions.json'})
        assert [entry['picture'] for entry in named['images']] == ['0.png', '1.png']
        # Those of a part, of another set, and of all again.
        show(segmented, images / '0.png', out, '--overwrite')
        assert set(contents(out)) == set(files)
        show(segmented, images, out, '--overwrite')
        assert contents(out) == files
        (out / 'mine.png').write_bytes(b'mine')
        shutil.copy(images / '0.png', tmp_path / 'mine.png')
        with pytest.raises(InvalidArgument, match=r'mine\.png was not written by an earlier run'):
            show(segmented, tmp_path / 'mine.png', out, '--overwrite')
        assert (out / 'mine.png').read_bytes() == b'mine'

    @pytest.mark.slow
    def test_pictures_of_an_interrupted_run_may_be_replaced(self, segmented, label_maps, tmp_path):
        images, out = label_maps / 'images/val', tmp_path / 'out'
        killed = Forked(show_until_killed, segmented, images, out)
        assert killed.wait() == -signal.SIGKILL
        (out / '0.png').write_bytes(b'half')
        show(segmented, images, out, '--overwrite')
        assert cv2.imread(str(out / '0.png')) is not None

    def test_names_that_differ_by_case_or_ending(self, segmented, tmp_path):
        folder, out = tmp_path / 'images', tmp_path / 'out'
        for name in ('a.png', 'A.png', 'a.jpg', 'a.png.png'):
            write_image(folder / name, label_map(0))
        show(segmented, folder, out, '--scales', '1')
        named = json.loads((out / 'predictions.json').read_text())
        for key in ('picture', 'file'):
            names = [entry[key] for entry in named['images']]
            assert len({name.lower() for name in names}) == 4
            assert all((out / name).is_file() for name in names)
        assert len(list((out / 'scales/1').iterdir())) == 4


def drawn_like(picture, size):
    """Whether a picture is as large as its image, or enlarged alike, as small ones are."""
    (height, width), (image_height, image_width) = picture.shape[:2], size
    return (height, width) == size or (
        height * width >= image_height * image_width
        and abs(height * image_width - width * image_height) <= max(image_height, image_width)
    )


class TestThinImages:
    SIZES = {'long': (2, 3000), 'tall': (3000, 2), 'dot': (1, 1), 'line': (1, 640), 'col': (480, 1)}

    @pytest.fixture
    def images(self, tmp_path):
        random = np.random.default_rng(0)
        for name, size in self.SIZES.items():
            path = tmp_path / f'thin/{name}.png'
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(path)
        return tmp_path / 'thin'

    def test_detectors(self, trained, images, tmp_path):
        show(trained, images, tmp_path / 'out', '--score', '0.01')
        for name, size in self.SIZES.items():
            assert drawn_like(cv2.imread(str(tmp_path / f'out/{name}.png')), size)

    def test_segmentors(self, segmented, images, tmp_path):
        show(segmented, images, tmp_path / 'out', '--scales', 'all')
        for name, size in self.SIZES.items():
            labels = cv2.imread(str(tmp_path / f'out/labels/{name}.png'), cv2.IMREAD_UNCHANGED)
            assert labels.shape[:2] == size
            assert (tmp_path / f'out/scales/{name}.png').is_file()

    def test_a_set_of_label_maps(self, segmented, label_maps, images, tmp_path):
        root = shutil.copytree(label_maps, tmp_path / 'data')
        for name, size in self.SIZES.items():
            shutil.copy(images / f'{name}.png', root / f'images/val/{name}.png')
            write_labels(root / f'labels/val/{name}.png', np.ones(size, np.uint8))
        maps, pictures = tmp_path / 'maps', tmp_path / 'pictures'
        more = ['--out', str(maps), '--show-dir', str(pictures)]
        # mmseg measures images of several sizes one by one alone.
        measure(segmented, root, tmp_path / 'run', *more, '--batch-size', '1')
        for name, size in {**self.SIZES, '0': (HEIGHT, WIDTH)}.items():
            labels = cv2.imread(str(maps / f'{name}.png'), cv2.IMREAD_UNCHANGED)
            assert labels.shape[:2] == size
            assert (pictures / f'{name}.png').is_file()

    @pytest.mark.slow
    def test_a_set_in_coco_form(self, trained, shapes, images, tmp_path):
        root = shutil.copytree(shapes, tmp_path / 'data')
        content = json.loads((root / 'annotations/val.json').read_text())
        for number, (name, (height, width)) in enumerate(self.SIZES.items()):
            shutil.copy(images / f'{name}.png', root / f'images/val/{name}.png')
            entry = {'id': 900 + number, 'file_name': f'val/{name}.png'}
            content['images'].append({**entry, 'height': height, 'width': width})
            box = {'bbox': [0, 0, width, height], 'area': width * height, 'iscrowd': 0}
            content['annotations'].append(
                {'id': 9000 + number, 'image_id': 900 + number, 'category_id': 1, **box}
            )
        (root / 'annotations/val.json').write_text(json.dumps(content))
        detect(trained, root, tmp_path / 'run', '--show-dir', str(tmp_path / 'pictures'))
        for name, size in self.SIZES.items():
            assert drawn_like(cv2.imread(str(tmp_path / f'pictures/val/{name}.png')), size)
        # Validated after training, and drawn on its sheet.
        train.main(train_arguments(root, tmp_path / 'trained'))
        assert max(cv2.imread(str(tmp_path / 'trained/predictions.png')).shape) < 20_000
