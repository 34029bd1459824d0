#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The documentation that modules, filters and roles carry, and what it refers to.
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

cd "$COLLECTION"
antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=self .
