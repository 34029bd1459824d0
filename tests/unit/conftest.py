# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all unit tests share."""

from __future__ import annotations

from hypothesis import settings

# how long an example takes says how busy the machine is, not whether the code is right
settings.register_profile("extrude", deadline=None)
settings.load_profile("extrude")
