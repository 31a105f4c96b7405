"""Findings of checks of the installation, one per line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: What was checked.
        value: What was found.
        fault: What is wrong with it; None if nothing is.
        remedy: The command that fixes it.
    """

    name: str
    value: str
    fault: str | None = None
    remedy: str | None = None
