"""Errors of a detector by kind, and its confusion matrix."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rexdense.evaluation.coco_comparison import ComparedImage
from rexdense.text_table import text_table

ERRORS = {
    'class': 'right place, wrong class',
    'location': 'right class, wrong place',
    'both': 'wrong class and wrong place',
    'duplicate': 'of an object that a better one has found',
    'background': 'where nothing is',
    'missed': 'object that nothing above accounts for',
}
"""The kinds of errors in TIDE's order of tests, but for both and missed, which are the rest."""

IGNORED = 'ignored'
"""The kind of a detection in a crowd, which is neither right nor wrong."""

FOUND, FAR = 0.5, 0.1
"""IoU from which on an object is found, and up to which a detection is of the background: TIDE's
``pos_thresh`` and ``bg_thresh``."""

_RECALLS = np.linspace(0, 1, 101)

Points = dict[int, list[tuple[float, bool]]]


@dataclass(frozen=True)
class DetectionErrors:
    """The errors of a detector on a data set, at an IoU of 0.5.

    The kinds and their order are those of TIDE (Bolya et al., "TIDE: A General Toolbox for
    Identifying Object Detection Errors", ECCV 2020, section 2.2; ``tidecv/quantify.py`` and
    ``errors/main_errors.py`` of dbolya/tide). A detection that COCO's metrics do not match is,
    with the first that holds of: *location*, an IoU of 0.1 to 0.5 with an object of its class;
    *class*, 0.5 or more with one of another class; *duplicate*, 0.5 or more with one of its class
    that is matched; *background*, at most 0.1 with all objects; else *both*. An object that nothing
    matches is *missed*, unless a detection of the kinds location or class is nearest to it.

    Attributes:
        average_precision: AP50, from 0 to 1, NaN without objects.
        gains: of each kind, how much AP50 would rise without it: detections of the kinds location
            and class become right where their object is not found yet, by the best of them, else
            they go; those of other kinds go; missed objects are not asked for. A class of which
            nothing is asked for then has an AP of 1 without detections, and of 0 with.
        counts: of each kind, the number of detections, or of objects.
        counts_above: the number of those whose score is ``score`` at least; of objects those that
            are missed even so.
        confusion: (C + 1, C + 1), int, objects by their class (row) and by that of the detection
            that has found them (column). The last row counts detections that have found nothing,
            the last column objects that were not found. The pair of the greatest IoU comes first,
            whatever its classes, and must have 0.5 at least. Detections below ``score`` and crowds
            do not count, nor do detections that have found nothing and lie half in a crowd.
        score: see ``counts_above`` and ``confusion``.
    """

    average_precision: float
    gains: Mapping[str, float]
    counts: Mapping[str, int]
    counts_above: Mapping[str, int]
    confusion: np.ndarray
    score: float

    def table(self) -> str:
        """Return the errors as a table, a line each kind."""
        rows = [['error', 'AP50 lost', 'number', f'of score >= {self.score:g}', 'meaning']]
        for kind, meaning in ERRORS.items():
            gain = self.gains[kind]
            rows.append(
                [
                    kind,
                    '-' if np.isnan(gain) else f'{gain:.3f}',
                    str(self.counts[kind]),
                    str(self.counts_above[kind]),
                    meaning,
                ]
            )
        return text_table(rows)


def detection_errors(
    images: Iterable[ComparedImage], classes: Sequence[str], score: float = 0.3
) -> DetectionErrors:
    """Return the errors of a detector.

    Args:
        images: see :func:`~rexdense.evaluation.coco_comparison.compared_images`.
        classes: by label.
        score: of detections that count in the confusion matrix and in ``counts_above``.
    """
    kept: Points = defaultdict(list)
    fixed: dict[str, Points] = {kind: defaultdict(list) for kind in ERRORS}
    counts, above, objects, missed = Counter(), Counter(), Counter(), Counter()
    confusion = np.zeros((len(classes) + 1, len(classes) + 1), int)
    for image in images:
        objects.update(image.labels[~image.crowd].tolist())
        matched = _matched(image)
        kinds, nearest = _kinds(image, matched)
        best = _best_of_objects(image, matched, kinds, nearest)
        for place, kind in enumerate(kinds):
            if kind == IGNORED:
                continue
            label, of = int(image.found[place]), nearest[place]
            point = float(image.scores[place]), kind is None
            for other in ERRORS:
                if other != kind:
                    fixed[other][label].append(point)
            kept[label].append(point)
            if kind is not None:
                counts[kind] += 1
                above[kind] += bool(point[0] >= score)
                if best.get(of) == place:
                    fixed[kind][int(image.labels[of])].append((point[0], True))
        lost = _missed(image, matched, kinds, nearest)
        missed.update(image.labels[lost].tolist())
        counts['missed'] += len(lost)
        above['missed'] += len(_missed(image, matched, kinds, nearest, score))
        confusion += _confusion(image, len(classes), score)
    before = _mean_precision(kept, objects, objects)
    gains = {
        kind: _mean_precision(points, objects - missed if kind == 'missed' else objects, objects)
        - before
        for kind, points in fixed.items()
    }
    return DetectionErrors(
        before,
        gains,
        {kind: counts[kind] for kind in ERRORS},
        {kind: above[kind] for kind in ERRORS},
        confusion,
        score,
    )


