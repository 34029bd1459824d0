#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Run a command in another root folder: enter-root.sh ROOT FOLDER COMMAND…  Called with mount and process namespaces of its own.
set -euo pipefail

root=$1 folder=$2
shift 2
mount --bind "$root" "$root"
cd "$root"
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs run
pivot_root . mnt # and not chroot: in a chroot no user namespace can be made
umount --lazy /mnt
cd "$folder"
exec "$@"
