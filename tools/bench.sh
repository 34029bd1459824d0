#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The benchmarks; leave the machine alone meanwhile. Words after the command: packet, liveness, openvpn, ipsec, shape, fleet, --no-lab, --json FILE
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

PYTHONPATH=$COLLECTIONS exec python -m tests.bench "$@"
