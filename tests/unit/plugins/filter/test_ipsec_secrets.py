# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.multihome.extrude.plugins.filter.ipsec_secrets import FilterModule, ipsec_secrets

SITE = {"site": "acme.1", "links": "*.1.acme.extrude"}
OTHER = {"site": "acme.2", "links": "*.2.acme.extrude"}


def test_sites_that_encrypt_have_their_secret_and_others_none() -> None:
    states = [
        {"site": "office", "secret": SITE, "connections": [{"name": "ex-dsl"}]},
        {"site": "shop", "secret": OTHER, "connections": []},
    ]
    hostvars = {"office": {"extrude_ipsec_psk": "battery staple"}, "shop": {"extrude_ipsec_psk": "horse"}}
    assert ipsec_secrets(states, hostvars) == [{**SITE, "secret": "battery staple"}, OTHER]


@pytest.mark.parametrize(("states", "hostvars"), [({}, {}), ([], None)])
def test_how_it_is_used(states: object, hostvars: object) -> None:
    with pytest.raises(AnsibleFilterError, match="is used as"):
        ipsec_secrets(states, hostvars)


def test_its_name() -> None:
    assert FilterModule().filters() == {"ipsec_secrets": ipsec_secrets}
