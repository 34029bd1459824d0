# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _dump, _links
from ansible_collections.multihome.extrude.plugins.module_utils._dump import Interface, Local
from ansible_collections.multihome.extrude.plugins.module_utils._fields import Fields, InvalidInput
from ansible_collections.multihome.extrude.plugins.module_utils._links import Hint, Kernel, Link, Wan
from tests.unit.netns import ip, scratch

DSL = Wan("dsl", "ppp*", match="dsl")
VDSL = Wan("vdsl", "ppp*")
CABLE = Wan("cable", "eth1")
FIBRE = Wan("fibre", "eth2", address="192.0.2.2")


def kernel(*locals_: Local, gateways: dict[str, str] | None = None, down: tuple[str, ...] = ()) -> Kernel:
    names = ("lo", "eth1", "eth2", "ppp0", "ppp1")
    devices = {name: Interface(name, number, name not in down) for number, name in enumerate(names, 1)}
    return Kernel(devices, locals_, gateways or {})


# --- one link -------------------------------------------------------------------------------------


def test_a_link_by_dhcp_has_its_first_address_and_the_gateway_of_mains_default_route() -> None:
    there = kernel(
        Local("eth2", "198.51.100.9", 24),
        Local("eth1", "198.51.100.7", 24, since=5.0),
        gateways={"eth1": "198.51.100.1"},
    )
    assert _links.find([CABLE], {}, there) == {
        "cable": Link("eth1", "198.51.100.7", "198.51.100.1", "198.51.100.0/24", 5.0)
    }


def test_a_point_to_point_link_has_its_far_end_as_gateway_and_network() -> None:
    there = kernel(Local("ppp0", "100.64.0.7", 32, "100.64.0.1"))
    assert _links.find([VDSL], {}, there)["vdsl"] == Link("ppp0", "100.64.0.7", "100.64.0.1", "100.64.0.1/32")


def test_a_lease_of_a_single_address_has_a_gateway_off_its_network() -> None:
    there = kernel(Local("eth1", "198.51.100.7", 32))
    found = _links.find([CABLE], {"cable": Hint("eth1", "192.0.2.1")}, there)["cable"]
    assert found == Link("eth1", "198.51.100.7", "192.0.2.1", "192.0.2.1/32")


def test_a_link_that_was_given_an_address_of_ours_does_not_have_it() -> None:
    reserved = [IPv4Network("203.0.113.10/32"), IPv4Network("10.254.0.0/31")]
    there = kernel(Local("eth1", "203.0.113.10", 24), gateways={"eth1": "203.0.113.1"})
    found = _links.find([CABLE], {}, there, reserved)["cable"]
    assert found == Link("eth1", reason="eth1 was given 203.0.113.10, which is extruded or of a tunnel")
    there = kernel(
        Local("eth1", "10.254.0.1", 24), Local("eth1", "198.51.100.7", 24), gateways={"eth1": "198.51.100.1"}
    )
    assert _links.find([CABLE], {}, there, reserved)["cable"].address == "198.51.100.7"


def test_a_link_that_was_given_an_address_in_the_network_of_a_lan_does_not_have_it() -> None:
    there = kernel(Local("eth1", "192.168.10.50", 24), Local("eth2", "192.168.10.1", 24))
    there = replace(there, gateways={"eth1": "192.168.10.254"})
    found = _links.find([CABLE], {}, there, lans=["eth2"])["cable"]
    reason = "eth1 was given 192.168.10.50, which is in the network of eth2, 192.168.10.0/24"
    assert found == Link("eth1", reason=reason)
    assert not _links.find([CABLE], {}, there, lans=["lan0"])["cable"].reason


def test_of_two_links_that_were_given_the_same_address_the_first_one_has_it() -> None:
    """As two LTE sticks of one kind do, each with NAT of its own."""
    second = Wan("lte", "eth2")
    here = [Local(device, "192.168.8.100", 24) for device in ("eth1", "eth2")]
    there = kernel(*here, gateways={"eth1": "192.168.8.1", "eth2": "192.168.8.1"})
    found = _links.find([CABLE, second], {}, there)
    assert found["cable"].address == "192.168.8.100"
    assert found["lte"] == Link("eth2", reason="eth2 was given 192.168.8.100, which is also that of link cable")
    alone = kernel(here[1], gateways={"eth2": "192.168.8.1"})
    assert _links.find([CABLE, second], {}, alone)["lte"].address == "192.168.8.100"


def test_a_link_that_was_given_the_address_of_a_static_link_does_not_have_it() -> None:
    there = kernel(Local("eth1", "192.0.2.2", 24), Local("eth2", "192.0.2.2", 24), gateways={"eth1": "192.0.2.1"})
    found = _links.find([CABLE, FIBRE], {}, there)
    assert found["cable"] == Link("eth1", reason="eth1 was given 192.0.2.2, which is also that of link fibre")
    assert not found["fibre"].reason


