"""The table of published weights: complete entries, safe defaults, clear refusals."""

import collections
import dataclasses
import json
import re

import pytest

from rexdense.arch import list_backbones
from rexdense.errors import InvalidArgument, UnknownName
from rexdense.zoo import weights as table
from rexdense.zoo.weights import find_pretrained, list_pretrained, load_published_weights
from tests.shared_files import SHARED, needs_shared

ENTRIES = load_published_weights()


def name_of(row):
    return row.name


def test_names_are_unique():
    counts = collections.Counter(row.name for row in ENTRIES)
    assert max(counts.values()) == 1


@pytest.mark.parametrize('row', ENTRIES, ids=name_of)
def test_entries_are_whole(row):
    assert row.excluded or row.network in list_backbones()
    assert row.address.startswith(('https://', 'gdrive:'))
    assert row.format in ('pth', 'pyth', 'safetensors', 'ckpt')
    assert row.sha256 is None or (len(row.sha256) in (8, 64) and int(row.sha256, 16) >= 0)
    assert row.channel_order in ('RGB', 'BGR')
    assert 0.8 < row.crop <= 1 and row.size in (160, 176, 224, 288, 384)
    for accuracy in filter(None, (row.top1, row.top5)):
        assert 60 < float(accuracy) < 100
    assert row.top1 is None or row.top5 is None or float(row.top1) < float(row.top5)


def test_what_pycls_and_mmpretrain_published_of_regnet_is_bgr():
    for row in ENTRIES:
        bgr = row.publisher == 'pycls' or (
            row.publisher == 'mmpretrain' and row.network.startswith('regnet')
        )
        assert (row.channel_order == 'BGR') == (bgr or row.tag == 'detectron2'), row.name


def test_one_file_is_of_one_network():
    """MindCV's code gives the file of RegNetY-16GF for RegNetX-16GF, too."""
    networks = collections.defaultdict(set)
    for row in ENTRIES:
        networks[row.address].add(row.network)
    assert not {address: names for address, names in networks.items() if len(names) > 1}


@pytest.mark.parametrize('row', [row for row in ENTRIES if row.publisher == 'timm'], ids=name_of)
def test_timm_evaluates_as_its_settings_say(row):
    """The settings are ``default_cfgs`` of timm/models/rexnet.py, regnet.py and resnet.py."""
    bilinear = row.network.startswith('resnext') and row.tag.startswith(('tv', 'fb_'))
    assert row.interpolation == ('bilinear' if bilinear else 'bicubic')
    if 'in12k' in row.tag:
        assert (row.size, row.crop) == (288, 1.0)
    if row.tag.startswith('tv2'):
        assert (row.size, row.crop) == (224, 0.965)


@needs_shared
def test_every_known_file_has_a_row_that_says_the_same():
    rows = collections.defaultdict(list)
    for row in ENTRIES:
        rows[row.address].append(row)
    for entry in json.loads((SHARED / 'weights.json').read_text()):
        first, _, second = entry['where'].partition(' = ')
        hub = f'https://huggingface.co/{first.removeprefix("hf:")}/resolve/main/model.safetensors'
        found = [row for place in (first, second, hub) for row in rows[place]]
        # timm has torchvision's files with its own figures.
        own = [row for row in found if (row.publisher == 'timm') == ('timm' in entry['source'])]
        assert len(own) == 1, entry['name']
        row = own[0]
        assert row.channel_order == entry['input'][:3]
        licences = {'-': '', 'bsd-3': 'bsd-3-clause'}
        licence = entry['licence'].lower()
        assert (row.licence or '').lower() == licences.get(licence, licence)
        # The hashes of MindCV's files, and of files that timm has moved to its hub, are unknown.
        digits = re.match(r'(?:sha256|hash8) (\w+)(?! \(same)\b', entry['hash'])
        moved = '(same tensors' in entry['hash'] or row.publisher == 'mindcv'
        assert row.sha256 == (digits[1] if digits and not moved else None), entry['name']
        printed = re.findall(r'(?<![\d.])(\d\d\.\d+)(?:/(\d\d\.\d+))?(?: top-1)?', entry['top'])
        if printed and 'wrong' not in entry['top']:
            assert (row.top1, row.top5 or '') == printed[0], entry['name']


