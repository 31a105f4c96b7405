"""Entry point of `make setup`: builds the virtual environment that demo, tests and tools run in.

Standard library only. This file is kept readable by every Python 3, and even Python 2, so that an
interpreter which is too old is told so instead of stopping at a syntax error.
"""

import sys

OLDEST, NEWEST = (3, 10), (3, 13)


def refuse_wrong_python():
    """Stop with status 1 where the pinned versions have no wheels for this interpreter."""
    found = tuple(sys.version_info[:2])
    if OLDEST <= found <= NEWEST:
        return
    sys.stderr.write(
        'Set-up failed: %s is Python %d.%d, but Python %d.%d to %d.%d is needed.\n'
        'What to do: install one of them, then say which: make setup PYTHON=python3.11\n'
        % ((sys.executable,) + found + OLDEST + NEWEST)
    )
    sys.exit(1)


if __name__ == '__main__':
    refuse_wrong_python()
    from environment_builder import main

    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