def test_a_link_is_not_its_own_gateway() -> None:
    there = kernel(Local("eth1", "198.51.100.7", 24), gateways={"eth1": "198.51.100.1"})
    found = _links.find([CABLE], {"cable": Hint("eth1", "198.51.100.7")}, there)["cable"]
    assert found.gateway == "198.51.100.1"


def test_of_two_addresses_the_one_beside_the_gateway_is_taken() -> None:
    there = kernel(Local("eth1", "192.168.1.9", 24), Local("eth1", "198.51.100.7", 24))
    found = _links.find([CABLE], {"cable": Hint("eth1", "198.51.100.1")}, there)["cable"]
    assert (found.address, found.network) == ("198.51.100.7", "198.51.100.0/24")


def test_a_hint_of_an_earlier_lease_gives_way_to_what_the_kernel_has() -> None:
    there = kernel(Local("eth1", "198.51.100.7", 24), gateways={"eth1": "198.51.100.1"})
    found = _links.find([CABLE], {"cable": Hint("eth1", "192.0.2.1")}, there)["cable"]
    assert found.gateway == "198.51.100.1"


@pytest.mark.parametrize(
    ("wan", "there", "reason"),
    [
        (Wan("x", "eth9"), kernel(), "there is no device eth9"),
        (Wan("x", "wwan*"), kernel(), "there is no device wwan*"),
        (DSL, kernel(), "there is no device ppp* that came up as dsl"),
        (CABLE, kernel(Local("eth1", "198.51.100.7", 24), down=("eth1",)), "eth1 is down"),
        (CABLE, kernel(), "eth1 has no IPv4 address"),
        (CABLE, kernel(Local("eth1", "198.51.100.7", 24)), "no gateway is known for eth1"),
        (FIBRE, kernel(Local("eth2", "192.0.2.3", 24)), "eth2 does not have the address 192.0.2.2"),
    ],
)
def test_a_link_that_is_down_says_why(wan: Wan, there: Kernel, reason: str) -> None:
    found = _links.find([wan], {}, there)
    assert found[wan.name].reason == reason
    assert _links.values([wan], found) == {}


def test_a_static_link_with_its_address_is_up_and_fills_no_placeholder() -> None:
    found = _links.find([FIBRE], {}, kernel(Local("eth2", "192.0.2.2", 24, since=1.5)))
    assert found == {"fibre": Link("eth2", "192.0.2.2", since=1.5)}
    assert _links.values([FIBRE], found) == {}


def test_a_static_link_without_a_tunnel_fills_that_of_its_device() -> None:
    wan = replace(FIBRE, use="direct")
    found = _links.find([wan], {}, kernel(Local("eth2", "192.0.2.2", 24)))
    assert _links.values([wan], found)["fibre.device"] == "eth2"


def test_the_values_of_a_link_that_is_up() -> None:
    found = _links.find([VDSL], {}, kernel(Local("ppp0", "100.64.0.7", 32, "100.64.0.1")))
    assert _links.values([VDSL], found) == {
        "vdsl.device": "ppp0",
        "vdsl.address": "100.64.0.7",
        "vdsl.gateway": "100.64.0.1",
        "vdsl.network": "100.64.0.1/32",
    }


# --- which device ---------------------------------------------------------------------------------


def test_links_that_share_a_pattern_take_the_devices_that_their_hints_name_and_then_what_is_free() -> None:
    hints = {"dsl": Hint("ppp1")}
    there = kernel(Local("ppp0", "100.64.0.7", 32, "100.64.0.1"), Local("ppp1", "100.64.1.7", 32, "100.64.1.1"))
    found = _links.find([VDSL, DSL], hints, there)
    assert (found["dsl"].device, found["vdsl"].device) == ("ppp1", "ppp0")


def test_a_hint_of_a_device_that_is_gone_counts_no_more() -> None:
    assert _links.find([VDSL], {"vdsl": Hint("ppp7")}, kernel())["vdsl"].device == "ppp0"


def test_a_link_that_was_up_before_there_was_a_hook_is_found_by_its_name() -> None:
    there = replace(kernel(), names={"ppp1": {"dsl"}, "ppp0": {"vpn"}})
    assert _links.find([DSL], {}, there)["dsl"].device == "ppp1"
    assert _links.find([DSL], {}, kernel())["dsl"].reason == "there is no device ppp* that came up as dsl"


def test_a_session_that_is_being_dialled_takes_no_link_from_the_one_that_is_up() -> None:
    there = kernel(Local("ppp1", "100.64.1.7", 32, "100.64.1.1"))
    assert _links.find([VDSL], {}, there)["vdsl"].device == "ppp1"
    named = replace(there, names={"ppp0": {"dsl"}, "ppp1": {"dsl"}})
    assert _links.find([DSL], {}, named)["dsl"].device == "ppp1"


