"""Doctests: the examples in the docstrings."""

import doctest
import importlib
import pkgutil
from importlib.util import find_spec

import pytest

import rexdense

MODULES = [
    module.name for module in pkgutil.walk_packages(rexdense.__path__, f'{rexdense.__name__}.')
]
# Modules that import a package which make setup does not install.
OPTIONAL = dict.fromkeys(('rexdense.web.components', 'rexdense.web.page'), 'gradio')


@pytest.mark.parametrize('name', ['rexdense', *MODULES])
def test_examples_print_what_they_say(name):
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name])
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0


def test_there_are_examples():
    usable = [name for name in MODULES if name not in OPTIONAL or find_spec(OPTIONAL[name])]
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [case for name in usable for case in finder.find(importlib.import_module(name))]
    assert sum(len(case.examples) for case in found) > 20
