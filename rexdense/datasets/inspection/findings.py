"""Findings in a data set, as text and as JSON."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.errors import some_of
from rexdense.text_table import text_table

_MOST_NAMED = 8
"""Suspicious samples of each kind that are listed."""


class Suspicion(NamedTuple):
    """A suspicious sample.

    Attributes:
        what: The kind of fault, such as 'zero-size box'.
        split: The split of the sample.
        image: Name of the image.
        detail: The annotation, with figures.
        left_out: Whether a cleaned copy leaves it out or changes it.
        other: Name of the identical image.
        annotations: Ids of the annotations.
    """

    what: str
    split: str
    image: str
    detail: str = ''
    left_out: bool = False
    other: str = ''
    annotations: tuple[int | str, ...] = ()

    def text(self) -> str:
        """Return where the sample is."""
        place = f'{self.split} {self.image}'.strip()
        return f'{place}: {self.detail}' if self.detail else place


def alike_names(split: str, names: Iterable[str]) -> list[Suspicion]:
    """Return a suspicion for each group of classes whose names differ in case or spaces alone."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(''.join(name.split()).casefold(), []).append(name)
    return [
        Suspicion(
            'classes whose names differ in case or spaces alone',
            split,
            '',
            some_of(map(repr, group)),
        )
        for group in groups.values()
        if len(group) > 1
    ]


class ImageEntry(NamedTuple):
    """An image of a split.

    Attributes:
        name: Its name in the data set.
        path: Its file.
        size: (height, width) in the annotation, if stated there.
    """

    name: str
    path: Path
    size: tuple[int, int] | None = None


@dataclass
class Inspected:
    """The findings in a data set.

    Attributes:
        kind: 'boxes', 'masks', 'label maps' or 'classes'.
        images: Images of each split.
        counts: By split, the number of objects, pixels or images of each class.
        table: Counts as text.
        figures: By split, further counts for the JSON.
        suspicions: Suspicious samples.
        samples_without: By split, names of images without objects or labels.
        sides: By split, the square roots of the areas of boxes, in pixels.
        objects: By split, the number of objects of each image.
    """

    kind: str
    images: dict[str, list[ImageEntry]]
    counts: dict[str, dict[str, int]]
    table: str
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    suspicions: list[Suspicion] = field(default_factory=list)
    samples_without: dict[str, list[str]] = field(default_factory=dict)
    sides: dict[str, list[float]] = field(default_factory=dict)
    objects: dict[str, list[int]] = field(default_factory=dict)

    def text(self) -> str:
        """Describe the findings for a user."""
        parts = [self.table]
        for split, names in self.samples_without.items():
            if names:
                parts.append(f'{split} has {len(names)} images without objects: {some_of(names)}.')
        by_kind: dict[str, list[Suspicion]] = {}
        for suspicion in self.suspicions:
            by_kind.setdefault(suspicion.what, []).append(suspicion)
        if not by_kind:
            parts.append('Nothing suspicious was found.')
            return '\n'.join(parts)
        parts.append('')
        splits = list(self.images)
        rows = [['suspicious', *splits]]
        for what, found in by_kind.items():
            rows.append([what, *(str(sum(s.split == split for s in found)) for split in splits)])
        parts.append(text_table(rows))
        for what, found in by_kind.items():
            parts.append(f'\n{what}:')
            parts += [f'  {suspicion.text()}' for suspicion in found[:_MOST_NAMED]]
            if len(found) > _MOST_NAMED:
                parts.append(f'  and {len(found) - _MOST_NAMED} more; --json FILE names all')
        return '\n'.join(parts)

    def document(self) -> dict[str, Any]:
        """Return the findings as JSON types."""
        return dict(
            kind=self.kind,
            splits={
                split: dict(
                    images=len(images),
                    classes=self.counts[split],
                    **self.figures.get(split, {}),
                    images_without_objects=self.samples_without.get(split, []),
                )
                for split, images in self.images.items()
            },
            suspicious=[suspicion._asdict() for suspicion in self.suspicions],
        )
