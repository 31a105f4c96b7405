"""Trained models as functions of images; the models here are untrained, and all the same real."""

import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import cv2
import torch
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from PIL import Image

import rexdense
from rexdense.datasets.images.files import UnreadableImage
from rexdense.datasets.images.videos import Video, VideoError
from rexdense.engine.trained.model import load_trained_model
from rexdense.errors import DataError, InvalidArgument
from rexdense.inference import DepthMap, Detections, ImageClass, LabelMap, Predictor
from tests.mmengine_log import mmengine_messages
from tests.small_videos import RATE, cut, write_frames
from tests.untrained import CLASSES, MODELS_OF_EACH_KIND, write_untrained

KINDS = dict(
    boxes=Detections, masks=Detections, labels=LabelMap, depth=DepthMap, **{'class': ImageClass}
)
DETECTORS = ('boxes', 'masks')


@pytest.fixture(scope='module')
def predictor(untrained_models):
    """A function that makes a predictor, a default one of each kind once."""
    made = {}

    def make(kind, **settings):
        if kind in DETECTORS:
            settings = {'score': 0.0, **settings}
        key = kind, *sorted(settings.items())
        if key not in made:
            made[key] = Predictor(untrained_models[kind], 'cpu', **settings)
        return made[key]

    return make


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """A folder of images, two of which have one size."""
    folder = tmp_path_factory.mktemp('images')
    random = np.random.default_rng(0)
    for name, size in (('0', (48, 64)), ('1', (48, 64)), ('2', (64, 40)), ('3', (48, 64))):
        pixels = random.integers(0, 256, (*size, 3), np.uint8)
        pixels[10:30, 10:30] = 250, 20, 20
        Image.fromarray(pixels).save(folder / f'{name}.png')
    return folder


def rgb(path):
    return np.asarray(Image.open(path).convert('RGB'))


def content(prediction):
    """All numbers of a prediction."""
    if isinstance(prediction, Detections):
        parts = [prediction.boxes, prediction.scores, prediction.labels]
        return parts + ([] if prediction.masks is None else [prediction.masks])
    if isinstance(prediction, ImageClass):
        return [prediction.scores]
    return [prediction.labels if isinstance(prediction, LabelMap) else prediction.depth]


def require_equal(first, second, tolerance=0.0):
    for one, other in zip(first, second, strict=True):
        for left, right in zip(content(one), content(other), strict=True):
            assert left.shape == right.shape
            assert np.abs(left.astype(float) - right.astype(float)).max(initial=0) <= tolerance


@pytest.mark.parametrize('kind', KINDS)
def test_the_model_s_own_predictions(untrained_models, predictor, images, kind):
    """What the model of the checkpoint says of each file through its own pipeline."""
    trained = load_trained_model(untrained_models[kind], 'cpu', optimized=True)
    paths = sorted(images.iterdir())
    found = predictor(kind)(images)
    assert [type(each) for each in found] == [KINDS[kind]] * 4
    assert [each.path for each in found] == paths
    assert found[0].classes == CLASSES if kind != 'depth' else True
    for path, prediction in zip(paths, found, strict=True):
        packed = trained.pipeline(dict(img_path=str(path), img_id=0))
        with torch.no_grad():
            (sample,) = trained.model.test_step(
                dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
            )
        height, width = rgb(path).shape[:2]
        if kind in DETECTORS:
            assert np.array_equal(prediction.boxes, sample.pred_instances.bboxes.numpy())
            assert np.array_equal(prediction.scores, sample.pred_instances.scores.numpy())
            assert len(prediction) == len(prediction.names) > 0
            assert prediction.boxes.min() >= 0 and (prediction.boxes[:, 2] <= width).all()
            if kind == 'masks':
                assert prediction.masks.shape == (len(prediction), height, width)
                assert prediction.masks.dtype == bool
        elif kind == 'labels':
            assert np.array_equal(prediction.labels, sample.pred_sem_seg.data[0].numpy())
            assert 'seg_logits' not in prediction.sample
        elif kind == 'depth':
            assert prediction.depth.dtype == np.float32 and prediction.depth.shape == (
                height,
                width,
            )
            assert np.array_equal(prediction.depth, sample.pred_depth_map.data[0].numpy())
        else:
            assert np.array_equal(prediction.scores, sample.scores.numpy())
            assert prediction.name == CLASSES[prediction.label] == prediction.likeliest(1)[0][0]
        assert prediction.draw().ndim == 3 and prediction.describe()
        assert np.array_equal(prediction.image, rgb(path))


