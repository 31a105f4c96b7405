"""Import of the packages whose classes a config names without a prefix."""

import contextlib
import importlib
import importlib.util
import io
from collections.abc import Iterator

from mmengine.config import Config
from mmengine.logging import MMLogger

from rexdense.registry import MODELS


def import_scope(config: Config) -> None:
    """Import the data sets of the config's scope, such as mmseg's, without their output; and
    mmdet's, on which a data set of rexdense is based."""
    for scope in {config.get('default_scope', 'mmengine'), 'mmdet'} - {'mmengine'}:
        if importlib.util.find_spec(scope) and importlib.util.find_spec(f'{scope}.datasets'):
            with nothing_printed():
                importlib.import_module(f'{scope}.datasets')
    if config.get('default_scope') == 'mmdet' and importlib.util.find_spec('mmdet'):
        _mend_ssd_head()


@contextlib.contextmanager
def nothing_printed() -> Iterator[None]:
    """Keep from the terminal what packages print when they are imported."""
    # A log that is made meanwhile would write to where nobody reads, from then on.
    MMLogger.get_current_instance()
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _mend_ssd_head() -> None:
    """Make mmdet's SSDHead predict. It computes its loss itself and has no loss module, but since
    mmdet 3.2 the prediction of all heads asks that module about its classes
    (models/dense_heads/base_dense_head.py, ``custom_cls_channels``)."""
    head = MODELS.get('mmdet.SSDHead')
    if head is not None and not hasattr(head, 'loss_cls'):
        head.loss_cls = None
