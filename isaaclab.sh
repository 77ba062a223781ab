#!/usr/bin/env bash
# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
#   ./isaaclab.sh -p FILE [ARG ...]            run Python where you are; FILE may be relative to this project
#   ./isaaclab.sh -t [PYTEST_ARG ...]          run this project's tests
#   ./isaaclab.sh train|play|... [ARG ...]     Isaac Lab's own commands; -h lists them
#
# Runs in the active environment if that has Isaac Lab and this project. Otherwise in .venv beside this file (or
# in $ISAACLAB_BPO_VENV), which the first start creates with uv from requirements.lock.

set -euo pipefail

root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
venv=${ISAACLAB_BPO_VENV:-$root/.venv}
[[ $venv == /* ]] || venv=$PWD/$venv
# Holds what a finished .venv was installed from, and "unfinished" until then.
marker=$venv/.isaaclab_bpo

say() { printf 'isaaclab.sh: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

install_python="install one ('apt install python3.12', 'pyenv install 3.12' or 'conda create -n py312 python=3.12')"

# --- What is there ----------------------------------------------------------------------------------------------

# State and place of the files that .venv is installed from (an editable install does not survive a move).
sources() {
    local digest
    digest=$(cd -- "$root" && cat requirements.lock pyproject.toml setup.py extension.toml | sha256sum)
    printf '%s %s' "${digest%% *}" "$root"
}

is_installed() { [[ -x $venv/bin/python && -r $marker && $(<"$marker") == "$(sources)" ]]; }

# -P, because the metadata of a checkout in the working directory is no installation.
has_isaaclab_and_us() {
    "$1" -P -c 'from importlib.metadata import version; version("isaaclab"); version("isaaclab_bpo")' \
        </dev/null >/dev/null 2>&1
}

is_python_312() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' </dev/null >/dev/null 2>&1
}

# Print the active environment's Pythons, except .venv's, which only counts when it is complete.
active_pythons() {
    local prefix
    {
        for prefix in ${VIRTUAL_ENV:+"$VIRTUAL_ENV"} ${CONDA_PREFIX:+"$CONDA_PREFIX"}; do
            printf '%s\n' "$prefix/bin/python"
        done
        type -P python3 python
    } | grep -vxF -e "$venv/bin/python" -e "$venv/bin/python3"
}

# Print the first Python 3.12 that really runs; what is on PATH may be a shim that does not.
find_python_312() {
    local python
    while read -r python; do
        if is_python_312 "$python"; then
            printf '%s\n' "$python"
            return
        fi
    done < <(
        set +e
        active_pythons
        type -aP python3.12
        compgen -G "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/3.12*/bin/python"
        # Every conda environment is listed in this file.
        sed 's|$|/bin/python|' "${HOME:-}/.conda/environments.txt" 2>/dev/null
    )
    return 1
}

# --- Installation -----------------------------------------------------------------------------------------------

# Print a uv that runs; the one in requirements.lock is installed into the directory $1 if there is none.
find_uv() {
    local uv python
    for uv in "$(type -P uv)" "${HOME:-}/.local/bin/uv" "$venv/bin/uv"; do
        if "$uv" --version </dev/null >/dev/null 2>&1; then
            printf '%s\n' "$uv"
            return
        fi
    done
    say "Installing uv, which installs the rest."
    sed -n '/^uv==/,/[^\\]$/p' "$root/requirements.lock" >"$1/uv.txt"
    while read -r python; do
        if pip_install "$python" "$1/uv" -r "$1/uv.txt" >>"$1/log" 2>&1; then
            printf '%s\n' "$1/uv/bin/uv"
            return
        fi
    done < <(set +e; find_python_312; active_pythons)
    [[ -e $1/log ]] || die "Neither uv nor a Python was found; $install_python and start again."
    cat -- "$1/log" >&2
    die "uv could not be installed, as pip says above; mend that, or install uv yourself, and start again."
}

# Install with the pip of Python $1 into the new directory $2. Debian's Python may lack venv, others lack pip.
pip_install() {
    local options=(--quiet --require-hashes "${@:3}")
    if "$1" -m venv "$2" </dev/null; then
        "$2/bin/python" -m pip install "${options[@]}" </dev/null
    else
        "$1" -m pip install "${options[@]}" --target "$2" </dev/null
    fi
}

