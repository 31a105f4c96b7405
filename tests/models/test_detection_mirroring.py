"""Flip test of detectors: detections in an image and its mirror images."""

import pytest

pytest.importorskip('mmdet')

import torch
from mmdet.datasets.transforms import RandomCenterCropPad
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import nn

from rexdense.models.detection_mirroring import DetectionFlipTest

HEIGHT, WIDTH = 20, 30
ALL = ('horizontal', 'vertical', 'diagonal')


class Finder(nn.Module):
    """Finds the objects of a batch by their pixels: each value is an object of that class.

    Args:
        wrong: The number of pixels by which its boxes are too long on the right of its input.
        scores: The score of an object in each successive input; 0 means not found.
    """

    def __init__(self, wrong=0, scores=(0.5, 0.5, 0.5, 0.5), masks=False, most=100):
        super().__init__()
        self.wrong, self.scores, self.masks = wrong, scores, masks
        self.test_cfg = dict(rcnn=dict(max_per_img=most))
        self.seen = []

    def test_step(self, data):
        score = self.scores[len(self.seen)]
        self.seen.append(data['inputs'])
        for image, sample in zip(data['inputs'], data['data_samples'], strict=True):
            labels = [int(value) for value in image.unique() if value and score]
            masks = torch.stack([image[0] == label for label in labels] or [image[0] < 0])
            boxes = torch.zeros(len(masks), 4)
            for box, mask in zip(boxes, masks, strict=True):
                rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
                if len(rows):
                    ends = columns.max() + 1 + self.wrong, rows.max() + 1
                    box[:] = torch.tensor([columns.min(), rows.min(), *ends])
            count = len(labels)
            sample.pred_instances = InstanceData(
                bboxes=boxes[:count],
                scores=torch.full((count,), score),
                labels=torch.tensor(labels, dtype=torch.long),
            )
            if self.masks:
                sample.pred_instances.masks = masks[:count]
        return data['data_samples']


def batch(*objects):
    """Return one image with a rectangle per object: (left, top, right, bottom, class)."""
    image = torch.zeros(3, HEIGHT, WIDTH)
    for left, top, right, bottom, label in objects:
        image[:, top:bottom, left:right] = label
    sample = DetDataSample(metainfo=dict(ori_shape=(HEIGHT, WIDTH), img_shape=(HEIGHT, WIDTH)))
    return dict(inputs=[image], data_samples=[sample])


OBJECTS = (2, 3, 12, 9, 1), (15, 10, 25, 18, 2)
BOXES = torch.tensor([each[:4] for each in OBJECTS], dtype=torch.float)


def found(model, data, directions=ALL):
    (sample,) = DetectionFlipTest(model, directions).test_step(data)
    instances = sample.pred_instances
    order = instances.labels.argsort()
    return instances[order]


@pytest.mark.parametrize('directions', [('horizontal',), ('vertical',), ('diagonal',), ALL])
@pytest.mark.parametrize('masks', [False, True])
def test_a_perfect_detector_finds_the_same(directions, masks):
    model, data = Finder(masks=masks), batch(*OBJECTS)
    instances = found(model, data, directions)
    torch.testing.assert_close(instances.bboxes, BOXES)
    torch.testing.assert_close(instances.scores, torch.tensor([0.5, 0.5]))
    assert instances.labels.tolist() == [1, 2]
    assert ('masks' in instances) == masks
    if masks:
        image = data['inputs'][0][0]
        assert torch.equal(instances.masks, torch.stack([image == 1, image == 2]))
    assert len(model.seen) == 1 + len(directions)
    # The inputs had different orientations, and the batch itself is unchanged.
    assert not torch.equal(model.seen[1][0], model.seen[0][0])
    assert torch.equal(model.seen[0][0], batch(*OBJECTS)['inputs'][0])


