"""Findings of an examination of the installation, a line each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        value: What is there.
        fault: What is wrong with it; None where all is well.
        remedy: The command that mends it.
    """

    name: str
    value: str
    fault: str | None = None
    remedy: str | None = None
