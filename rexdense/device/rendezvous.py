"""Rendezvous of the processes of a run, in torchrun's store or in a store of the first process."""

import os
import time
import uuid
from datetime import timedelta

from torch import distributed

from rexdense.errors import InvalidArgument, first_line

_ENV_STORE = 'TORCHELASTIC_USE_AGENT_STORE'
_STORE_SECONDS, _SECONDS_BETWEEN_LOOKS = 10, 0.05
ROUND = 'rexdense/round'
"""Key of the name that the processes of one start share, see :func:`_prefix_of_round`."""


def join(backend: str, waiting: timedelta) -> None:
    """Join the process group that torch's environment variables describe. Raise InvalidArgument if
    the processes cannot reach each other."""
    try:
        store, rank, world = next(distributed.rendezvous('env://', timeout=waiting))
        store.set_timeout(waiting)
        if os.environ.get(_ENV_STORE) == 'True':
            prefix = _prefix_of_round(store, rank, world, waiting.total_seconds())
            store = distributed.PrefixStore(prefix, store)
        distributed.init_process_group(
            backend, store=store, rank=rank, world_size=world, timeout=waiting
        )
    except RuntimeError as error:
        known = isinstance(error, distributed.DistError) or 'gloo' in str(error).lower()
        if not known:
            raise
        address = f'{os.environ["MASTER_ADDR"]}:{os.environ["MASTER_PORT"]}'
        raise InvalidArgument(
            f'the processes cannot meet at {address} ({first_line(error)}): set '
            'MASTER_PORT to a free port, and MASTER_ADDR to a name of the first machine that all '
            'can reach'
        ) from error


def _prefix_of_round(store: 'distributed.Store', rank: int, world: int, seconds: float) -> str:
    """Return the key prefix of the present processes.

    torchrun keeps its store when it restarts processes (torch 2.13, ``_create_c10d_store`` in
    distributed/rendezvous.py), and the store still has the addresses of the ended processes. The
    first process therefore draws a random name. Each other process takes the name only after the
    first has echoed a random token that this process wrote. Without the token, the name and the
    answer that it reads could be from an earlier start.

    Raises:
        RuntimeError: the first process has not seen this one within ``seconds``.
    """
    own = uuid.uuid4().hex
    if rank == 0:
        store.set(ROUND, own)
        for other in range(1, world):
            store.set(f'{own}/seen/{other}', store.get(f'{own}/here/{other}'))
        return own
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if store.check([ROUND]):
            found = store.get(ROUND).decode()
            store.set(f'{found}/here/{rank}', own)
            seen = f'{found}/seen/{rank}'
            if store.check([seen]) and store.get(seen).decode() == own:
                return found
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    raise distributed.DistNetworkError(f'process 0 was not there within {seconds:g} s')


def launcher_store() -> 'distributed.TCPStore | None':
    """Return torchrun's store, which outlives the processes; None if there is none."""
    if os.environ.get(_ENV_STORE) != 'True':
        return None
    try:
        return distributed.TCPStore(
            os.environ['MASTER_ADDR'],
            int(os.environ['MASTER_PORT']),
            is_master=False,
            timeout=timedelta(seconds=_STORE_SECONDS),
        )
    except (RuntimeError, KeyError, ValueError):
        return None
