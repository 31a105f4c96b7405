"""Out-of-memory errors end a program with one line."""

import numpy as np
import pytest
import torch

from rexdense.cli.parser import run_command
from rexdense.errors import DataError, OutOfMemory
from rexdense.memory_shortage import as_out_of_memory

ENORMOUS = 2**50


def told(act):
    with pytest.raises(OutOfMemory) as caught, as_out_of_memory():
        act()
    return str(caught.value)


def by_a_loader():
    """Raise an error as torch repeats it from a dataloader worker."""
    raise MemoryError(
        'Caught MemoryError in DataLoader worker process 0.\nOriginal Traceback:\n'
        '  File "a.py", line 1\nMemoryError: Unable to allocate 3 TiB'
    )


def by_opencv():
    cv2 = pytest.importorskip('cv2')
    raise cv2.error('OpenCV(4) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate')


@pytest.mark.parametrize(
    ('act', 'said'),
    [
        (lambda: torch.empty(ENORMOUS), 'no memory is left (DefaultCPUAllocator: can'),
        (lambda: np.zeros(ENORMOUS), 'no memory is left (Unable to allocate 8.00 PiB'),
        (lambda: bytearray(2**62), 'no memory is left (MemoryError): give smaller images'),
        (by_a_loader, 'no memory is left (MemoryError: Unable to allocate 3 TiB): give'),
        (by_opencv, 'no memory is left (OpenCV(4) alloc.cpp:73: error: (-4:Insuff'),
    ],
)
def test_a_shortage_is_told(act, said):
    assert told(act).startswith(said)


@pytest.mark.parametrize(
    ('said', 'shown'),
    [
        ('CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has', 'CUDA out of memory. Tried'),
        ('NPU out of memory. Tried to allocate 1.00 GiB', 'NPU out of memory.'),
        ('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`', 'CUDA err'),
    ],
)
def test_messages_of_devices_about_memory(said, shown):
    def act():
        raise RuntimeError(said)

    assert told(act).startswith(f'no memory is left ({shown}')


@pytest.mark.parametrize('error', [RuntimeError('mat1 and mat2'), DataError('out of memory')])
def test_other_errors_pass(error):
    with pytest.raises(type(error), match=str(error)), as_out_of_memory():
        raise error


def test_a_program_ends_with_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        run_command(lambda arguments: torch.empty(ENORMOUS), [], 'rexdense train')
    errors = capsys.readouterr().err
    assert caught.value.code == 2 and errors.count('\n') == 1
    assert errors.startswith('rexdense train: error: no memory is left (')
