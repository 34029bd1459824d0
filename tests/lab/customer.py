# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The customer's end of a link whose address comes and goes: what its router dials or asks with, for each client.

All functions are pure; the files are those that an administrator of Debian 12 would write, below the router's root.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .provider import ECHO_FAILURES, ECHO_SECONDS, PPPOE_MTU, lines, password, secret, user
from .topology import DHCP, IFUPDOWN, NETWORK_MANAGER, NETWORKD, PPPOE, Link

HOLDOFF_SECONDS = 1  # until pppd dials again
PPP_UNIT = """\
[Unit]
Description=PPP connection %i
After=network.target

[Service]
ExecStart=/usr/sbin/pppd call %i nodetach
Restart=always
RestartSec=1
"""
# Debian's, and what makes it ask again soon: dhclient doesn't watch the carrier, and would sleep for 5 minutes.
DHCLIENT = """\
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
send host-name = gethostname();
request subnet-mask, broadcast-address, time-offset, routers, domain-name, domain-name-servers, host-name,
        interface-mtu, rfc3442-classless-static-routes;
timeout 15;
retry 10;
"""


@dataclass(frozen=True)
class Redial:
    """Commands in the customer's router that give a link up and bring it back."""

    down: tuple[str, ...]
    up: tuple[str, ...]


def customer_files(links: Collection[Link]) -> dict[str, str]:
    """Return the files of a router below its root: all that brings its links up at boot, each by its client."""
    files: dict[str, str] = {}
    by_client = {name: [link for link in links if link.customer.client == name] for name in CLIENT_FILES}
    for name, mine in by_client.items():
        if mine:
            files |= CLIENT_FILES[name](mine)
    dialled = [link for link in links if link.kind == PPPOE and link.customer.client != NETWORK_MANAGER]
    if dialled:
        known = "".join(secret(link, "*") for link in dialled)
        files |= {f"etc/ppp/{name}-secrets": known for name in ("chap", "pap")}
        files |= {f"etc/ppp/peers/{link.name}": peer(link) for link in dialled}
        files["etc/ppp/ip-up.d/default-route"] = default_route(dialled)
    return files


def peer(link: Link) -> str:
    """Return the file for `pppd call LINK`, as pppoeconf(8) makes it and with what tells sessions apart in hooks."""
    return lines(
        "plugin pppoe.so",
        f"nic-{link.customer.device}",
        f'user "{user(link)}"',
        "noauth",
        "hide-password",
        "noipdefault",
        "nodefaultroute",
        f"mtu {PPPOE_MTU}",
        f"mru {PPPOE_MTU}",
        "noccp",
        "persist",
        "maxfail 0",
        f"holdoff {HOLDOFF_SECONDS}",
        f"lcp-echo-interval {ECHO_SECONDS}",
        f"lcp-echo-failure {ECHO_FAILURES}",
        f"linkname {link.name}",
        f"ipparam {link.name}",
    )


def default_route(links: Collection[Link]) -> str:
    """Return the script that sets a session's default route: pppd gives way to any other, whatever its metric."""
    cases = [
        f'    {link.name}) ip route replace default dev "$PPP_IFACE" metric {link.customer.metric} ;;' for link in links
    ]
    return lines("#!/bin/sh", "case $PPP_IPPARAM in", *cases, "esac")


def ifupdown_files(links: Collection[Link]) -> dict[str, str]:
    """Return /etc/network/interfaces, and what starts ifupdown at boot."""
    stanzas = [_dialled_stanza(link) if link.kind == PPPOE else _asked_stanza(link) for link in links]
    text = lines("auto lo", "iface lo inet loopback", *(line for stanza in stanzas for line in ("", *stanza)))
    return {"etc/network/interfaces": text, "etc/dhcp/dhclient.conf": DHCLIENT, **_wanted("networking.service")}


def networkd_files(links: Collection[Link]) -> dict[str, str]:
    """Return .network files, and for links that are dialled a unit that runs pppd."""
    files: dict[str, str] = {}
    for link in links:
        unit = f"etc/systemd/network/20-{link.customer.device}.network"
        if link.kind == DHCP:
            files[unit] = _dhcp_network(link)
        else:
            files[unit] = _bare_network(link)
            files["etc/systemd/system/ppp@.service"] = PPP_UNIT
            files |= _wanted(f"ppp@{link.name}.service")
    return files


