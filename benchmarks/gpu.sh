#!/usr/bin/env bash
# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
#   benchmarks/gpu.sh OUT [tests] [update] [sweep] [robots]
#
# Tests and measures what needs a GPU, all of it or the named parts, in at most 25 minutes. Runs in the active
# environment. Every step has a limit of time, and none stops the others; started again, those that succeeded are left
# out. OUT gets logs, JSON, figures, and gpu.md, the page.

set -uo pipefail

(($#)) || { sed -n 's/^#   /usage: /p' "$0" >&2; exit 2; }
root=$(dirname -- "$(readlink -f -- "$0")")/..
mkdir -p -- "$1" && cd -- "$1" && out=$PWD || exit # trainings log to the current folder
shift
(($#)) || set -- tests update sweep robots
export PYTHONPATH=$root/source${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

trap 'kill $(jobs -p); exit 143' INT TERM

step() { # NAME SECONDS COMMAND...: a step and its limit; the last line of its log says how it ended
    local name=$1 limit=$2 log=$out/$1.log start=$SECONDS
    shift 2
    if tail -n 1 "$log" 2>/dev/null | grep -q '"exit_status": 0,'; then return; fi
    timeout --kill-after=10 "$limit" "$@" </dev/null >"$log" 2>&1 &
    wait $!
    printf '{"step": "%s", "exit_status": %d, "seconds": %d}\n' "$name" $? $((SECONDS - start)) | tee -a "$log"
}

tests() { # from the root, where the processes that tests spawn find the tests
    step tests 200 env -C "$root" python3 -m pytest -p no:cacheprovider -n logical --maxprocesses 12 --dist worksteal \
        --durations 5 tests/{algorithms,brrl,compatibility,models,storage} tests/benchmarks/test_update_time.py
}

update() { # plain, accelerated with CUDA graphs, compiled; what the host waits for; the same for collecting
    step update_time_gpu 120 python3 "$root/benchmarks/update_time.py" --preset gpu --output "$out"
    step rollout_overhead_gpu 60 python3 "$root/benchmarks/rollout_overhead.py" --preset gpu --output "$out"
    step update_time_gpu_compiled 150 python3 "$root/benchmarks/update_time.py" --preset gpu_compiled --output "$out"
}

sweep() {
    step update_time_gpu_sweep 240 python3 "$root/benchmarks/update_time.py" --preset gpu_sweep --rounds 7 \
        --output "$out"
}

robots() { # whole iterations; the first run compiles Warp's kernels
    local train=(python3 "$root/scripts/rsl_rl/train.py" --task Isaac-Velocity-Rough-G1 --num_envs 4096
        --max_iterations 20 --assets standin physics=newton_mjwarp)
    step train_ppo 360 "${train[@]}" --algo ppo
    step train_bpo 180 "${train[@]}" --algo bpo
    step robot_speed_gpu 180 python3 "$root/benchmarks/robot_speed.py" --preset gpu --robots G1 --rounds 5 \
        --output "$out"
}

page() {
    printf '# On a GPU\n\n%s\n' "$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader)"
    for log in "$out"/*.log; do
        printf '\n## %s\n\n```text\n' "$(basename "$log" .log)"
        tail -n 40 "$log"
        echo '```'
    done
}

for part in "$@"; do
    case $part in
        tests | update | sweep | robots) "$part" ;;
        *) echo "gpu.sh: unknown part '$part': tests, update, sweep and robots are there" >&2 && exit 2 ;;
    esac
done
page >"$out/gpu.md"
