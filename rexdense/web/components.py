"""The components of the page: its inputs, settings and results, with gradio."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import gradio

from rexdense.inference import Predictor
from rexdense.web.checkpoints import LEAST_SCORE, names_of_task, settings_of, task_name
from rexdense.web.uploads import UPLOAD_ENDINGS

SCORE, OPACITY = 0.3, 0.5
"""Initial values of the sliders."""
INVITATION = 'Drop an image, or take one with the camera.'


class Components:
    """The components of the page, created within ``gradio.Blocks``.

    Attributes:
        results: The predictions for the visitor.
        place: Index of the image that is shown.
        view: The settings of the view, in the order of :class:`rexdense.web.results.View`.
    """

    def __init__(self, predictors: Mapping[str, Predictor]) -> None:
        self.results = gradio.State(None)
        self.place = gradio.State(0)
        with gradio.Row():
            with gradio.Column(scale=2, min_width=320):
                self._lay_out_settings(predictors)
            with gradio.Column(scale=5, min_width=480):
                self._lay_out_results(settings_of(next(iter(predictors.values()))).scales)
        self.view = [self.score, self.one_per_object, self.classes, self.opacity]

    def _lay_out_settings(self, predictors: Mapping[str, Predictor]) -> None:
        first = next(iter(predictors))
        tasks = list(dict.fromkeys(map(task_name, predictors.values())))
        shown = settings_of(predictors[first])
        self.task = gradio.Radio(
            tasks, value=tasks[0], label='Task', visible=len(tasks) > 1, elem_id='task'
        )
        self.checkpoint = gradio.Dropdown(
            names_of_task(predictors, tasks[0]),
            value=first,
            label='Checkpoint',
            elem_id='checkpoint',
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
        # rexdense decodes images and reports those that cannot be decoded. gradio's own function
        # also leaves an empty file behind for each of several images.
        self.image.preprocess = _path_of
        self.files.preprocess = _paths_of
        self.score = _slider('Lowest score', SCORE, 'score', shown.score, LEAST_SCORE)
        self.opacity = _slider('Opacity', OPACITY, 'opacity', shown.opacity)
        self.classes = gradio.Dropdown(
            list(shown.classes),
            value=[],
            multiselect=True,
            elem_id='classes',
            label='Classes (all, unless some are chosen)',
            visible=bool(shown.classes),
        )
        self.one_per_object = gradio.Checkbox(
            False,
            label='Best class alone for each object',
            elem_id='one-per-object',
            visible=shown.score,
        )

    def _lay_out_results(self, scales: bool) -> None:
        self.said = gradio.HTML(as_html(INVITATION), elem_id='said')
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
                self.picture = _picture('Prediction', 'picture')
            with gradio.Tab(
                'Outputs by scale', visible=scales, elem_id='scales-tab'
            ) as self.scales_tab:
                self.scales = _picture('Outputs by scale', 'scales')
            with gradio.Tab('Table'):
                self.table = gradio.Dataframe(
                    elem_id='table', interactive=False, wrap=True, show_label=False
                )
        with gradio.Row():
            self.make_zip = gradio.Button(
                'Zip of pictures and JSON', elem_id='make-zip', interactive=False
            )
            self.zip = gradio.File(label='Zip', elem_id='zip', interactive=False, visible=False)


def as_html(said: str, left_out: Sequence[str] = ()) -> str:
    """Return a sentence as HTML, and below it those about images that were left out."""
    lines = [f'<div>{html.escape(said)}</div>'] if said else []
    lines += [f'<div class="left-out">{html.escape(line)}</div>' for line in left_out]
    return ''.join(lines)


def _slider(label: str, value: float, name: str, visible: bool, least: float = 0) -> Any:
    """Return a slider for a share up to 1."""
    return gradio.Slider(
        least, 1, value=value, step=0.01, label=label, elem_id=name, visible=visible
    )


def _picture(label: str, name: str) -> Any:
    """Return a component for a picture that visitors can view and download."""
    return gradio.Image(
        label=label,
        elem_id=name,
        interactive=False,
        format='jpeg',
        buttons=['download', 'fullscreen'],
        show_label=False,
    )


def _path_of(payload: Any) -> str | None:
    """Return the path of an image that gradio has stored."""
    return payload.path if payload else None


def _paths_of(payload: Any) -> list[str] | None:
    """Return the paths of several images that gradio has stored."""
    return [each.path for each in payload.root] if payload else None
