#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# All of `ansible-test sanity`, without downloads from other hosts than the package index.
#
# ansible-test refuses a checkout that isn't at ansible_collections/NAMESPACE/NAME (and resolves links), so it gets a copy
# of the files that git knows or would take. It would download get-pip.py: a file in its home folder saves that.
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

WORK=$CACHE/sanity
COPY=$WORK/ansible_collections/multihome/extrude

prepare_home() {
    mkdir -p "$WORK/home/.ansible/test/cache" "$WORK/home/.config/pip"
    cp tools/get_pip.py "$WORK/home/.ansible/test/cache/get_pip_24_2.py" # the name that ansible-core 2.19 looks for
    (umask 077 && python tools/pip_settings.py >"$WORK/home/.config/pip/pip.conf")
}

copy_tree() {
    rm -rf "$COPY"
    mkdir -p "$COPY"
    tree | xargs -0 cp --parents --no-dereference --preserve=mode,timestamps --target-directory "$COPY"
    git -C "$COPY" init --quiet
}

run_sanity() {
    local version log=$LOGS/ansible-test.log
    version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    (cd "$COPY" && HOME=$WORK/home ansible-test sanity --color no --python "$version" "$@") 2>&1 | tee "$log" || findings "$log"
    if grep -E '^WARNING: (Skipping|Required program)' "$log"; then fail "sanity tests were skipped"; fi
}

# findings LOG: what was found, once more at the end.
findings() {
    say ""
    grep -E '^ERROR: .*:[0-9]+:[0-9]+:' "$1"
    fail "ansible-test sanity failed"
}

prepare_home
copy_tree
run_sanity "$@"
