#!/usr/bin/env bash
# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# What every task of the job array does: one run. submit.py puts the options of sbatch and these variables above it:
# shellcheck disable=SC2154
# project, workdir, image, task, algorithms, seeds, runs, nodes, gpus, cpus, arguments

set -euo pipefail

say() { printf 'job.sh: %s: %s\n' "$(date --iso-8601=seconds)" "$*"; }
die() { say "$@"; exit 1; }

algorithm=${algorithms[SLURM_ARRAY_TASK_ID / ${#seeds[@]}]}
seed=${seeds[SLURM_ARRAY_TASK_ID % ${#seeds[@]}]}
run=${runs[SLURM_ARRAY_TASK_ID]}
cd -- "$workdir" || die "$workdir is not on node $SLURMD_NODENAME: --workdir must be on storage that all nodes share."

# --- What to run ------------------------------------------------------------------------------------------------

# The run's folder has the same name at every start, so that an interrupted run goes on where it was. train.py learns
# the iterations that are left.
training=(--task "$task" --algo "$algorithm" --seed "$seed" --run_timestamp "$run" "${arguments[@]}")
shopt -s nullglob
for folder in logs/rsl_rl/*/"$run"; do
    if [[ -e $folder/finished ]]; then
        say "$run is finished."
        exit
    fi
    checkpoints=("$folder"/model_*.pt)
    if ((${#checkpoints[@]} > 0)); then training+=(--checkpoint "$folder"); fi
done

command=("$project/isaaclab.sh" -p)
if [[ -n $image ]]; then
    container=$(type -P apptainer singularity | head -n 1 || true)
    [[ -n $container ]] || die "Neither apptainer nor singularity is on node $SLURMD_NODENAME."
    unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH # the image has its own
    project=/workspace/isaaclab_bpo
    command=("$container" exec --nv --bind "$workdir" --pwd "$workdir" "$image" "$project/isaaclab.sh" -p)
fi
export distributed=
if ((nodes * gpus > 1)); then
    distributed=1
    # The batch script runs on the first node, where the processes of all nodes meet. After the first process has
    # ended, the others have some seconds to save before torchrun, or srun, ends them.
    command+=(-m torch.distributed.run --nnodes "$nodes" --nproc-per-node "$gpus" --monitor-interval 10
        --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$(hostname):$((20000 + SLURM_JOB_ID % 10000))")
    training+=(--distributed)
fi

# Run a command on a node, with the caches on the node's own disk, where the next run finds them. They hold code, so
# nobody else may have made the folder.
# shellcheck disable=SC2329 # srun calls it
on_node() {
    local cache=${TMPDIR:-/tmp}/isaaclab_bpo-$UID
    mkdir --mode=700 -- "$cache" 2>/dev/null || true
    [[ -O $cache && ! -L $cache ]] || cache=$(mktemp --directory)
    export XDG_CACHE_HOME=$cache
    export APPTAINER_BIND=$cache${APPTAINER_BIND:+,$APPTAINER_BIND}
    export SINGULARITY_BIND=$APPTAINER_BIND # its name there
    [[ -z $distributed ]] || trap '' USR1 # torchrun, which would die of it; the training processes catch it again
    exec "$@"
}
export -f on_node

# --- Run it -----------------------------------------------------------------------------------------------------

# USR1 comes before the time is up, to this shell, and ends the training with a checkpoint and exit code 75. TERM
# comes when Slurm ends the job; the training gets it, too, and Slurm alone decides whether the job starts again.
warned=
ended=
step=
trap 'warned=1; kill -USR1 "$step" 2>/dev/null || true' USR1
trap 'ended=1' TERM

say "$run starts on $SLURM_JOB_NODELIST, for the $((${SLURM_RESTART_COUNT:-0} + 1)). time in this job."
srun --ntasks="$nodes" --ntasks-per-node=1 --cpus-per-task="$cpus" --wait=60 \
    bash -c 'on_node "$@"' bash "${command[@]}" "$project/scripts/rsl_rl/train.py" "${training[@]}" &
step=$!
while kill -0 "$step" 2>/dev/null; do wait "$step" || true; done # a trap ends a wait early
status=0
wait "$step" || status=$?

# A start-up that is cut short, and torchrun, have other exit codes than 75.
if [[ -z $ended && ($status == 75 || (-n $warned && $status != 0)) ]]; then
    say "$run is interrupted and goes back into the queue."
    # Not $SLURM_JOB_ID: that of the array's last task is the whole array's.
    exec scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
if ((status == 0)); then
    for folder in logs/rsl_rl/*/"$run"; do touch "$folder/finished"; done
fi
say "$run ended with exit code $status."
exit "$status"
