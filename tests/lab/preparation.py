# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is made of before its machine starts: keys, the guest's files, the initramfs."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .backends import DISK, INITRAMFS, KERNEL
from .common import LabError, run
from .image import Image
from .sshconfig import known_hosts
from .topology import Topology
from .wiring import guest_files

SECRETS = ("-secrets", ".nmconnection")
HOOKS = "ip-up.d"
SCRIPTS = Path(__file__).parent / "guest"


def prepare(folder: Path, topology: Topology, image: Image, kernel: str) -> None:
    """Fill the run's folder with keys, initramfs, and links to disk and kernel."""
    make_keys(folder)
    host_key = "common/etc/ssh/ssh_host_ed25519_key"
    files = guest_files(topology) | {
        "common/root/.ssh/authorized_keys": (folder / "id.pub").read_text(encoding="utf-8"),
        host_key: (folder / "host_key").read_text(encoding="utf-8"),
        f"{host_key}.pub": (folder / "host_key.pub").read_text(encoding="utf-8"),
    }
    tree = folder / "guest"
    write_tree(tree / "lab", files)
    shutil.copytree(SCRIPTS, tree / "lab", dirs_exist_ok=True)
    (tree / "lab" / host_key).chmod(0o600)
    (tree / "lab" / "common/root/.ssh").chmod(0o700)
    (folder / INITRAMFS).write_bytes(image.first_program(kernel).read_bytes() + gzip.compress(pack(tree), 1))
    (folder / DISK).symlink_to(image.disk)
    (folder / KERNEL).symlink_to(image.kernel)
    shutil.rmtree(tree)


def make_keys(folder: Path) -> None:
    """Make the user's key `id` and the hosts' key `host_key`, and the known_hosts file that goes with it."""
    for name in ("id", "host_key"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(folder / name)], what="making keys")
    public = (folder / "host_key.pub").read_text(encoding="utf-8")
    (folder / "known_hosts").write_text(known_hosts(public), encoding="utf-8")


def write_tree(root: Path, files: Mapping[str, str]) -> None:
    """Write path -> text below `root`, with the modes that they need."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in (root.parent, *root.parent.rglob("*")):
        path.chmod(mode(path))


def mode(path: Path) -> int:
    """Return the mode of a file or folder: programs refuse secrets that all can read."""
    if path.is_dir() or path.parent.name == HOOKS:
        return 0o755
    return 0o600 if path.name.endswith(SECRETS) else 0o644


def pack(tree: Path) -> bytes:
    """Return a cpio archive of a folder, as an initramfs wants it."""
    names = "\n".join(sorted(str(path.relative_to(tree)) for path in tree.rglob("*")))
    command = ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"]
    done = subprocess.run(command, input=names.encode(), cwd=tree, capture_output=True, check=False)
    if done.returncode != 0:
        raise LabError(f"packing the guest's files failed: {done.stderr.decode().strip()}")
    return done.stdout
