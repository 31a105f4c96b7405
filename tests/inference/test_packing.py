"""Images through the pipelines of checkpoints."""

import numpy as np
import pytest

pytest.importorskip('mmdet')

from mmcv.transforms import LoadImageFromFile, Resize
from mmengine.dataset import Compose
from PIL import Image

from rexdense.datasets import LoadImage
from rexdense.datasets.transforms import PackClassification
from rexdense.errors import CheckpointUnreadable, InvalidArgument
from rexdense.inference.packing import Packer
from rexdense.inference.sources import Source

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
REST = [Resize(scale=(15, 10)), PackClassification()]


@pytest.mark.parametrize(
    'loader', [LoadImage(), LoadImage(to_float32=True), LoadImageFromFile(to_float32=True)]
)
def test_arrays_are_what_files_are(tmp_path, loader):
    path = tmp_path / 'a.png'
    Image.fromarray(PIXELS[..., ::-1]).save(path)
    packer = Packer(Compose([loader, *REST]))
    of_file = packer(Source(str(path), path))
    of_array = packer(Source('array 0', pixels=PIXELS))
    assert of_file.pixels is None and np.array_equal(of_array.pixels, PIXELS)
    assert of_file.size == of_array.size == (3, 10, 15, 20, 30)
    assert of_array.inputs.dtype == of_file.inputs.dtype
    assert np.array_equal(of_array.inputs, of_file.inputs)


@pytest.mark.parametrize(
    ('steps', 'error', 'expected'),
    [
        (REST, InvalidArgument, 'begins with Resize, not with LoadImage: give image files'),
        ([], InvalidArgument, 'begins with NoneType'),
        ([LoadImage(), REST[0]], CheckpointUnreadable, 'does not end with packing the inputs'),
    ],
)
def test_pipelines_of_another_kind(steps, error, expected):
    with pytest.raises(error, match=expected):
        Packer(Compose(steps))(Source('array 0', pixels=PIXELS))
