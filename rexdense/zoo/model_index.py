"""``configs/metafile.yml``: configs with figures that others published, in mim's format.

There are no weights of these configs, so no entry has any. Each entry names the publisher of its
figures.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.files.writing import atomic_write
from rexdense.shipped_configs import config_names
from rexdense.zoo.coco_configs import DETECTORS, METHODS
from rexdense.zoo.measured import load_measured, load_measured_detectors
from rexdense.zoo.published import load_published
from rexdense.zoo.weights import load_published_weights

METAFILE = Path('configs/metafile.yml')
"""The file that model-index.yml imports, relative to the root of the repository."""
_HEAD = """\
# Written by: rexdense zoo --index
# Results are those that `Published By` printed of training of its own, at `Source`. None of these
# configs was trained here, so no entry has weights. FLOPs are multiply-accumulates at 224 x 224.
"""
_PAPERS = {
    'ReXNet': (
        'Rethinking Channel Dimensions for Efficient Model Design',
        'https://arxiv.org/abs/2007.00992',
    ),
    'RegNet': ('Designing Network Design Spaces', 'https://arxiv.org/abs/2003.13678'),
    'ResNeXt': (
        'Aggregated Residual Transformations for Deep Neural Networks',
        'https://arxiv.org/abs/1611.05431',
    ),
}
_TABLES = {
    'clovaai': ('clovaai-pretrained', 'clovaai-comparison'),
    'mindcv': ('mindcv-910',),
    'pycls': ('pycls',),
}
"""Tables of published.json with the figures of a recipe, by the recipe's word in config names."""
_TASKS = {'box AP': 'Object Detection', 'mask AP': 'Instance Segmentation'}


class _Figures(NamedTuple):
    """Figures in percent that one publisher reports for one model."""

    publisher: str
    source: str
    setting: str
    metrics: dict[str, float]


def model_index() -> dict[str, Any]:
    """Return collections and models in mim's format: the configs with published figures."""
    collections = [
        {'Name': name, 'Paper': {'Title': title, 'URL': url}}
        for name, (title, url) in _PAPERS.items()
    ]
    return {'Collections': collections, 'Models': [*_detectors(), *_classifiers()]}


def render_model_index() -> str:
    """Return the text of the metafile."""
    import yaml

    text = yaml.safe_dump(model_index(), sort_keys=False, allow_unicode=True, width=100)
    return f'{_HEAD}\n{text}'


def write_model_index(path: Path) -> None:
    """Write the metafile, and overwrite an existing one."""
    atomic_write(path, render_model_index().encode(), overwrite=True)


def _detectors() -> Iterator[dict[str, Any]]:
    sizes = load_measured_detectors()
    for detector in DETECTORS:
        for method in METHODS:
            for row in load_published():
                if detector.printed_in(row) and row.table.endswith(f'-{method}-rcnn'):
                    metrics = {
                        name: float(row.numbers[key].printed)
                        for key, name in (('box_ap', 'box AP'), ('mask_ap', 'mask AP'))
                        if key in row.numbers
                    }
                    figures = _Figures(row.label, row.source, row.setting, metrics)
                    metadata = {'Parameters': sizes[detector.name].parameters[method]}
                    config = detector.config(method)
                    yield _entry(detector.arch, config, metadata, 'COCO', figures)
                    break


def _classifiers() -> Iterator[dict[str, Any]]:
    measured = load_measured()
    for name, path in config_names('*_imagenet').items():
        words, _, recipe = name.removesuffix('_imagenet').rpartition('_')
        network = words.replace('-', '_')
        figures = _top1(network, recipe) if network in measured else None
        if figures is not None:
            counted = measured[network]
            metadata = {'FLOPs': counted.macs, 'Parameters': counted.parameters}
            config = path.relative_to(path.parents[2]).as_posix()
            yield _entry(network, config, metadata, 'ImageNet-1k', figures)


def _top1(network: str, recipe: str) -> _Figures | None:
    """Return the accuracy that the publisher of a recipe reports for a network."""
    for table in _TABLES.get(recipe, ()):
        for row in load_published():
            if (row.table, row.name) == (table, network) and row.top1 is not None:
                metrics = {'Top 1 Accuracy': float(row.top1)}
                return _Figures(row.label, row.source, row.setting, metrics)
    for file in load_published_weights():
        if (file.network, file.publisher) == (network, recipe) and file.top1:
            setting = f'the published file {file.network}:{file.publisher}.{file.tag}'
            metrics = {'Top 1 Accuracy': float(file.top1)}
            return _Figures(file.publisher, file.source, setting, metrics)
    return None


def _entry(
    network: str, config: str, metadata: dict[str, Any], data: str, figures: _Figures
) -> dict[str, Any]:
    family = next(name for name in _PAPERS if network.startswith(name.lower()))
    return {
        'Name': Path(config).name.removesuffix('.py'),
        'In Collection': family,
        'Config': f'configs/{config}',
        'Metadata': {**metadata, 'Training Data': data, 'Architecture': [network]},
        'Results': [
            {
                'Task': _TASKS.get(metric, 'Image Classification'),
                'Dataset': data,
                'Metrics': {metric: value},
            }
            for metric, value in figures.metrics.items()
        ],
        'Published By': figures.publisher,
        'Source': figures.source,
        'Setting': figures.setting,
    }
