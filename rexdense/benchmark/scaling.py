"""Speed and memory of a training on many cards, expected from figures of one card.

The model: each card makes its step; then all add up their gradients in a ring, in which each sends
``2 (n - 1) / n`` times their bytes (Patarasu and Yuan 2009, "Bandwidth optimal all-reduce
algorithms"); and no card is faster than its loader. How much of the sum torch hides behind the
backward pass depends on the network and the links, so the rate is a range: from nothing to all.
"""

from dataclasses import dataclass
from typing import NamedTuple

from rexdense.errors import InvalidArgument

FLOAT32 = 4
MOMENTS = {'SGD': 1, 'Adam': 2, 'AdamW': 2}
"""Numbers that an optimizer keeps of each parameter."""


@dataclass(frozen=True)
class Training:
    """A training on one card, as measured.

    Attributes:
        images: Of a step.
        step_seconds: Forward, backward and optimizer.
        parameters: Of the network, in float32.
        optimizer: A key of ``MOMENTS``.
        activation_bytes: What the forward pass keeps of an image for the backward pass.
        loader_rate: Images a second that one core loads and augments; 0 where nothing is loaded.
        zero: The moments are shared out among the cards.
    """

    images: int
    step_seconds: float
    parameters: int
    optimizer: str = 'SGD'
    activation_bytes: float = 0.0
    loader_rate: float = 0.0
    zero: bool = False


@dataclass(frozen=True)
class Cluster:
    """Cards and what is between them.

    Attributes:
        cards: In all.
        per_machine: Cards of a machine.
        inside: Bytes a second from card to card in a machine.
        between: Bytes a second from machine to machine.
        latency: Seconds of a message.
        cores_per_card: Cores that load images for a card.
        at_once: How many of the cards compute at the same time; fewer than all where processes
            share the cores of a machine.
    """

    cards: int
    per_machine: int = 8
    inside: float = 100e9
    between: float = 12.5e9
    latency: float = 20e-6
    cores_per_card: int = 8
    at_once: int | None = None


class Expectation(NamedTuple):
    """The expected speed and memory of a training on a cluster.

    Attributes:
        lowest: Images a second, if no sum of gradients runs beside the backward pass.
        highest: Likewise, if all of it does.
        card_bytes: Memory of each card.
        by_loader: Whether the loader sets the highest rate.
    """

    lowest: float
    highest: float
    card_bytes: float
    by_loader: bool

    def seconds_for(self, images: int) -> tuple[float, float]:
        """Return the least and the most seconds for so many images, such as an epoch."""
        return images / self.highest, images / self.lowest


def exchange_seconds(number_of_bytes: float, cluster: Cluster) -> float:
    """Return the time in which all cards have the sum of so many bytes of each.

    Example:
        >>> round(exchange_seconds(100e6, Cluster(2, inside=1e9, latency=0)), 3)
        0.1
    """
    cards = cluster.cards
    rate = cluster.inside if cards <= cluster.per_machine else cluster.between
    return 2 * (cards - 1) / cards * number_of_bytes / rate + 2 * (cards - 1) * cluster.latency


def state_bytes(training: Training, cards: int) -> float:
    """Return the bytes of a card besides activations: weights, gradients, the copy of these that is
    summed up (torch's DistributedDataParallel, where there are several cards), and moments.

    Raises:
        InvalidArgument: the moments of the optimizer are not known.

    Example:
        >>> state_bytes(Training(1, 1.0, parameters=145_000_000, optimizer='AdamW'), 8) / 1e9
        2.9
    """
    if training.optimizer not in MOMENTS:
        raise InvalidArgument(f'optimizer {training.optimizer!r}: allowed are {", ".join(MOMENTS)}')
    moments = MOMENTS[training.optimizer] / (cards if training.zero else 1)
    copies = 2 + (cards > 1) + moments
    return FLOAT32 * training.parameters * copies


def expect(training: Training, cluster: Cluster) -> Expectation:
    """Return the images a second and the memory that are expected of a training.

    Raises:
        InvalidArgument: a figure is none, such as a step that takes no time.
    """
    _require(
        training, ('images', 'step_seconds', 'parameters'), ('activation_bytes', 'loader_rate')
    )
    _require(cluster, ('cards', 'per_machine', 'inside', 'between', 'cores_per_card'), ('latency',))
    if cluster.at_once is not None:
        _require(cluster, ('at_once',))
    waves = max(1.0, cluster.cards / (cluster.at_once or cluster.cards))
    compute = training.step_seconds * waves
    exchange = exchange_seconds(FLOAT32 * training.parameters, cluster)
    images = training.images * cluster.cards
    slowest, fastest = images / (compute + exchange), images / max(compute, exchange)
    loader = training.loader_rate * cluster.cores_per_card * cluster.cards or float('inf')
    return Expectation(
        min(slowest, loader),
        min(fastest, loader),
        state_bytes(training, cluster.cards) + training.activation_bytes * training.images,
        loader < fastest,
    )


def _require(
    figures: Training | Cluster, above: tuple[str, ...], at_least: tuple[str, ...] = ()
) -> None:
    """Check that figures are above 0, or at least 0. NaN is neither."""
    wrong = [name for name in above if not getattr(figures, name) > 0]
    if wrong:
        raise InvalidArgument(f'{", ".join(above)} are above 0, and {wrong[0]} is not')
    wrong = [name for name in at_least if not getattr(figures, name) >= 0]
    if wrong:
        raise InvalidArgument(f'{wrong[0]} is at least 0')
