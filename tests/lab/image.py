# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the lab's machine and hosts: Debian 12, built once from this computer's apt configuration, then cached.

A built image is a folder `rootfs/<key>` with `root.ext4`, `vmlinux` (stock kernel) and a first program for each backend
(`uml.cpio.gz`, `debian.cpio.gz`). The key is a hash of everything that the image is made from.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .common import LabError, locked, need_programs, need_root, run, say, words

RELEASE = "bookworm"
SUITES = (RELEASE, f"{RELEASE}-updates", f"{RELEASE}-security")
RECIPE = Path(__file__).parent / "image"
UML_MODULES = Path("/usr/lib/uml/modules")
IMAGE_BYTES = 1 << 30
PROGRAMS = (
    ("mmdebstrap", "mmdebstrap"),
    ("mkfs.ext4", "e2fsprogs"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("linux.uml", "user-mode-linux"),
    ("ssh-keygen", "openssh-client"),
)


@dataclass(frozen=True)
class Image:
    """A built image."""

    folder: Path

    @property
    def disk(self) -> Path:
        """Root file system, attached read-only."""
        return self.folder / "root.ext4"

    @property
    def kernel(self) -> Path:
        """Stock Debian kernel, unpacked: unpacking it on an emulated processor takes seconds."""
        return self.folder / "vmlinux"

    def first_program(self, kernel: str) -> Path:
        """Initramfs for `kernel` (uml or debian)."""
        return self.folder / f"{kernel}.cpio.gz"


def ensure(cache: Path) -> Image:
    """Return the image from the cache, building it first where it isn't there."""
    need_programs(PROGRAMS)
    modules = uml_modules()
    folder = cache / "rootfs" / image_key(recipe_parts(modules))
    if not (folder / "root.ext4").exists():
        need_root()
        with locked(cache / "locks" / "rootfs"):
            if not (folder / "root.ext4").exists():
                _build(folder, modules)
    return Image(folder)


def recipe_parts(modules: Path) -> dict[str, bytes]:
    """Return name -> content of everything that decides what the image holds."""
    parts = {path.name: path.read_bytes() for path in sorted(RECIPE.iterdir()) if path.is_file()}
    return parts | {"release": RELEASE.encode(), "uml": modules.name.encode()}


def image_key(parts: dict[str, bytes]) -> str:
    """Return the cache key: 12 hex digits over names and contents."""
    digest = hashlib.sha256()
    for name, content in sorted(parts.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def uml_modules() -> Path:
    """Return the module folder of the installed user-mode-linux kernel."""
    versions = sorted(UML_MODULES.iterdir()) if UML_MODULES.is_dir() else []
    if not versions:
        raise LabError("user-mode-linux has no modules here: type apt-get install --reinstall user-mode-linux")
    return versions[-1]


def apt_sources(listing: str) -> list[str]:
    """Return one-line apt sources for the image from lines `repository|suite|component` of this machine's."""
    sources: dict[tuple[str, str], None] = {}
    for line in listing.splitlines():
        uri, suite, component = line.split("|")
        if suite in SUITES and component == "main":
            sources[uri, suite] = None
    return [f"deb {uri} {suite} main" for uri, suite in sources]


def apt_options(dump: str) -> list[str]:
    """Return this machine's settings of how apt fetches (proxies and so on) from what `apt-config dump` prints."""
    return [line for line in dump.splitlines() if re.match(r'Acquire::(http|https|ftp|Retries)\S* "[^"]+";$', line)]


def mmdebstrap_command(sources: list[str], options: list[str], packages: list[str], hook: str, root: Path) -> list[str]:
    """Return the command line that makes the root file system in the folder `root`."""
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("man", "doc", "locale", "info")]
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--skip=cleanup/apt/lists",
        *excluded,
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--aptopt={option}" for option in options),
        f"--include={','.join(packages)}",
        f"--customize-hook={hook}",
        RELEASE,
        str(root),
        *sources,
    ]


def unpack_kernel(packed: bytes) -> bytes:
    """Return the ELF kernel inside a bzImage (Debian packs with xz). Errors: LabError."""
    start = -1
    while (start := packed.find(b"\xfd7zXZ\x00", start + 1)) >= 0:
        try:
            kernel = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(packed[start:])
        except lzma.LZMAError:
            continue
        if kernel.startswith(b"\x7fELF"):
            return kernel
    raise LabError("the stock kernel is packed in a way that the lab doesn't know")


def _build(folder: Path, modules: Path) -> None:
    say("building root filesystem, about 1 minute, once")
    started = time.monotonic()
    work = folder.with_suffix(".tmp")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    root = work / "root"
    hook = f"'{RECIPE / 'customize.sh'}' \"$1\" '{work}' '{modules}'"
    command = mmdebstrap_command(_sources(), _options(), words(RECIPE / "packages.txt"), hook, root)
    # Variables of the user's shell must not decide what the image holds (Python's byte code, for one).
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or name == "TMPDIR"}
    _mmdebstrap(command, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **kept}, work / "build.log")
    (work / "vmlinux").write_bytes(unpack_kernel((work / "vmlinuz").read_bytes()))
    (work / "vmlinuz").unlink()
    _pack(root, work / "root.ext4")
    shutil.rmtree(root)
    for old in folder.parent.glob("*"):
        if old not in (work, folder) and old.is_dir():
            shutil.rmtree(old, ignore_errors=True)
    work.rename(folder)
    say(f"root filesystem ready after {time.monotonic() - started:.0f} s")


def _mmdebstrap(command: list[str], environment: dict[str, str], log: Path) -> None:
    """Run mmdebstrap with its output in `log`. Errors: LabError with its last words."""
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if process.wait() != 0:
        errors = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("E:")]
        raise LabError(f"building the root filesystem failed ({log}): {' / '.join(errors[:3])}")


def _sources() -> list[str]:
    asked = ["--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)", "Identifier: Packages", "Origin: Debian"]
    sources = apt_sources(run(["apt-get", "indextargets", *asked], what="reading this machine's apt sources"))
    if not any(f" {RELEASE} " in source for source in sources):
        raise LabError(f"apt knows no packages of Debian 12 ({RELEASE}) here: type apt-get update, or add its sources")
    return sources


def _options() -> list[str]:
    return apt_options(run(["apt-config", "dump"], what="reading this machine's apt configuration"))


def _pack(root: Path, disk: Path) -> None:
    with disk.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    features = ["-O", "^has_journal,^metadata_csum", "-E", "lazy_itable_init=0", "-m", "0"]
    run(["mkfs.ext4", "-q", "-F", *features, "-d", str(root), str(disk)], what="packing the root filesystem")
