"""Processes that train together."""

import socket

import pytest

pytest.importorskip('mmengine')

import torch
from torch import nn

from rexdense.device import bare_model, initialise_distributed
from rexdense.device.distributed import available_cores, process_variables, threads_per_process
from rexdense.errors import InvalidArgument


def test_distributed_without_torchrun(monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(InvalidArgument, match='start with torchrun --nproc-per-node N'):
        initialise_distributed('cpu')


@pytest.mark.parametrize(
    ('launcher', 'environment', 'expected'),
    [
        (
            'pytorch',
            dict(RANK='3', WORLD_SIZE='4', LOCAL_RANK='1', LOCAL_WORLD_SIZE='2', MASTER_ADDR='a'),
            ('3', '4', '1', '2', 'a', '29500'),
        ),
        (
            'slurm',
            dict(
                SLURM_PROCID='5',
                SLURM_NTASKS='8',
                SLURM_LOCALID='1',
                SLURM_TASKS_PER_NODE='4(x2)',
                SLURM_NODELIST='gpu[03-07,9],b1',
                MASTER_PORT='1234',
            ),
            ('5', '8', '1', '4', 'gpu03', '1234'),
        ),
        (
            'mpi',
            dict(
                OMPI_COMM_WORLD_RANK='1',
                OMPI_COMM_WORLD_SIZE='2',
                OMPI_COMM_WORLD_LOCAL_RANK='1',
                OMPI_COMM_WORLD_LOCAL_SIZE='2',
            ),
            ('1', '2', '1', '2', '127.0.0.1', '29500'),
        ),
    ],
)
def test_variables_of_launchers_are_read(launcher, environment, expected, monkeypatch):
    # Without scontrol; the short form of a list of hosts is read here.
    monkeypatch.setenv('PATH', '')
    assert tuple(process_variables(launcher, environment).values()) == expected


@pytest.mark.parametrize(
    ('launcher', 'advice'),
    [('pytorch', 'start with torchrun'), ('slurm', 'start with srun'), ('mpi', 'mpirun -n N')],
)
def test_a_process_that_no_launcher_started(launcher, advice):
    with pytest.raises(InvalidArgument, match=f'^--launcher {launcher} needs .*{advice}'):
        process_variables(launcher, {'PATH': ''})


def test_where_the_first_process_is_must_be_known():
    variables = dict(RANK=1, SIZE=4, LOCAL_RANK=0, LOCAL_SIZE=2)
    environment = {f'OMPI_COMM_WORLD_{name}': str(value) for name, value in variables.items()}
    with pytest.raises(InvalidArgument, match=r'^set MASTER_ADDR to the host name'):
        process_variables('mpi', environment)


STARTED = dict(RANK='1', WORLD_SIZE='2', LOCAL_RANK='1')


@pytest.mark.parametrize(
    ('variable', 'value', 'said'),
    [
        ('LOCAL_RANK', '0(x2)', 'give a whole number'),
        ('RANK', '0,1', 'give a whole number'),
        ('WORLD_SIZE', '²', 'give a whole number'),
        ('MASTER_PORT', '29500\n', 'give a whole number'),
        ('MASTER_PORT', '70000', 'give a free port, from 1 to 65535'),
        ('RANK', '2', 'the last has the number 1'),
        ('WORLD_SIZE', '0', 'and WORLD_SIZE=0'),
    ],
)
def test_numbers_that_cannot_be(variable, value, said):
    with pytest.raises(InvalidArgument, match=said):
        process_variables('pytorch', {**STARTED, variable: value})


def test_an_empty_address_is_none():
    assert (
        process_variables('pytorch', {**STARTED, 'MASTER_ADDR': ''})['MASTER_ADDR'] == '127.0.0.1'
    )


def test_threads_are_shared_out():
    cores = available_cores()
    assert threads_per_process(1, None) == threads_per_process(1, '1') == cores
    assert threads_per_process(2 * cores, '1') == 1
    assert threads_per_process(2, '7') == 7
    assert threads_per_process(1, '²') == cores


@pytest.fixture
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_port_in_use_is_one_line(monkeypatch, _threads_as_before):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        variables = dict(RANK=0, WORLD_SIZE=2, LOCAL_RANK=0, LOCAL_WORLD_SIZE=2)
        variables |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=taken.getsockname()[1])
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        with pytest.raises(InvalidArgument, match=r'^the processes cannot meet at 127.0.0.1:\d+'):
            initialise_distributed('cpu')


def test_bare_model():
    model = nn.Linear(1, 1)
    assert bare_model(model) is model
    assert bare_model(nn.DataParallel(model)) is model
