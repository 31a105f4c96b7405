"""Report of loading weights."""

import dataclasses

from rexdense.checkpoint.preprocessing import Preprocessing

_SHOWN = 6


@dataclasses.dataclass
class LoadReport:
    """Tensors that were loaded, renamed, left out or missing. ``print(report)`` shows a table.

    Attributes:
        checkpoint: The checkpoint.
        source: The project whose names it uses.
        architecture: The network in it.
        loaded: Names of the module's tensors that were loaded.
        renamed: (name in the checkpoint, name in the module) of the loaded tensors whose names
            differ.
        dropped: Tensors of the checkpoint that were left out as expected: a head, levels that the
            module does not build, the parts beside the backbone.
        kept: Names in the module that were kept on request.
        missing: Names in the module that the checkpoint lacks.
        unexpected: Names in the checkpoint that the module lacks.
        reshaped: (name, shape in the checkpoint, shape in the module) of differing shapes.
        notes: Adaptations and other remarks.
        preprocessing: The preprocessing of images for these weights.
    """

    checkpoint: str
    source: str = ''
    architecture: str = ''
    loaded: list[str] = dataclasses.field(default_factory=list)
    renamed: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    dropped: list[str] = dataclasses.field(default_factory=list)
    kept: list[str] = dataclasses.field(default_factory=list)
    missing: list[str] = dataclasses.field(default_factory=list)
    unexpected: list[str] = dataclasses.field(default_factory=list)
    reshaped: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = dataclasses.field(
        default_factory=list
    )
    notes: list[str] = dataclasses.field(default_factory=list)
    preprocessing: Preprocessing | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, unexpected or of another shape."""
        return not (self.missing or self.unexpected or self.reshaped)

    def differences(self) -> list[str]:
        """Return one short line per tensor that does not fit."""
        return [
            *(f'{name} is {got}, the module has {wanted}' for name, got, wanted in self.reshaped),
            *(f'{name} is missing' for name in self.missing),
            *(f'{name} has no place' for name in self.unexpected),
        ]

    def __str__(self) -> str:
        renamed = f', {len(self.renamed)} of them renamed' if self.renamed else ''
        rows = [
            ('checkpoint', self.checkpoint),
            ('source', self.source),
            ('architecture', self.architecture),
            ('loaded', f'{len(self.loaded)} tensors{renamed}'),
            ('dropped', _abridged(self.dropped)),
            ('kept', _abridged(self.kept)),
            ('missing', _abridged(self.missing)),
            ('unexpected', _abridged(self.unexpected)),
            (
                'other shape',
                _abridged([f'{name} {got} -> {wanted}' for name, got, wanted in self.reshaped]),
            ),
            ('preprocessing', str(self.preprocessing or '')),
            *(('note', note) for note in self.notes),
        ]
        return '\n'.join(f'{title:<14}{text}' for title, text in rows if text)


def _abridged(names: list[str]) -> str:
    if not names:
        return ''
    shown = ', '.join(names[:_SHOWN])
    return f'{len(names)}: {shown}' + (' ...' if len(names) > _SHOWN else '')
