#!/usr/bin/env bash
# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
#   docker/install.sh system     the packages of Ubuntu 24.04 that Isaac Lab needs, and Python 3.12; as root
#   docker/install.sh kitless    .venv beside isaaclab.sh, with Isaac Lab from requirements.lock
#   docker/install.sh full       this project into the Isaac Lab of NVIDIA's image
#
# The steps of docker/Dockerfile. They need no container engine: any Ubuntu 24.04 will do.

set -euo pipefail

root=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
isaacsim_python=/workspace/isaaclab/_isaac_sim/python.sh # where Isaac Lab's images have it

case ${1-} in
    system)
        packages=(
            ca-certificates
            git                            # rsl_rl records the state of the code with it
            python3.12-venv                # with which isaaclab.sh installs uv
            g++ python3.12-dev             # what torch.compile compiles with
            libegl1 libgl1 libgl1-mesa-dri # videos, without a display; Mesa where there is no NVIDIA driver
            libxrender1                    # loaded by the viewer that films
        )
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${packages[@]}"
        rm -rf /var/lib/apt/lists/*
        ;;
    kitless)
        "$root/isaaclab.sh" -p -c pass
        ;;
    full)
        if [[ ! -x $isaacsim_python ]]; then
            printf 'install.sh: %s is missing: the base must be an image of Isaac Lab, or build --target kitless.\n' \
                "$isaacsim_python" >&2
            exit 1
        fi
        # isaaclab.sh finds Isaac Sim's Python as the active one. A link would not do: python.sh looks beside itself.
        printf '#!/bin/sh\nexec %s "$@"\n' "$isaacsim_python" >/usr/local/bin/python
        chmod +x /usr/local/bin/python
        /usr/local/bin/python -m pip install --no-cache-dir --no-deps --editable "$root"
        ;;
    *)
        sed -n '5,/^$/s/^#\( \|$\)//p' "${BASH_SOURCE[0]}"
        exit 2
        ;;
esac
