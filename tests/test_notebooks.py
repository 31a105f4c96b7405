"""The notebooks: their code runs from the first cell to the last."""

import ast
import importlib.util
import json
import os
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.pages import ROOT
from tests.peers import PEERS_PATH, needs_peers, peer_packages

NOTEBOOKS = sorted((ROOT / 'notebooks').glob('*.ipynb'))
ELSEWHERE = ROOT / 'notebooks/backbone_elsewhere.ipynb'


def code_of(path: Path) -> list[str]:
    """Return the code cells of a notebook."""
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    return [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']


def run_cells(cells: list[str], folder: Path) -> None:
    """Run cells in sequence in a folder, in a fork."""
    os.chdir(folder)
    exec('\n\n'.join(cells), {'__name__': '__main__'})


def run(cells: list[str], folder: Path) -> str:
    """Run cells in their own process, and return the output."""
    done = Forked(run_cells, cells, folder)
    assert done.wait(300) == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_results(path):
    content = json.loads(path.read_text(encoding='utf-8'))
    assert content['nbformat'] == 4
    for cell in content['cells']:
        assert cell['cell_type'] in ('code', 'markdown')
        if cell['cell_type'] == 'code':
            assert cell['outputs'] == [] and cell['execution_count'] is None
            # Plain Python, which also runs without IPython.
            ast.parse(''.join(cell['source']))


def test_a_backbone_elsewhere(tmp_path):
    output = run(code_of(ELSEWHERE), tmp_path)
    assert 'c5 (2, 185, 3, 4)' in output
    for package in ('torchvision', 'segmentation_models_pytorch', 'detectron2'):
        missing = importlib.util.find_spec(package) is None
        assert (f'{package} is not installed' in output) == missing


@needs_peers
def test_a_backbone_in_the_other_projects(tmp_path):
    for package in ('torchvision', 'segmentation_models_pytorch'):
        if not (Path(peer_packages()) / package).is_dir():
            pytest.skip(f'{package} is not installed there')
    # The peers' packages come last, so that this environment has priority.
    path = f'import sys; sys.path += [{PEERS_PATH!r}, {peer_packages()!r}]; import torchvision_shim'
    output = run([path, *code_of(ELSEWHERE)], tmp_path)
    assert 'is not installed' not in output.replace('detectron2 is not installed', '')
    assert 'c2 (2, 64, 24, 32)' in output and '(2, 11, 96, 128)' in output


@pytest.mark.slow
def test_fine_tuning(tmp_path, monkeypatch):
    """In Jupyter if it is installed, otherwise as a program."""
    pytest.importorskip('mmdet')
    path = ROOT / 'notebooks/fine_tune.ipynb'
    if not all(map(importlib.util.find_spec, ('ipykernel', 'nbclient', 'nbformat'))):
        assert 'Done: bbox_mAP' in run(code_of(path), tmp_path)
    else:
        import nbclient
        import nbformat

        monkeypatch.setenv('PYTHONPATH', str(ROOT))
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        resources = {'metadata': {'path': str(tmp_path)}}
        nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
        shown = [each for cell in notebook.cells for each in cell.get('outputs', ())]
        assert any('image/png' in each.get('data', {}) for each in shown)
        assert 'Done: bbox_mAP' in ''.join(each.get('text', '') for each in shown)
    assert (tmp_path / 'work_dirs/few_shapes/report.html').is_file()
