"""The page: what is seen and set, on gradio."""

import contextlib
import html
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fastapi
import gradio

from rexdense.errors import RexdenseError
from rexdense.files import atomic_write
from rexdense.inference import Predictor
from rexdense.tasks import Depth, Detection, Segmentation
from rexdense.web.checkpoints import LEAST_SCORE, task_name
from rexdense.web.results import Results, View, find, for_the_page, rows_of
from rexdense.web.uploads import UPLOAD_ENDINGS, Limits

__all__ = ['application']

SCORE, OPACITY = 0.3, 0.5
"""Where the sliders stand at first."""
KEPT_SECONDS = 6 * 3600
"""How long uploaded images and drawn pictures are kept at most, while the page is served."""
LOOKED_AFTER_SECONDS = 600
DRAWINGS_AT_ONCE = 4
ZIP = 'predictions.zip'
INVITATION = 'Drop an image, or take one with the camera.'
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
        predictors: By the names of their checkpoints.
        folder: Where zips are written.
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


# Gradio shows the progress of a function that has one among its defaults.
_PROGRESS = gradio.Progress()


class _Page:
    """The components of the page, and what happens when they are used."""

    def __init__(self, predictors: Mapping[str, Predictor], limits: Limits, folder: Path) -> None:
        self.predictors, self.limits, self.folder = predictors, limits, folder
        with gradio.Blocks(
            title='rexdense',
            analytics_enabled=False,
            delete_cache=(LOOKED_AFTER_SECONDS, KEPT_SECONDS),
        ) as self.blocks:
            self._lay_out()
            self._connect()

    def _lay_out(self) -> None:
        first = next(iter(self.predictors))
        tasks = list(dict.fromkeys(map(task_name, self.predictors.values())))
        shown = self._settings(first)
        self.results = gradio.State(None)
        self.place = gradio.State(0)
        with gradio.Row():
            with gradio.Column(scale=2, min_width=320):
                self.task = gradio.Radio(
                    tasks, value=tasks[0], label='Task', visible=len(tasks) > 1, elem_id='task'
                )
                self.checkpoint = gradio.Dropdown(
                    self._of_task(tasks[0]), value=first, label='Checkpoint', elem_id='checkpoint'
                )
                with gradio.Tab('One image'):
                    self.image = gradio.Image(
                        type='filepath',
                        sources=['upload', 'webcam', 'clipboard'],
                        label='Image',
                        elem_id='image',
                        height=280,
                    )
                with gradio.Tab('Several images'):
                    self.files = gradio.File(
                        file_count='multiple',
                        file_types=list(UPLOAD_ENDINGS),
                        label='Images',
                        elem_id='files',
                        height=280,
                    )
                # Decoding, and the message about what cannot be decoded, is ours.
                self.image.preprocess = _path_of
                self.score = gradio.Slider(
                    LEAST_SCORE,
                    1,
                    value=SCORE,
                    step=0.01,
                    label='Lowest score',
                    elem_id='score',
                    visible=shown['score'],
                )
                self.opacity = gradio.Slider(
                    0,
                    1,
                    value=OPACITY,
                    step=0.01,
                    label='Opacity',
                    elem_id='opacity',
                    visible=shown['opacity'],
                )
                self.classes = gradio.Dropdown(
                    list(shown['classes']),
                    value=[],
                    multiselect=True,
                    elem_id='classes',
                    label='Classes (all, unless some are chosen)',
                    visible=bool(shown['classes']),
                )
                self.one_per_object = gradio.Checkbox(
                    False,
                    label='Best class alone for each object',
                    elem_id='one-per-object',
                    visible=shown['score'],
                )
            with gradio.Column(scale=5, min_width=480):
                self.said = gradio.HTML(_html(INVITATION), elem_id='said')
                self.gallery = gradio.Gallery(
                    label='Images',
                    elem_id='gallery',
                    visible=False,
                    columns=8,
                    height=150,
                    allow_preview=False,
                    interactive=False,
                )
                with gradio.Tabs():
                    with gradio.Tab('Prediction'):
                        self.picture = gradio.Image(
                            label='Prediction',
                            elem_id='picture',
                            interactive=False,
                            format='jpeg',
                            buttons=['download', 'fullscreen'],
                            show_label=False,
                        )
                    with gradio.Tab(
                        'Outputs by scale', visible=shown['scales'], elem_id='scales-tab'
                    ) as self.scales_tab:
                        self.scales = gradio.Image(
                            label='Outputs by scale',
                            elem_id='scales',
                            interactive=False,
                            format='jpeg',
                            buttons=['download', 'fullscreen'],
                            show_label=False,
                        )
                    with gradio.Tab('Table'):
                        self.table = gradio.Dataframe(
                            elem_id='table', interactive=False, wrap=True, show_label=False
                        )
                with gradio.Row():
                    self.make_zip = gradio.Button(
                        'Zip of pictures and JSON', elem_id='make-zip', interactive=False
                    )
                    self.zip = gradio.File(
                        label='Zip', elem_id='zip', interactive=False, visible=False
                    )

    def _connect(self) -> None:
        view = [self.score, self.one_per_object, self.classes, self.opacity]
        found = [self.results, self.place, self.gallery, self.make_zip, self.zip]
        drawn = [self.said, self.picture, self.scales, self.table]
        redraw = dict(fn=self._draw, inputs=[self.results, self.place, *view], outputs=drawn)
        quiet = dict(show_progress='hidden', concurrency_limit=DRAWINGS_AT_ONCE)
        self.task.input(self._choose_task, self.task, self.checkpoint)
        self.checkpoint.change(
            self._choose_checkpoint,
            self.checkpoint,
            [self.score, self.one_per_object, self.classes, self.opacity, self.scales_tab],
        ).then(self._find_again, [self.checkpoint, self.results], found).then(**redraw, **quiet)
        # What the camera gives and what is pasted is input, and not uploaded.
        for given, takes, find_in in (
            (self.image, self.image.input, self._find_one),
            (self.files, self.files.upload, self._find_several),
        ):
            for event in (takes, given.clear):
                event(find_in, [self.checkpoint, given], found).then(**redraw, **quiet)
        for control in view:
            control.input(**redraw, **quiet, trigger_mode='always_last')
        self.gallery.select(self._choose_image, None, self.place).then(**redraw, **quiet)
        self.make_zip.click(self._write_zip, [self.results, *view], self.zip)

    def _of_task(self, task: str) -> list[str]:
        return [name for name, each in self.predictors.items() if task_name(each) == task]

    def _settings(self, name: str) -> dict[str, Any]:
        """Return which settings have an effect on the predictions of a checkpoint."""
        predictor = self.predictors[name]
        task = predictor.task
        return dict(
            score=isinstance(task, Detection),
            opacity=isinstance(task, Segmentation | Depth) or predictor.finds_masks,
            classes=() if isinstance(task, Depth) else predictor.classes,
            scales=bool(predictor.strides),
        )

    def _choose_task(self, task: str) -> Any:
        names = self._of_task(task)
        return gradio.update(choices=names, value=names[0])

    def _choose_checkpoint(self, name: str) -> list[Any]:
        update, shown = gradio.update, self._settings(name)
        return [
            update(visible=shown['score']),
            update(visible=shown['score']),
            update(choices=list(shown['classes']), value=[], visible=bool(shown['classes'])),
            update(visible=shown['opacity']),
            update(visible=shown['scales']),
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
        """Find with another checkpoint in the images that are there."""
        return self._find(name, results.files if results else [], progress)

    def _find(self, name: str, files: Sequence[str | Path], progress: gradio.Progress) -> list[Any]:
        update = gradio.update

        def tell(done: int) -> None:
            progress((done, len(files)), unit='images')

        with _told():
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
        """Return what is said of an image, its picture, that of single outputs, and its table."""
        if results is None or not results.images:
            left_out = results.left_out if results else ()
            return _html('' if left_out else INVITATION, left_out), None, None, None
        with _told():
            shown = results.prediction(place, View(*view))
        scales = for_the_page(shown.draw_scales()) if shown.scales else None
        titles, rows = rows_of(shown)
        table = dict(headers=titles, data=rows)
        name = results.images[place].name
        said = _html(f'{name}: {shown}', results.left_out)
        return said, for_the_page(shown.draw()), scales, table

    def _write_zip(self, results: Results, *view: Any) -> Any:
        place = self.folder / secrets.token_hex(8) / ZIP
        with _told():
            atomic_write(place, results.archive(View(*view)), make_folder=True)
        return gradio.update(value=str(place), visible=True)


def _path_of(payload: Any) -> str | None:
    """Return where gradio keeps an uploaded image."""
    return payload.path if payload else None


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Show the message of an error that the visitor can mend."""
    try:
        yield
    except RexdenseError as error:
        raise gradio.Error(html.escape(str(error)), duration=None, print_exception=False) from error


def _html(said: str, left_out: Sequence[str] = ()) -> str:
    lines = [f'<div>{html.escape(said)}</div>'] if said else []
    lines += [f'<div class="left-out">{html.escape(line)}</div>' for line in left_out]
    return ''.join(lines)
