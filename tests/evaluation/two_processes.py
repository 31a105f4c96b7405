"""What two processes measure together."""

import json
import os
from pathlib import Path

import numpy as np
import torch
import torch.distributed
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

CLASSES = ('cat', 'dog')


def depth_samples(count, without=()):
    """Depth maps that are the less well predicted the later they come, some without depth."""
    for index in range(count):
        sample = SegDataSample()
        true = torch.full((1, 4, 5), 0.0 if index in without else 2.0 + index)
        sample.set_data(
            dict(gt_depth_map=PixelData(data=true), pred_depth_map=PixelData(data=true * 0 + 3))
        )
        yield sample


def label_samples(count, without=()):
    random = np.random.default_rng(0)
    for index in range(count):
        truth = torch.from_numpy(random.integers(0, 2, (1, 6, 7)))
        sample = SegDataSample()
        sample.pred_sem_seg = PixelData(data=(truth + (truth > 0) * (index % 2)) % 2)
        sample.gt_sem_seg = PixelData(
            data=torch.full_like(truth, 255) if index in without else truth
        )
        yield sample


def detection_samples(count, without=()):
    """The one box of each image, moved the more the later it comes; or none is found."""
    from mmdet.structures import DetDataSample

    for index in range(count):
        found = index not in without
        boxes = torch.tensor([[5.0 + index, 5, 25 + index, 25]])[: int(found)]
        sample = DetDataSample(metainfo={'img_id': index, 'ori_shape': (40, 40)})
        sample.pred_instances = InstanceData(
            bboxes=boxes,
            labels=torch.tensor([index % 2])[: int(found)],
            scores=torch.tensor([0.9 - 0.1 * index])[: int(found)],
        )
        yield sample


def annotations(count):
    """The annotation file of :func:`detection_samples`."""
    return {
        'images': [
            {'id': index, 'file_name': f'{index}.png', 'width': 40, 'height': 40}
            for index in range(count)
        ],
        'categories': [{'id': index, 'name': name} for index, name in enumerate(CLASSES)],
        'annotations': [
            {
                'id': index + 1,
                'image_id': index,
                'category_id': index % 2,
                'bbox': [5, 5, 20, 20],
                'area': 400,
                'iscrowd': 0,
            }
            for index in range(count)
        ],
    }


SAMPLES = {
    'Depth': depth_samples,
    'Segmentation': label_samples,
    'Coco': detection_samples,
}
# Images, those of them with nothing to measure, images of a batch.
CASES = [
    (name, count, without, batch, round_up)
    for name in SAMPLES
    for count, without, batch in [
        *((4, (), 1), (5, (), 2), (5, (0,), 1), (5, (1, 2), 2), (5, (3, 4), 1), (7, (6,), 4)),
        *((3, (0, 2), 1), (1, (), 1)),
    ]
    for round_up in (True, False)
]


def measure(case, directory: Path) -> dict[str, float]:
    """Return the metrics of a case, of what this process has to measure and the other one."""
    name, count, without, batch, round_up = case
    config = {'type': f'rexdense.{name}Metric'}
    if name == 'Coco':
        config['ann_file'] = str(directory / f'{count}.json')
    evaluator = Evaluator(config)
    evaluator.dataset_meta = {'classes': CLASSES}
    samples = list(SAMPLES[name](count, without))
    indices = list(DefaultSampler(samples, shuffle=False, round_up=round_up))
    for start in range(0, len(indices), batch):
        evaluator.process([samples[index] for index in indices[start : start + batch]])
    return evaluator.evaluate(count)


def measure_all(directory: Path) -> None:
    """Measure every case in one of two processes; the first of them writes the metrics down."""
    rank = int(os.environ['RANK'])
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{directory}/meeting', rank=rank, world_size=2
    )
    metrics = [measure(case, directory) for case in CASES]
    if rank == 0:
        (directory / 'metrics.json').write_text(json.dumps(metrics))
    torch.distributed.destroy_process_group()
