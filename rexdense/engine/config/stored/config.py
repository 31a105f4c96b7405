"""The config in a checkpoint, read as data; only the parts that a prediction needs are built."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.utils import import_modules_from_strings

from rexdense.checkpoint import install_safe_loader
from rexdense.checkpoint.formats.config_text import read_config_text
from rexdense.engine.config.checks.faults import config_faults
from rexdense.engine.config.stored.classes import (
    DATASET,
    METRIC,
    MODEL,
    TRANSFORM,
    TRUTH,
    Kind,
    buildable_classes_only,
)
from rexdense.engine.config.stored.types import (
    require_known_scope,
    require_known_types,
    require_no_types,
)
from rexdense.engine.scope import import_scope
from rexdense.errors import CheckpointUnreadable, RexdenseError

# Keys that name initial weights and file services; a prediction needs neither.
_LEFT_OUT = ('init_cfg', 'pretrained', 'backend_args', 'file_client_args')
# Steps of a test pipeline that need more than an image.
_LOADS_TRUTH = ('Annotation', 'LoadDepth')
# Keys by which data sets and metrics write files.
_WRITES = ('cache', 'outfile', 'format_only')


def read_stored_config(text: str, source: str) -> Config:
    """Return the config that mmengine wrote as text (``Config.pretty_text``). Raises as
    :func:`~rexdense.checkpoint.formats.config_text.read_config_text`."""
    values = read_config_text(text, source)
    try:
        return Config(values)
    except (KeyError, TypeError) as error:
        raise CheckpointUnreadable(
            f'the config in {source} has a name that mmengine keeps for itself ({error}): it is '
            'not one that rexdense train has written'
        ) from error


class StoredConfig:
    """The buildable parts of a checkpoint's config, each checked separately.

    Only the model, the steps from an image to the model's input, and the evaluation on the
    validation data are used. Hooks, loggers, visualizers, initial weights and file services are
    not, and nothing is imported. Each part passes
    :func:`rexdense.engine.config.stored.types.require_known_types` before it is returned, except
    that data sets and metrics may name files to read.

    Args:
        config: The whole config, as :func:`read_stored_config` returns it.
        source: Name of the file in messages.
        trusted: Use each part unchecked, and import the modules that the config names.

    Raises:
        CheckpointUnreadable: its scope is not that of a known package.
    """

    def __init__(self, config: Config, source: str, trusted: bool = False) -> None:
        self.config = config
        self.source = source
        self.trusted = trusted
        self.scope = config.get('default_scope') or 'mmengine'
        if not trusted:
            require_known_scope(self.scope, source)
        elif config.get('custom_imports'):
            import_modules_from_strings(**config.custom_imports)

    def model(self) -> ConfigDict:
        """Return the config of the model without settings for training only. Raise
        CheckpointUnreadable if there is none, or if it names anything that may not be built."""
        model = self._section(self.config, 'model', 'type')
        if 'train_cfg' in model and not self.trusted:
            model = {**model, 'train_cfg': None}
        return self._taken(model, 'model', MODEL)

    def backbone(self) -> ConfigDict:
        """Return the config of the model's backbone; raises as :meth:`model`."""
        model = self._section(self.config, 'model', 'backbone')
        backbone = self._section(model, 'backbone', 'type', 'model.backbone')
        return self._taken(backbone, 'model.backbone', MODEL)

    def pipeline(self) -> list[ConfigDict]:
        """Return the configs of the steps from the path of an image to the model's input; raises as
        :meth:`model`."""
        return [
            self._taken(step, place, TRANSFORM)
            for step, place in self._steps(*self._innermost_dataset('test_dataloader'))
            if not any(part in str(step['type']) for part in _LOADS_TRUTH)
        ]

    def validation(self) -> tuple[ConfigDict, list[ConfigDict]]:
        """Return the configs of the validation data, inside wrappers that repeat it, and of its
        metrics, without keys that write files. Raise CheckpointUnreadable if they are not of
        rexdense."""
        section, where = self._innermost_dataset('val_dataloader')
        steps = self._steps(section, where)
        dataset = self._named(section, where, DATASET, ('pipeline', *_WRITES))
        dataset.pipeline = [self._taken(step, place, TRUTH) for step, place in steps]
        metrics = self.config.get('val_evaluator') or []
        metrics = list(metrics) if isinstance(metrics, list | tuple) else [metrics]
        if not metrics:
            raise self._lacking('val_evaluator')
        return dataset, [
            self._named(metric, place, METRIC, _WRITES)
            for metric, place in self._parts(metrics, 'val_evaluator')
        ]

    def _named(
        self, section: dict[str, Any], where: str, kind: Kind, left_out: tuple[str, ...]
    ) -> ConfigDict:
        """Return a section of one class, whose values may name files; raises as :meth:`model`."""
        if self.trusted:
            return ConfigDict(section)
        taken = _without({**section}, (*_LEFT_OUT, *left_out))
        require_known_types(dict(type=taken.pop('type')), where, kind, self.scope, self.source)
        require_no_types(taken, where, self.source)
        return ConfigDict(type=section['type'], **taken)

    @contextlib.contextmanager
    def building(self, *kinds: Kind) -> Iterator[None]:
        """Build from the parts in this block, in their scope and only from classes that may be
        built.

        Args:
            kinds: What may be built besides models and transforms, or in place of these.

        Raises:
            CheckpointUnreadable: building fails.
            UnknownName: a class is not in the scope.
        """
        install_safe_loader()
        import_scope({'default_scope': self.scope})
        only = (
            contextlib.nullcontext() if self.trusted else buildable_classes_only(self.source, kinds)
        )
        try:
            # The built objects need no scope later, and other code of the process keeps its own.
            with only, config_faults(), DefaultScope.overwrite_default_scope(self.scope):
                yield
        except RexdenseError:
            raise
        # An unchecked config can fail in any way.
        except Exception as error:
            raise CheckpointUnreadable(
                f'the config in {self.source} cannot be built '
                f'({type(error).__name__}: {" ".join(str(error).split())[:200]}): give a '
                'checkpoint that rexdense train has written'
            ) from error

    def _innermost_dataset(self, where: str) -> tuple[dict[str, Any], str]:
        """Return the section of a loader's data set, inside wrappers that repeat it, and its
        place."""
        section = self._section(self.config, where, 'dataset')
        while 'dataset' in section:
            where += '.dataset'
            section = self._section(section, 'dataset', 'type', where)
        return section, where

    def _steps(self, dataset: dict[str, Any], where: str) -> Iterator[tuple[dict[str, Any], str]]:
        """Return the sections of the steps of a data set's pipeline, with their places."""
        where = f'{where}.pipeline'
        steps = dataset.get('pipeline')
        if not isinstance(steps, list | tuple):
            raise self._lacking(where)
        return self._parts(steps, where)

    def _parts(self, parts: Sequence[Any], where: str) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield the sections of a list, with their places."""
        for index in range(len(parts)):
            place = f'{where}[{index}]'
            yield self._section(parts, index, 'type', place), place

    def _section(self, parent: Any, key: Any, needed: str, where: str = '') -> dict[str, Any]:
        """Return the section of a parent, which must exist and have the entry ``needed``."""
        section = parent.get(key) if isinstance(parent, dict | Config) else parent[key]
        if not isinstance(section, dict):
            raise self._lacking(where or key)
        if needed not in section:
            raise self._lacking(f'{where or key}.{needed}')
        return section

    def _lacking(self, where: str) -> CheckpointUnreadable:
        return CheckpointUnreadable(
            f'the config in {self.source} has no {where}: give a checkpoint that rexdense train '
            'has written'
        )

    def _taken(self, section: dict[str, Any], where: str, kind: Kind) -> ConfigDict:
        if self.trusted:
            return ConfigDict(section)
        taken = _without(section, _LEFT_OUT)
        require_known_types(taken, where, kind, self.scope, self.source)
        return ConfigDict(taken)


def _without(node: Any, keys: tuple[str, ...]) -> Any:
    """Return a copy of a tree without the entries with these names."""
    if isinstance(node, dict):
        return {key: _without(value, keys) for key, value in node.items() if key not in keys}
    if isinstance(node, list | tuple):
        return type(node)(_without(value, keys) for value in node)
    return node