@pytest.mark.parametrize('directions', [('horizontal',), ('vertical',), ('diagonal',), ALL])
@pytest.mark.parametrize('scales', [(1, 1), (2, 3)])
def test_padding_behind_an_image_is_not_mirrored(directions, scales):
    class Small(Finder):
        """Finds the objects in the image without scale and padding, as mmdet's models do."""

        def test_step(self, data):
            small = [image[:, :: scales[1], :: scales[0]] for image in data['inputs']]
            small = [image[:, :HEIGHT, :WIDTH] for image in small]
            return super().test_step(dict(data, inputs=small))

    data = batch(*OBJECTS)
    (image,), (sample,) = data['inputs'], data['data_samples']
    image = image.repeat_interleave(scales[1], 1).repeat_interleave(scales[0], 2)
    data['inputs'] = [nn.functional.pad(image, (0, 11, 0, 7))]
    sample.set_metainfo(dict(scale_factor=scales, img_shape=data['inputs'][0].shape[1:]))
    instances = found(Small(masks=True), data, directions)
    torch.testing.assert_close(instances.bboxes, BOXES)
    assert instances.masks.sum((1, 2)).tolist() == [60, 80]


@pytest.mark.parametrize('directions', [('horizontal',), ('vertical',), ('diagonal',), ALL])
def test_padding_around_an_image_is_not_mirrored(directions):
    class Inner(Finder):
        """Finds the objects in the image without padding, as mmdet's CenterNet does."""

        def test_step(self, data):
            inner = [image[:, 8 : 8 + HEIGHT, 3 : 3 + WIDTH] for image in data['inputs']]
            return super().test_step(dict(data, inputs=inner))

    data = batch(*OBJECTS)
    pad = RandomCenterCropPad(
        ratios=None,
        border=None,
        mean=(0, 0, 0),
        std=(1, 1, 1),
        to_rgb=True,
        test_mode=True,
        test_pad_mode=('size_divisor', 36),
    )
    made = pad(dict(img=data['inputs'][0].permute(1, 2, 0).numpy()))
    assert made['img'].shape == (36, 36, 3) and made['border'].tolist() == [8, 28, 3, 33]
    data['inputs'] = [torch.from_numpy(made['img']).permute(2, 0, 1)]
    data['data_samples'][0].set_metainfo(dict(border=made['border'], scale_factor=(1.0, 1.0)))
    torch.testing.assert_close(found(Inner(), data, directions).bboxes, BOXES)


def test_further_boxes_of_an_object_take_nothing_from_its_score():
    class Unsuppressed(Finder):
        """Finds each object again with a tenth of the score, a pixel to the right, empty masks."""

        def test_step(self, data):
            (sample,) = super().test_step(data)
            again = sample.pred_instances.clone()
            again.scores = again.scores / 10
            again.bboxes = again.bboxes + torch.tensor([1, 0, 1, 0])
            again.masks = torch.zeros_like(again.masks)
            sample.pred_instances = InstanceData.cat([again, sample.pred_instances])
            return [sample]

    instances = found(Unsuppressed(scores=(0.9, 0.5), masks=True), batch(*OBJECTS), ALL[:1])
    torch.testing.assert_close(instances.bboxes, BOXES)
    torch.testing.assert_close(instances.scores, torch.tensor([0.7, 0.7]))
    assert instances.masks.sum((1, 2)).tolist() == [60, 80]


def test_masks_of_whole_images_are_not_copied():
    class Counted(torch.Tensor):
        """Counts the values of new tensors that are made from it."""

        copied = []

        @classmethod
        def __torch_function__(cls, function, types, arguments=(), settings=None):
            made = super().__torch_function__(function, types, arguments, settings or {})
            if isinstance(made, torch.Tensor) and made.data_ptr() != arguments[0].data_ptr():
                cls.copied.append(made.numel())
            return made

    class Large(Finder):
        def test_step(self, data):
            (sample,) = super().test_step(data)
            sample.pred_instances.masks = sample.pred_instances.masks.as_subclass(Counted)
            return [sample]

    data = batch(*((x, 3, x + 2, 9, x) for x in range(1, 26, 2)))
    DetectionFlipTest(Large(masks=True, most=3), ALL).test_step(data)
    # The three fused masks, and one mask at a time of the 13 of each view.
    assert sorted(Counted.copied)[-2:] == [HEIGHT * WIDTH, 3 * HEIGHT * WIDTH]


