#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Molecule's scenarios on a lab of their own. Words after the command go to molecule: tools/molecule.sh converge
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

export MOLECULE_LAB=$CHECKOUT/tests/lab/lab
export EXTRUDE_LAB=$CACHE/lab/run-molecule
export ANSIBLE_COLLECTIONS_PATH=$CHECKOUT/$COLLECTIONS
[ $# -gt 0 ] || set -- test
cd "$COLLECTION" # molecule takes the collection's name from here
exec molecule "$@"
