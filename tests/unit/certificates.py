# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and their keys."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def pair(end: datetime) -> tuple[str, str]:
    """A certificate that is good until then, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "1.acme.extrude")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(end - timedelta(days=1)).not_valid_after(end)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(), private


def request(subject: str, *extensions: x509.ExtensionType) -> str:
    """A request for a certificate."""
    made = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
    for extension in extensions:
        made = made.add_extension(extension, critical=False)
    key = ec.generate_private_key(ec.SECP256R1())
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def uses(key_cert_sign: bool = False) -> x509.KeyUsage:
    """What a key is for: to sign, and perhaps to sign certificates."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
