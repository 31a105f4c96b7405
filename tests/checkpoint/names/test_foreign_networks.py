"""Foreign networks that share tensor names with ours: refused everywhere, with one line."""

import pytest
import torch

import rexdense
from rexdense.arch import architecture
from rexdense.checkpoint import SCHEMES, convert_checkpoint, export_backbone, identify
from rexdense.checkpoint.names.renaming import from_native
from rexdense.errors import CheckpointMismatch
from tests.models.networks import SMALL

NAMED = [
    (name, scheme)
    for name in SMALL
    for scheme in SCHEMES
    if SCHEMES[scheme].entries(architecture(name)) and scheme != 'zshn25'
]
LONGEST = 600


def first_levels(name: str, scheme: str) -> dict[str, torch.Tensor]:
    """Return the levels c1 and c2 of a new network with a project's names."""
    backbone = rexdense.create_backbone(name, out_indices=(1,))
    return from_native(backbone.state_dict(), SCHEMES[scheme], architecture(name))


def routes(content, name, folder):
    """Return all ways of using a checkpoint, as functions without arguments."""

    def fill(**options):
        target = rexdense.create_backbone(name, out_indices=(1,))
        return rexdense.load_weights(target, content, **options)

    path = folder / 'source.pth'
    torch.save(content, path)
    return [
        lambda: identify(content),
        lambda: fill(),
        lambda: fill(backbone_only=True, drop_head=True),
        lambda: convert_checkpoint(path, folder / 'converted.pth'),
        lambda: export_backbone(path, folder / 'exported.pth'),
    ]


def assert_refused(content, name, folder, message):
    for route in routes(content, name, folder):
        with pytest.raises(CheckpointMismatch, match=message) as error:
            route()
        assert '\n' not in str(error.value) and len(str(error.value)) < LONGEST
        assert [path.name for path in folder.iterdir()] == ['source.pth']


def inside_a_block(names: list[str]) -> str:
    # The last norm is in the deepest block, so the new tensor is in that block, too.
    return f'{names[-1].rsplit(".", 2)[0]}.attention.weight'


def inside_the_stem(names: list[str]) -> str:
    return f'{names[0].rsplit(".", 1)[0]}.attention.weight'


# Every other one, and the first of each scheme: this covers all networks and all schemes.
FIRST = {scheme: (name, scheme) for name, scheme in reversed(NAMED)}.values()
SOME = dict.fromkeys((*NAMED[::2], *FIRST))


def test_some_are_all_networks_and_all_namings():
    for place in (0, 1):
        assert {named[place] for named in SOME} == {named[place] for named in NAMED}


@pytest.mark.parametrize(
    ('name', 'scheme', 'place'),
    [
        *((*named, inside_a_block) for named in NAMED),
        *((*named, inside_the_stem) for named in SOME),
    ],
)
def test_more_inside_the_body_is_an_error_everywhere(name, scheme, place, tmp_path):
    content = first_levels(name, scheme)
    extra = place(list(content))
    content[extra] = torch.ones(3)
    assert_refused(content, name, tmp_path, f'kind of network that is not here.*{extra}')


@pytest.mark.parametrize('prefix', ['backbone.', 'model.', 'module.', 'encoder.model.'])
def test_more_inside_is_an_error_below_every_prefix(prefix, tmp_path):
    content = {
        prefix + key: value for key, value in first_levels('resnext50_32x4d', 'timm').items()
    }
    content[f'{prefix}layer1.0.se.fc1.weight'] = torch.ones(16, 256, 1, 1)
    assert_refused(content, 'resnext50_32x4d', tmp_path, r'layer1\.0\.se\.fc1\.weight')


def test_a_whole_stage_or_block_more_is_an_error(tmp_path):
    content = first_levels('regnetx_200mf', 'timm')
    for extra in ('s5.b1.conv1.conv.weight', 's1.b2.conv1.conv.weight'):
        more = content | {extra: torch.ones(3)}
        assert_refused(more, 'regnetx_200mf', tmp_path, rf'{extra} (is one too many|has no place)')


