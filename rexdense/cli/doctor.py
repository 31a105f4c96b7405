"""``rexdense doctor``: examine the installation and name remedies for its faults."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rexdense import __version__
from rexdense.cli.parser import Parser
from rexdense.engine.installation import package_findings
from rexdense.errors import InvalidArgument
from rexdense.findings import Finding


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense doctor',
        description='Show packages, devices and their features, train a tiny model of each task '
        'for one step, and name the command that fixes each fault. The status is 1 if there are '
        'faults.',
    )
    result.add_argument(
        '--device',
        metavar='auto|cpu|cuda|cuda:1|npu',
        default='auto',
        help='device to train the tiny models on',
    )
    result.add_argument(
        '--self-test',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='train the tiny models',
    )
    result.add_argument('--json', action='store_true', help='print JSON')
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; return 1 if there is a fault, else 0."""
    options = parser().parse_args(arguments)
    findings = []
    for finding in _examine(options):
        findings.append(finding)
        if not options.json:
            print(_line(finding), flush=True)
    faults = [finding for finding in findings if finding.fault]
    if options.json:
        content = dict(faults=len(faults), findings=[asdict(finding) for finding in findings])
        print(json.dumps(content, indent=1))
    else:
        print(f'{len(faults)} faults' if len(faults) != 1 else '1 fault')
    return 1 if faults else 0


def _line(finding: Finding) -> str:
    lines = [f'{finding.name:<12}{finding.value}']
    if finding.fault:
        lines += [f'  fault:    {finding.fault}', f'  mend it:  {finding.remedy}']
    return '\n'.join(lines)


def _examine(options: argparse.Namespace) -> Iterator[Finding]:
    """Yield findings, without those that need a missing package."""
    yield Finding('rexdense', __version__)
    packages = package_findings()
    yield from packages
    broken = {finding.name for finding in packages if finding.fault}
    if 'torch' in broken:
        return
    from rexdense.device.machine import kernel_finding, machine_findings

    yield from machine_findings()
    if broken & {'mmengine', 'mmcv', 'mmdet', 'mmseg', 'decoders'}:
        return
    from rexdense.device import choose_device, device_sentence

    try:
        device = choose_device(options.device)
    except InvalidArgument as error:
        yield Finding('device', 'none', fault=str(error), remedy='give --device auto, or one found')
        yield kernel_finding('cpu')
        return
    yield Finding('device', device_sentence(device).removeprefix('Device '))
    yield from (kernel_finding(kind) for kind in dict.fromkeys((device, 'cpu')))
    if options.self_test:
        from rexdense.engine.self_test import self_test

        yield from self_test(device)
