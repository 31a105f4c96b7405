"""Services that plot the values of a run while it trains: TensorBoard, Weights & Biases."""

import importlib.util

from mmengine.config import Config

from rexdense.errors import InvalidArgument, MissingDependency

LOCAL = 'LocalVisBackend'


def use_tensorboard(config: Config) -> None:
    """Also log to TensorBoard's files, in ``vis_data`` of the run's folder. Raise MissingDependency
    if TensorBoard is not installed."""
    _require('tensorboard', '--tensorboard')
    _add(config, dict(type='TensorboardVisBackend'))


def use_wandb(config: Config, project: str) -> None:
    """Also log to Weights & Biases, as a run of a project there.

    Raises:
        InvalidArgument: the project name is empty, or has a character that wandb forbids.
        MissingDependency: wandb is not installed.
    """
    forbidden = sorted(set(project) & set('/\\#?%:'))
    if not project.strip() or forbidden:
        raise InvalidArgument(
            f'--wandb {project!r}: give the name of a project'
            + (f', without {" ".join(forbidden)}' if forbidden else '')
        )
    _require('wandb', '--wandb')
    _add(config, dict(type='WandbVisBackend', init_kwargs=dict(project=project)))


def without_trackers(config: Config) -> None:
    """Log only to local files."""
    if config.get('visualizer'):
        config.visualizer.vis_backends = [dict(type=LOCAL)]


def _add(config: Config, backend: dict) -> None:
    if not config.get('visualizer'):
        config.visualizer = dict(type='Visualizer')
    backends = list(config.visualizer.get('vis_backends') or [dict(type=LOCAL)])
    kept = [each for each in backends if each.get('type') != backend['type']]
    config.visualizer.vis_backends = [*kept, backend]


def _require(package: str, option: str) -> None:
    found = importlib.util.find_spec(package)
    # A folder of that name, such as wandb leaves in the current folder, has no origin.
    if found is None or found.origin is None:
        raise MissingDependency(
            f'{option} needs the package {package}, which is not installed: pip install {package}'
        )
