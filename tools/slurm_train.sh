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
cores=${CPUS_PER_TASK:-5}
for number in "NTASKS=$tasks" "NTASKS_PER_NODE=$on_machine" "CPUS_PER_TASK=$cores"; do
    case ${number#*=} in
        *[!0-9]* | 0* | ??????*)
            echo "tools/slurm_train.sh: $number: give a number from 1 to 99999" >&2
            exit 2
            ;;
    esac
done
if ! command -v srun > /dev/null; then
    echo "tools/slurm_train.sh: no srun here: call it where Slurm is installed, or start the" \
        "processes of this machine with tools/dist_train.sh CONFIG N" >&2
    exit 2
fi
[ "$on_machine" -gt "$tasks" ] && on_machine=$tasks
gres=--gres=${GRES:-gpu:$on_machine}
[ "$GRES" = none ] && gres=
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$cores}"
# shellcheck disable=SC2086 # options of srun
exec srun -p "$partition" -J "$name" -n "$tasks" --ntasks-per-node "$on_machine" \
    --cpus-per-task "$cores" --kill-on-bad-exit 1 $gres $SRUN_ARGS \
    "${PYTHON:-python}" -m rexdense train "$@" --launcher slurm
