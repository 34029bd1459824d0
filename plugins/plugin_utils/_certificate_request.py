# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's request for a certificate asks for (RFC 2986), read before the authority signs it.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

with suppress(ImportError):  # ansible-core itself needs it; only ansible-test's import check has none
    from cryptography import x509

_OTHER_USES = (
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
"""Uses of a key that its certificate doesn't have: it signs, and nothing else."""


def lapse(request: str, subject: str, names: Sequence[str]) -> str:
    """Return what a request asks for beside the subject and DNS names that it may have, in words; empty for nothing."""
    try:
        asked = x509.load_pem_x509_csr(request.encode())
    except ValueError:
        return "has sent what is no request for a certificate"
    if [(part.oid, part.value) for part in asked.subject] != [(x509.NameOID.COMMON_NAME, subject)]:
        return f"asks for a certificate of {asked.subject.rfc4514_string()}, not of {subject}"
    unlike = [extension.oid.dotted_string for extension in asked.extensions if not _fits(extension.value, names)]
    if unlike:
        return f"asks for a certificate with other names or uses than its own ({', '.join(unlike)})"
    return ""


def _fits(value: x509.ExtensionType, names: Sequence[str]) -> bool:
    if isinstance(value, x509.SubjectAlternativeName):
        return sorted(map(repr, value)) == sorted(repr(x509.DNSName(name)) for name in names)
    return value == x509.KeyUsage(digital_signature=True, **dict.fromkeys(_OTHER_USES, False))
