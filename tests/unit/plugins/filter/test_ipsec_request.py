# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.multihome.extrude.plugins.filter.ipsec_request import FilterModule, ipsec_request
from tests.unit.certificates import request

CERTIFICATE = {"subject": "2.globex.extrude", "names": []}


def test_a_request_is_passed_on_or_told_with_the_host() -> None:
    asked = request("2.globex.extrude")
    assert ipsec_request(asked, CERTIFICATE, "kiosk") == asked
    with pytest.raises(AnsibleFilterError, match=r"^kiosk: asks for a certificate of CN=colo.extrude, not of 2.globex"):
        ipsec_request(request("colo.extrude"), CERTIFICATE, "kiosk")


@pytest.mark.parametrize(("asked", "certificate", "host"), [(None, {}, "a"), ("", None, "a"), ("", {}, None)])
def test_how_it_is_used(asked: object, certificate: object, host: object) -> None:
    with pytest.raises(AnsibleFilterError, match="is used as"):
        ipsec_request(asked, certificate, host)


def test_its_name() -> None:
    assert FilterModule().filters() == {"ipsec_request": ipsec_request}
