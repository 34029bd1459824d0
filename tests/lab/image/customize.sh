#!/bin/sh
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# mmdebstrap hook: turns a fresh Debian root into the image of the lab's hosts. Arguments: ROOT OUT UML-MODULES
# Outside ROOT it leaves OUT/vmlinuz, OUT/uml.cpio.gz and OUT/debian.cpio.gz (kernel and first programs of the backends).
set -eu
root=$1 out=$2 uml_modules=$3
here=$(dirname "$(readlink -f "$0")")

words() { sed 's/#.*//' "$1"; }
outer_apt() { APT_CONFIG=$MMDEBSTRAP_APT_CONFIG "$@"; }

# The repository that hosts install from without internet.
local_repository() {
    mkdir -p "$root/srv/apt/partial"
    # shellcheck disable=SC2046
    outer_apt apt-get -qq -y --no-install-recommends --download-only \
        -o Dir::Cache::archives="$root/srv/apt" install $(words "$here/repository.txt")
    rm -rf "$root/srv/apt/partial" "$root/srv/apt/lock"
    for deb in "$root"/srv/apt/*.deb; do
        dpkg-deb -f "$deb"
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$(basename "$deb")" "$(stat -c %s "$deb")" \
            "$(sha256sum "$deb" | cut -d ' ' -f 1)"
    done > "$root/srv/apt/Packages"
    rm -f "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/apt.conf.d/99mmdebstrap
    echo 'deb [trusted=yes] file:/srv/apt ./' > "$root/etc/apt/sources.list"
    # Indexes are made now, so that a host can install before its first apt-get update, as on a real machine.
    chroot "$root" apt-get -qq -o Acquire::Languages=none update
    echo 'Acquire::Languages "none";' > "$root/etc/apt/apt.conf.d/90lab"
}

# The stock kernel, unpacked and not installed: hosts are containers and need no boot loader or initramfs.
stock_kernel() {
    package=$(outer_apt apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
    (cd "$out" && outer_apt apt-get -qq download "$package" && dpkg-deb -x linux-image-*.deb kernel && rm linux-image-*.deb)
    stock_version=$(ls "$out/kernel/lib/modules")
    mv "$out/kernel/boot/vmlinuz-$stock_version" "$out/vmlinuz"
    keep_modules "$out/kernel/lib/modules/$stock_version" "$stock_version"
    rm -rf "$out/kernel"
}

# Copies the module folders that a network lab can use; drivers of real hardware are most of the weight.
keep_modules() {
    mkdir -p "$root/usr/lib/modules/$2"
    (cd "$1" && {
        find modules.builtin modules.builtin.modinfo modules.order kernel/arch kernel/crypto kernel/lib kernel/net \
            kernel/drivers/block/virtio_blk.ko kernel/drivers/char/hw_random kernel/drivers/crypto/virtio kernel/drivers/virtio \
            kernel/drivers/net/ppp kernel/drivers/net/bonding kernel/drivers/net/wireguard kernel/drivers/net/vxlan \
            kernel/drivers/net/slip kernel/fs/ext4 kernel/fs/jbd2 kernel/fs/mbcache.ko kernel/fs/overlayfs kernel/fs/fuse \
            -type f 2>/dev/null || true
        find kernel/drivers/net -maxdepth 1 -type f
    } | grep -v -E '^kernel/net/(bluetooth|wireless|mac80211|mac802154|nfc|sunrpc|ceph|rds|tipc|batman-adv|sctp|dccp|atm|can|caif)/' \
      | cpio --quiet -p -d -m "$root/usr/lib/modules/$2")
    chroot "$root" depmod "$2"
}

# The first program of the machine: mounts the image read-only, a tmpfs over it, and goes on with /lab/init from there.
# Arguments: name, kernel version, modules needed until then.
first_program() {
    name=$1 version=$2
    shift 2
    tree=$out/$name.tree
    mkdir -p "$tree/bin" "$tree/modules"
    for folder in dev proc sys base rw newroot; do mkdir -p "$tree/$folder"; done
    cp "$(command -v busybox)" "$tree/bin/busybox"
    ln -s busybox "$tree/bin/sh"
    cp "$here/init" "$tree/init"
    chmod 755 "$tree/init"
    : > "$tree/modules/order"
    for module in "$@"; do
        chroot "$root" modprobe -S "$version" --show-depends "$module" 2>/dev/null || true
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r file; do
        cp "$root$file" "$tree/modules/"
        basename "$file" >> "$tree/modules/order"
    done
    (cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) > "$out/$name.cpio.gz"
    rm -rf "$tree"
}

# Units that have nothing to do in a container, and whose start costs seconds on an emulated processor.
quiet_boot() {
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer systemd-pstore.service getty.target console-getty.service systemd-firstboot.service \
        systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-journal-catalog-update.service \
        systemd-update-done.service ldconfig.service dev-hugepages.mount dev-mqueue.mount \
        sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \
        modprobe@.service kmod-static-nodes.service systemd-network-generator.service systemd-sysusers.service \
        systemd-remount-fs.service systemd-machine-id-commit.service systemd-journal-flush.service \
        systemd-tmpfiles-setup-dev.service proc-sys-fs-binfmt_misc.automount systemd-ask-password-console.path \
        systemd-ask-password-wall.path systemd-random-seed.service systemd-boot-system-token.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    mkdir -p "$root/etc/systemd/system-generators"
    for generator in bless-boot cryptsetup debug fstab getty gpt-auto hibernate-resume integritysetup rc-local run \
        system-update veritysetup; do
        ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-$generator-generator"
    done
    ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
    rm -f "$root"/etc/systemd/system/multi-user.target.wants/e2scrub_reap* \
        "$root"/etc/systemd/system/multi-user.target.wants/machines.target \
        "$root"/etc/systemd/system/multi-user.target.wants/remote-fs.target
    mkdir -p "$root/etc/systemd/journald.conf.d"
    printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nAudit=no\n' > "$root/etc/systemd/journald.conf.d/lab.conf"
}

host_files() {
    chroot "$root" systemctl -q enable systemd-networkd.service
    # a topology turns on what a host dials and asks with (customer.py); NetworkManager's aliases on the bus stay
    for unit in networking.service pppd-dns.service NetworkManager.service NetworkManager-wait-online.service; do
        rm -f "$root"/etc/systemd/system/*.wants/$unit
    done
    rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname"
    : > "$root/etc/machine-id"
    : > "$root/etc/resolv.conf"
    cat > "$root/etc/ssh/sshd_config.d/lab.conf" <<'EOF'
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
UsePAM no
HostKey /etc/ssh/ssh_host_ed25519_key
EOF
    mkdir -p "$root/base" "$root/rw" "$root/ct" "$root/lab"
}

stock_kernel
local_repository
keep_modules "$uml_modules" "$(basename "$uml_modules")"
first_program debian "$stock_version" virtio_pci virtio_blk ext4 crc32c_generic overlay virtio_net virtio_rng af_packet
first_program uml "$(basename "$uml_modules")" overlay
quiet_boot
host_files
