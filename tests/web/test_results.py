"""Results that are kept and shown anew, of real models that nobody has trained."""

import io
import json
import threading
import zipfile

import numpy as np
import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import cv2
from PIL import Image

from rexdense.datasets.images.loading import ImageError
from rexdense.errors import CheckpointUnreadable, InvalidArgument, UnknownName
from rexdense.web.checkpoints import checkpoint_names, load_checkpoints, task_name
from rexdense.web.results import View, find, rows_of
from rexdense.web.uploads import Limits
from tests.untrained import CLASSES

KINDS = ('boxes', 'masks', 'labels', 'depth', 'class')
ALL = View(score=0.05)


@pytest.fixture(scope='module')
def predictors(untrained_models):
    loaded = load_checkpoints([untrained_models[kind] for kind in KINDS], 'cpu')
    return dict(zip(KINDS, loaded.values(), strict=True))


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Two images of one name in two folders."""
    random = np.random.default_rng(0)
    paths = []
    for _ in range(2):
        path = tmp_path_factory.mktemp('uploads') / 'a.png'
        Image.fromarray(random.integers(0, 256, (48, 64, 3), np.uint8)).save(path)
        paths.append(path)
    return paths


@pytest.fixture(scope='module')
def results(predictors, files):
    return {kind: find(predictors[kind], files, Limits()) for kind in KINDS}


def test_names_of_checkpoints(tmp_path):
    paths = [tmp_path / 'x/a/last.pth', tmp_path / 'y/a/last.pth', tmp_path / 'x/a/last.pth']
    assert list(checkpoint_names(paths)) == ['x/a/last.pth', 'y/a/last.pth']
    assert list(checkpoint_names(paths[:1])) == ['a/last.pth']


def test_tasks(predictors):
    tasks = [task_name(predictors[kind]) for kind in KINDS]
    assert tasks == ['Detection', 'Detection', 'Segmentation', 'Depth', 'Classification']


def test_a_checkpoint_without_a_config(tmp_path):
    torch = pytest.importorskip('torch')
    path = tmp_path / 'bare.pth'
    torch.save(dict(state_dict={'a': torch.zeros(2)}), path)
    with pytest.raises(CheckpointUnreadable, match=r'bare\.pth'):
        load_checkpoints([path], 'cpu')


@pytest.mark.parametrize('kind', KINDS)
def test_a_view_computes_nothing_anew(kind, predictors, results, monkeypatch):
    """The page's default is what the predictor draws; another opacity draws something else."""

    def fail(*_):
        raise AssertionError('a forward')

    monkeypatch.setattr(predictors[kind], '_samples', fail)
    plain = results[kind].prediction(0, View())
    assert np.array_equal(plain.draw(), results[kind].images[0].prediction.draw())
    if kind in ('masks', 'labels', 'depth'):
        views = (View(0.05, opacity=opacity) for opacity in (0.1, 0.9))
        faint, strong = (results[kind].prediction(0, view).draw() for view in views)
        assert faint.shape == strong.shape and not np.array_equal(faint, strong)
    titles, rows = rows_of(plain)
    assert all(len(row) == len(titles) for row in rows)


def test_a_score_leaves_out_objects(results):
    scores = results['boxes'].prediction(0, ALL).scores
    threshold = float(np.median(scores))
    shown = results['boxes'].prediction(0, View(score=threshold))
    assert 0 < len(shown) == (scores >= threshold).sum() < len(scores)
    assert len(shown.describe()['objects']) == len(rows_of(shown)[1]) == len(shown)


@pytest.mark.parametrize('kind', ['boxes', 'masks'])
def test_chosen_classes_of_a_detector(kind, results):
    whole = results[kind].prediction(0, ALL)
    chosen = results[kind].prediction(0, ALL._replace(classes=['b']))
    assert len(chosen) == whole.names.count('b') and set(chosen.names) <= {'b'}
    if kind == 'masks':
        assert np.array_equal(chosen.masks, whole.masks[whole.labels == 1])


