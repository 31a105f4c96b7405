"""Images with more objects than a model keeps, or than a metric counts, are told of."""

from types import SimpleNamespace

import pytest

pytest.importorskip('mmdet')

from mmengine.config import Config

from rexdense.cli import train
from rexdense.engine.hooks.many_objects import TellOfManyObjects
from tests.tiny_run import train_arguments


class Data:
    """Images, each with its numbers of objects of two classes, and two crowds."""

    def __init__(self, *images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def get_data_info(self, index):
        objects = [
            dict(bbox_label=label, ignore_flag=0)
            for label, number in enumerate(self.images[index])
            for _ in range(number)
        ]
        return dict(instances=[*objects, *[dict(bbox_label=0, ignore_flag=1)] * 2])


def told(images, test_cfg, measured=None, **metric):
    """The warnings before a training on some images, with one image of two objects to measure."""
    evaluator = dict(type='rexdense.CocoMetric', **metric)
    said = []
    TellOfManyObjects().before_train(
        SimpleNamespace(
            cfg=Config(dict(model=dict(test_cfg=test_cfg), val_evaluator=evaluator)),
            train_dataloader=SimpleNamespace(dataset=images),
            val_loop=measured,
            val_dataloader=SimpleNamespace(dataset=measured),
            logger=SimpleNamespace(warning=said.append),
        )
    )
    return said


TWO_STAGES = dict(rpn=dict(max_per_img=300), rcnn=dict(max_per_img=100))


@pytest.mark.parametrize(
    ('images', 'test_cfg', 'metric'),
    [
        (Data((60, 40), (0, 0)), TWO_STAGES, {}),
        (Data((90, 90)), dict(max_per_img=200), {}),
        (Data((150, 0)), dict(max_per_img=-1), dict(max_detections=(100, 10, 150))),
        (Data((150, 0)), dict(mode='whole'), {}),
    ],
)
def test_nothing_is_said_of_numbers_that_fit(images, test_cfg, metric):
    assert told(images, test_cfg, **metric) == []


@pytest.mark.parametrize(
    ('images', 'measured', 'test_cfg', 'expected'),
    [
        (
            Data((90, 15)),
            None,
            TWO_STAGES,
            'Images have up to 105 objects, and not all can be found or counted: '
            'model.test_cfg.rcnn.max_per_img=100. Where all matter, give --cfg-options '
            'model.test_cfg.rcnn.max_per_img=200',
        ),
        (
            Data((1, 1)),
            Data((300, 1)),
            TWO_STAGES,
            'Images have up to 301 objects, and not all can be found or counted: '
            'model.test_cfg.rpn.max_per_img=300, model.test_cfg.rcnn.max_per_img=100, '
            'val_evaluator.max_detections=[1, 10, 100]. Where all matter, give --cfg-options '
            'model.test_cfg.rpn.max_per_img=800 model.test_cfg.rcnn.max_per_img=400 '
            'val_evaluator.max_detections=[1,10,400] test_evaluator.max_detections=[1,10,400]',
        ),
        (
            Data((101, 20)),
            None,
            dict(max_per_image=100),
            'Images have up to 121 objects, and not all can be found or counted: '
            'model.test_cfg.max_per_image=100, val_evaluator.max_detections=[1, 10, 100]. Where '
            'all matter, give --cfg-options model.test_cfg.max_per_image=200 '
            'val_evaluator.max_detections=[1,10,200] test_evaluator.max_detections=[1,10,200]',
        ),
    ],
)
def test_limits_that_are_too_low_are_named_with_what_to_give(images, measured, test_cfg, expected):
    assert told(images, test_cfg, measured) == [expected]


def test_a_training_looks(shapes, tmp_path, fresh_mmengine, capsys):
    limit = 'model.test_cfg.rcnn.max_per_img=1'
    train.main(train_arguments(shapes, tmp_path / 'run', '--dry-run', settings=(limit,)))
    assert f'can be found or counted: {limit}. Where' in capsys.readouterr().out