@pytest.mark.parametrize(
    ('network', 'choice', 'name'),
    [
        ('rexnet_1.0', True, 'rexnet_1.0:timm.nav_in1k_pth'),
        ('rexnet_1.0', 'clovaai', 'rexnet_1.0:clovaai.in1k'),
        ('rexnet_0.9', True, 'rexnet_0.9:mindcv.910'),
        ('regnetx_800mf', 'pycls', 'regnetx_800mf:pycls.dds_8gpu'),
        ('regnetx_800mf', 'torchvision.v1', 'regnetx_800mf:torchvision.v1'),
        ('regnetx_400mf_tv', 'torchvision', 'regnetx_400mf_tv:torchvision.v2'),
        # Better files have a licence against commercial use.
        ('regnety_16gf', 'torchvision', 'regnety_16gf:torchvision.v2'),
        ('resnext101_32x8d', True, 'resnext101_32x8d:timm.tv2_in1k'),
        # A better-known file has 11,821 classes.
        ('rexnetr_2.0', 'timm', 'rexnetr_2.0:timm.sw_in12k_ft_in1k'),
    ],
)
def test_choices(network, choice, name):
    assert find_pretrained(network, choice).name == name


def test_no_default_is_against_commercial_use_or_of_other_classes():
    for network in {row.network for row in ENTRIES}:
        try:
            row = find_pretrained(network)
        except (UnknownName, InvalidArgument):
            continue
        assert 'NC' not in (row.licence or '') and row.classes in (0, 1000)


def published(monkeypatch, *changes):
    known = find_pretrained('rexnet_1.0', 'clovaai')
    rows = tuple(dataclasses.replace(known, **change) for change in changes)
    monkeypatch.setattr(table, 'load_published_weights', lambda: rows)


def test_weights_of_ten_classes_are_taken_by_their_tag_alone(monkeypatch):
    ten = dict(publisher='own', tag='ten', classes=10, top1='95.4')
    published(monkeypatch, ten, dict(publisher='other', tag='all', top1='70.0'))
    assert find_pretrained('rexnet_1.0').tag == 'all'
    assert find_pretrained('rexnet_1.0', 'own.ten').classes == 10
    with pytest.raises(InvalidArgument, match='with other classes; name the file: ten'):
        find_pretrained('rexnet_1.0', 'own')


def test_of_equal_accuracy_the_file_without_google_drive_is_taken(monkeypatch):
    drive = dict(tag='drive', address='gdrive:1', sha256='0' * 8, top1='77.94')
    published(monkeypatch, drive, dict(tag='plain', address='https://a/b.pth', top1='77.86'))
    assert find_pretrained('rexnet_1.0').tag == 'plain'


@pytest.mark.parametrize(
    ('network', 'choice', 'error', 'words'),
    [
        ('rexnet_2.2', True, UnknownName, "'rexnet_2.0'"),
        ('rexnet_1.0', 'clova', UnknownName, "'clovaai'"),
        ('rexnet_1.0', 'timm.nav', UnknownName, 'timm.nav_in1k'),
        ('rexnet_1.0', 'holocron', InvalidArgument, 'cannot be loaded'),
        ('regnety_800mf', 'torchvision', UnknownName, 'regnety_800mf_tv'),
        ('rexnet_1.0', 1, InvalidArgument, 'give True'),
    ],
)
def test_unknown_weights_are_told(network, choice, error, words):
    with pytest.raises(error, match=words):
        find_pretrained(network, choice)


def test_lists_follow_a_pattern():
    assert list_pretrained('rexnet_0.9') == ['rexnet_0.9:mindcv.910', 'rexnet_0.9:mindcv.910v2']
    assert all(name.partition(':')[2].startswith('pycls.') for name in list_pretrained('*:pycls.*'))
    assert not [name for name in list_pretrained() if 'holocron' in name]