def network_manager_files(links: Collection[Link]) -> dict[str, str]:
    """Return NetworkManager's keyfiles; it leaves all other devices alone."""
    devices = ";".join(f"except:interface-name:{link.customer.device}" for link in links)
    own = ["[main]", "no-auto-default=*", "[keyfile]", f"unmanaged-devices=*;{devices};except:interface-name:ppp*"]
    profiles = {
        f"etc/NetworkManager/system-connections/{link.name}.nmconnection": _dialled_profile(link)
        if link.kind == PPPOE
        else _asked_profile(link)
        for link in links
    }
    return {"etc/NetworkManager/conf.d/lab.conf": lines(*own), **profiles, **_wanted("NetworkManager.service")}


def redial(link: Link) -> Redial:
    """Return how the customer's administrator would give the link up and bring it back."""
    if link.customer.client == IFUPDOWN:
        name = link.name if link.kind == PPPOE else link.customer.device
        return Redial(("ifdown", name), ("ifup", name))
    if link.customer.client == NETWORK_MANAGER:
        return Redial(("nmcli", "connection", "down", link.name), ("nmcli", "connection", "up", link.name))
    if link.kind == PPPOE:
        return Redial(("systemctl", "stop", f"ppp@{link.name}"), ("systemctl", "start", f"ppp@{link.name}"))
    return Redial(("networkctl", "down", link.customer.device), ("networkctl", "up", link.customer.device))


def _dialled_stanza(link: Link) -> list[str]:
    """Return the stanza that pppoeconf(8) writes."""
    return [
        f"auto {link.name}",
        f"iface {link.name} inet ppp",
        f"    pre-up /bin/ip link set {link.customer.device} up",
        f"    provider {link.name}",
    ]


def _asked_stanza(link: Link) -> list[str]:
    device = link.customer.device
    return [f"auto {device}", f"iface {device} inet dhcp", f"    metric {link.customer.metric}"]


def _dhcp_network(link: Link) -> str:
    network = ["[Network]", "DHCP=ipv4", "IPv6AcceptRA=no"]
    return lines(*_match(link), *network, "", "[DHCPv4]", f"RouteMetric={link.customer.metric}")


def _bare_network(link: Link) -> str:
    return lines(*_match(link), "[Link]", "RequiredForOnline=no", "", "[Network]", "LinkLocalAddressing=no")


def _match(link: Link) -> list[str]:
    return ["[Match]", f"Name={link.customer.device}", ""]


def _dialled_profile(link: Link) -> str:
    return lines(
        *_profile(link, "pppoe"),
        "[pppoe]",
        f"username={user(link)}",
        f"password={password(link)}",
        "",
        "[ppp]",
        f"lcp-echo-interval={ECHO_SECONDS}",
        f"lcp-echo-failure={ECHO_FAILURES}",
        f"mtu={PPPOE_MTU}",
        f"mru={PPPOE_MTU}",
        "",
        *_automatic(link),
    )


def _asked_profile(link: Link) -> str:
    return lines(*_profile(link, "ethernet"), *_automatic(link))


def _profile(link: Link, kind: str) -> list[str]:
    """A PPPoE profile must not name a parent instead of the device: NetworkManager 1.42 never dials that again."""
    device = f"interface-name={link.customer.device}"
    return ["[connection]", f"id={link.name}", f"type={kind}", device, "autoconnect-retries=0", ""]


def _automatic(link: Link) -> list[str]:
    return ["[ipv4]", "method=auto", f"route-metric={link.customer.metric}", "", "[ipv6]", "method=disabled"]


def _wanted(unit: str) -> dict[str, str]:
    """Return the file that makes systemd start a unit at boot."""
    return {f"etc/systemd/system/multi-user.target.d/{unit}.conf": lines("[Unit]", f"Wants={unit}")}


CLIENT_FILES = {IFUPDOWN: ifupdown_files, NETWORKD: networkd_files, NETWORK_MANAGER: network_manager_files}
