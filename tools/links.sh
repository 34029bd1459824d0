#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Those of the acceptance tests that have labs of their own: links that come and go, behind NAT, and encrypted ones. Words
# after the command go to pytest.
set -euo pipefail
. "$(dirname "$0")/common.sh"

exec tools/acceptance.sh -m "dynamic and not long" "$@"
