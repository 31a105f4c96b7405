"""Folding of batch norms into the convolutions before them (Jacob et al. 2018, section 3.2).

A norm is folded only if the code shows that nothing else reads the convolution's output: in
rexdense's modules that list such pairs, in mmcv's ConvModule, in the residual blocks of mmdet and
mmseg, and in an ``nn.Sequential``. mmengine's ``fuse_conv_bn`` relies on the order of children,
which says nothing about the order of calls.
"""

import itertools
from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rexdense.deploy.optimization.declared import declared
from rexdense.deploy.optimization.fused import fuse_activation

_CONV_MODULE = 'mmcv.cnn.bricks.conv_module.ConvModule'
# mmcv's layers compute the same as torch's, from which they inherit.
_CONVOLUTIONS = ('torch.nn.modules.conv', 'mmcv.cnn.bricks.wrappers')
_RESIDUAL = tuple(
    f'{package}.models.backbones.resnet.{kind}'
    for package in ('mmdet', 'mmseg')
    for kind in ('BasicBlock', 'Bottleneck', 'ResNet')
)
# They call the layers of a ConvModule one by one.
_APART = ('mmdet.models.dense_heads.tood_head.TaskDecomposition',)


def fold_norms(network: nn.Module) -> int:
    """Fold all suitable norms in place; return the number of folded norms.

    A module that is used in several places is folded once. If several modules share a convolution
    or norm, each gets its own convolution.

    Args:
        network: The network in evaluation mode.
    """
    apart = {
        id(child)
        for module in network.modules()
        if _name(type(module)) in _APART
        for child in module.children()
    }
    count = 0
    for module in network.modules():
        if id(module) in apart:
            continue
        for first, second, *activation in _pairs(module):
            conv, norm = getattr(module, first), getattr(module, second)
            if not _can_fold(conv, norm):
                continue
            transposed = isinstance(conv, nn.ConvTranspose2d)
            setattr(module, first, fuse_conv_bn_eval(conv, norm, transposed))
            setattr(module, second, nn.Identity())
            if getattr(module, 'efficient_conv_bn_eval_forward', None) is not None:
                module.efficient_conv_bn_eval_forward = None  # mmcv's own, which reads the norm
            for name in activation:
                if fuse_activation(getattr(module, first), getattr(module, name)):
                    setattr(module, name, None)
            count += 1
    return count


def _pairs(module: nn.Module) -> Iterator[tuple[str, ...]]:
    """Yield the names of a convolution, of the norm that is the only reader of its output, and of
    the activation after it, if there is one."""
    yield from declared(module, 'conv_norm_pairs') or ()
    if type(module) is nn.Sequential:
        names = list(module._modules)
        yield from itertools.pairwise(names)
        return
    for kind in type(module).__mro__:
        # A subclass with its own forward may do anything.
        if 'forward' in vars(kind):
            break
    name = _name(kind)
    if name == _CONV_MODULE and module.with_norm:
        if module.order.index('norm') == module.order.index('conv') + 1:
            yield 'conv', module.norm_name
    elif name in _RESIDUAL:
        for number in (1, 2, 3):
            norm = getattr(module, f'norm{number}_name', None)
            if norm is not None and hasattr(module, f'conv{number}'):
                yield f'conv{number}', norm


def _name(kind: type) -> str:
    return f'{kind.__module__}.{kind.__qualname__}'


def _can_fold(conv: nn.Module | None, norm: nn.Module | None) -> bool:
    if not isinstance(conv, nn.Conv2d | nn.ConvTranspose2d) or not isinstance(norm, _BatchNorm):
        return False
    if type(conv).__module__ not in _CONVOLUTIONS:
        return False
    if type(norm).forward not in (nn.BatchNorm2d.forward, nn.SyncBatchNorm.forward):
        return False
    # Without running statistics it uses those of the batch, also in evaluation mode.
    if norm.running_mean is None or norm.num_features != conv.out_channels:
        return False
    # fuse_conv_bn_eval treats a transposed convolution as if it had one group.
    return not (isinstance(conv, nn.ConvTranspose2d) and conv.groups > 1)
