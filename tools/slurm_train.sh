#!/bin/sh
# Train under Slurm: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of rexdense train]
#
#   NTASKS          processes in all (8)
#   NTASKS_PER_NODE processes on a machine, one a device (8)
#   CPUS_PER_TASK   cores of each (5)
#   GRES            devices of a machine, as Slurm names them here (gpu:NTASKS_PER_NODE; none: no)
#   SRUN_ARGS       further options of srun
set -e
if [ $# -lt 3 ] || [ ! -f "$3" ]; then
    echo "usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options]: CONFIG is a file" >&2
    exit 2
fi
partition=$1 name=$2
shift 2
tasks=${NTASKS:-8}
on_machine=${NTASKS_PER_NODE:-8}
[ "$on_machine" -gt "$tasks" ] && on_machine=$tasks
gres=--gres=${GRES:-gpu:$on_machine}
[ "$GRES" = none ] && gres=
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${CPUS_PER_TASK:-5}}"
# shellcheck disable=SC2086 # options of srun
exec srun -p "$partition" -J "$name" -n "$tasks" --ntasks-per-node "$on_machine" \
    --cpus-per-task "${CPUS_PER_TASK:-5}" --kill-on-bad-exit 1 $gres $SRUN_ARGS \
    "${PYTHON:-python}" -m rexdense train "$@" --launcher slurm
