"""The errors of a detector by kind, and its confusion matrix."""

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
"""The kinds of errors of TIDE and their meanings."""

IGNORED = 'ignored'
"""The kind of a detection in a crowd, which is neither right nor wrong."""

FOUND, FAR = 0.5, 0.1
"""TIDE's ``pos_thresh`` and ``bg_thresh``: the smallest IoU with an object that is found, and the
largest IoU of a detection of the background."""

_RECALLS = np.linspace(0, 1, 101)

Points = dict[int, list[tuple[float, bool]]]


@dataclass(frozen=True)
class DetectionErrors:
    """The errors of a detector on a data set, at an IoU of 0.5.

    The kinds and the order of their tests are those of TIDE (Bolya et al., "TIDE: A General Toolbox
    for Identifying Object Detection Errors", ECCV 2020, section 2.2; ``tidecv/quantify.py`` and
    ``errors/main_errors.py`` of dbolya/tide). A detection without a match in COCO's metrics gets
    the first kind that applies:

    - *location*: an IoU of 0.1 to 0.5 with an object of its class;
    - *class*: an IoU of 0.5 or more with an object of another class;
    - *duplicate*: an IoU of 0.5 or more with an object of its class that is already matched;
    - *background*: an IoU of at most 0.1 with every object;
    - *both*: everything else.

    An unmatched object is *missed*, unless a detection of the kind location or class has it as the
    nearest object.

    Attributes:
        average_precision: AP50, from 0 to 1; NaN without objects.
        gains: By kind, the rise of AP50 if its errors were fixed. For location and class, the best
            detection of each object that was not found becomes right and the others are removed.
            For the other kinds, the detections are removed. For missed, the objects are removed; a
            class without objects then has an AP of 1 without detections, and of 0 with detections.
        counts: By kind, the number of detections; for missed, of objects.
        counts_above: The same for detections with a score of at least ``score``.
        confusion: (C + 1, C + 1), int: objects by their class (row) and the class of the detection
            that found them (column). The last row counts detections that found no object, the last
            column objects that were not found. Pairs are matched by the greatest IoU, of 0.5 or
            more, whatever their classes. Ignored are crowds, detections below ``score``, and
            detections without an object that lie in a crowd.
        score: See ``counts_above`` and ``confusion``.
    """

    average_precision: float
    gains: Mapping[str, float]
    counts: Mapping[str, int]
    counts_above: Mapping[str, int]
    confusion: np.ndarray
    score: float

    def table(self) -> str:
        """Return the errors as a table with a row per kind."""
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
        images: See :func:`~rexdense.evaluation.coco_comparison.compared_images`.
        classes: Class names by label.
        score: Lowest score of detections in the confusion matrix and in ``counts_above``.
    """
    kept: Points = defaultdict(list)
    fixed: dict[str, Points] = {kind: defaultdict(list) for kind in ERRORS}
    counts, above, objects, missed = Counter(), Counter(), Counter(), Counter()
    confusion = np.zeros((len(classes) + 1, len(classes) + 1), int)
    for image in images:
        objects.update(image.labels[~image.crowd].tolist())
        matched = _matched(image)
        kinds, nearest = _kinds(image, matched)
        best = _best_of_objects(matched, nearest)
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
        lost = _missed(image, matched, nearest)
        missed.update(image.labels[lost].tolist())
        counts['missed'] += len(lost)
        above['missed'] += len(_missed(image, matched, nearest, score))
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
    """Return (D,) the index of the object that each detection has found; -1 for none, -2 for a
    crowd.

    As in pycocotools' ``COCOeval.evaluateImg``, each detection, in the order of scores, takes the
    free object of its class with the greatest IoU, and the later one of equal IoUs.
    """
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
    """Return, for each detection, the kind of its error (None if it is right), and the object that
    it nearly found (-1 for none)."""
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


def _best_of_objects(matched: np.ndarray, nearest: Sequence[int]) -> dict[int, int]:
    """Return, for each object that was not found, the best detection that nearly found it."""
    found = set(matched[matched >= 0].tolist())
    best: dict[int, int] = {}
    for place, of in enumerate(nearest):
        if of >= 0 and of not in found:
            best.setdefault(of, place)
    return best


def _missed(
    image: ComparedImage, matched: np.ndarray, nearest: Sequence[int], score: float = -np.inf
) -> list[int]:
    """Return the objects that no detection with at least ``score`` has found or nearly found."""
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
    # A stable sort puts the better detection first among equal overlaps.
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
    """Return COCO's AP, at 101 recalls, averaged over the classes that have objects."""
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
