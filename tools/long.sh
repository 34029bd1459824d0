#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The acceptance tests that take long, in one lab at a time: many measure. Words after the command go to pytest.
# EXTRUDE_REDIALS=100 looks for leaks for longer.
set -euo pipefail
. "$(dirname "$0")/common.sh"

exec tools/acceptance.sh -m long "$@"
