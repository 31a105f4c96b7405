"""Messages of one line for imports that fail because a package is missing."""

import contextlib
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path

from rexdense.errors import MissingDependency, first_line

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = (_PACKAGE.parent / 'requirements/setup_environment.py').is_file()
# In an installed wheel, these files are inside the package.
_FILES = 'requirements' if _IN_CHECKOUT else str(_PACKAGE / '.mim/requirements')
_SETUP = '; or run make setup' if _IN_CHECKOUT else ''
_OPENMMLAB = (
    f'run pip install -r {_FILES}/build.txt -r {_FILES}/pins.txt, which bring torch too, then '
    'MMCV_WITH_OPS=1 pip install --no-deps --no-build-isolation '
    f'-r {_FILES}/mminstall.txt{_SETUP}'
)
_REMEDIES = {
    'torch': f'run pip install torch (pytorch.org names the build for each machine){_SETUP}',
    **dict.fromkeys(('mmengine', 'mmcv', 'mmdet', 'mmseg', 'imaug'), _OPENMMLAB),
    'cv2': 'run pip install opencv-python-headless',
    'PIL': 'run pip install pillow',
    **{
        name: f'run pip install {name}'
        for name in (
            'captum',
            'faster_coco_eval',
            'gdown',
            'gradio',
            'matplotlib',
            'numpy',
            'onnx',
            'onnxruntime',
            'onnxscript',
            'openvino',
            'pycocotools',
            'safetensors',
            'supervision',
            'tensorboard',
            'wandb',
        )
    },
}
MMCV_DISTRIBUTIONS = ('onedl-mmcv', 'mmcv', 'mmcv-lite', 'mmcv-full')
"""Distributions that provide mmcv, that of the maintained line first."""
# Modules of mmcv's compiled operators, which mmcv-lite does not have.
_MMCV_OPERATORS = ('mmcv._ext', 'mmcv.ops')


@contextlib.contextmanager
def needed_packages(purpose: str = '') -> Iterator[None]:
    """Turn failing imports of missing packages in the block into MissingDependency.

    Args:
        purpose: What the package is needed for; the beginning of the message.
    """
    try:
        yield
    except ImportError as error:
        message = missing_dependency(error)
        if message is None:
            raise
        raise MissingDependency(f'{purpose}: {message}' if purpose else message) from error


def missing_dependency(error: ImportError) -> str | None:
    """Return the message about a third-party package that is missing or does not work.

    None for any other failed import, which is an error in the importing code.
    """
    if isinstance(error, MissingDependency):
        return str(error)
    name = error.name or ''
    if name.startswith(_MMCV_OPERATORS):
        return (
            f'{_mmcv_found()} has no compiled operators that work here ({first_line(error)}): '
            f'run pip uninstall {" ".join(MMCV_DISTRIBUTIONS)}, then {_OPENMMLAB}'
        )
    if 'libGL.so' in str(error):
        return (
            f'OpenCV needs libGL, which is not installed ({first_line(error)}): run pip uninstall '
            'opencv-python opencv-python-headless, then pip install opencv-python-headless'
        )
    if isinstance(error, ModuleNotFoundError) and name in _REMEDIES:
        return f'the package {name} is not installed: {_REMEDIES[name]}'
    return None


def version_of(distribution: str) -> str | None:
    """Return the version of an installed distribution; None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _mmcv_found() -> str:
    """Return the distribution, version and folder of the mmcv that Python imports."""
    names = [f'{name} {found}' for name in MMCV_DISTRIBUTIONS if (found := version_of(name))]
    spec = util.find_spec('mmcv')
    places = list(spec.submodule_search_locations or ()) if spec else []
    return f'{" and ".join(names) or "mmcv"} in {places[0] if places else "an unknown folder"}'
