#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Write tools/constraints.txt anew: the newest versions that fit tools/requirements.txt.
set -euo pipefail
. "$(dirname "$0")/common.sh"

rm -rf "$CACHE/lock"
logged lock-venv "$PYTHON" -m venv "$CACHE/lock"
logged lock "$CACHE/lock/bin/pip" install --requirement tools/requirements.txt
{
    echo "# Written by \`make lock\`: everything that tools/requirements.txt brings."
    "$CACHE/lock/bin/pip" freeze
} >tools/constraints.txt
rm -rf "$CACHE/lock"
say "tools/constraints.txt has $(grep -c == tools/constraints.txt) pins"
