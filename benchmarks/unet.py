"""Time and memory of U-Net-ReXNet-1.0, its time beside segmentation_models.pytorch's.

    python benchmarks/unet.py --peer PEERS/bin/python --peer-path DIR

PEERS is an environment with the same torch and with timm and segmentation_models_pytorch; DIR a
folder that is added to its module path, and whose ``torchvision_shim.py``, if there is one, is
imported before timm. Without --peer, rexdense is measured alone. Only ratios mean anything on a
busy machine, see in_turns.py.

The peer is ``Unet('tu-rexnet_100')``, which has one output. 'like the peer' has a decoder of the
same widths, skips and convolutions, with as many parameters; but its last block works at stride 2
and its logits are resized, where the peer's last block works at full size. The others are the
decoder that UNetDecoder has by default.
"""

import argparse
import importlib
import statistics

import torch
from in_turns import Network, Peer, add_options, ratio, serve, take_turns
from kept_memory import MODES

BACKBONE = 'rexnet_1.0'
CLASSES = 11
PEER = 'smp'
INFERRED, TRAINED = (1, 3, 360, 480), (4, 3, 256, 256)
DECODERS = {
    'like the peer, one output': dict(
        output_strides=(1,),
        block='double_conv',
        skip='concat',
        decoder_channels=(256, 128, 64, 32, 16),
    ),
    'default, one output': dict(output_strides=(1,)),
    'default, six outputs': dict(),
}


def build_smp(task: dict) -> torch.nn.Module:
    """Return the U-Net of segmentation_models.pytorch."""
    smp = importlib.import_module('segmentation_models_pytorch')
    return smp.Unet('tu-rexnet_100', encoder_weights=None, classes=CLASSES)


def build_unet(recompute: str | None = None, **decoder) -> torch.nn.Module:
    """Return rexdense's."""
    # Not at the top: the peer's interpreter, which reads this file too, need not have it.
    from rexdense import create_backbone
    from rexdense.models.unet import UNet

    backbone = create_backbone(BACKBONE, out_indices=(0, 1, 2, 3, 4), recompute=recompute)
    return UNet(backbone, CLASSES, recompute=recompute, **decoder)


def measure_inference(options: argparse.Namespace) -> None:
    """Print the times of one image."""
    contestants = {
        name: Network(build_unet(**decoder), 'infer', INFERRED)
        for name, decoder in DECODERS.items()
    }
    if options.peer:
        contestants[PEER] = Peer(options, __file__, mode='infer', shape=INFERRED)
    times = take_turns(contestants, options.rounds)
    print(f'infer {"x".join(map(str, INFERRED))}')
    for name, contestant in contestants.items():
        line = f'  {name:28s} {contestant.parameters / 1e6:5.2f}M parameters'
        line += f' {statistics.median(times[name]):8.1f} ms'
        if options.peer:
            line += f', {ratio(times[name], times[PEER]):.2f} of the peer'
        print(line, flush=True)
    if options.peer:
        contestants[PEER].close()


def measure_training(options: argparse.Namespace) -> None:
    """Print what a training step takes in each mode of recomputation."""
    for name in ('default, six outputs', 'like the peer, one output'):
        contestants = {
            how: Network(build_unet(how, **DECODERS[name]), 'train', TRAINED) for how in MODES
        }
        times = take_turns(contestants, options.rounds)
        print(f'train {"x".join(map(str, TRAINED))}, {name}')
        for how, contestant in contestants.items():
            share = contestant.kept / contestants[None].kept
            print(
                f'  recompute={how!s:12s} {statistics.median(times[how]):8.1f} ms, '
                f'{ratio(times[how], times[None]):.2f} of plain; '
                f'keeps {contestant.kept:6.1f} MB, {share:.2f} of plain',
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, 'segmentation_models_pytorch')
    parser.add_argument('--only', choices=('infer', 'train'), help='one of the two parts')
    options = parser.parse_args()
    if options.serve:
        return serve(options, build_smp)
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    if options.only != 'train':
        measure_inference(options)
    if options.only != 'infer':
        measure_training(options)


if __name__ == '__main__':
    main()
