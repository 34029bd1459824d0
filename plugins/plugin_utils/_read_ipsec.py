# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads how a site encrypts: its secret and its algorithms. No message ever shows a secret.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Proposals, Wan

PSK = "extrude_ipsec_psk"
SHORTEST = 20
"""Characters: who has heard one connection being made can try all shorter ones at leisure (RFC 7296 section 2.15)."""
_SECRET = re.compile(rf"[ -~]{{{SHORTEST},256}}")

# keys for encryption alone and for IKE; then a group, and what strongSwan 6 can exchange beside it (RFC 9370)
_CIPHER = r"(?:aes(?:128|192|256)gcm16|chacha20poly1305)"
_GROUPS = r"(?:-(?:x25519|x448|ecp256|ecp384|ecp521|modp3072|modp4096))(?:-ke[1-7]_[a-z0-9]+)*"
AEAD = "AES-GCM or ChaCha20-Poly1305"
IKE = _kinds.text(
    rf"{_CIPHER}-prfsha(?:256|384|512){_GROUPS}",
    f"{AEAD}, a prf and a group, in strongSwan's words: aes256gcm16-prfsha384-x25519",
)
ESP = _kinds.text(rf"{_CIPHER}(?:{_GROUPS})?", f"{AEAD} and a group, in strongSwan's words: aes256gcm16-x25519")
DEFAULT_IKE, DEFAULT_ESP = "aes256gcm16-prfsha384-x25519", "aes256gcm16-x25519"


def read_ipsec(reader: Reader, wans: Sequence[Wan]) -> Proposals:
    """Read the algorithms of a site, and see that it has a secret where it needs one."""
    encrypted = [wan for wan in wans if wan.ipsec]
    if encrypted or not reader.lacks(PSK):
        reader.read(PSK, SECRET)
    return Proposals(
        ike=_read_proposals(reader, "extrude_ipsec_ike", IKE, DEFAULT_IKE),
        esp=_read_proposals(reader, "extrude_ipsec_esp", ESP, DEFAULT_ESP),
    )


def _read_proposals(reader: Reader, key: str, kind: _kinds.Kind[str], default: str) -> tuple[str, ...]:
    before = len(reader.problems)
    proposals = tuple(proposal for _path, proposal in reader.each(key, kind, [default]))
    if not proposals and len(reader.problems) == before:
        reader.problem(key, f"is empty; leave it out, or give a list of which each entry is {kind.allowed}")
    return proposals


def _secret(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")
    if not _SECRET.fullmatch(value):
        raise ValueError(f"has {len(value)} characters, or some that are not printable ASCII")
    return str(value)


SECRET = _kinds.Kind(
    f"the secret of the site, kept in a vault: {SHORTEST} to 256 printable ASCII characters", _secret, ""
)
