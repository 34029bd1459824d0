#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: path_drill
short_description: Black-hole one link of a site for a time, and measure what that costs
version_added: 0.1.0
description:
  - Drops the GRE packets of one tunnel at the site's router, both ways, as if the path were dead though the link is up.
    After O(hold) seconds it undoes that. Meanwhile both ends send each other a timed stream with the addresses that
    users have, in a flow that goes by that tunnel, and log which packets arrive.
  - Before it drops anything it arms a timer of systemd on the host, which undoes it after O(timeout) seconds, even if
    the module is killed or the controller vanishes.
  - Refuses where no other tunnel of the site answers, unless O(last) is set, where this tunnel is dead already, and
    while another drill runs on the host.
  - Nothing is left behind. It uses a chain C(EXTRUDE-DRILL) in the table C(mangle) and the unit C(extrude-drill.timer).
  - Run it with O(answer=true) and O(background=true) at the colo, and then without at the site.
    P(multihome.extrude.drill_report#filter) makes a report of the two results. The playbook
    C(multihome.extrude.drill) does all that.
options:
  answer:
    description:
      - Whether this is the colo's end, which changes nothing.
    type: bool
    default: false
  wan:
    description:
      - The link to drill.
    type: str
    required: true
  tunnels:
    description:
      - All tunnels of the site, as this end has them.
    type: list
    elements: dict
    required: true
    suboptions:
      wan:
        description:
          - Name of the WAN.
        type: str
        required: true
      device:
        description:
          - The device of the tunnel at this end.
        type: str
        required: true
      local:
        description:
          - The inside IPv4 address of this end.
        type: str
        required: true
      remote:
        description:
          - The inside IPv4 address of the far end.
        type: str
        required: true
  source:
    description:
      - This end's address of the streams, at the site an extruded IPv4 address, at the colo its own.
    type: str
    required: true
  destination:
    description:
      - The far end's address of the streams.
    type: str
    required: true
  token:
    description:
      - What the packets of this drill carry, the same at both ends and another one for each drill. At most 64 printable
        ASCII characters without spaces.
    type: str
    default: extrude
  interval:
    description:
      - Milliseconds between two packets of a stream, and so the resolution of all results. The same at both ends.
    type: int
    default: 10
  hold:
    description:
      - Seconds that the link is dead.
    type: float
    default: 5.0
  timeout:
    description:
      - Seconds after which the timer undoes it. At least five more than O(hold).
    type: float
    default: 30.0
  wait:
    description:
      - Seconds to wait until traffic goes by the link again.
    type: float
    default: 45.0
  last:
    description:
      - Whether to black-hole the site's last live link too, which cuts the site off for O(hold) seconds.
    type: bool
    default: false
  seconds:
    description:
      - With O(answer=true), how long to run at most.
    type: float
    default: 180.0
  background:
    description:
      - With O(answer=true), whether to return as soon as it hears, and to go on in the background.
        M(multihome.extrude.background_info) has the result.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says in check mode exactly what a run would do, without doing it.
    support: full
    details: It probes the tunnels and refuses as a run would.
  diff_mode:
    description: Shows in diff mode what changes.
    support: N/A
    details: Nothing is different afterwards.
  idempotent:
    description: A second run changes nothing.
    support: none
    details: Each run black-holes the link again.
  action_group:
    description: Use C(group/multihome.extrude.extrude) in C(module_defaults) for all modules of the collection.
    support: full
    membership:
      - multihome.extrude.extrude
  platform:
    description: Hosts it works on.
    platforms: linux
    support: full
requirements:
  - Python 3.11 or newer on the managed host
  - systemd and iptables on the site's router
seealso:
  - module: multihome.extrude.tunnel_probe
  - plugin: multihome.extrude.drill_report
    plugin_type: filter
    description: Says in words what a drill found.
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: Answer at the colo
  multihome.extrude.path_drill:
    answer: true
    wan: dsl
    token: drill-82734
    source: 203.0.113.2
    destination: 203.0.113.10
    tunnels:
      - {wan: dsl, device: ex1-dsl, local: 10.254.0.0, remote: 10.254.0.1}
      - {wan: cable, device: ex1-cable, local: 10.254.0.2, remote: 10.254.0.3}
    background: true
  delegate_to: colo1
  register: __answering

- name: Black-hole the DSL link for five seconds
  multihome.extrude.path_drill:
    wan: dsl
    token: drill-82734
    source: 203.0.113.10
    destination: 203.0.113.2
    tunnels:
      - {wan: dsl, device: ex-dsl, local: 10.254.0.1, remote: 10.254.0.0}
      - {wan: cable, device: ex-cable, local: 10.254.0.3, remote: 10.254.0.2}
  register: __drilled

- name: Collect what the colo heard
  multihome.extrude.background_info:
    background: "{{ __answering.background }}"
  delegate_to: colo1
  register: __answered

- name: Say what it cost
  ansible.builtin.debug:
    msg: "{{ (__drilled.log | multihome.extrude.drill_report(__answered.log, 'dsl')).text }}"
"""

RETURN = r"""
text:
  description: What is done, or in check mode would be done, in words.
  returned: at the site
  type: str
  sample: "drop GRE between 192.0.2.2 and 203.0.113.2 (ex-dsl) for 5 s; live besides it: cable"
background:
  description: The name under which M(multihome.extrude.background_info) has the result.
  returned: with O(background), not in check mode
  type: str
  sample: 0001f
log:
  description: What this end sent and heard.
  returned: not in check mode, and without O(background)
  type: dict
  contains:
    interval_ms:
      description: Milliseconds between two packets, so that a packet's number is a time.
      type: float
      sample: 10.0
    sent:
      description: How many packets this end sent.
      type: int
      sample: 912
    into:
      description: Those of them that left by the tunnel of O(wan), as first and last number of each unbroken run.
      type: list
      elements: list
      sample: [[0, 117], [934, 1101]]
    received:
      description: Which packets of the far end arrived, by whatever tunnel.
      type: list
      elements: list
      sample: [[0, 113], [128, 1099]]
    by:
      description: Those of them that came by the tunnel of O(wan).
      type: list
      elements: list
      sample: [[0, 113], [930, 1099]]
    offset_ms:
      description: When packet 0 of the far end came or would have come, at best, in milliseconds from this end's
        packet 0. Null when nothing came.
      type: float
      sample: 33.1
    ended:
      description: Whether the far end said that all is over; only the site does.
      type: bool
    made_ms:
      description: When the black hole was made, in milliseconds from packet 0.
      returned: at the site
      type: float
      sample: 1042.7
    undone_ms:
      description: When it was undone.
      returned: at the site
      type: float
      sample: 6071.3
    back:
      description: Whether the streams took the tunnel again within O(wait) seconds.
      returned: at the site
      type: bool
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._background import Caller, start
from ansible_collections.multihome.extrude.plugins.module_utils._drill import End, Plan, answer, check, described, drill
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, Fields
from ansible_collections.multihome.extrude.plugins.module_utils._probe import duration

TUNNEL = {name: {"type": "str", "required": True} for name in ("wan", "device", "local", "remote")}


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result for the options of the module; raises EngineError."""
    options = Fields(params, "")
    end = End.parse(options)
    if params["answer"]:
        seconds = duration(options, "seconds")
        return {"changed": False, **({} if check_mode else answered(end, seconds, params["background"]))}
    plan = Plan.parse(options)
    tunnel, live = check(end, plan)
    text = {"changed": True, "text": described(tunnel, plan, live)}
    return text if check_mode else {**text, "log": drill(end, plan, tunnel)}


def answered(end: End, seconds: float, background: bool) -> dict[str, Any]:
    """The result at the colo's end."""

    def listen(caller: Caller | None = None) -> dict[str, Any]:
        return {"log": answer(end, seconds, caller)}

    return {"background": start(listen)} if background else listen()


def main() -> None:
    """Read the options, drill or answer."""
    module = AnsibleModule(
        argument_spec={
            "answer": {"type": "bool", "default": False},
            "wan": {"type": "str", "required": True},
            "tunnels": {"type": "list", "elements": "dict", "required": True, "options": TUNNEL},
            "source": {"type": "str", "required": True},
            "destination": {"type": "str", "required": True},
            "token": {"type": "str", "default": "extrude", "no_log": False},
            "interval": {"type": "int", "default": 10},
            "hold": {"type": "float", "default": 5.0},
            "timeout": {"type": "float", "default": 30.0},
            "wait": {"type": "float", "default": 45.0},
            "last": {"type": "bool", "default": False},
            "seconds": {"type": "float", "default": 180.0},
            "background": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except EngineError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
