"""Files and folders of a run's data, which its outputs must not overwrite."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from rexdense.checkpoint.fetching import source_files
from rexdense.datasets.classification.published_layouts import PUBLISHED_PARTS
from rexdense.datasets.text_files import CLASS_FILE
from rexdense.engine.config.load import dataloader_names, walk
from rexdense.engine.work_dir import left_by_runs, written_names
from rexdense.errors import InvalidArgument
from rexdense.files.destinations import refuse_inputs

# Folders below that of --data-root; see docs/detection.md and the pages of other tasks.
_KINDS = ('images', 'labels', 'depth', 'Annotations', 'JPEGImages')
_SAMPLE_KEYS = ('img_path', 'seg_map_path', 'depth_map_path')


class DataPlaces(NamedTuple):
    """Files and folders that a run reads.

    Attributes:
        files: Files that are never replaced.
        folders: Folders of images, label maps and depth maps. Nothing is written there, because any
            file in them is taken for data.
        mixed: Folders with data among other files. No file in them is replaced.
    """

    files: list[Path]
    folders: list[Path]
    mixed: list[Path]

    @classmethod
    def of(cls, config: Config, *files: Path | str | None) -> 'DataPlaces':
        """Return the files and folders that a config names, for all of its splits.

        Args:
            files: Further files that are read; None is ignored.
        """
        read = [Path(file) for file in (*files, config.filename) if file]
        initial = [section.get('init_cfg') for section in walk(config.get('model'))]
        named = [part.get('checkpoint') for init in initial for part in walk(init)]
        for checkpoint in (config.get('load_from'), *named):
            # A folder or a name stands for another file.
            read += source_files(checkpoint) if checkpoint else []
        folders, mixed = [], []
        for section in _data_sections(config):
            root = section.get('data_root') or ''
            if section.get('ann_file'):
                annotations = Path(root, section['ann_file'])
                read.append(annotations)
                if annotations.parent != Path(root):
                    mixed.append(annotations.parent)
            if section.get('class_ann_file'):
                read.append(Path(root, section['class_ann_file']))
            if root:
                read.append(Path(root, CLASS_FILE))
            published = PUBLISHED_PARTS.get(section.get('layout'), ())
            # MATLAB annotations can be beside the folders.
            read += [Path(root, part) for part in published if part.endswith('.mat')]
            folders += [Path(root, part) for part in published if not part.endswith('.mat')]
            if section.get('split'):
                folders += [
                    Path(root, section[key]) for key in ('split', 'class_split') if key in section
                ]
            for prefix in (section.get('data_prefix') or {}).values():
                whole = Path(root, prefix or '')
                (mixed if whole == Path(root) else folders).append(whole)
            folders += [Path(root, kind) for kind in _KINDS if root]
        return cls(read, _real(folders), _real(mixed))

    def refuse(self, outputs: Iterable[Path], option: str) -> None:
        """Raise InvalidArgument if an output would replace a file that is read, or be in a data
        folder.

        Args:
            option: The option that chose the output, for messages.
        """
        outputs = list(outputs)
        refuse_inputs(outputs, self.files)
        for output in outputs:
            place = Path(os.path.realpath(output))
            for folder in self.folders:
                if place.is_relative_to(folder):
                    raise InvalidArgument(
                        f'{option}: {output} would lie among the data, in {folder}: choose another '
                        'folder'
                    )
            for folder in self.mixed:
                if place.is_file() and place.is_relative_to(folder):
                    raise InvalidArgument(
                        f'{option}: {output} would be replaced, and {folder} holds data: choose '
                        'another folder'
                    )


def refuse_data_places(
    config: Config, removes: bool = False, *files: Path | str | None, training: bool = True
) -> None:
    """Raise InvalidArgument if a run with this config would replace an input, or write among its
    data.

    Args:
        removes: Whether the files of earlier runs in the work directory are deleted.
        training: Whether it trains; an evaluation writes only into a new folder of its work
            directory.
        files: Further files that are read.
    """
    places, work_dir = DataPlaces.of(config, *files), Path(config.work_dir)
    names = written_names(config.filename) if training else ['.']
    written = [work_dir / name for name in names]
    places.refuse([*written, *(left_by_runs(work_dir) if removes else ())], '--work-dir')


def _data_sections(config: Config) -> Iterator[dict[str, Any]]:
    for name in dataloader_names(config):
        for section in walk(config[name]):
            if any(key in section for key in ('data_prefix', 'ann_file', 'split')):
                yield section
    for name in ('val_evaluator', 'test_evaluator'):
        yield from (part for part in walk(config.get(name)) if part.get('ann_file'))


def _real(folders: Iterable[Path]) -> list[Path]:
    return [Path(folder) for folder in dict.fromkeys(map(os.path.realpath, folders))]


def sample_files(dataset: Any) -> list[str]:
    """Return the files from which the samples of a data set are made."""
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [info[key] for info in infos for key in _SAMPLE_KEYS if info.get(key)]
