# shellcheck shell=bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# What the scripts in tools/ share: places, and one way to run a step. Sourced, with the working folder at the checkout's top.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

CACHE=$(realpath -m "${EXTRUDE_CACHE:-.cache}")
VENV=$CACHE/venv
LOGS=$CACHE/log
COLLECTIONS=playbooks/collections
COLLECTION=$COLLECTIONS/ansible_collections/multihome/extrude
export CHECKOUT=$PWD
export PYTHON=/usr/bin/python3

export EXTRUDE_CACHE=$CACHE
export PATH=$VENV/bin:$PATH:/usr/sbin:/sbin
export RUFF_CACHE_DIR=$CACHE/ruff MYPY_CACHE_DIR=$CACHE/mypy
export HYPOTHESIS_STORAGE_DIRECTORY=$CACHE/hypothesis ANSIBLE_HOME=$CACHE/ansible
export PYTHONDONTWRITEBYTECODE=1 ANSIBLE_NOCOLOR=1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH

[ -d "$CACHE" ] || install -D /dev/stdin "$CACHE/CACHEDIR.TAG" <<<"Signature: 8a477f597d28d172789f06886806bc55"
mkdir -p "$LOGS"

# say WORDS…: one line of progress.
say() { printf '%s\n' "$*"; }

# fail WORDS…: one line about what is wrong and what to do, and the end.
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# logged NAME COMMAND…: run it with its output in the log NAME; when it fails, show the end of the log.
logged() {
    local name=$1 status=0
    shift
    "$@" >"$LOGS/$name.log" 2>&1 </dev/null || status=$?
    [ "$status" = 0 ] || show_log "$name"
    return "$status"
}

# show_log NAME: the end of a log, and where the rest is.
show_log() {
    tail -n 40 "$LOGS/$1.log"
    say "(all of it is in $LOGS/$1.log)"
} >&2

# tree: the files of the checkout that git knows or would take, each ended by a zero byte.
tree() { git -c safe.directory='*' ls-files -z --cached --others --exclude-standard --deduplicate | present; }

# present: pass on the names (ended by zero bytes) of files that exist; git still lists deleted ones.
present() { while IFS= read -r -d '' name; do [ ! -e "$name" ] || printf '%s\0' "$name"; done; }

# need_setup: end with a word on what to type unless `make setup` has been here.
need_setup() {
    if [ ! -x "$VENV/bin/python" ] || [ ! -e "$COLLECTION/galaxy.yml" ]; then fail "not set up yet: type  make setup"; fi
}
