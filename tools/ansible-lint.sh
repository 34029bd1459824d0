#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-lint with the profile for content that others run in production.
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

ansible-lint --nocolor --strict --offline --profile production "$@"
