"""The page and its event handlers, with gradio."""

import contextlib
import html
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fastapi
import gradio

from rexdense.errors import RexdenseError
from rexdense.files.writing import atomic_write
from rexdense.inference import Predictor
from rexdense.visualization.picture_files import at_most
from rexdense.web.checkpoints import names_of_task, settings_of
from rexdense.web.components import INVITATION, Components, as_html
from rexdense.web.results import Results, View, find, rows_of
from rexdense.web.uploads import Limits

KEPT_SECONDS = 6 * 3600
"""Longest time in seconds for which uploaded images and drawn pictures are kept, while the page is
served."""
LOOKED_AFTER_SECONDS = 600
DRAWINGS_AT_ONCE = 4
LONGEST_SIDE = 1600
"""Longest side in pixels of a picture on the page; the zip has the full size."""
ZIP = 'predictions.zip'
STYLE = """
.gradio-container { max-width: 1500px !important; }
#said { min-height: 1.6em; }
#said .left-out { color: #b3261e; font-weight: 600; }
.dark #said .left-out { color: #ff8a80; }
footer { display: none !important; }
"""


def application(predictors: Mapping[str, Predictor], limits: Limits, folder: Path) -> Any:
    """Return the page as an ASGI application.

    Args:
        predictors: Predictors by the names of their checkpoints.
        folder: Folder of the zip files.
    """
    system = ['ui-sans-serif', 'system-ui', 'sans-serif']
    theme = gradio.themes.Soft(
        primary_hue='teal', font=system, font_mono=['ui-monospace', 'monospace']
    )
    return gradio.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        _Page(predictors, limits, folder).blocks,
        path='/',
        max_file_size=limits.bytes,
        show_error=True,
        theme=theme,
        css=STYLE,
        footer_links=[],
        ssr_mode=False,
    )


# Gradio shows the progress of a function that has a Progress as default argument.
_PROGRESS = gradio.Progress()


class _Page:
    """The page and its event handlers."""

    def __init__(self, predictors: Mapping[str, Predictor], limits: Limits, folder: Path) -> None:
        self.predictors, self.limits, self.folder = predictors, limits, folder
        with gradio.Blocks(
            title='rexdense',
            analytics_enabled=False,
            delete_cache=(LOOKED_AFTER_SECONDS, KEPT_SECONDS),
        ) as self.blocks:
            self._connect(Components(predictors))

    def _connect(self, parts: Components) -> None:
        found = [parts.results, parts.place, parts.gallery, parts.make_zip, parts.zip]
        drawn = [parts.said, parts.picture, parts.scales, parts.table]
        redraw = dict(
            fn=self._draw, inputs=[parts.results, parts.place, *parts.view], outputs=drawn
        )
        quiet = dict(show_progress='hidden', concurrency_limit=DRAWINGS_AT_ONCE)
        parts.task.input(self._choose_task, parts.task, parts.checkpoint)
        parts.checkpoint.change(
            self._choose_checkpoint, parts.checkpoint, [*parts.view, parts.scales_tab]
        ).then(self._find_again, [parts.checkpoint, parts.results], found).then(**redraw, **quiet)
        # Images from the camera or clipboard trigger input, not upload.
        for given, takes, find_in in (
            (parts.image, parts.image.input, self._find_one),
            (parts.files, parts.files.upload, self._find_several),
        ):
            for event in (takes, given.clear):
                event(find_in, [parts.checkpoint, given], found).then(**redraw, **quiet)
        for control in parts.view:
            control.input(**redraw, **quiet, trigger_mode='always_last')
        parts.gallery.select(self._choose_image, None, parts.place).then(**redraw, **quiet)
        parts.make_zip.click(self._write_zip, [parts.results, *parts.view], parts.zip)

    def _choose_task(self, task: str) -> Any:
        names = names_of_task(self.predictors, task)
        return gradio.update(choices=names, value=names[0])

    def _choose_checkpoint(self, name: str) -> list[Any]:
        update, shown = gradio.update, settings_of(self.predictors[name])
        return [
            update(visible=shown.score),
            update(visible=shown.score),
            update(choices=list(shown.classes), value=[], visible=bool(shown.classes)),
            update(visible=shown.opacity),
            update(visible=shown.scales),
        ]

    def _find_one(
        self, name: str, image: str | None, progress: gradio.Progress = _PROGRESS
    ) -> list[Any]:
        return self._find(name, [image] if image else [], progress)

    def _find_several(
        self, name: str, files: Sequence[str] | None, progress: gradio.Progress = _PROGRESS
    ) -> list[Any]:
        return self._find(name, files or [], progress)

    def _find_again(
        self, name: str, results: Results | None, progress: gradio.Progress = _PROGRESS
    ) -> list[Any]:
        """Predict the present images with another checkpoint."""
        return self._find(name, results.files if results else [], progress)

    def _find(self, name: str, files: Sequence[str | Path], progress: gradio.Progress) -> list[Any]:
        update = gradio.update

        def tell(done: int) -> None:
            progress((done, len(files)), unit='images')

        with _as_page_errors():
            results = find(self.predictors[name], [Path(file) for file in files], self.limits, tell)
            several = len(results.images) > 1
            shown = [(image.thumbnail(), image.name) for image in results.images if several]
        return [
            results,
            0,
            update(value=shown, visible=several),
            update(interactive=bool(results.images)),
            update(value=None, visible=False),
        ]

    def _choose_image(self, event: gradio.SelectData) -> int:
        return event.index

    def _draw(self, results: Results | None, place: int, *view: Any) -> tuple[str, Any, Any, Any]:
        """Return the sentence about an image, its picture, the picture of its scales, and its
        table."""
        if results is None or not results.images:
            left_out = results.left_out if results else ()
            return as_html('' if left_out else INVITATION, left_out), None, None, None
        with _as_page_errors():
            shown = results.prediction(place, View(*view))
        scales = at_most(shown.draw_scales(), LONGEST_SIDE) if shown.scales else None
        titles, rows = rows_of(shown)
        table = dict(headers=titles, data=rows)
        name = results.images[place].name
        said = as_html(f'{name}: {shown}', results.left_out)
        return said, at_most(shown.draw(), LONGEST_SIDE), scales, table

    def _write_zip(self, results: Results, *view: Any) -> Any:
        place = self.folder / secrets.token_hex(8) / ZIP
        with _as_page_errors():
            atomic_write(place, results.archive(View(*view)), make_folder=True)
        return gradio.update(value=str(place), visible=True)


@contextlib.contextmanager
def _as_page_errors() -> Iterator[None]:
    """Show the visitor the message of a rexdense error."""
    try:
        yield
    except RexdenseError as error:
        raise gradio.Error(html.escape(str(error)), duration=None, print_exception=False) from error
