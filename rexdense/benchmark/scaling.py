"""Expected speed and memory of a training on many cards, from figures of one card.

The model: each card computes its step. Then all cards sum their gradients in a ring, in which each
sends ``2 (n - 1) / n`` times their bytes (Patarasu and Yuan 2009, "Bandwidth optimal all-reduce
algorithms"). No card is faster than its loader. How much of the sum torch overlaps with the
backward pass depends on the network and the links, so the rate is a range from no to full overlap.
"""

from dataclasses import dataclass
from typing import NamedTuple

from rexdense.errors import InvalidArgument

FLOAT32 = 4
MOMENTS = {'SGD': 1, 'Adam': 2, 'AdamW': 2}
"""Values that an optimizer keeps per parameter."""


@dataclass(frozen=True)
class Training:
    """A training on one card, as measured.

    Attributes:
        images: Images per step.
        step_seconds: Seconds of forward pass, backward pass and optimizer.
        parameters: Parameters of the network, in float32.
        optimizer: A key of ``MOMENTS``.
        activation_bytes: Bytes that the forward pass keeps per image for the backward pass.
        loader_rate: Images per second that one core loads and augments; 0 if nothing is loaded.
        zero: Whether the moments are divided among the cards.
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
    """Cards and their connections.

    Attributes:
        cards: Number of all cards.
        per_machine: Cards per machine.
        inside: Bytes per second between cards of a machine.
        between: Bytes per second between machines.
        latency: Seconds per message.
        cores_per_card: Cores that load images for each card.
        at_once: The number of cards that compute at the same time; fewer than all if processes
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
        lowest: Images per second if no sum of gradients overlaps with the backward pass.
        highest: Images per second if all sums do.
        card_bytes: Memory of each card.
        by_loader: Whether the loader limits the highest rate.
    """

    lowest: float
    highest: float
    card_bytes: float
    by_loader: bool

    def seconds_for(self, images: int) -> tuple[float, float]:
        """Return the minimum and maximum seconds for a number of images, such as an epoch."""
        return images / self.highest, images / self.lowest


def exchange_seconds(number_of_bytes: float, cluster: Cluster) -> float:
    """Return the time for an all-reduce of a number of bytes among all cards.

    Example:
        >>> round(exchange_seconds(100e6, Cluster(2, inside=1e9, latency=0)), 3)
        0.1
    """
    cards = cluster.cards
    rate = cluster.inside if cards <= cluster.per_machine else cluster.between
    return 2 * (cards - 1) / cards * number_of_bytes / rate + 2 * (cards - 1) * cluster.latency


def state_bytes(training: Training, cards: int) -> float:
    """Return the bytes on a card besides activations: weights, gradients, moments, and with several
    cards the copy of the gradients that is summed (torch's DistributedDataParallel).

    Raises:
        InvalidArgument: the optimizer is unknown.

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
    """Return the expected images per second and memory of a training.

    Raises:
        InvalidArgument: a figure is invalid, such as a step that takes no time.
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
    """Check that figures are above 0, or at least 0. NaN fails both."""
    wrong = [name for name in above if not getattr(figures, name) > 0]
    if wrong:
        raise InvalidArgument(f'{", ".join(above)} are above 0, and {wrong[0]} is not')
    wrong = [name for name in at_least if not getattr(figures, name) >= 0]
    if wrong:
        raise InvalidArgument(f'{wrong[0]} is at least 0')
