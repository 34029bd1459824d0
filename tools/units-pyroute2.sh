#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The unit tests of modules, and of the engine's files that use pyroute2, with the versions of other distributions.
set -euo pipefail
. "$(dirname "$0")/common.sh"
need_setup

VERSIONS=(0.7.7 0.8.1 0.9.7) # Ubuntu 24.04, Debian 13, the newest
shopt -s nullglob
TESTS=(tests/unit/plugins/modules tests/unit/plugins/module_utils/test__{host,netlink,runner,wire}*.py)

for version in "${VERSIONS[@]}"; do
    folder=$CACHE/pyroute2/$version
    [ -d "$folder" ] || logged "pip-pyroute2-$version" pip install --no-deps --target "$folder" "pyroute2==$version"
    say "pyroute2 $(PYTHONPATH=$folder python -c 'from importlib.metadata import version; print(version("pyroute2"))')"
    PYTHONPATH=$folder python -m pytest --quiet -n 2 -o cache_dir="$CACHE/pytest" "${TESTS[@]}" "$@"
done