@pytest.mark.parametrize(
    ("hint", "names", "texts"),
    [
        (Hint(), {}, []),
        (Hint("ppp0"), {}, []),
        (Hint("ppp0", names=("dsl", "isp")), {}, []),
        (Hint("ppp0", names=("isp",)), {"ppp0": {"dsl"}}, []),
        (Hint("ppp0", names=("isp",)), {}, ["ppp0 came up as isp, not as dsl; it is not found when it comes up anew"]),
        (
            Hint("ppp0"),
            {"ppp0": {"isp", "adsl"}},
            ["ppp0 came up as adsl or isp, not as dsl; it is not found when it comes up anew"],
        ),
        (Hint(), {"ppp0": {"isp"}}, ["there is no device ppp* that came up as dsl: ppp0 came up as isp"]),
        (Hint("ppp7", names=("isp",)), {}, []),
    ],
)
def test_a_link_that_came_up_by_another_name_is_told(hint: Hint, names: dict[str, set[str]], texts: list[str]) -> None:
    there = replace(kernel(Local("ppp0", "100.64.0.7", 32, "100.64.0.1")), names=names)
    assert _links.misnamed([DSL, CABLE], {"dsl": hint}, there) == [f"link dsl: {text}" for text in texts]


@pytest.mark.parametrize(
    ("wan", "device", "names", "meant"),
    [
        (DSL, "ppp4", ["dsl"], True),
        (DSL, "ppp4", ["isp", "dsl"], True),
        (DSL, "ppp4", [], False),
        (DSL, "eth1", ["dsl"], False),
        (VDSL, "ppp4", [], True),
        (CABLE, "eth1", [], True),
        (Wan("cable", "eth1", match="x"), "eth1", [], True),
        (CABLE, "eth10", [], False),
    ],
)
def test_which_link_an_event_means(wan: Wan, device: str, names: list[str], meant: bool) -> None:
    assert wan.is_meant(device, names) is meant


def test_a_link_is_read_strictly() -> None:
    good = {"wan": "dsl", "interface": "ppp*", "match": "dsl", "address": None}
    assert Wan.parse(Fields(good, "links[0]")) == DSL
    with pytest.raises(InvalidInput, match=r"links\[0\]\.gateway: is not known here"):
        Wan.parse(Fields({**good, "gateway": "192.0.2.1"}, "links[0]"))


# --- the kernel -----------------------------------------------------------------------------------


def test_what_the_kernel_tells() -> None:
    with scratch() as namespace, namespace.entered():
        ip(
            "link add eth1 type veth peer name far1",
            "link add eth2 type veth peer name far2",
            "link set eth1 up",
            "link set far1 up",
            "addr add 198.51.100.7/24 dev eth1",
            "addr add 100.64.0.7 peer 100.64.0.1/32 dev eth1",
            "addr add 169.254.1.1/16 dev eth1 scope link",
            "addr add 198.51.100.8/24 dev eth1 preferred_lft 0",
            "route add default via 198.51.100.1 dev eth1 metric 200",
            "route add default via 198.51.100.2 dev eth1 metric 100",
            "route add default via 198.51.100.3 dev eth1 table 77",
            "route add 192.0.2.0/24 via 198.51.100.9 dev eth1",
            "link set far2 arp off",
        )
        devices, addresses = _dump.interfaces()
        assert (devices["eth1"].up, devices["eth2"].up, devices["eth1"].carrier) == (True, False, True)
        assert [local[:4] for local in addresses] == [
            ("eth1", "198.51.100.7", 24, ""),
            ("eth1", "100.64.0.7", 32, "100.64.0.1"),
        ]
        assert all(local.since is not None and 0 <= _links.uptime() - local.since < 60 for local in addresses)
        assert _dump.gateways_by(devices["eth1"].number)[0] == "198.51.100.2"
        assert _dump.gateways_by(devices["eth2"].number) == []
        assert _dump.gateways_by(devices["lo"].number) == []
        assert {name: device.arp for name, device in devices.items()} == {
            **dict.fromkeys(devices, True),
            "lo": False,
            "far2": False,
        }
        read = _links.read([CABLE, Wan("b", "eth2")])
        assert read.gateways == {"eth2": ""}  # eth1 has a far end


def test_a_lease_of_networkd_tells_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_links, "LEASES", tmp_path)
    (tmp_path / "7").write_text("ADDRESS=198.51.100.7\nROUTER=198.51.100.1 198.51.100.3\n")
    (tmp_path / "8").write_text("ADDRESS=198.51.100.7\nROUTER=\n")
    (tmp_path / "9").write_text("ROUTER=nonsense\n")
    assert [_links._leased(number) for number in (7, 8, 9, 10)] == ["198.51.100.1", "", "", ""]