def _matched(image: ComparedImage) -> np.ndarray:
    """Return (D,) the object that each detection has found, -1 for none, -2 for a crowd, as
    pycocotools' ``COCOeval.evaluateImg`` gives them: from the best detection on, the free object of
    its class with the greatest IoU, the later of equals."""
    matched = np.full(len(image.scores), -1)
    free = ~image.crowd
    for place, label in enumerate(image.found):
        overlaps = np.where((image.labels == label), image.overlaps[place], -1)
        objects = np.where(free, overlaps, -1)
        if objects.size and objects.max() >= FOUND:
            matched[place] = len(objects) - 1 - int(objects[::-1].argmax())
            free[matched[place]] = False
        elif (overlaps[image.crowd] >= FOUND).any():
            matched[place] = -2
    return matched


def _kinds(image: ComparedImage, matched: np.ndarray) -> tuple[list[str | None], list[int]]:
    """Return of each detection the kind of its error, None where it is right, and the object that
    it is of."""
    used = np.zeros(len(image.labels), bool)
    used[matched[matched >= 0]] = True
    kinds: list[str | None] = []
    nearest = []
    for place, label in enumerate(image.found):
        overlaps = np.where(image.crowd, -1, image.overlaps[place])
        same = np.where(image.labels == label, overlaps, -1)
        other = np.where(image.labels != label, overlaps, -1)
        kind, of = 'both', -1
        if matched[place] != -1:
            kind = IGNORED if matched[place] == -2 else None
        elif not (overlaps >= 0).any():
            kind = 'background'
        elif FAR <= same.max() <= FOUND:
            kind, of = 'location', int(same.argmax())
        elif other.max() >= FOUND:
            kind, of = 'class', int(other.argmax())
        elif np.where(used, same, -1).max() >= FOUND:
            kind = 'duplicate'
        elif overlaps.max() <= FAR:
            kind = 'background'
        kinds.append(kind)
        nearest.append(of)
    return kinds, nearest


def _best_of_objects(
    image: ComparedImage, matched: np.ndarray, kinds: Sequence[str | None], nearest: Sequence[int]
) -> dict[int, int]:
    """Return, by object that is not found, the best detection that nearly found it."""
    found = set(matched[matched >= 0].tolist())
    best: dict[int, int] = {}
    for place, of in enumerate(nearest):
        if of >= 0 and of not in found:
            best.setdefault(of, place)
    return best


def _missed(
    image: ComparedImage,
    matched: np.ndarray,
    kinds: Sequence[str | None],
    nearest: Sequence[int],
    score: float = -np.inf,
) -> list[int]:
    """Return the objects that no detection of that score has found or nearly found."""
    counted = np.flatnonzero(image.scores >= score)
    near = {int(matched[place]) for place in counted} | {nearest[place] for place in counted}
    return [place for place in np.flatnonzero(~image.crowd).tolist() if place not in near]


def _confusion(image: ComparedImage, classes: int, score: float) -> np.ndarray:
    """Return the confusion matrix of an image, see :class:`DetectionErrors`."""
    confusion = np.zeros((classes + 1, classes + 1), int)
    objects = np.flatnonzero(~image.crowd)
    counted = np.flatnonzero(image.scores >= score)
    overlaps = image.overlaps[np.ix_(counted, objects)]
    pairs = np.argwhere(overlaps >= FOUND)
    # Of equal overlaps the better detection comes first.
    order = np.argsort(-overlaps[tuple(pairs.T)], kind='stable')
    free, waiting = set(range(len(objects))), dict.fromkeys(range(len(counted)))
    for detection, thing in pairs[order].tolist():
        if thing in free and detection in waiting:
            free.remove(thing)
            del waiting[detection]
            confusion[image.labels[objects[thing]], image.found[counted[detection]]] += 1
    for thing in free:
        confusion[image.labels[objects[thing]], classes] += 1
    for detection in waiting:
        place = counted[detection]
        if not (image.overlaps[place, image.crowd] >= FOUND).any():
            confusion[classes, image.found[place]] += 1
    return confusion


def _mean_precision(points: Points, asked_for: Counter, objects: Counter) -> float:
    """Return the mean over the classes that have objects of COCO's AP, at 101 recalls."""
    values = [_precision(points.get(label, []), asked_for[label]) for label in sorted(objects)]
    return float(np.mean(values)) if values else float('nan')


def _precision(points: list[tuple[float, bool]], objects: int) -> float:
    """Return the AP of a class as pycocotools' ``COCOeval.accumulate`` computes it."""
    if not objects:
        return 0.0 if points else 1.0
    right = np.array([right for _, right in sorted(points, key=lambda point: -point[0])], bool)
    true = np.cumsum(right)
    precision = true / np.arange(1, len(true) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(true / objects, _RECALLS, side='left')
    return float(np.append(precision, 0)[np.minimum(places, len(precision))].mean())
