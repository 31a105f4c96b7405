"""Public API: the names of the package and its subpackages, and their types."""

import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import rexdense

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = {
    'rexdense': 'Predictor RexdenseError create_backbone create_classifier create_unet '
    'list_backbones list_unets load_weights __version__',
    'rexdense.models': 'Backbone Classifier MultiScaleDepthHead MultiScaleUNetHead ReXNet '
    'ReXNetLite RegNet ResNeXt create_backbone create_classifier',
    'rexdense.models.unet': 'MultiScaleDepthHead MultiScaleUNetHead ReXDepth ReXUNet UNet '
    'UNetDecoder create_unet',
    'rexdense.checkpoint': 'BACKBONE_FORMATS SCHEMES CheckpointFile LoadReport Preprocessing '
    'Pretrained convert_checkpoint export_backbone identify install_safe_loader load_weights '
    'published_preprocessing read_checkpoint write_checkpoint',
    'rexdense.datasets': 'CocoDataset CocoFolder DepthDataset LoadDepth LoadImage '
    'LoadSegmentationAnnotations SHAPE_CLASSES SegmentationDataset SegmentationFolder make_shapes '
    'read_annotations',
    'rexdense.evaluation': 'CocoMetric CocoEvaluation DepthMetric evaluate_depth '
    'SegmentationMetric SegmentationEvaluation evaluate_detections evaluate_segmentation',
    'rexdense.inference': 'DepthMap Detections ImageClass LabelMap Prediction Predictor',
    'rexdense.deploy': 'GRAPH_FORMATS BackboneGraph ClassifierGraph Graph GraphOutput GraphReport '
    'SegmentorGraph export_graph optimize',
}
"""Names that users may import from these modules."""


@pytest.mark.parametrize(
    ('module', 'name'), [(module, name) for module in PUBLIC for name in PUBLIC[module].split()]
)
def test_public_names_are_where_users_look(module, name):
    home = importlib.import_module(module)
    assert getattr(home, name) is not None
    assert name in home.__all__ and name in dir(home)


def test_the_package_says_where_each_of_its_names_is():
    assert set(rexdense.__all__) == {'RexdenseError', '__version__', *rexdense._HOMES}


def test_rooms_are_there_without_an_import_of_their_own():
    rooms = [name.partition('.')[2] for name in PUBLIC if name.count('.') == 1]
    script = f'import rexdense; print(*(getattr(rexdense, room).__name__ for room in {rooms}))'
    command = [sys.executable, '-c', script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == [f'rexdense.{room}' for room in rooms]
    assert set(rooms) <= set(dir(rexdense))


# Silent, as for a package in site-packages: only the user's own lines are checked.
OPTIONS = ('--ignore-missing-imports', '--follow-imports=silent')
SCRIPT = """
import torch, rexdense
backbone = rexdense.create_backbone('rexnet_1.0', out_indices=(1, 2))
unet = rexdense.create_unet('rexnet_1.0', num_classes=3, in_channels=1)
report = rexdense.load_weights(backbone, 'weights.pth')
classifier = rexdense.create_classifier('rexnet_1.0', num_classes=0)
names: list[str] = rexdense.list_unets() + rexdense.list_backbones()
features: torch.Tensor = classifier.forward_features(torch.rand(1, 3, 64, 64))
reveal_type(backbone)
reveal_type(unet)
reveal_type(report.loaded)
reveal_type(backbone.out_levels)
reveal_type(backbone.in_channels)
"""


@pytest.mark.skipif(not find_spec('mypy'), reason='mypy is not installed')
def test_a_type_checker_knows_the_public_api(tmp_path):
    script = tmp_path / 'user.py'
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, '-m', 'mypy', *OPTIONS, script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={'MYPYPATH': str(ROOT), 'PATH': ''},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in (
        'rexdense.models.backbones.backbone.Backbone',
        'rexdense.models.unet.unet.UNet',
        'list[str]',
        'rexdense.arch.levels.FeatureLevel',
        '"int"',
    ):
        assert kind in done.stdout
