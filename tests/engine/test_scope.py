"""Packages that are imported quietly."""

import logging

import pytest

pytest.importorskip('mmengine')

from mmengine.logging import MMLogger, print_log

from rexdense.engine.scope import nothing_printed


def test_a_log_made_while_nothing_is_printed_is_read_afterwards(capsys):
    MMLogger._instance_dict.clear()
    with nothing_printed():
        print('noise')
        print_log('while', 'current', logging.WARNING)
    print_log('afterwards', 'current', logging.WARNING)
    told = capsys.readouterr().out
    assert 'afterwards' in told and 'noise' not in told
