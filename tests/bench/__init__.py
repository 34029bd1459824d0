# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks: ratios to what the same costs with the system's own tools, side by side in one run."""
