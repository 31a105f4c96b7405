"""The table of the zoo: selection, order and format."""

from decimal import Decimal

import pytest

from rexdense.errors import InvalidArgument, UnknownName
from rexdense.zoo import as_markdown, as_text, format_count, parse_count, select, zoo_entries
from rexdense.zoo.table import COLUMNS, family_of


def names(**selection):
    return [entry.name for entry in select(zoo_entries(), **selection)]


def test_families_are_told_apart():
    assert [family_of(name) for name in ('rexnet_1.0', 'rexnet_lite_1.0', 'rexnetr_1.0')] == [
        'rexnet',
        'rexnet_lite',
        'rexnetr',
    ]
    assert [
        family_of(name) for name in ('regnetx_1.6gf', 'regnety_800mf_tv', 'resnext50_32x4d')
    ] == [
        'regnetx',
        'regnety',
        'resnext',
    ]


def test_selection_by_family_and_size():
    assert names(family='rexnet_lite') == [f'rexnet_lite_{width}' for width in (1.0, 1.3, 1.5, 2.0)]
    assert names(family='rexnet', max_parameters=10**7) == [
        f'rexnet_{width}' for width in (0.9, 1.0, 1.3, 1.5)
    ]
    assert names(family='rexnet', max_parameters=10**7, max_macs=4 * 10**8) == [
        'rexnet_0.9',
        'rexnet_1.0',
    ]
    assert names(family='rexnet', max_macs=347_691_428) == ['rexnet_0.9']
    assert names(family='rexnet*') == names(family='rexnet') + names(family='rexnet_lite') + names(
        family='rexnetr'
    )


@pytest.mark.parametrize(
    ('sort', 'quantity'),
    [('params', 'parameters'), ('macs', 'macs'), ('activations', 'activations')],
)
def test_sizes_are_sorted_from_the_smallest(sort, quantity):
    sizes = [getattr(entry.measured, quantity) for entry in select(zoo_entries(), sort=sort)]
    assert sizes == sorted(sizes)
    assert len(sizes) == len(zoo_entries())


def test_accuracies_are_sorted_from_the_best_and_unpublished_ones_come_last():
    accuracies = [entry.top1 for entry in select(zoo_entries(), family='rexnet*', sort='top1')]
    published = [accuracy for accuracy in accuracies if accuracy is not None]
    assert published == sorted(published, reverse=True)
    assert accuracies == published + [None] * (len(accuracies) - len(published))
    assert accuracies[-1] is None


@pytest.mark.parametrize(
    ('selection', 'error', 'message'),
    [
        ({'family': 'rexnt'}, UnknownName, "'rexnet'"),
        ({'sort': 'mac'}, UnknownName, "'macs'"),
        ({'max_parameters': 1000}, InvalidArgument, 'at most 1,000 parameters; the smallest'),
        ({'family': 'rexnet', 'max_macs': 10**8}, InvalidArgument, 'rexnet_0.9 with 348M'),
    ],
)
def test_a_selection_of_nothing_says_what_there_is(selection, error, message):
    with pytest.raises(error, match=message):
        select(zoo_entries(), **selection)


def test_the_first_print_of_an_accuracy_counts():
    top1 = {entry.name: (entry.top1, entry.published) for entry in zoo_entries()}
    assert top1['rexnet_0.9'][0] == Decimal('77.2')
    assert top1['rexnet_0.9'][1].label == 'clovaai'
    assert top1['rexnetr_2.0'][1].label == 'timm, ImageNet-12k'
    assert top1['rexnet_2.2'] == (None, None)


def test_the_tables_have_a_line_for_each_network():
    entries = select(zoo_entries(), family='rexnet')
    text, markdown = as_text(entries).splitlines(), as_markdown(entries).splitlines()
    assert len(text) == len(entries) + 1
    assert len(markdown) == len(entries) + 2
    assert text[2].split() == (
        ['rexnet_1.0', '4.80M', '398M', '7.44M', '77.9', '93.9', 'clovaai', '16/38/61/128/185']
    )
    assert markdown[3] == (
        '| `rexnet_1.0` | 4.80M | 398M | 7.44M | 77.9 | 93.9 | clovaai | 16/38/61/128/185 |'
    )
    assert {line.count('|') for line in markdown} == {len(COLUMNS) + 1}


@pytest.mark.parametrize(
    ('text', 'count'), [('10M', 10**7), ('0.4g', 4 * 10**8), ('1.5B', 15 * 10**8), ('640', 640)]
)
def test_counts_are_read(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize('text', ['', 'M', '-1M', '0', '10T', 'ten', 'nan', 'inf', '1M1'])
def test_texts_that_are_no_count_are_refused(text):
    with pytest.raises(InvalidArgument, match='such as 10M'):
        parse_count(text)


@pytest.mark.parametrize(
    ('count', 'text'),
    [(4_796_873, '4.80M'), (16_366_620, '16.4M'), (875_828_154, '876M'), (1_528_850_782, '1.53G')],
)
def test_counts_are_printed_to_three_figures(count, text):
    assert format_count(count) == text
