#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Remove what the commands have made: the cache and the link. Debian packages stay.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[ -e "$CACHE/CACHEDIR.TAG" ] || fail "$CACHE was not made by these commands: remove it by hand"
rm -rf --one-file-system "$CACHE" "$COLLECTIONS" tests/output
