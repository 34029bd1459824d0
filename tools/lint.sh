#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Python, shell and YAML: rules and form.
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

# scripts: the shell scripts, by name or first line, each ended by a zero byte.
scripts() { tree | xargs -0 grep -lZE -m1 '^#!.*\b(ba)?sh$|^# shellcheck shell=' -- | grep -zv '\.py$'; }

ruff check .
ruff format --check .
scripts | xargs -0 -r shellcheck --external-sources --source-path=SCRIPTDIR
yamllint --strict .
