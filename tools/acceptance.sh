#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Acceptance tests in the lab, all of them in two labs side by side, a file of tests in one of them.
# Words after the command go to pytest, and then there is one lab: tools/acceptance.sh --backend uml|qemu -k sources
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

# user-mode-linux uses one core; the order is that of conftest.py
[ $# -gt 0 ] || set -- -n 2 --dist loadfile --no-loadscope-reorder

# all of them, unless some are named: pytest needs a path to find its own options there
tests=(tests/acceptance)
for word in "$@"; do [[ $word != tests/acceptance/* ]] || tests=(); done

# of two -m the last one counts: make links, make long and make stock choose others
python -m pytest -o cache_dir="$CACHE/pytest" --durations=20 -m "not long" ${tests[@]+"${tests[@]}"} "$@"
