# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: a virtual internet with a rack and an office in one virtual machine (docs/lab.md)."""