def test_chosen_classes_of_a_label_map(results):
    """Pixels of other classes are grey, and those chosen as they were."""
    whole = results['labels'].prediction(0, View(opacity=0.5))
    present = CLASSES[int(whole.labels[0, 0])]
    none = results['labels'].prediction(0, View(opacity=0.0)).draw()
    chosen = results['labels'].prediction(0, View(classes=[present], opacity=0.5))
    assert set(chosen.shares) == {present}
    size = whole.labels.shape
    factor = 240 // size[1] + (240 % size[1] > 0)
    inside = np.kron(whole.labels == CLASSES.index(present), np.ones((factor, factor), bool))
    part = slice(0, size[0] * factor), slice(0, size[1] * factor)
    drawn = chosen.draw()[part]
    assert np.array_equal(drawn[inside], whole.draw()[part][inside])
    assert np.array_equal(drawn[~inside], none[part][~inside])


def test_chosen_classes_of_a_classifier(results):
    chosen = results['class'].prediction(0, View(classes=['c', 'a']))
    assert sorted(row[0] for row in rows_of(chosen)[1]) == ['a', 'c']


def test_settings_of_another_model_count_for_nothing(results):
    for kind in ('labels', 'depth', 'class'):
        results[kind].prediction(0, View(0.9, True, ['zebra'])).draw()


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(classes=['d']), UnknownName, "no class 'd': allowed are a, b, c"),
        (dict(opacity=1.5), InvalidArgument, 'opacity=1.5'),
        (dict(score=-1), InvalidArgument, 'score=-1'),
    ],
)
def test_settings_outside_what_is_allowed(settings, error, message, results):
    with pytest.raises(error, match=message):
        results['boxes'].images[0].prediction.showing(**settings)


def test_no_class_at_all(results):
    nothing = results['class'].images[0].prediction.showing(classes=[])
    assert str(nothing) == 'no class' and nothing.describe() == dict(label=None, scores=[])
    assert len(results['boxes'].images[0].prediction.showing(classes=[])) == 0
    assert results['labels'].images[0].prediction.showing(classes=[]).shares == {}


@pytest.mark.parametrize('kind', KINDS)
def test_the_zip(kind, results):
    """What rexdense predict writes, under the visitor's names."""
    with zipfile.ZipFile(io.BytesIO(results[kind].archive(ALL))) as archive:
        assert archive.testzip() is None
        content = {name: archive.read(name) for name in archive.namelist()}
    said = json.loads(content['predictions.json'])
    assert [image['image'] for image in said['images']] == ['a.png', 'a_2.png']
    assert {'a.png', 'a_2.png'} <= content.keys() == {'predictions.json', *said['files']}
    drawn = cv2.imdecode(np.frombuffer(content['a_2.png'], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(drawn, results[kind].prediction(1, ALL).draw())
    if kind == 'labels':
        labels = np.asarray(Image.open(io.BytesIO(content['labels/a_2.png'])))
        assert np.array_equal(labels, results[kind].prediction(1, ALL).labels)
        strides = list(results[kind].images[0].prediction.scales)
        assert strides and {f'scales/{stride}/a.png' for stride in strides} <= content.keys()


def test_damaged_images_and_videos_are_told_and_left_out(predictors, files, tmp_path):
    damaged, video = tmp_path / 'broken.png', tmp_path / 'clip.mp4'
    damaged.write_bytes(files[0].read_bytes()[:200])
    video.write_bytes(b'')
    found = find(predictors['class'], [damaged, files[0], video], Limits())
    assert [image.name for image in found.images] == ['a.png']
    assert found.left_out[0].startswith('image broken.png cannot be decoded')
    assert found.left_out[1].startswith('clip.mp4 is a video')
    assert str(tmp_path) not in ''.join(found.left_out)
    found = find(predictors['class'], files, Limits(images=1))
    assert len(found.images) == 1 and found.left_out[0].startswith('2 files are too many at once')


def test_an_image_that_has_gone(predictors, files, tmp_path):
    path = tmp_path / 'gone.png'
    path.write_bytes(files[0].read_bytes())
    found = find(predictors['class'], [path], Limits())
    path.unlink()
    with pytest.raises(ImageError, match=r'^gone\.png is no longer kept here: upload it again$'):
        found.prediction(0, View())


def test_two_people_at_once(predictors, files):
    """Each gets what he would get alone."""
    alone = [find(predictors['boxes'], [file], Limits()) for file in files]
    together = {}

    def visit(place):
        together[place] = find(predictors['boxes'], [files[place]] * 3, Limits())

    threads = [threading.Thread(target=visit, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place in (0, 1):
        expected = alone[place].prediction(0, ALL)
        for number in range(3):
            found = together[place].prediction(number, ALL)
            assert np.array_equal(found.labels, expected.labels)
            np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
