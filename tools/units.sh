#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Unit tests, on two processors. Words after the command go to pytest: tools/units.sh -k routes
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

python -m pytest -n 2 -o cache_dir="$CACHE/pytest" "$@"
