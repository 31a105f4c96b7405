"""The tables that end a run."""

from rexdense.evaluation.metrics_table import figures_table


def test_figures_of_a_detector():
    figures = {'coco/bbox_mAP': 0.5, 'coco/bbox_AP/a cat': 0.25, 'coco/bbox_AP/dog': float('nan')}
    assert figures_table(figures).splitlines() == [
        'figure    value',
        'bbox_mAP  0.500',
        'class     AP',
        'a cat  0.250',
        'dog        -',
    ]


def test_several_figures_by_class_are_columns():
    figures = {
        'segmentation/mIoU': 0.5,
        'segmentation/IoU/sky': 0.75,
        'segmentation/IoU/on/off': 0.25,
        'segmentation/Acc/sky': 1.0,
    }
    assert figures_table(figures).splitlines() == [
        'figure  value',
        'mIoU    0.500',
        'class     IoU    Acc',
        'sky     0.750  1.000',
        'on/off  0.250      -',
    ]


def test_figures_without_classes():
    assert figures_table({'abs_rel': 0.125, 'd1': 0.5}) == (
        'figure   value\nabs_rel  0.125\nd1       0.500'
    )
