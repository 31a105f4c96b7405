"""Loading a trained model's weights into a model with another number of classes."""

from collections.abc import Mapping

from torch import Tensor, nn


def with_own_class_layers(
    model: nn.Module, state: Mapping[str, Tensor], before: int | None, now: int
) -> tuple[dict[str, Tensor], list[str]]:
    """Replace the layers of a state dict whose size depends on the number of classes by the model's
    own. Return the new state dict, and one line per replaced tensor.

    Such a layer is outside the backbone and has ``a * classes + b`` outputs, with ``a`` from 1
    and ``b`` from 0 on: ``classes`` or ``classes + 1`` in softmax heads, ``4 * classes`` in box
    regression, ``9 * classes`` with nine anchors. Other differing tensors are kept.

    Args:
        model: The model to load the weights into.
        state: The state dict of a model of the same kind.
        before: Number of classes of ``state``. None, if it is unknown, takes a number that explains
            all differing layers.
        now: Number of classes of the model.

    Example:
        >>> trained, model = nn.Linear(8, 81), nn.Linear(8, 4)
        >>> with_own_class_layers(model, trained.state_dict(), 80, 3)[1]
        ['weight (81, 8) where the model has (4, 8)', 'bias (81,) where the model has (4,)']
    """
    own = model.state_dict()
    outputs = {
        name: (state[name].shape[0], tensor.shape[0])
        for name, tensor in own.items()
        if name in state
        and not name.startswith('backbone.')
        and _differ_in_outputs(state[name], tensor)
    }
    largest = max((got for got, _ in outputs.values()), default=0)
    for classes in range(largest, 0, -1) if before is None else (before,):
        chosen = [name for name in outputs if _by_classes(*outputs[name], classes, now)]
        if before is not None or len(chosen) == len(outputs):
            break
    else:
        chosen = []
    lines = [
        f'{name} {tuple(state[name].shape)} where the model has {tuple(own[name].shape)}'
        for name in chosen
    ]
    return {**state, **{name: own[name] for name in chosen}}, lines


def _differ_in_outputs(got: Tensor, wanted: Tensor) -> bool:
    return got.dim() > 0 and got.shape[1:] == wanted.shape[1:] and got.shape != wanted.shape


def _by_classes(got: int, wanted: int, before: int, now: int) -> bool:
    """Return whether two numbers of outputs differ in the same way as the numbers of classes."""
    return before != now and any(
        was != becomes
        and (wanted - got) % (becomes - was) == 0
        and (each := (wanted - got) // (becomes - was)) >= 1
        and got >= each * was
        for was in _outputs(before)
        for becomes in _outputs(now)
    )


def _outputs(classes: int) -> tuple[int, ...]:
    # A sigmoid needs only one output for two classes.
    return (classes, 1) if classes == 2 else (classes,)
