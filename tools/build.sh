#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Build the collection's archive and see that nothing is in it that git doesn't know or would not take.
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

folder=$CACHE/build
rm -rf "$folder"
ansible-galaxy collection build --output-path "$folder" .
archive=$(ls "$folder"/*.tar.gz)
strays=$(comm -23 <(tar -tzf "$archive" | grep -v '/$' | sort) <({ tree | tr '\0' '\n'; printf '%s\n' FILES.json MANIFEST.json; } | sort))
[ -z "$strays" ] || fail "the archive has files that are not the collection's: $strays"
say "$archive"
