# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.multihome.extrude.plugins.filter.ipsec_secrets import FilterModule, ipsec_secrets

SITE = {"site": "acme.1", "links": "*.1.acme.extrude"}
OTHER = {"site": "acme.2", "links": "*.2.acme.extrude"}
THIRD = {"site": "acme.3", "links": "*.3.acme.extrude"}


def test_sites_that_encrypt_have_their_secret_and_others_none() -> None:
    states = [
        {"site": "office", "secret": SITE, "certificate": None, "connections": [{"name": "ex-dsl"}]},
        {"site": "shop", "secret": OTHER, "certificate": None, "connections": []},
        {"site": "depot", "secret": THIRD, "certificate": {"names": []}, "connections": [{"name": "ex-dsl"}]},
    ]
    hostvars = {"office": {"extrude_ipsec_psk": "battery staple"}, "shop": {"extrude_ipsec_psk": "horse"}}
    # echo -n '*.1.acme.extrude' | openssl dgst -sha256 -hmac 'battery staple'
    own = "7dacaaa57bf2ab565d5c0ea62621a445019e6970742bdfca218d1887a0d2f3b0"
    assert ipsec_secrets(states, hostvars) == [{**SITE, "secret": own}, OTHER, THIRD]


def test_sites_that_were_given_the_same_secret_use_others() -> None:
    states = [
        {"site": name, "secret": secret, "certificate": None, "connections": [{"name": "ex-dsl"}]}
        for name, secret in (("office", SITE), ("shop", OTHER))
    ]
    shared = {"extrude_ipsec_psk": "battery staple"}
    one, other = ipsec_secrets(states, {"office": shared, "shop": shared})
    assert one["secret"] != other["secret"]
    assert "battery" not in f"{one}{other}"


@pytest.mark.parametrize(("states", "hostvars"), [({}, {}), ([], None)])
def test_how_it_is_used(states: object, hostvars: object) -> None:
    with pytest.raises(AnsibleFilterError, match="is used as"):
        ipsec_secrets(states, hostvars)


def test_its_name() -> None:
    assert FilterModule().filters() == {"ipsec_secrets": ipsec_secrets}
