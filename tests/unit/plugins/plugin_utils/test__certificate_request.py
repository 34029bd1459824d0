# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.multihome.extrude.plugins.plugin_utils._certificate_request import lapse
from tests.unit.certificates import request, uses

NAMES = ["lte.2.globex.extrude", "wifi.2.globex.extrude"]
SUBJECT = "2.globex.extrude"


def dns(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def test_what_a_host_may_have() -> None:
    assert lapse(request(SUBJECT, dns(*NAMES), uses()), SUBJECT, NAMES) == ""
    assert lapse(request(SUBJECT, dns(*reversed(NAMES))), SUBJECT, NAMES) == ""


@pytest.mark.parametrize(
    ("subject", "asked", "told"),
    [
        ("colo.extrude", [dns(*NAMES)], "asks for a certificate of CN=colo.extrude, not of 2.globex.extrude"),
        (SUBJECT, [dns(*NAMES, "colo.extrude")], "2.5.29.17"),
        (SUBJECT, [dns("lte.1.acme.extrude")], "2.5.29.17"),
        (SUBJECT, [x509.SubjectAlternativeName([x509.RFC822Name(NAMES[0]), x509.DNSName(NAMES[1])])], "2.5.29.17"),
        (SUBJECT, [dns(*NAMES), uses(key_cert_sign=True)], "2.5.29.15"),
        (SUBJECT, [dns(*NAMES), x509.BasicConstraints(ca=True, path_length=None)], "2.5.29.19"),
        (SUBJECT, [dns(*NAMES), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])], "2.5.29.37"),
    ],
)
def test_what_it_may_not_have(subject: str, asked: list[x509.ExtensionType], told: str) -> None:
    assert told in lapse(request(subject, *asked), SUBJECT, NAMES)


def test_what_is_no_request() -> None:
    assert lapse("no request", SUBJECT, NAMES) == "has sent what is no request for a certificate"