@pytest.mark.parametrize('kind', KINDS)
def test_arrays_batches_and_lists(predictor, images, kind):
    paths = sorted(images.iterdir())
    expected = predictor(kind)(images)
    arrays = [rgb(path) for path in paths]
    before = [array.copy() for array in arrays]
    given = predictor(kind)([arrays[0], paths[1], str(paths[2]), arrays[3]])
    require_equal(given, expected)
    assert [each.path for each in given] == [None, paths[1], paths[2], None]
    assert np.array_equal(given[0].image, arrays[0])
    assert np.array_equal(given[0].draw(), expected[0].draw())
    (alone,) = predictor(kind)(arrays[0])
    require_equal([alone], expected[:1])
    # A batch has images of one size alone, so that nothing depends on the others.
    batched = predictor(kind, batch_size=3)(arrays)
    require_equal(batched, expected, tolerance=2e-3)
    assert all(np.array_equal(*pair) for pair in zip(arrays, before, strict=True))


def test_the_order_of_channels_and_other_arrays(predictor, images):
    path = min(images.iterdir())
    array, expected = rgb(path), predictor('depth')(path)
    bgr = predictor('depth', channels='bgr')
    require_equal(bgr(cv2.imread(str(path))), expected)
    require_equal(bgr(array[..., ::-1]), expected)
    assert not np.array_equal(bgr(array)[0].depth, expected[0].depth)
    assert np.array_equal(bgr(cv2.imread(str(path)))[0].image, array)
    deep = array.astype(np.uint16) * 257
    alpha = np.dstack([array, np.full(array.shape[:2], 255, np.uint8)])
    require_equal(predictor('depth')([deep, alpha]), expected * 2)
    buffer = cv2.imread(str(path))
    (kept,) = bgr(buffer)
    buffer[:] = 0
    assert np.array_equal(kept.image, array)
    grey = array[..., 0]
    require_equal(
        predictor('depth')([grey, grey[..., None]]),
        predictor('depth')([np.dstack([grey] * 3)] * 2),
    )


