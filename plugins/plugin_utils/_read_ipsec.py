# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads how a site encrypts: what it proves itself with, and its algorithms. No message ever shows a secret.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import REQUIRED, Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Proposals, Wan

PSK = "extrude_ipsec_psk"
AUTH = "extrude_ipsec_auth"
CA = "extrude_ipsec_ca"
PASSPHRASE = "extrude_ipsec_ca_passphrase"
DAYS = "extrude_ipsec_certificate_days"
METHOD = _kinds.choice("psk", "certificate")
FOLDER = _kinds.text(
    r"/.*[^/]", "the absolute path of a folder on the controller, which holds the authority, without a slash at its end"
)
LIFETIME = _kinds.integer(3, 1825)
SHORTEST = 20
"""Characters: who has heard one connection being made can try all shorter ones at leisure (RFC 7296 section 2.15)."""
LONGEST = 256
_SECRET = re.compile(rf"[ -~]{{{SHORTEST},{LONGEST}}}")

# keys for encryption alone and for IKE; then a group, and what strongSwan 6 can exchange beside it (RFC 9370)
_CIPHER = r"(?:aes(?:128|192|256)gcm16|chacha20poly1305)"
_GROUPS = r"(?:-(?:x25519|x448|ecp256|ecp384|ecp521|modp3072|modp4096))(?:-ke[1-7]_[a-z0-9]+)*"
AEAD = "AES-GCM or ChaCha20-Poly1305"
IKE = _kinds.text(
    rf"{_CIPHER}-prfsha(?:256|384|512){_GROUPS}",
    f"{AEAD}, a prf and a group, in strongSwan's words: aes256gcm16-prfsha384-x25519",
)
ESP = _kinds.text(rf"{_CIPHER}(?:{_GROUPS})?", f"{AEAD} and a group, in strongSwan's words: aes256gcm16-x25519")
DEFAULT_IKE = ("aes256gcm16-prfsha384-x25519-ke1_mlkem768", "aes256gcm16-prfsha384-x25519")
"""A host offers the first one where its strongSwan can do it (module_utils/_post_quantum.py). The keys of ESP derive
from those of IKE, so that needs none of its own."""
DEFAULT_ESP = ("aes256gcm16-x25519",)


def read_certified(reader: Reader, wans: Sequence[Wan]) -> bool:
    """Read whether a site has a certificate, and see that it has a secret where it needs one instead."""
    certified = reader.read(AUTH, METHOD, "psk") == "certificate"
    encrypted = [wan for wan in wans if wan.ipsec]
    if encrypted and not certified:
        needs = f"{_named(encrypted[0])} is encrypted, which takes this or {AUTH}: certificate"
        reader.read(PSK, SECRET, why=needs)
    else:
        reader.read(PSK, SECRET, "")
    if certified and wans and not encrypted:
        reader.problem(
            AUTH, "certificate, and no link is encrypted; give extrude_ipsec: true, or ipsec: true to a link"
        )
    return certified and bool(encrypted)


def read_authority(reader: Reader, certified: str) -> None:
    """Read what a colo's authority needs; `certified` is a site that it signs for, "" where there is none.

    Without one its passphrase is left alone: who has no certificates need not have the vault of those who have.
    """
    why = f"{certified} proves itself by a certificate"
    reader.read(DAYS, LIFETIME, 0)
    reader.read(CA, FOLDER, REQUIRED if certified else "", why)
    if certified:
        reader.read(PASSPHRASE, SECRET_OF_CA, why=why)


def read_proposals(reader: Reader) -> Proposals:
    """Read the algorithms of a site."""
    return Proposals(
        ike=_read_proposals(reader, "extrude_ipsec_ike", IKE, DEFAULT_IKE),
        esp=_read_proposals(reader, "extrude_ipsec_esp", ESP, DEFAULT_ESP),
    )


def _read_proposals(reader: Reader, key: str, kind: _kinds.Kind[str], default: Sequence[str]) -> tuple[str, ...]:
    before = len(reader.problems)
    proposals = tuple(proposal for _path, proposal in reader.each(key, kind, list(default)))
    if not proposals and len(reader.problems) == before:
        reader.problem(key, f"is empty; leave it out, or give a list of which each entry is {kind.allowed}")
    return proposals


def _named(wan: Wan) -> str:
    return f"{wan.path} ({wan.name}{', nat' if wan.nat else ''})"


def _secret(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")
    if not _SECRET.fullmatch(value):
        if SHORTEST <= len(value) <= LONGEST:
            raise ValueError("has characters that are not printable ASCII (a line end?)")
        raise ValueError(f"has {len(value)} characters")
    return str(value)


LONG_ENOUGH = f"kept in a vault: {SHORTEST} to {LONGEST} printable ASCII characters"
SECRET = _kinds.Kind(f"the secret of the site, {LONG_ENOUGH}", _secret, "")
SECRET_OF_CA = _kinds.Kind(f"the passphrase of the authority's key, {LONG_ENOUGH}", _secret, "")
