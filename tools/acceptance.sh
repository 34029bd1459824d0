#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Acceptance tests in the lab. Words after the command go to pytest: tools/acceptance.sh --backend uml|qemu -k sources
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

# all of them, unless some are named: pytest needs a path to find its own options there
tests=(tests/acceptance)
for word in "$@"; do [[ $word != tests/acceptance/* ]] || tests=(); done

# of two -m the last one counts: make lab-links and make stock choose others
python -m pytest -o cache_dir="$CACHE/pytest" -m "not dynamic" ${tests[@]+"${tests[@]}"} "$@"
