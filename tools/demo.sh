#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The demo. Words after the command: --backend uml|qemu, --keep
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

exec python -m tests.demo "$@"
