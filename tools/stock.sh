#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The core acceptance tests on the stock Debian kernel, with nftables-backed iptables. Words after the command go to pytest.
set -euo pipefail
. "$(dirname "$0")/common.sh"

exec tools/acceptance.sh --backend qemu -m core "$@"