# Create or update .venv. Runs in a subshell, with which its lock and its trap end.
install() {
    local python uv index
    if ! { mkdir -p -- "$venv" && [[ -w $venv ]] && exec 9>>"$venv.lock"; } 2>/dev/null; then
        if [[ -L $venv/bin/python && ! -x $venv/bin/python ]]; then
            say "The Python of $venv is $(readlink -- "$venv/bin/python"), which this user cannot run."
            say "Its owner can remove $venv and start again with a Python 3.12 on PATH that everybody can run."
        fi
        die "$venv has to be installed and this user cannot write to it; set ISAACLAB_BPO_VENV to a folder of yours."
    fi
    if ! flock -n 9; then
        say "Waiting for another isaaclab.sh that is installing into $venv."
        flock 9
        if is_installed; then return; fi
    fi

    # Only what an earlier run of this script made may be replaced.
    if [[ ! -f $marker && -n $(ls -A -- "$venv") ]]; then
        die "$venv was not made by isaaclab.sh; remove it, or install Isaac Lab and this project into it."
    fi
    if [[ -x $venv/bin/python && $(<"$marker") == *" $root" ]]; then
        say "Updating $venv, because requirements.lock or the project's metadata changed."
    else
        say "Installing Isaac Lab and this project into $venv, once: 4 GB to download, 9 GB on disk."
        say "(To use an environment of yours that has Isaac Lab 3.0, run pip install -e '$root' in it instead.)"
        find "$venv/" -mindepth 1 -delete
    fi
    printf 'unfinished' >"$marker"

    scratch=$(mktemp -d)
    trap 'rm -rf -- "$scratch"' EXIT
    python=$(find_python_312) || python=3.12 # which asks uv for one of its own
    uv=$(find_uv "$scratch")
    # uv shares neither the machine's certificates nor pip's choice of registry unless told to.
    export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}
    index=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url </dev/null 2>/dev/null || true)}
    [[ -z $index ]] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}

    cd -- "$root"
    if [[ ! -x $venv/bin/python ]]; then
        "$uv" venv --quiet --allow-existing --prompt isaaclab_bpo --python "$python" "$venv" ||
            die "No Python 3.12 was found; $install_python and start again."
    fi
    say "Installing the packages of requirements.lock (Python: $python, uv: $uv)."
    local uv_install=("$uv" pip install --python "$venv/bin/python")
    {
        "${uv_install[@]}" --require-hashes --build-constraints requirements.lock --requirements requirements.lock &&
            "${uv_install[@]}" --quiet --no-deps --no-build-isolation --editable .
    } >&2 || die "The installation failed, as uv says above; the next start begins afresh."
    sources >"$marker"
    say "Installed."
}

# --- Which Python, and what for ---------------------------------------------------------------------------------

python=
while read -r candidate; do
    if has_isaaclab_and_us "$candidate"; then
        python=$candidate
        break
    fi
done < <(active_pythons)

if [[ -z $python ]]; then
    # A .venv without the marker is the user's own.
    if ! is_installed && { [[ -f $marker ]] || ! has_isaaclab_and_us "$venv/bin/python"; }; then
        (install)
    fi
    python=$venv/bin/python
    export VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH
    unset PYTHONHOME
fi

case ${1-} in
    -h | --help)
        sed -n '4,/^$/s/^#\( \|$\)//p' "${BASH_SOURCE[0]}"
        printf 'Isaac Lab itself says:\n\n'
        exec "$python" -m isaaclab "$@"
        ;;
    -p | --python)
        # Not through Isaac Lab's CLI: it kills the program a quarter of a second after Ctrl-C.
        shift
        if [[ $# -gt 0 && $1 != -* && ! -e $1 && -e $root/$1 ]]; then
            set -- "$root/$1" "${@:2}"
        fi
        exec "$python" "$@"
        ;;
    -t | --test)
        shift
        cd -- "$root"
        exec "$python" -m pytest "$@"
        ;;
    *)
        exec "$python" -m isaaclab "$@"
        ;;
esac
