"""A progress bar for long work."""

import sys
from types import TracebackType

from mmengine.utils import ProgressBar

_CLEAR_LINE = '\r\x1b[K'


class Progress:
    """mmengine's progress bar on stderr, below lines of output. There is no bar if stderr is no
    terminal, or if the work is a single piece.

    Args:
        total: Number of pieces; 0 if it is unknown.
        wanted: Whether to show a bar at all.
    """

    def __init__(self, total: int, wanted: bool = True) -> None:
        shown = wanted and total != 1 and sys.stderr.isatty()
        self._file = sys.stderr
        self._bar = ProgressBar(total, file=self._file) if shown else None

    def advance(self, line: str | None = None) -> None:
        """Print a line to stdout, if there is one, and count a piece of the work."""
        self._clear()
        if line is not None:
            print(line, flush=self._bar is not None)
        if self._bar is not None:
            self._bar.update()

    def _clear(self) -> None:
        if self._bar is not None:
            self._file.write(_CLEAR_LINE)
            self._file.flush()

    def __enter__(self) -> 'Progress':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clear()
