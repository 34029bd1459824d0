#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Acceptance tests in the lab. Words after the command go to pytest: tools/acceptance.sh --backend uml|qemu -k sources
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

python -m pytest -o cache_dir="$CACHE/pytest" -o testpaths=tests/acceptance "$@"