def test_boxes_are_the_mean_weighed_by_scores():
    scores = (0.6, 0.2)
    instances = found(Finder(wrong=2, scores=scores), batch(*OBJECTS), ('horizontal',))
    expected = BOXES.clone()
    # Two pixels too far to the right; in the mirror image, two too far to the left.
    expected[:, 2] += 2 * 0.6 / 0.8
    expected[:, 0] -= 2 * 0.2 / 0.8
    torch.testing.assert_close(instances.bboxes, expected)
    torch.testing.assert_close(instances.scores, torch.tensor([0.4, 0.4]))


def test_objects_of_one_view_alone_have_lower_scores():
    instances = found(Finder(scores=(0.8, 0, 0, 0), masks=True), batch(*OBJECTS))
    torch.testing.assert_close(instances.bboxes, BOXES)
    torch.testing.assert_close(instances.scores, torch.tensor([0.2, 0.2]))
    assert instances.masks.sum((1, 2)).tolist() == [60, 80]


def test_masks_of_other_objects_of_the_class_do_not_count():
    class Jumping(Finder):
        """Finds objects eight columns to the right in the mirror image."""

        def test_step(self, data):
            (sample,) = super().test_step(data)
            if len(self.seen) == 2:
                sample.pred_instances.bboxes[:, [0, 2]] += 8
                sample.pred_instances.masks = sample.pred_instances.masks.roll(8, -1)
            return [sample]

    instances = found(Jumping(masks=True), batch((12, 3, 22, 9, 1)), ('horizontal',))
    assert sorted(instances.bboxes[:, 0].tolist()) == [4, 12]
    assert instances.masks.sum((1, 2)).tolist() == [60, 60]


def test_the_mask_is_that_of_the_majority():
    class Wide(Finder):
        """Its masks are a column too wide on the right of its input."""

        def test_step(self, data):
            (sample,) = super().test_step(data)
            masks = sample.pred_instances.masks
            masks |= masks.roll(1, -1)
            return [sample]

    for scores, first, last in ((0.6, 0.2), 2, 13), ((0.2, 0.6), 1, 12):
        instances = found(Wide(scores=scores, masks=True), batch(*OBJECTS), ('horizontal',))
        columns = instances.masks[0].any(0).nonzero()
        assert (columns.min(), columns.max() + 1) == (first, last)


def test_objects_of_different_classes_stay_apart():
    class Both(Finder):
        """Finds each object twice, the second time as the next class."""

        def test_step(self, data):
            (sample,) = super().test_step(data)
            other = sample.pred_instances.clone()
            other.labels = other.labels + 5
            other.masks = torch.zeros_like(other.masks)
            sample.pred_instances = InstanceData.cat([sample.pred_instances, other])
            return [sample]

    instances = found(Both(masks=True), batch(*OBJECTS))
    assert instances.labels.tolist() == [1, 2, 6, 7]
    torch.testing.assert_close(instances.bboxes, BOXES.repeat(2, 1))
    assert instances.masks.sum((1, 2)).tolist() == [60, 80, 0, 0]


@pytest.mark.filterwarnings('error')
def test_boxes_without_area_are_left_out():
    class Lines(Finder):
        """Also finds a line."""

        def test_step(self, data):
            (sample,) = super().test_step(data)
            line = InstanceData(
                bboxes=torch.tensor([[5.0, 5, 5, 9]]),
                scores=torch.tensor([0.9]),
                labels=torch.tensor([3]),
            )
            sample.pred_instances = InstanceData.cat([line, sample.pred_instances])
            return [sample]

    assert found(Lines(), batch(*OBJECTS)).labels.tolist() == [1, 2]


@pytest.mark.parametrize('masks', [False, True])
def test_nothing_found(masks):
    instances = found(Finder(scores=(0, 0, 0, 0), masks=masks), batch(*OBJECTS))
    assert len(instances) == 0
    assert instances.bboxes.shape == (0, 4)
    if masks:
        assert instances.masks.shape == (0, HEIGHT, WIDTH)


def test_no_more_objects_than_the_model_finds_at_most():
    assert len(found(Finder(most=1), batch(*OBJECTS))) == 1
    for settings, count in (None, 2), (dict(max_per_img=1), 1), (dict(rcnn=None), 2):
        model = Finder()
        model.test_cfg = settings
        assert len(found(model, batch(*OBJECTS))) == count
