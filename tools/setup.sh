#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Install what the commands need: missing Debian packages, pinned Python tools in the cache, the link that makes the
# checkout a collection. What is there already is left alone, so a second run takes no time.
set -euo pipefail
. "$(dirname "$0")/common.sh"

ANSIBLE=12.3.0 # of which community.crypto is used, 3.0.5

main() {
    exec 9>"$CACHE/setup.lock"
    flock 9 # two commands at once would both set up
    install_packages
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$PYTHON is older than 3.11"
    make_venv
    link_collection
    add_collections
}

install_packages() {
    local missing
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "set-up installs Debian packages, and there is no apt-get here: $(list_of "$missing")"
    say "setup: installing Debian packages:"
    join <(echo "$missing") <(packages | sort -u -k1,1) | sed 's/ /: /; s/^/  /'
    logged apt-update apt-get update || fail "apt-get update failed"
    # shellcheck disable=SC2086  # one word each
    DEBIAN_FRONTEND=noninteractive logged apt-install \
        apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 $missing ||
        fail "apt-get could not install: $(list_of "$missing")"
}

# packages: lines of a package and why it is needed, of all lists.
packages() { sed -E '/^(#|$)/d; s/[[:space:]]+#?[[:space:]]*/ /' tools/packages.txt tests/lab/packages.txt; }

# missing_packages: the names of those that aren't installed.
missing_packages() {
    comm -23 <(packages | cut -d' ' -f1 | sort -u) <(
        dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p' | sort -u
    )
}

list_of() { tr '\n' ' ' <<<"$1"; }

make_venv() {
    local stamp wanted
    stamp=$VENV/extrude-stamp
    wanted=$({ "$PYTHON" --version && cat tools/requirements.txt tools/constraints.txt; } | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
    say "setup: installing Python tools into $VENV"
    rm -rf "$VENV"
    logged venv "$PYTHON" -m venv "$VENV" || fail "could not make a virtual environment"
    logged pip "$VENV/bin/pip" install --requirement tools/requirements.txt --constraint tools/constraints.txt ||
        fail "pip could not install tools/requirements.txt"
    echo "$wanted" >"$stamp"
}

# Ours needs one more, which comes out of Ansible's big package on the Python index.
add_collections() {
    local wheel=$CACHE/wheel folder=ansible_collections/community/crypto
    if [ "$(cat "$CACHE/$folder/extrude-stamp" 2>/dev/null)" != "$ANSIBLE" ]; then
        say "setup: fetching community.crypto out of ansible $ANSIBLE"
        rm -rf "$wheel" "${CACHE:?}/$folder"
        logged ansible "$VENV/bin/pip" download --no-deps --dest "$wheel" "ansible==$ANSIBLE" || fail "pip could not fetch ansible"
        "$VENV/bin/python" -c 'import sys, zipfile; wheel = zipfile.ZipFile(sys.argv[1]); wheel.extractall(
            sys.argv[2], [name for name in wheel.namelist() if name.startswith(sys.argv[3])])' \
            "$wheel"/ansible-*.whl "$CACHE" "$folder/"
        rm -rf "$wheel"
        echo "$ANSIBLE" >"$CACHE/$folder/extrude-stamp"
    fi
    mkdir -p "$COLLECTIONS/${folder%/*}"
    [ -e "$COLLECTIONS/$folder" ] || ln -sfn "$CACHE/$folder" "$COLLECTIONS/$folder"
}

link_collection() {
    [ "$(readlink -f "$COLLECTION")" != "$CHECKOUT" ] || return 0
    mkdir -p "$(dirname "$COLLECTION")"
    ln -sfnr "$CHECKOUT" "$COLLECTION"
}

main
