"""Findings about the packages that rexdense needs: version, folder and faults."""

import importlib
import sys

from rexdense.dependencies import MMCV_DISTRIBUTIONS, missing_dependency, version_of
from rexdense.errors import first_line
from rexdense.findings import Finding

_OPENMMLAB = {
    'mmengine': ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    'mmcv': MMCV_DISTRIBUTIONS,
    'mmdet': ('onedl-mmdetection', 'mmdet'),
    'mmseg': ('onedl-mmsegmentation', 'mmsegmentation'),
}
"""Distributions that provide an import name, that of the maintained line first."""

_ANEW = 'make clean-environment setup, or install one line alone in a new environment'


def package_findings() -> list[Finding]:
    """Return findings about torch, the OpenMMLab packages and decoders."""
    found = [Finding('Python', f'{sys.version.split()[0]} in {sys.prefix}')]
    found.append(_package('torch', ('torch',)))
    found += [_package(name, distributions) for name, distributions in _OPENMMLAB.items()]
    found.append(_decoders())
    return found


def _package(name: str, distributions: tuple[str, ...]) -> Finding:
    """Return the version and the folder of a package, and its distribution if there are two."""
    versions = {each: version_of(each) for each in distributions}
    installed = [each for each, version in versions.items() if version]
    value = ', '.join(f'{each} {versions[each]}' for each in installed)
    if len(distributions) > 1 and len(installed) == 1:
        value += f' ({"maintained" if installed[0].startswith("onedl-") else "original"} line)'
    if len(installed) > 1:
        return Finding(
            name,
            value,
            fault=f'{" and ".join(installed)} write the same folder',
            remedy=f'pip uninstall {" ".join(installed)}, then {_ANEW}',
        )
    try:
        module = importlib.import_module(name)
    except Exception as error:  # a compiled library or an import of the package can raise anything
        return _broken(name, value, error)
    if not hasattr(module, '__path__'):
        file = getattr(module, '__file__', None) or 'another module'
        return Finding(
            name,
            value or 'none',
            fault=f'{file} stands in for the package {name}',
            remedy='rename that file, or start Python where it is not',
        )
    return Finding(name, f'{value or "no distribution"}, {module.__path__[0]}')


def _broken(name: str, value: str, error: Exception) -> Finding:
    """Return the finding for a failed import, with its cause separate from the command."""
    known = missing_dependency(error) if isinstance(error, ImportError) else None
    if known is None:
        fault = f'import {name} failed ({type(error).__name__}: {first_line(error)})'
        return Finding(name, value or 'none', fault=fault, remedy=_ANEW)
    fault, _, remedy = known.partition(': ')
    return Finding(name, value or 'none', fault=fault, remedy=remedy or _ANEW)


def _decoders() -> Finding:
    """Return the libraries that decode images."""
    try:
        import cv2
        from PIL import Image, features
    except Exception as error:  # likewise
        return _broken('decoders', '', error)
    turbo = 'libjpeg-turbo' if features.check_feature('libjpeg_turbo') else 'libjpeg'
    return Finding('decoders', f'OpenCV {cv2.__version__}, Pillow {Image.__version__} ({turbo})')