@pytest.mark.parametrize('mode', ['RGB', 'L', 'P', '1', 'LA', 'RGBA', 'I;16', 'turned'])
def test_images_of_pillow(predictor, images, tmp_path, mode):
    image, path = Image.open(min(images.iterdir())).convert('RGB'), tmp_path / 'a.png'
    exif = Image.Exif()
    if mode == 'turned':
        exif[0x0112] = 6
    elif mode == 'I;16':
        image = Image.fromarray(np.asarray(image.convert('L')).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    image.save(path, exif=exif)
    expected = predictor('depth')(path)
    # Files that are opened are read when they are needed.
    found = predictor('depth', channels='bgr')([Image.open(path), Image.open(path)])
    require_equal(found, expected * 2)
    assert np.array_equal(found[0].image, expected[0].image)
    require_equal(predictor('depth')(Image.open(path)), expected)


def test_images_of_pillow_that_cannot_be_used(predictor, images, tmp_path):
    damaged = tmp_path / 'a.png'
    damaged.write_bytes(min(images.iterdir()).read_bytes()[:2000])
    wrong = [Image.open(damaged), Image.new('F', (9, 9)), Image.new('I', (9, 9), -1)]
    told = []
    assert len(predictor('class')([*wrong, Image.new('I', (40, 40), 9)], told.append)) == 1
    assert 'image 0 cannot be decoded: ' in str(told[0])
    for error, mode in zip(told[1:], 'FI', strict=True):
        assert f'has other values than those of 8 or 16 bits (mode {mode})' in str(error)


def test_pictures_of_arrays_that_use_a_part_of_their_16_bits(predictor, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4096, (40, 50, 3), np.uint16)
    assert cv2.imwrite(str(tmp_path / 'a.png'), pixels[..., ::-1])
    (found,), (of_file,) = predictor('class')(pixels), predictor('class')(tmp_path / 'a.png')
    require_equal([found], [of_file])
    assert np.array_equal(found.image, of_file.image) and found.image.max() > 250


@pytest.mark.parametrize('kind', ['labels', 'depth'])
def test_every_output_of_a_model_with_several(predictor, images, kind):
    path = min(images.iterdir())
    (found,) = predictor(kind, scales='all')(path)
    assert sorted(found.scales) == [1, 2, 4, 8, 16, 32]
    require_equal([found.scales[1]], [found])
    require_equal([found], predictor(kind)(path))
    assert any(
        not np.array_equal(content(each)[0], content(found)[0]) for each in found.scales.values()
    )
    assert found.draw_scales().ndim == 3
    (some,) = predictor(kind, scales=(4, 16))(rgb(path))
    assert list(some.scales) == [4, 16]
    require_equal(some.scales.values(), [found.scales[4], found.scales[16]])
    with pytest.raises(InvalidArgument, match=r"no scales to draw: .* scales='all'"):
        predictor(kind)(path)[0].draw_scales()


@pytest.mark.parametrize('kind', DETECTORS)
def test_detections_for_other_programs(untrained_models, predictor, images, kind):
    (found,) = predictor(kind)(min(images.iterdir()))
    annotations = found.to_coco(image_id=7, first_id=20)
    assert [each['id'] for each in annotations] == list(range(20, 20 + len(found)))
    assert {each['image_id'] for each in annotations} == {7}
    assert [each['category_id'] for each in annotations] == (found.labels + 1).tolist()
    boxes = np.array([each['bbox'] for each in annotations])
    boxes[:, 2:] += boxes[:, :2]
    assert np.abs(boxes - found.boxes).max() < 0.011
    assert all(('segmentation' in each) == (kind == 'masks') for each in annotations)
    middle = float(np.sort(found.scores)[len(found) // 2])
    some = Predictor(untrained_models[kind], 'cpu', score=middle)(found.path)[0]
    assert len(some) == (found.scores >= middle).sum() < len(found)
    single = Predictor(untrained_models[kind], 'cpu', score=0, one_per_object=True)(found.path)[0]
    assert np.array_equal(single.boxes, found.objects.one_per_object().boxes)
    assert len(single) < len(found)
    assert np.array_equal(found.draw(one_per_object=True), single.draw())


@pytest.mark.parametrize('settings', [{}, dict(flip_test=True)])
def test_an_image_with_as_many_objects_as_are_kept_is_told_of_once(
    untrained_models, predictor, images, caplog, settings
):
    path = min(images.iterdir())
    few = Predictor(untrained_models['boxes'], 'cpu', score=0, max_objects=5, **settings)
    with mmengine_messages(caplog) as messages:
        found = few([path, path])
    assert [len(each) for each in found] == [5, 5]
    assert [message for message in messages if 'objects' in message] == [
        f'{path}: 5 objects were found, as many as the model keeps of an image, and there may be '
        'more: give a larger max_objects (--max-objects)'
    ]
    if not settings:
        (usual,) = predictor('boxes')(path)
        assert np.array_equal(found[0].scores, usual.scores[:5])
        assert len(usual) == 50
        more = Predictor(untrained_models['boxes'], 'cpu', score=0, max_objects=1000)
        with mmengine_messages(caplog) as messages:
            (found,) = more(path)
        assert 50 < len(found) < 1000 and messages == []


def test_masks_are_computed_of_what_is_kept_alone(untrained_models, predictor, images):
    path = min(images.iterdir())
    (every,) = predictor('masks')(path)
    middle = float(np.sort(every.scores)[len(every) // 2])
    some = Predictor(untrained_models['masks'], 'cpu', score=middle)
    before, computed = some._model.roi_head.test_cfg.score_thr, []
    some._model.roi_head.mask_head.register_forward_hook(
        lambda head, given, made: computed.append(len(made))
    )
    (found,) = some(path)
    kept = every.scores >= middle
    assert computed == [len(found)] == [kept.sum()] and not kept.all()
    assert np.array_equal(found.scores, every.scores[kept])
    # Other sums of a convolution of fewer masks at once.
    assert (found.masks != every.masks[kept]).mean() < 1e-3
    assert some._model.roi_head.test_cfg.score_thr == before


def test_objects_stay_whose_scores_their_masks_raise(images, tmp_path):
    head = dict(type='mmdet.MaskIoUHead', num_classes=3, in_channels=32, conv_out_channels=8)
    head |= dict(fc_out_channels=8, num_convs=1, num_fcs=1)
    settings = [
        "model.roi_head.type='mmdet.MaskScoringRoIHead'",
        f'model.roi_head.mask_iou_head={head!r}',
        'model.train_cfg.rcnn.mask_thr_binary=0.5',
    ]
    config, narrow = MODELS_OF_EACH_KIND['masks']
    path = write_untrained(tmp_path / 'scoring.pth', config, [*narrow, *settings])
    content = torch.load(path)
    # Mask IoUs are no probabilities: those of a trained head pass 1, too.
    content['state_dict']['roi_head.mask_iou_head.fc_mask_iou.bias'].fill_(1.5)
    torch.save(content, path)
    image = min(images.iterdir())
    (every,) = Predictor(path, 'cpu', score=0)(image)
    middle = float(np.sort(every.scores)[len(every) // 2])
    (found,) = Predictor(path, 'cpu', score=middle)(image)
    assert len(found) == (every.scores >= middle).sum() < len(every)
    assert np.array_equal(found.scores, every.scores[every.scores >= middle])


def test_detections_of_supervision(predictor, images):
    (found,) = predictor('masks')(min(images.iterdir()))
    try:
        import supervision
    except ImportError:
        with pytest.raises(
            rexdense.RexdenseError, match='to_supervision: the package supervision is not installed'
        ):
            found.to_supervision()
        return
    given = found.to_supervision()
    assert isinstance(given, supervision.Detections)
    assert np.array_equal(given.xyxy, found.boxes) and np.array_equal(given.mask, found.masks)
    assert np.array_equal(given.confidence, found.scores)
    assert given.data['class_name'].tolist() == found.names
    nothing = predictor('masks', score=1.0)(found.path)[0].to_supervision()
    assert len(nothing) == 0


def test_saving_a_picture(predictor, images, tmp_path):
    (found,) = predictor('class')(min(images.iterdir()))
    path = found.save(tmp_path / 'a.png')
    assert np.array_equal(cv2.imread(str(path))[..., ::-1], found.draw())
    with pytest.raises(InvalidArgument, match=r'a\.png exists'):
        found.save(path)


def test_images_that_cannot_be_used(predictor, images, tmp_path):
    bad = tmp_path / 'bad.png'
    bad.write_text('no image')
    path, told = min(images.iterdir()), []
    given = [path, bad, tmp_path / 'missing.png', rgb(path)]
    found = predictor('class')(given, on_error=told.append)
    require_equal(found, predictor('class')([path, path]))
    assert [type(error) for error in told] == [UnreadableImage] * 2
    assert 'bad.png cannot be decoded' in str(told[0]) and 'missing.png cannot be read' in str(
        told[1]
    )
    with pytest.raises(UnreadableImage, match=r'bad\.png cannot be decoded'):
        predictor('class')(given)
    # What comes before is there, even in an unfinished batch.
    stream = predictor('class', batch_size=3).stream([path, bad])
    assert next(stream).path == path
    with pytest.raises(UnreadableImage):
        next(stream)


def test_a_stream_takes_images_when_it_needs_them(predictor, images):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield min(images.iterdir())

    stream = predictor('class', batch_size=2).stream(endless())
    for _ in range(3):
        next(stream)
    assert len(taken) == 4


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (np.zeros((3, 40, 50), np.uint8), r'array 0 has shape \(3, 40, 50\)'),
        (np.zeros((40, 50, 3), np.float32), 'and float32 values: give'),
        (np.zeros((0, 50, 3), np.uint8), 'of uint8 or uint16'),
        (np.zeros((2, 40, 50, 3), np.uint8), r'shape \(2, 40, 50, 3\)'),
        (
            [np.zeros((4, 5, 3), np.uint8), None],
            'image 1 is a NoneType: give a path, an image',
        ),
        (torch.zeros(40, 50, 3), 'image 0 is a Tensor'),
        (b'GIF89a', 'image 0 is a bytes: give a path, an image of PIL, or an array'),
        ('clip.mp4', r'clip\.mp4 is a video, .* stream\(video\), or use write_video'),
        ([Path('clip.MOV')], r'clip\.MOV is a video'),
        (7, 'image 0 is a int'),
    ],
)
def test_other_values_than_images_are_refused(predictor, given, expected):
    with pytest.raises(InvalidArgument, match=expected):
        predictor('class')(given)


def test_a_folder_without_images(predictor, tmp_path):
    with pytest.raises(DataError, match=r'no image in .*\.webp$'):
        predictor('class')([tmp_path])
    write_frames(tmp_path / 'a.avi', 1)
    with pytest.raises(DataError, match=r'no image in .*; give its videos one by one'):
        predictor('class')(tmp_path)
    for name in ('a.HEIC', 'b.gif', 'notes.txt', '._c.gif'):
        (tmp_path / name).write_bytes(b'')
    with pytest.raises(DataError, match=r'no image in .*; 2 images are not read \(1 \.\w+, 1'):
        predictor('class')(tmp_path)


def test_images_of_a_folder_that_are_of_kinds_that_are_not_read(predictor, tmp_path, caplog):
    Image.new('RGB', (40, 40)).save(tmp_path / 'a.png')
    (tmp_path / 'b.heic').write_bytes(b'')
    with mmengine_messages(caplog) as messages:
        assert len(predictor('class')(tmp_path)) == 1
    assert messages == [f'{tmp_path}: 1 image is not read (1 .heic): save it as .jpg or .png']


@pytest.mark.parametrize('kind', [kind for kind in KINDS if kind != 'class'])
def test_a_flip_test_of_a_mirrored_image_is_mirrored(predictor, images, kind):
    image = rgb(images / '0.png')
    turned = np.ascontiguousarray(image[:, ::-1])
    (plain,) = predictor(kind)(image)
    first, second = predictor(kind, flip_test=True)([image, turned])
    assert any(
        one.shape != other.shape or not np.allclose(one, other)
        for one, other in zip(content(plain), content(first), strict=True)
    )
    if kind not in DETECTORS:
        (one,), (other,) = content(first), content(second)
        assert np.allclose(one, other[:, ::-1], atol=1e-4)
        return
    # Of equal scores any may be the first, and the last that is kept another one.
    count = len(first) * 9 // 10
    assert first.scores[:count] == pytest.approx(second.scores[:count], abs=1e-4)
    boxes = second.boxes.copy()
    boxes[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
    for box, label in zip(first.boxes[:count], first.labels, strict=False):
        assert np.abs(boxes[second.labels == label] - box).max(1).min() < 0.05


@pytest.mark.parametrize(
    ('kind', 'settings', 'expected'),
    [
        ('class', dict(channels='rbg'), "channels='rbg': did you mean 'rgb'"),
        ('class', dict(batch_size=0), 'batch_size=0: give a whole number above 0'),
        ('boxes', dict(max_objects=0), 'max_objects=0: give a whole number above 0'),
        ('labels', dict(max_objects=5), 'max_objects=5: this model does not limit the objects of'),
        ('boxes', dict(score=2), 'score'),
        ('class', dict(score=0.5), 'score goes with detectors; leave it out'),
        ('depth', dict(one_per_object=True), 'one_per_object goes with detectors'),
        ('boxes', dict(scales='all'), 'scales: this model has a single output'),
        ('labels', dict(scales=[3]), 'no output at stride 3; it has 1, 2, 4, 8, 16, 32'),
        ('labels', dict(scales='some'), "scales='some': give 'all', or strides such as"),
        ('class', dict(device='gpu'), "device 'gpu'"),
        ('class', dict(flip_test=True), 'ImageClassifier has no flip test: detectors of boxes,'),
    ],
)
def test_settings_that_do_not_fit(untrained_models, kind, settings, expected):
    with pytest.raises(InvalidArgument, match=expected):
        Predictor(untrained_models[kind], **{'device': 'cpu', **settings})


def test_the_process_keeps_its_settings(untrained_models, images, tmp_path):
    def settings():
        scope = DefaultScope.get_current_instance()
        return (
            scope and scope.scope_name,
            list(DefaultScope._instance_dict),
            get_device(),
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.random.get_rng_state().sum().item(),
            np.random.get_state()[1].sum(),
            cv2.getNumThreads(),
        )

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        before = settings()
        for kind in ('boxes', 'labels'):
            stream = Predictor(untrained_models[kind], 'cpu').stream(images)
            next(stream)
            assert settings()[1:] == before[1:] and settings()[0] == before[0]


def test_several_threads(predictor, images):
    """Predictions of each output switch the model over; threads must not see that."""
    model = predictor('labels', scales=(4, 32))
    path = min(images.iterdir())
    expected, found = model(path), {}

    def work(number):
        found[number] = model([path] * 4)[number:]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, predictions in found.items():
        require_equal(predictions, expected * (4 - number))
        for each in predictions:
            require_equal(each.scales.values(), expected[0].scales.values())
    assert len(found) == 3


@pytest.mark.parametrize('kind', KINDS)
def test_videos(predictor, tmp_path, kind):
    source = write_frames(tmp_path / 'a.avi', 5)
    model = predictor(kind, batch_size=2)
    frames = [frame[..., ::-1] for frame in Video(source).frames()]
    found = list(model.stream(source))
    assert [(each.path, each.frame) for each in found] == [(source, place) for place in range(5)]
    require_equal(found, model(frames))
    told = []
    written = model.write_video(source, tmp_path / 'b.mp4', on_prediction=told.append)
    video = Video(written)
    assert (video.rate, video.stated_frames, len(told)) == (RATE, 5, 5)
    shapes = {each.draw(as_frame=True).shape for each in found}
    assert len(shapes) == 1
    (shape,) = shapes
    drawn = next(video.frames())[..., ::-1]
    assert drawn.shape[:2] == tuple(side + side % 2 for side in shape[:2])
    difference = np.abs(drawn[: shape[0], : shape[1]] - found[0].draw(as_frame=True).astype(int))
    assert difference.mean() < 12


def test_a_video_that_ends_early_leaves_what_it_has(predictor, tmp_path):
    source = cut(write_frames(tmp_path / 'a.avi', 40), 0.5)
    out, told = tmp_path / 'b.mp4', []
    with pytest.raises(VideoError, match=r'ends early: \d+ of 40 frames .*b\.mp4 holds those'):
        predictor('class').write_video(source, out)
    predictor('class').write_video(source, out, overwrite=True, on_error=told.append)
    assert len(told) == 1 and f'{Video(out).stated_frames} of 40' in str(told[0])
    seen = []
    with pytest.raises(VideoError):
        for each in predictor('class', batch_size=32).stream(source):
            seen.append(each.frame)
    assert seen == list(range(Video(out).stated_frames))


def test_a_video_that_cannot_be_decoded_leaves_nothing(predictor, tmp_path):
    source = tmp_path / 'a.mp4'
    source.write_bytes(b'no video')
    told = []
    with pytest.raises(VideoError, match=r'a\.mp4 cannot be decoded'):
        predictor('class').write_video(source, tmp_path / 'b.mp4', on_error=told.append)
    for names, expected in (
        (('a.png', 'b.mp4'), r'a\.png has not the name of a video'),
        ((str(write_frames(tmp_path / 'a.avi', 2)), 'b.avi'), r'b\.avi: .* ends in \.mp4'),
    ):
        with pytest.raises(InvalidArgument, match=expected):
            predictor('class').write_video(tmp_path / names[0], tmp_path / names[1])
    clip = write_frames(tmp_path / 'c.mp4', 2)
    before = clip.read_bytes()
    with pytest.raises(InvalidArgument, match=r'c\.mp4 is read by this command'):
        predictor('class').write_video(clip, tmp_path / '.' / 'c.mp4', overwrite=True)
    assert clip.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.avi', 'a.mp4', 'c.mp4']
