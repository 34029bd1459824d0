#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The short tests of links that come and go: three sites with PPPoE and DHCP, links behind NAT, and encrypted ones. Words
# after the command go to pytest.
set -euo pipefail
. "$(dirname "$0")/common.sh"

exec tools/acceptance.sh -m "dynamic and short" tests/acceptance/test_lab_nat.py tests/acceptance/test_ipsec.py \
    tests/acceptance/test_lab_sites.py "$@"
