#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: extrude_state
short_description: Bring all kernel objects of a host to a state in one transaction
version_added: 0.1.0
description:
  - Applies whole states (tunnels, dummies, link groups, delays, shapers, addresses, sysctls, iptables chains, routes,
    rules, proxy entries and files) in the one order that keeps traffic and the management connection alive.
  - At the first error everything that was done is undone.
  - What a state no longer lists goes. What belongs to other customers, other sites, or to nobody of ours stays.
  - The roles use it with states that the P(multihome.extrude.topology#filter) filter makes.
options:
  states:
    description:
      - The states, each for one customer and site.
      - Keys are C(customer), C(site), C(tunnels), C(dummies), C(groups), C(delays), C(shapers), C(redirects),
        C(addresses), C(sysctls), C(sets), C(chains), C(routes), C(rules), C(proxies), C(files), C(resolvers),
        C(reserved), C(renumber), C(take_over), C(expects), C(links), C(lans) and C(endpoints).
      - The objects have the options of M(multihome.extrude.gre_tunnels), M(multihome.extrude.multipath_routes),
        M(multihome.extrude.policy_rules) and M(multihome.extrude.proxy_arp).
      - A rule may also be C(standby). While the unit C(extrude-bird.service) watches the tunnels, which the file
        C(/run/extrude/live) says, such a rule is neither added nor deleted. The scripts of the unit do that.
      - A route may also be C(lasting). With O(only=make) it keeps its next hops by tunnels that go; O(only=purge) takes
        them out.
      - C(dummies) lists devices of the C(kind) dummy (the default) or ifb by their C(name). States may share them.
      - C(delays) lists what a C(device) holds back all that it sends for, as C(delay) in milliseconds. A device to
        which somebody else has given a queueing discipline is an error.
      - C(shapers) lists what a C(device) sends at most, as C(rate) in kbit/s, by C(CAKE); C(received) is for an ifb.
        Sites of one customer may share shapers. C(redirects) lists to which ifb, as C(to), all goes that a C(device)
        receives, or with C(sent) all that it sends. Where somebody else has given the device such a thing, that is an
        error, and so it is where the kernel has no CAKE. C(variable) is how it begins.
      - C(files) lists text files by their C(path) below O(config_directory), of one folder at most, and their
        C(content). States may share them. Whatever is in a file is replaced.
        Then C(extrude-bird.service) is reloaded if it runs. If it refuses the files, everything is undone.
      - C(sets) lists sets of IPv4 addresses (ipset) by their C(name), which C(chains) may look into. They are made, and
        what is in them is left to others; an address goes when it was not added for C(timeout) seconds.
      - C(resolvers) lists files of dnsmasq in C(/etc/dnsmasq.d), by the C(name) of an owner, with their C(content).
        Then dnsmasq is started again if it runs and takes all its files, else everything is undone. A host without the
        service dnsmasq is refused.
      - C(expects) lists each C(address), and perhaps C(device), that the host must hold already.
        A host that does not is not the one that the inventory means. With C(gateway) somebody on the device must answer
        ARP for that, unless it is in use already, or the link is down. With C(network) in place of C(address), no
        other device may have an address in it unless this one has. C(variable) is how errors begin.
      - Unless C(renumber), a tunnel must keep its key.
      - Unless C(take_over), a proxy entry for an address that a neighbour holds is an error.
      - C(links) lists the links of a site, each with C(wan), C(interface) (a name, or a pattern such as V(ppp*)), and
        perhaps C(address) where it is static, C(match), what C(pppd) calls it, and C(use), V(direct) or V(extruded), if
        it is for that only.
      - For a link without C(address), C({WAN.device}), C({WAN.address}), C({WAN.gateway}) and C({WAN.network}) stand in
        all texts for what the host has then; while the link is down, what needs them is left out.
      - C(lans) lists devices of LANs. A link without C(address) that was given one in the network of a LAN is down.
      - C(endpoints) lists the links for which C({WAN.endpoint}) stands for the address that the site has reported.
      - The states are kept in O(config_directory), for boot and for links that come and go.
      - C(reserved) names the C(tables) and the first and last of the C(priorities) in which nothing of anybody else
        may stand.
    type: list
    elements: dict
    required: true
  only:
    description:
      - Do one part of the work. V(make) what the states list, and later V(purge) what they no longer list, so that the
        far end can stop using it in between.
    type: str
    choices: [make, purge]
  guard:
    description:
      - Seconds after which the host puts everything of these states back by itself unless C(extrude confirm) was run on
        it by then, also after a reboot and when the controller is gone. 0 changes for good.
      - A change that waits already keeps what stood before it, and gets as many seconds again.
      - Nothing waits where nothing changes.
    type: int
    default: 0
  run:
    description:
      - With O(guard), a name of this run. It takes over what waits already, and C(extrude confirm --run) of the run
        that had it before fails.
    type: str
    default: ""
  cut:
    description:
      - Take away even the address by which the SSH connection of this run reaches the host, which is refused else.
    type: bool
    default: false
extends_documentation_fragment:
  - multihome.extrude._scope.directory
  - multihome.extrude._scope.config_directory
  - multihome.extrude._attributes
seealso:
  - plugin: multihome.extrude.topology
    plugin_type: filter
  - module: multihome.extrude.extrude_info
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: One tunnel with its inside address
  multihome.extrude.extrude_state:
    states:
      - customer: acme
        site: office
        tunnels:
          - name: ex-dsl
            local: 192.0.2.2
            remote: 203.0.113.2
            key: 17
        addresses:
          - device: ex-dsl
            address: 10.254.0.1/31
"""

RETURN = r"""
operations:
  description:
    - What was done, in order; in check mode what would be done.
    - After an error everything that was done is undone again.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(add), V(change) or V(delete).
      type: str
      sample: add
    kind:
      description: The kind of object, named as the lists of a state are.
      type: str
      sample: addresses
    text:
      description: The operation in words.
      type: str
      sample: "add address 10.254.0.1/31 on ex-dsl"
    before:
      description: The object as it was, V(null) where there was none.
      type: dict
    after:
      description: The object as it is now, V(null) where it is gone.
      type: dict
guarded:
  description: Whether a change of one of these states waits to be confirmed on this host.
  returned: success
  type: bool
  sample: false
missing_packages:
  description: Packages that the host lacks. Outside check mode it is an error to lack them.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._argspec import directories
from ansible_collections.multihome.extrude.plugins.module_utils._runner import run_states


def main() -> None:
    """Read the options, hand over to the engine."""
    states = {"type": "list", "elements": "dict", "required": True}
    only = {"type": "str", "choices": ["make", "purge"]}
    guard = {"type": "int", "default": 0}
    cut = {"type": "bool", "default": False}
    run = {"type": "str", "default": ""}
    options = {**directories(), "states": states, "only": only, "guard": guard, "run": run, "cut": cut}
    run_states(AnsibleModule(argument_spec=options, supports_check_mode=True))


if __name__ == "__main__":
    main()
