"""Cases by number, and what is a finding."""

import random
import warnings
from pathlib import Path

from rexdense.errors import RexdenseError
from tests.fuzzing.arguments import ARGUMENTS
from tests.fuzzing.files import FILES

__all__ = ['TARGETS', 'fault_of']

TARGETS = {**FILES, **ARGUMENTS}


def fault_of(target: str, number: int, folder: Path) -> tuple[bool, BaseException | None]:
    """Run one case; return whether it was refused, and what it raised that is no refusal in a line.

    Args:
        target: A key of ``TARGETS``.
        number: Of the case: it is the same each time.
        folder: Where its file is written.
    """
    # By the name's text: the hash of a str is another in each process.
    draw = random.Random(f'{target} {number}')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        run = TARGETS[target].case(folder, draw)
        try:
            run()
        except RexdenseError as error:
            fault = None if '\n' not in str(error) and str(error).strip() else error
            return True, fault
        except Exception as error:
            return False, error
    return False, None
