"""One row of the table of bad inputs."""

from typing import NamedTuple

__all__ = ['Bad']


class Bad(NamedTuple):
    """A command that cannot be done, in the folder that :mod:`tests.cli.bad_inputs.world` makes.

    Attributes:
        command: What follows ``rexdense``; words in capitals stand for what ``WORDS`` there says.
        expected: A regular expression that is found in the line on stderr.
        status: 2 for what was asked, 1 for what a file holds.
        logs: A run had begun: its folder and log stay, and no more.
        variables: Environment variables that are set, or, where None, taken away.
    """

    command: str
    expected: str
    status: int = 2
    logs: bool = False
    variables: dict[str, str | None] = {}
