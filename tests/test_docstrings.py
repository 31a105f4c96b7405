"""The examples in the docstrings, run."""

import doctest
import importlib
import pkgutil

import pytest

import rexdense

MODULES = [
    module.name for module in pkgutil.walk_packages(rexdense.__path__, f'{rexdense.__name__}.')
]


@pytest.mark.parametrize('name', ['rexdense', *MODULES])
def test_examples_print_what_they_say(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0


def test_there_are_examples():
    attempted = sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES)
    assert attempted > 20
