#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Tests of links that come and go (PPPoE, DHCP): of the lab itself, and of sites on it. Words after the command go to pytest.
# EXTRUDE_REDIALS=100 looks for leaks for longer.
set -euo pipefail
. "$(dirname "$0")/common.sh"

exec tools/acceptance.sh -m dynamic "$@"
