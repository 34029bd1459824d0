#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Strict mypy. Plugins are checked under the name that Ansible imports them by, through the link of set-up.
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

mypy --package ansible_collections.multihome.extrude.plugins --package tests --package tools
