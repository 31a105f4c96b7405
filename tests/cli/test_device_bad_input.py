"""Devices, mixed precision and launchers that are not there end in one line."""

import pytest

pytest.importorskip('mmdet')

import torch

from rexdense.cli import predict, train
from rexdense.errors import InvalidArgument
from tests.tiny_run import train_arguments

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without CUDA')
SYNC = ('model.neck.norm_cfg.type=SyncBN',)


@pytest.mark.parametrize(
    ('more', 'settings', 'expected'),
    [
        pytest.param(
            ('--device', 'cuda:1'), (), "device 'cuda:1' is not here: torch", marks=without_cuda
        ),
        (('--device', 'npu'), (), "device 'npu' is not here: torch_npu is not installed; found: "),
        (('--device', 'tpu'), (), "device 'tpu': allowed are auto, cpu, cuda, npu, and cuda:1 or"),
        (('--amp', 'fp16'), (), '--amp fp16 needs an accelerator; on a CPU give --amp bf16'),
        (('--amp', 'fp8'), (), "argument --amp: invalid choice: 'fp8'"),
        (('--launcher', 'slurm'), (), '--launcher slurm needs the variables that srun sets'),
        (('--launcher', 'mpi'), (), '--launcher mpi needs the variables that Open MPI'),
        (('--launcher', 'pytorch'), SYNC, 'batch normalisation over all processes (SyncBN) needs'),
    ],
)
def test_training(more, settings, expected, shapes, tmp_path, monkeypatch):
    for name in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidArgument) as caught:
        train.main(train_arguments(shapes, tmp_path / 'run', *more, settings=settings))
    assert str(caught.value).startswith(expected)
    assert not (tmp_path / 'run').exists()


def test_predicting(trained, shapes, tmp_path):
    arguments = [str(trained.checkpoint), str(shapes / 'images/val'), '--out-dir', str(tmp_path)]
    with pytest.raises(InvalidArgument, match=r"^device 'npu' is not here: torch_npu"):
        predict.main([*arguments, '--device', 'npu'])
    assert not list(tmp_path.iterdir())
