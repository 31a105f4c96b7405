"""Installs rexdense with what requirements/runtime.txt names: no torch, no OpenMMLab package.

Whoever has mmdet already must not get a second copy of it under another distribution name.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def requirements(name: str) -> list[str]:
    """The lines of requirements/NAME.txt without comments."""
    lines = (HERE / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line for line in (line.split('#')[0].strip() for line in lines) if line]


def version() -> str:
    """`__version__` as written in rexdense/__init__.py, read without importing it."""
    text = (HERE / 'rexdense' / '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'$", text, flags=re.MULTILINE)[1]


def description() -> str:
    """README.md, where it is there."""
    readme = HERE / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.exists() else ''


setup(
    name='rexdense',
    version=version(),
    description='ReXNet, RegNet and ResNeXt backbones for dense prediction with OpenMMLab',
    long_description=description(),
    long_description_content_type='text/markdown',
    license='MIT',
    python_requires='>=3.10',
    packages=find_packages(include=['rexdense', 'rexdense.*']),
    # .mim holds links to configs, where mmengine looks for those of a package, and requirements.
    package_data={
        'rexdense': [
            'py.typed',
            '.mim/model-index.yml',
            '.mim/configs/**/*.py',
            '.mim/configs/**/*.yml',
            '.mim/requirements/*.txt',
            '.mim/requirements/install_mmcv.sh',
        ],
        'rexdense.engine.report.page': ['*.css', '*.js'],
        'rexdense.zoo': ['*.json'],
    },
    entry_points={'console_scripts': ['rexdense = rexdense.cli.main:run']},
    install_requires=requirements('runtime'),
    extras_require={name: requirements(name) for name in ('optional', 'tests', 'web')},
    classifiers=[
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
