#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Stop what runs and remove what the commands have made: labs, the cache, the link. Debian packages stay.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[ -e "$CACHE/CACHEDIR.TAG" ] || fail "$CACHE was not made by these commands: remove it by hand"
for folder in "$CACHE"/lab/run-*; do
    [ ! -d "$folder" ] || tests/lab/lab --name "${folder##*/run-}" down
done
rm -rf --one-file-system "$CACHE" "$COLLECTIONS" tests/output
