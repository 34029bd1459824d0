# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider's end of a link whose address comes and goes: what its PPPoE or DHCP server reads, and what it may give.

All functions are pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable

from .topology import DHCP, PPPOE, Link

ADDRESS = "@ADDRESS@"  # stands for what the provider gives at the time
# A lease is asked for anew each 15 s, so that a new address is known soon (NetworkManager hears a refusal only when it
# asks all servers, at 20 s); dnsmasq gives no lease under 2 minutes.
LEASE_SECONDS, RENEW_SECONDS, REBIND_SECONDS = 120, 15, 20
# A dead PPPoE session is noticed after 6 s.
ECHO_SECONDS, ECHO_FAILURES = 2, 3
PPPOE_MTU = 1492


def provider_files(link: Link, mac: str) -> dict[str, str]:
    """Return the guest's files of a link's provider, whose customer has the Ethernet address `mac`."""
    gateway = ipaddress.IPv4Interface(link.provider.addresses[0])
    facts = (link.kind, link.provider.node, link.provider.device, link.customer.node, str(gateway.ip))
    return {
        f"net/{link.name}.provider": " ".join(facts) + "\n",
        f"net/{link.name}.server": pppoe_server(link) if link.kind == PPPOE else dhcp_server(link, mac),
        f"net/{link.name}.secret": secret(link, ADDRESS) if link.kind == PPPOE else "",
        f"state/address.{link.name}": str(ipaddress.IPv4Interface(link.customer.addresses[0]).ip) + "\n",
    }


def provider_batch(link: Link) -> list[str]:
    """Return `ip -batch` commands for the provider's namespace: addresses that are nobody's are unreachable."""
    gateway = ipaddress.IPv4Interface(link.provider.addresses[0])
    batch = [f"route replace unreachable {gateway.network} metric 9999"]
    if link.kind == DHCP:  # each customer has a device: routes to one address each take the place of the network's
        batch.append(f"addr add {gateway} dev {link.provider.device} noprefixroute")
    return batch


def provider_sysctls(links: Iterable[Link]) -> dict[str, int]:
    """Return sysctls of a provider's namespace.

    A session's device comes up with strict source validation; customers of one Ethernet network reach each other
    through the provider.
    """
    sysctls: dict[str, int] = {}
    for link in links:
        if link.kind == PPPOE:
            sysctls["net/ipv4/conf/default/rp_filter"] = 1
        else:
            sysctls[f"net/ipv4/conf/{link.provider.device}/proxy_arp"] = 1
    return sysctls


def pppoe_server(link: Link) -> str:
    """Return pppd's options for the provider's side of a session."""
    return lines(
        "auth",
        f"require-{link.login}",
        f"name {link.provider.node}",
        f"mtu {PPPOE_MTU}",
        f"mru {PPPOE_MTU}",
        "noipdefault",
        "nodefaultroute",
        "noccp",
        "ktune",
        f"lcp-echo-interval {ECHO_SECONDS}",
        f"lcp-echo-failure {ECHO_FAILURES}",
    )


def dhcp_server(link: Link, mac: str) -> str:
    """Return dnsmasq's configuration for one customer."""
    gateway = ipaddress.IPv4Interface(link.provider.addresses[0])
    return lines(
        "port=0",
        "bind-interfaces",
        f"interface={link.provider.device}",
        "except-interface=lo",
        f"dhcp-range={gateway.network.network_address},static,{gateway.netmask},{LEASE_SECONDS}",
        f"dhcp-host={mac},{ADDRESS}",
        "dhcp-authoritative",
        f"dhcp-option=option:router,{gateway.ip}",
        f"dhcp-option=option:T1,{RENEW_SECONDS}",
        f"dhcp-option=option:T2,{REBIND_SECONDS}",
        "log-dhcp",
    )


def secret(link: Link, address: str) -> str:
    """Return pppd's secret of a customer: the same for CHAP and PAP. The provider's has the address that is given."""
    return lines(f'"{user(link)}" * "{password(link)}" {address}')


def user(link: Link) -> str:
    """Return the name that a PPPoE customer logs in with."""
    return f"{link.customer.node}@{link.provider.node}"


def password(link: Link) -> str:
    """Return the password that goes with `user`."""
    return f"secret of {link.name}"


def next_address(link: Link, own: str, given: Collection[str]) -> str:
    """Return the address after `own` in a link's network that is neither the provider's nor in `given`."""
    gateway = ipaddress.IPv4Interface(link.provider.addresses[0])
    hosts = [str(host) for host in gateway.network.hosts()]
    start = hosts.index(own) + 1
    return next(host for host in hosts[start:] + hosts[:start] if host not in (str(gateway.ip), *given))


def address_fault(link: Link, address: str) -> str | None:
    """Say why a provider can't give an address, or None."""
    gateway = ipaddress.IPv4Interface(link.provider.addresses[0])
    try:
        wanted = ipaddress.IPv4Address(address)
    except ValueError:
        return f"{address!r} is not an IPv4 address"
    if wanted not in gateway.network or wanted in (gateway.ip, gateway.network[0], gateway.network[-1]):
        return f"{address} is not for customers of {link.provider.node}, whose network is {gateway.network}"
    return None


def lines(*parts: str) -> str:
    """Return a file of these lines."""
    return "".join(f"{part}\n" for part in parts)
