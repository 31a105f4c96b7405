#!/bin/sh
# Train in several processes: tools/dist_train.sh CONFIG N [options of rexdense train]
#
# N processes on this machine, one a device. On several machines the same command on each, with
#   NNODES     number of machines (1)
#   NODE_RANK  number of this one, from 0
#   MASTER_ADDR, PORT  host name of machine 0, and a free port there (29500)
set -e
if [ $# -lt 2 ] || [ ! -f "$1" ]; then
    echo "usage: tools/dist_train.sh CONFIG N [options]: CONFIG is a file, N the processes" >&2
    exit 2
fi
config=$1 processes=$2
shift 2
case $processes in
    '' | *[!0-9]* | 0* | ??????*)
        echo "tools/dist_train.sh: '$processes' processes: give a number from 1 to 99999" >&2
        exit 2
        ;;
esac
for number in "NNODES=${NNODES:-1}" "NODE_RANK=${NODE_RANK:-0}" "PORT=${PORT:-29500}"; do
    case ${number#*=} in
        *[!0-9]* | ??????*)
            echo "tools/dist_train.sh: $number: give a whole number, of five digits at most" >&2
            exit 2
            ;;
    esac
done
if [ "${NNODES:-1}" -lt 1 ]; then
    echo "tools/dist_train.sh: NNODES=$NNODES: give a number above 0" >&2
    exit 2
fi
if [ "${NODE_RANK:-0}" -ge "${NNODES:-1}" ]; then
    echo "tools/dist_train.sh: NODE_RANK=${NODE_RANK:-0} of NNODES=${NNODES:-1}: machines are" \
        "numbered from 0" >&2
    exit 2
fi
if [ "${NNODES:-1}" -gt 1 ] && [ -z "$MASTER_ADDR" ]; then
    echo "tools/dist_train.sh: set MASTER_ADDR to the host name of machine 0" >&2
    exit 2
fi
# shellcheck disable=SC2086 # options of Python, which hold no spaces
if ! command -v ${PYTHON:-python} > /dev/null; then
    echo "tools/dist_train.sh: no program ${PYTHON:-python}: activate the environment, or set" \
        "PYTHON to its interpreter" >&2
    exit 2
fi
# torchrun would give each process one thread, whatever the cores.
if [ -z "$OMP_NUM_THREADS" ]; then
    threads=$(($(nproc) / processes))
    export OMP_NUM_THREADS=$((threads > 0 ? threads : 1))
fi
# With a torch_npu that fails, torchrun would end with a traceback; rexdense tells what it raises.
export TORCH_DEVICE_BACKEND_AUTOLOAD="${TORCH_DEVICE_BACKEND_AUTOLOAD:-0}"
port=${PORT:-29500}
if [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then
    echo "tools/dist_train.sh: PORT=$port: give a free port, from 1 to 65535" >&2
    exit 2
fi
if [ "${NNODES:-1}" = 1 ] && [ -z "$PORT" ]; then
    meeting=--standalone
else
    meeting="--nnodes ${NNODES:-1} --node-rank ${NODE_RANK:-0} \
        --master-addr ${MASTER_ADDR:-127.0.0.1} --master-port $port"
    if [ "${NODE_RANK:-0}" = 0 ] && ! ${PYTHON:-python} -c "
import socket
socket.socket().bind(('', $port))" 2> /dev/null; then
        echo "tools/dist_train.sh: port $port is in use: set PORT to a free one" >&2
        exit 2
    fi
fi
# shellcheck disable=SC2086 # options of torchrun, which hold no spaces
exec ${PYTHON:-python} -m torch.distributed.run --nproc-per-node "$processes" $meeting \
    -m rexdense train "$config" "$@" --launcher pytorch
