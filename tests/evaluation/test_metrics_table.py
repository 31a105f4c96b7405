"""The tables that end a run."""

from rexdense.evaluation.metrics_table import metrics_table


def test_metrics_of_a_detector():
    metrics = {'coco/bbox_mAP': 0.5, 'coco/bbox_AP/a cat': 0.25, 'coco/bbox_AP/dog': float('nan')}
    assert metrics_table(metrics).splitlines() == [
        'metric    value',
        'bbox_mAP  0.500',
        'class     AP',
        'a cat  0.250',
        'dog        -',
    ]


def test_several_figures_by_class_are_columns():
    metrics = {
        'segmentation/mIoU': 0.5,
        'segmentation/IoU/sky': 0.75,
        'segmentation/IoU/on/off': 0.25,
        'segmentation/Acc/sky': 1.0,
    }
    assert metrics_table(metrics).splitlines() == [
        'metric  value',
        'mIoU    0.500',
        'class     IoU    Acc',
        'sky     0.750  1.000',
        'on/off  0.250      -',
    ]


def test_metrics_without_classes():
    assert metrics_table({'abs_rel': 0.125, 'd1': 0.5}) == (
        'metric   value\nabs_rel  0.125\nd1       0.500'
    )
