# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils import _swanctl
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_ipsec import (
    read_authority,
    read_certified,
    read_proposals,
)
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_wans import read_wans
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Proposals
from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, noted, office, problems, reader

PSK = "correct horse battery staple"
SECRET = "the secret of the site, kept in a vault: 20 to 256 printable ASCII characters"
IKE = "AES-GCM or ChaCha20-Poly1305, a prf and a group, in strongSwan's words: aes256gcm16-prfsha384-x25519"
ESP = "AES-GCM or ChaCha20-Poly1305 and a group, in strongSwan's words: aes256gcm16-x25519"
NEEDS = "is encrypted, which takes this or extrude_ipsec_auth: certificate"
AUTHORITY = "the absolute path of a folder on the controller, which holds the authority, without a slash at its end"
DEFAULTS = Proposals(
    ike=("aes256gcm16-prfsha384-x25519-ke1_mlkem768", "aes256gcm16-prfsha384-x25519"), esp=("aes256gcm16-x25519",)
)


def read(ipsec: bool = True, **values: Any) -> tuple[Proposals, list[str]]:
    """What is read of a site with a plain link and, perhaps, an encrypted one, and its problems."""
    one = reader({"extrude_wans": [dsl(), cable(ipsec=ipsec)], **values})
    read_certified(one, read_wans(one))
    return read_proposals(one), noted(one)


def refused(**values: Any) -> list[str]:
    return read(**{"extrude_ipsec_psk": PSK, **values})[1]


def test_the_defaults() -> None:
    assert read(extrude_ipsec_psk=PSK) == (DEFAULTS, [])


def test_a_site_that_encrypts_nothing_needs_no_secret() -> None:
    assert read(ipsec=False) == (DEFAULTS, [])


def test_a_site_that_encrypts_needs_one() -> None:
    needs = f"extrude_wans[1] (cable) {NEEDS}"
    assert read()[1] == [f"office: extrude_ipsec_psk: is missing, and {needs}; give {SECRET}"]


def test_the_first_link_that_needs_it_is_named() -> None:
    one = reader({"extrude_wans": [dsl(), cable(name="lte", nat=True), cable(name="x", ipsec=True)]})
    read_certified(one, read_wans(one))
    assert f"office: extrude_ipsec_psk: is missing, and extrude_wans[1] (lte, nat) {NEEDS}; give {SECRET}" in noted(one)


@pytest.mark.parametrize(
    ("ipsec", "auth", "certified"), [(True, "certificate", True), (True, "psk", False), (False, "psk", False)]
)
def test_a_site_with_a_certificate_needs_no_secret(ipsec: bool, auth: str, certified: bool) -> None:
    values = {"extrude_wans": [dsl(), cable(ipsec=ipsec)], "extrude_ipsec_auth": auth}
    one = reader({**values, **({} if auth == "certificate" else {"extrude_ipsec_psk": PSK})})
    assert read_certified(one, read_wans(one)) is certified
    assert noted(one) == []


def test_a_certificate_alone_encrypts_nothing() -> None:
    one = reader({"extrude_wans": [dsl(), cable()], "extrude_ipsec_auth": "certificate"})
    read_certified(one, read_wans(one))
    (problem,) = noted(one)
    assert problem.startswith(
        "office: extrude_ipsec_auth: certificate, and no link is encrypted; give extrude_ipsec: true"
    )


def test_a_way_to_prove_oneself_that_is_none() -> None:
    (problem,) = refused(extrude_ipsec_auth="password")
    assert problem == "office: extrude_ipsec_auth: 'password' is no choice; give psk or certificate"


@pytest.mark.parametrize(
    ("values", "certified", "problem"),
    [
        ({}, "", None),
        ({"extrude_ipsec_ca": "/srv/ca", "extrude_ipsec_ca_passphrase": PSK}, "shop", None),
        ({"extrude_ipsec_ca": "/srv/ca"}, "shop", "extrude_ipsec_ca_passphrase: is missing, and shop proves itself by"),
        (
            {"extrude_ipsec_ca_passphrase": PSK},
            "shop",
            "extrude_ipsec_ca: is missing, and shop proves itself by a cert",
        ),
        ({"extrude_ipsec_ca": "/a", "extrude_ipsec_ca_passphrase": "Kurz"}, "shop", "has 4 characters"),
        ({"extrude_ipsec_ca": "ca"}, "", f"extrude_ipsec_ca: 'ca' does not fit; give {AUTHORITY}"),
        ({"extrude_ipsec_ca": "~/ca"}, "", f"extrude_ipsec_ca: '~/ca' does not fit; give {AUTHORITY}"),
        ({"extrude_ipsec_ca": "/srv/ca/"}, "", f"extrude_ipsec_ca: '/srv/ca/' does not fit; give {AUTHORITY}"),
        ({"extrude_ipsec_certificate_days": 1}, "", "extrude_ipsec_certificate_days: 1 is out of range"),
    ],
)
def test_an_authority(values: Vars, certified: str, problem: str | None) -> None:
    one = reader(values)
    read_authority(one, certified)
    assert [problem for found in noted(one) if problem and problem in found] == ([problem] if problem else [])
    assert len(noted(one)) == (problem is not None)
    assert not any("Kurz" in found for found in noted(one))


