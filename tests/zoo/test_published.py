"""published.json and the networks: numbers agree to the digit, or differ as stated."""

import functools
import json
import re
from decimal import Decimal

import pytest
import torch
from torch import nn

from rexdense import create_classifier, list_backbones
from rexdense.zoo import PublishedNumber, load_measured, load_published
from rexdense.zoo.published import PUBLISHED, UNITS

MEASURED_QUANTITIES = ('parameters', 'macs', 'activations')
RESOLUTION = 224

COMPARED = [
    pytest.param(row.name, number, id=f'{row.table}-{row.name}-{number.quantity}')
    for row in load_published()
    for number in row.numbers.values()
    if row.name and number.quantity in MEASURED_QUANTITIES
]


@functools.cache
def classifier(name):
    with torch.device('meta'):
        return create_classifier(name)


def agree(number, exact):
    """Return whether ``exact``, rounded to the printed digits, agrees with the number."""
    exponent = Decimal(number.printed).as_tuple().exponent
    return abs(number.value - exact) <= Decimal(1).scaleb(exponent) * UNITS[number.unit] / 2


def rows_of(table):
    return [
        pytest.param(row, id=row.name)
        for row in load_published()
        if row.table == table and row.name is not None
    ]


@pytest.mark.parametrize(('name', 'number'), COMPARED)
def test_published_sizes_agree_with_the_measured_ones_unless_they_say_why_not(name, number):
    exact = getattr(load_measured()[name], number.quantity)
    assert agree(number, exact) == (number.differs is None)


@pytest.mark.parametrize('row', load_published(), ids=lambda row: f'{row.table}-{row.model}')
def test_rows_are_well_formed(row):
    assert row.name is None or row.name in list_backbones()
    assert row.source.startswith('https://') and row.setting and row.label
    assert row.numbers
    for number in row.numbers.values():
        assert re.fullmatch(r'\d+(\.\d+)?', number.printed)
        assert number.value > 0
        if number.unit == '%':
            assert number.value < 100
    if any(quantity in row.numbers for quantity in MEASURED_QUANTITIES) and row.name:
        assert row.resolution == RESOLUTION or set(row.numbers).isdisjoint({'macs', 'activations'})


def test_no_reason_for_a_difference_goes_unread():
    for table in json.loads(PUBLISHED.read_text())['tables']:
        for row in table['rows']:
            assert set(row) <= {'model', 'name', 'printed', 'differs', 'resolution'}
            assert set(row.get('differs', {})) <= set(row['printed']) & set(MEASURED_QUANTITIES)
            assert set(row['printed']) <= set(table['units'])


@pytest.mark.parametrize(
    ('printed', 'unit', 'exact', 'agrees'),
    [
        ('4.8', 'M', 4_796_873, True),
        ('4.8', 'M', 4_850_000, True),
        ('4.8', 'M', 4_850_001, False),
        ('4.8', 'M', 4_749_999, False),
        ('34', 'M', 34_708_792, False),
        ('0.40', 'G', 398_370_392, True),
        ('0.40', 'G', 394_999_999, False),
        ('7259656', '1', 7_259_656, True),
        ('7259656', '1', 7_259_657, False),
    ],
)
def test_a_number_agrees_within_half_a_unit_of_its_last_digit(printed, unit, exact, agrees):
    assert agree(PublishedNumber('parameters', printed, unit), exact) == agrees


@pytest.mark.parametrize('row', rows_of('pycls-complexity'))
def test_pycls_counts_the_same_and_biases_poolings_and_linear_outputs(row):
    network, measured = classifier(row.name), load_measured()[row.name]
    biases = sum(
        layer.bias.numel()
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None
    )
    # ResNeXt's max-pooling after the stem: 64 channels at stride 4.
    pooled = 64 * (RESOLUTION // 4) ** 2 if row.name.startswith('resnext') else 0
    assert int(row.numbers['macs_with_biases'].value) == measured.macs + biases
    assert (
        int(row.numbers['activations_with_pooling_and_linear'].value)
        == measured.activations + pooled + network.head.fc.out_features
    )


@pytest.mark.parametrize('row', [*rows_of('mindcv-910*'), *rows_of('mindcv-910')])
def test_mindcv_counts_statistics_where_it_is_said_to(row):
    number = row.numbers['parameters']
    statistics = sum(
        buffer.numel() for buffer in classifier(row.name).buffers() if buffer.dim() == 1
    )
    counted = load_measured()[row.name].parameters + (statistics if number.differs else 0)
    assert agree(number, counted)
