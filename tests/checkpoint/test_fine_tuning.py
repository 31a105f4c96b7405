"""A trained model's weights for other classes."""

import pytest
import torch
from torch import nn

from rexdense.checkpoint.fine_tuning import with_own_class_layers


def head(classes: int, anchors: int = 3, width: int = 8) -> nn.ModuleDict:
    """Return layers as in detectors and segmentors, and a backbone."""
    return nn.ModuleDict(
        dict(
            backbone=nn.Conv2d(3, width, 1),
            neck=nn.Conv2d(width, width, 1),
            rpn_cls=nn.Conv2d(width, anchors, 1),
            fc_cls=nn.Linear(width, classes + 1),
            fc_reg=nn.Linear(width, 4 * classes),
            mask=nn.Conv2d(width, classes, 1),
            retina_cls=nn.Conv2d(width, 9 * classes, 3),
            yolo=nn.Conv2d(width, 3 * (5 + classes), 1),
        )
    )


BY_CLASSES = ('fc_cls', 'fc_reg', 'mask', 'retina_cls', 'yolo')


@pytest.mark.parametrize(('before', 'now'), [(80, 3), (3, 80), (80, 1), (2, 1), (1, 2), (6, 7)])
@pytest.mark.parametrize('said', [True, False])
def test_the_layers_of_the_classes_stay_and_are_named(said, before, now):
    trained, model = head(before), head(now)
    taken, left_out = with_own_class_layers(
        model, trained.state_dict(), before if said else None, now
    )
    assert [line.split()[0] for line in left_out] == [
        f'{layer}.{part}' for layer in BY_CLASSES for part in ('weight', 'bias')
    ]
    for name, tensor in (trained.state_dict() | model.state_dict()).items():
        expected = tensor if name.startswith(BY_CLASSES) else trained.state_dict()[name]
        assert torch.equal(taken[name], expected), name
    model.load_state_dict(taken)


@pytest.mark.parametrize('said', [True, False])
def test_as_many_classes_leave_nothing_out(said):
    trained = head(4)
    taken, left_out = with_own_class_layers(head(4), trained.state_dict(), 4 if said else None, 4)
    assert left_out == []
    assert all(
        taken[name] is tensor or torch.equal(taken[name], tensor)
        for name, tensor in trained.state_dict().items()
    )


def test_layers_that_differ_otherwise_are_not_touched():
    model, trained = head(3), head(80, anchors=9).state_dict()
    trained['backbone.weight'] = torch.ones(80, 3, 1, 1)
    taken, left_out = with_own_class_layers(model, trained, 80, 3)
    assert {line.split('.')[0] for line in left_out} == set(BY_CLASSES)
    for name in ('rpn_cls.weight', 'rpn_cls.bias', 'backbone.weight'):
        assert taken[name] is trained[name]
    # The number of classes is unknown, and no number explains the anchors.
    assert with_own_class_layers(head(3, width=8), trained, None, 3)[1] == []


def test_a_binary_head_of_one_output():
    one, three = nn.Conv2d(8, 1, 1), nn.Conv2d(8, 3, 1)
    assert len(with_own_class_layers(three, one.state_dict(), 2, 3)[1]) == 2
    assert len(with_own_class_layers(one, three.state_dict(), 3, 2)[1]) == 2
    assert with_own_class_layers(nn.Conv2d(8, 2, 1), one.state_dict(), 2, 2)[1] == []
