#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Run a command in a copy of this checkout on a fresh minimal Debian 12, which shares only this machine's kernel, network
# and settings of apt and pip: tools/fresh.sh make test
set -euo pipefail
. "$(dirname "$0")/common.sh"

FRESH=$CACHE/fresh
BASE=$FRESH/base.tar
ROOT=$FRESH/root
PLACE=/root/extrude

main() {
    command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: type  make setup"
    mkdir -p "$FRESH"
    [ -e "$BASE" ] || make_base
    rm -rf --one-file-system "$ROOT"
    mkdir "$ROOT"
    tar -xpf "$BASE" -C "$ROOT" --numeric-owner
    copy_settings
    copy_checkout
    say "fresh: $* in $ROOT"
    env -i "${SETTINGS[@]}" unshare --mount --pid --fork --propagation private \
        tools/enter-root.sh "$ROOT" "$PLACE" "$@"
}

make_base() {
    local sources
    mapfile -t sources < <(debian_sources)
    say "fresh: building a minimal Debian 12 with make and git"
    apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' >"$FRESH/apt.conf" || true
    logged fresh-base mmdebstrap --variant=minbase --include=ca-certificates,git,make --aptopt="$FRESH/apt.conf" \
        bookworm "$FRESH/part.tar" "${sources[@]}"
    mv "$FRESH/part.tar" "$BASE"
}

# debian_sources: the files that name Debian 12's archive; none: mmdebstrap's own default.
debian_sources() {
    grep -slE '^(Suites:(.* )?bookworm\b|deb .* bookworm )' /etc/apt/sources.list /etc/apt/sources.list.d/* || true
}

# copy_settings: what makes the package servers reachable from here.
copy_settings() {
    local file
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf ~/.config/pip/pip.conf ~/.pip/pip.conf \
        /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates; do
        if [ -e "$file" ]; then cp --dereference --recursive --parents "$file" "$ROOT"; fi
    done
}

copy_checkout() {
    git -c safe.directory='*' clone --quiet --no-hardlinks "$CHECKOUT" "$ROOT$PLACE"
    (cd "$ROOT$PLACE" && git ls-files -z | xargs -0 -r rm -f)
    tree | xargs -0 cp --parents --no-dereference --preserve=mode --target-directory "$ROOT$PLACE"
}

# The variables that go in: where pip and TLS find their settings, and little else.
mapfile -t SETTINGS < <(env | grep -E '^(PIP_|https?_proxy=|no_proxy=|SSL_CERT_|REQUESTS_CA_BUNDLE=|TERM=)' || true)
SETTINGS+=(HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)

[ $# -gt 0 ] || set -- make setup
main "$@"