def test_the_topology_needs_it_too() -> None:
    (problem,) = problems(office=office(extrude_ipsec=True))
    assert problem == f"office: extrude_ipsec_psk: is missing, and extrude_wans[0] (dsl) {NEEDS}; give {SECRET}"


@pytest.mark.parametrize(
    "secret", ["x" * 20, "x" * 256, "all of ASCII: {}\"'\\#=,~ ", "            spaces            "]
)
def test_secrets(secret: str) -> None:
    assert refused(extrude_ipsec_psk=secret) == []


@pytest.mark.parametrize("ipsec", [True, False])
@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("tooshort-tooshort-x", "has 19 characters"),
        ("x" * 257, "has 257 characters"),
        ("", "has 0 characters"),
        ("line one, long enough\n", "has characters that are not printable ASCII (a line end?)"),
        ("über zwanzig Zeichen lang", "has characters that are not printable ASCII (a line end?)"),
        ("a tab\tis no character of it", "has characters that are not printable ASCII (a line end?)"),
        (1234567890123456789012345, "is not a text"),
        (["x" * 20], "is not a text"),
        ({"secret": "x" * 20}, "is not a text"),
    ],
)
def test_secrets_that_are_none_and_are_not_shown(secret: Any, problem: str, ipsec: bool) -> None:
    assert read(ipsec, extrude_ipsec_psk=secret)[1] == [f"office: extrude_ipsec_psk: {problem}; give {SECRET}"]


@given(st.text(string.ascii_uppercase, min_size=8, max_size=300))
def test_no_secret_is_ever_shown(secret: str) -> None:
    assert not [problem for problem in refused(extrude_ipsec_psk=secret) if secret in problem]


@pytest.mark.parametrize(
    "proposal",
    [
        "aes256gcm16-prfsha384-x25519",
        "aes128gcm16-prfsha256-ecp256",
        "chacha20poly1305-prfsha512-modp4096",
        "aes256gcm16-prfsha384-x25519-ke1_mlkem768",
        "aes192gcm16-prfsha384-ecp384-ke1_mlkem768-ke2_mlkem1024",
    ],
)
def test_algorithms_of_ike(proposal: str) -> None:
    values: Vars = {"extrude_ipsec_psk": PSK, "extrude_ipsec_ike": [proposal, *DEFAULTS.ike]}
    assert read(**values) == (Proposals((proposal, *DEFAULTS.ike), DEFAULTS.esp), [])


@pytest.mark.parametrize(
    "proposal",
    ["aes256gcm16-x25519", "aes128gcm16", "chacha20poly1305-modp3072", "aes256gcm16-x25519-ke1_mlkem768"],
)
def test_algorithms_of_esp(proposal: str) -> None:
    values: Vars = {"extrude_ipsec_psk": PSK, "extrude_ipsec_esp": [*DEFAULTS.esp, proposal]}
    assert read(**values) == (Proposals(DEFAULTS.ike, (*DEFAULTS.esp, proposal)), [])


@pytest.mark.parametrize(
    "proposal",
    [
        "aes256-sha256-x25519",
        "aes256gcm16-x25519",
        "aes256gcm16-prfsha384",
        "aes256gcm16-prfsha1-x25519",
        "aes256gcm16-prfsha384-modp1024",
        "aes256gcm16-prfsha384-modp2048",
        "aes256gcm8-prfsha384-x25519",
        "3des-md5-modp1024",
        "null-prfsha384-x25519",
        "default",
        "aes256gcm16-prfsha384-x25519,3des-md5-modp1024",
        "aes256gcm16-prfsha384-x25519 }",
        "aes256gcm16-prfsha384-x25519 # and more",
        "AES256GCM16-PRFSHA384-X25519",
        "aes256gcm16-prfsha384-x25519-ke8_mlkem768",
        "",
    ],
)
def test_algorithms_of_ike_that_are_weak_or_none(proposal: str) -> None:
    assert refused(extrude_ipsec_ike=[proposal]) == [
        f"office: extrude_ipsec_ike[0]: '{proposal}' does not fit; give {IKE}"
    ]


@pytest.mark.parametrize("proposal", ["aes256-sha256", "aes256gcm16-prfsha384-x25519", "null", "aes256gcm16-esn", ""])
def test_algorithms_of_esp_that_are_weak_or_none(proposal: str) -> None:
    found = refused(extrude_ipsec_esp=["aes256gcm16", proposal])
    assert found == [f"office: extrude_ipsec_esp[1]: '{proposal}' does not fit; give {ESP}"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "is empty; leave it out, or give a list of which each entry is {}"),
        ("aes256gcm16", "'aes256gcm16' is not a list; give a list of which each entry is {}"),
        ({"a": 1}, "a dictionary is not a list; give a list of which each entry is {}"),
    ],
)
def test_no_list_of_algorithms(value: Any, problem: str) -> None:
    assert refused(extrude_ipsec_ike=value) == [f"office: extrude_ipsec_ike: {problem.format(IKE)}"]
    assert refused(extrude_ipsec_esp=value) == [f"office: extrude_ipsec_esp: {problem.format(ESP)}"]


def test_what_is_read_stands_in_a_file_of_the_daemon() -> None:
    for proposals in (DEFAULTS.ike, DEFAULTS.esp):
        assert _swanctl.parse(_swanctl.render({"proposals": proposals})) == {"proposals": ",".join(proposals)}