@pytest.mark.parametrize('prefix', ['', 'model.', 'encoder.', 'backbone.'])
def test_heads_and_other_tensors_are_dropped_and_named(prefix, tmp_path):
    content = {prefix + key: value for key, value in first_levels('regnety_200mf', 'timm').items()}
    beside = {
        f'{"" if prefix == "backbone." else prefix}{key}': torch.ones(2)
        for key in ('fc.weight', 'neck.0.bias', 'criterion.weight', 'ema_stem_conv_weight')
    }
    beside |= {f'{prefix}head.fc.weight': torch.ones(7, 368), 'optimizer.step': torch.ones(1)}
    target = rexdense.create_backbone('regnety_200mf', out_indices=(1,))
    for report in (
        rexdense.load_weights(target, content | beside),
        export_backbone(content | beside, tmp_path / 'a.pth'),
    ):
        assert sorted(report.dropped) == sorted(beside)
    assert all(
        torch.equal(value, rexdense_name)
        for value, rexdense_name in zip(content.values(), target.state_dict().values(), strict=True)
    )


def stem_of_three_layers(state):
    """Like the stems of ResNet-D and of timm's resnext50d and ecaresnext."""
    renamed = {'conv1.weight': 'conv1.0.weight'}
    return {renamed.get(key, key): value for key, value in state.items()}


def outer_stem(state):
    """Like the older SE-ResNeXt, whose stem is a stage."""
    outer = ('conv1.', 'bn1.')
    return {f'layer0.{k}' if k.startswith(outer) else k: v for k, v in state.items()}


def norms_first(state):
    """Like timm's regnetv, whose stem has no norm and whose blocks begin with a norm."""
    return {
        key.replace('stem.conv.', 'stem.').replace('.conv.', '.').replace('.bn.', '.'): value
        for key, value in state.items()
        if not key.startswith('stem.bn')
    }


def stages_of_blocks(state):
    """Like timm's byobnet, for example regnetz_b16, which shares a stem with timm's ReXNet."""
    return {
        key if key.startswith('stem') else f'stages.{key.replace("b", "", 1)}': value
        for key, value in state.items()
    }


@pytest.mark.parametrize(
    ('name', 'alter'),
    [
        ('resnext50_32x4d', stem_of_three_layers),
        ('resnext50_32x4d', outer_stem),
        ('regnety_200mf', norms_first),
        ('regnety_200mf', stages_of_blocks),
    ],
)
@pytest.mark.parametrize('prefix', ['', 'model.', 'backbone.'])
def test_other_stems_are_of_another_kind(prefix, name, alter, tmp_path):
    altered = alter(first_levels(name, 'timm'))
    content = {prefix + key: value for key, value in altered.items()}
    assert_refused(content, name, tmp_path, 'kind of network that is not here')


@pytest.mark.parametrize('scheme', ['torchvision', 'openmmlab'])
def test_a_resnet_is_no_resnext(scheme, tmp_path):
    resnet = rexdense.create_backbone('resnext50_32x4d', groups=1, base_width=64, out_indices=(1,))
    content = from_native(resnet.state_dict(), SCHEMES[scheme], resnet.architecture)
    assert_refused(content, 'resnext50_32x4d', tmp_path, 'no named network, but another kind')
    other = rexdense.create_backbone('rexnet_1.0')
    with pytest.raises(CheckpointMismatch, match=r'no named network.* module is rexnet_1\.0'):
        rexdense.load_weights(other, content)
    # It can be built by its own rule.
    assert rexdense.load_weights(resnet, content).complete


def test_a_second_network_has_no_part_in_the_chosen_one():
    student = first_levels('regnety_200mf', 'rexdense')
    teacher = {f'teacher.{key}': value + 1 for key, value in student.items()}
    for content in (student | teacher, teacher | student):
        target = rexdense.create_backbone('regnety_200mf', out_indices=(1,))
        rexdense.load_weights(target, content, prefix='teacher.')
        for key, value in target.state_dict().items():
            assert torch.equal(value, teacher[f'teacher.{key}']), key
