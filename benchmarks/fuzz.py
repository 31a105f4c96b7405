"""Give readers damaged files and networks odd arguments, and report failures without a clean error.

    python -m benchmarks.fuzz --seconds 3600

Each target of tests/fuzzing runs in its own process with bounded memory (RLIMIT_AS). A case that
takes longer than 10 s, a crash and any error that is not a RexdenseError is a finding. It is
printed with the number that reproduces the case: ``--targets PNG --case 123``. The status is 1 if
there are findings.
"""

import argparse
import faulthandler
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SLOW, SILENT = 10, 60
"""Seconds that a case may take, and after which a silent process is killed."""
MEMORY = 3 * 2**30
"""Bytes of address space that a process may use in addition to its imports."""
LEAST = 10
"""Least seconds per target; its imports take some of them."""
KEPT = 3
"""Printed findings per kind."""


class Slow(BaseException):
    """A case takes too long."""


def _too_slow(*_: object) -> None:
    raise Slow(f'longer than {SLOW} s')


def run_cases(target: str, first: int, seconds: float) -> None:
    """Run cases from a number on; print a JSON line for each finding, and a final one."""
    end = time.monotonic() + seconds  # imports count: on a busy machine they take minutes
    from tests.fuzzing.cases import fault_of

    faulthandler.enable()
    signal.signal(signal.SIGALRM, _too_slow)
    with tempfile.TemporaryDirectory() as folder:
        fault_of(target, first, Path(folder))  # imports what it needs
        used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        number, refused, slowest = first, 0, 0.0
        while time.monotonic() < end:
            print(json.dumps({'at': number}), flush=True)
            began = time.monotonic()
            try:
                signal.alarm(SLOW)
                was_refused, fault = fault_of(target, number, Path(folder))
            except Slow as error:
                was_refused, fault = False, error
            finally:
                signal.alarm(0)
            slowest = max(slowest, time.monotonic() - began)
            refused += was_refused
            if fault is not None:
                place = traceback.extract_tb(fault.__traceback__)[-1]
                where = f'{Path(place.filename).name}:{place.lineno}'
                said = f'{type(fault).__name__} at {where}: {str(fault)[:200]}'
                print(json.dumps({'finding': said, 'where': where, 'case': number}), flush=True)
            number += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        json.dumps({'cases': number - first, 'refused': refused, 'slowest': slowest, 'peak': peak})
    )


def fuzz(target: str, seconds: float, first: int) -> int:
    """Run a target for some seconds, in further processes after crashes. Print the results and
    return the number of findings."""
    end, cases, refused, slowest, peak = time.monotonic() + seconds, 0, 0, 0.0, 0.0
    findings: dict[str, list[str]] = {}
    while (left := end - time.monotonic()) > 1:
        command = [sys.executable, '-m', 'benchmarks.fuzz', '--targets', target]
        command += ['--first', str(first + cases), '--seconds', str(left), '--inner']
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        at, last = first + cases, None
        try:
            output, errors = process.communicate(timeout=left + SILENT)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
        for line in output.splitlines():
            found = json.loads(line) if line.startswith('{') else {}
            at = found.get('at', at)
            if 'finding' in found:
                findings.setdefault(found['where'], []).append(
                    f'case {found["case"]}: {found["finding"]}'
                )
            last = found if 'cases' in found else last
        if last is None:
            why = errors.strip().splitlines()[:1] or ['nothing said']
            said = f'case {at}: the process ended with {process.returncode} ({why[0]})'
            findings.setdefault(said.partition(':')[2], []).append(said)
            cases = at + 1 - first
            continue
        cases, refused = at + 1 - first, refused + last['refused']
        slowest, peak = max(slowest, last['slowest']), max(peak, last['peak'])
        break
    number = sum(map(len, findings.values()))
    print(
        f'{target}: {cases} cases, {refused} refused in one line, {number} findings of '
        f'{len(findings)} kinds; slowest {slowest:.1f} s, {peak:.2f} GiB at most',
        flush=True,
    )
    for said in findings.values():
        print(*(f'  {each}' for each in said[:KEPT]), sep='\n', flush=True)
    return number


def main() -> None:
    """Run the targets one after another; end with status 1 if there are findings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=180, help='of all targets together')
    parser.add_argument('--targets', nargs='+', metavar='NAME', help='default: all')
    parser.add_argument('--first', type=int, default=0, help='number of the first case')
    parser.add_argument('--case', type=int, help='run this case alone, with its traceback')
    parser.add_argument('--inner', action='store_true', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inner:
        run_cases(options.targets[0], options.first, options.seconds)
        return
    from tests.fuzzing.cases import TARGETS, fault_of

    targets = options.targets or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f'no target {sorted(unknown)[0]!r}; there are {", ".join(TARGETS)}')
    if options.case is not None:
        with tempfile.TemporaryDirectory() as folder:
            was_refused, fault = fault_of(targets[0], options.case, Path(folder))
        if fault is not None:
            raise fault
        print('refused in one line' if was_refused else 'taken')
        return
    share = options.seconds / len(targets)
    if share < LEAST:
        parser.error(
            f'--seconds {options.seconds:g} are {share:.1f} a target, less than a process takes to '
            f'start: give {LEAST * len(targets)} at least, or name --targets'
        )
    sys.exit(1 if sum([fuzz(target, share, options.first) for target in targets]) else 0)


if __name__ == '__main__':
    main()
