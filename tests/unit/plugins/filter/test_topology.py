# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.filter import topology as plugin
from ansible_collections.multihome.extrude.plugins.module_utils._bind import bind
from ansible_collections.multihome.extrude.plugins.module_utils._model import State, Tunnel
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import MOST
from tests.unit.examples import examples
from tests.unit.inventories import SOUND, inventories, sound_site
from tests.unit.plugins.plugin_utils.samples import Vars, colo, office, shop

ROOT = Path(__file__).parents[4]
COLLECTIONS = Path(plugin.__file__).parents[5]
GROUPS = {"extrude_colos": ["rack"], "extrude_sites": ["office"]}


def topology(*arguments: Any) -> Vars:
    found: Vars = plugin.FilterModule().filters()["topology"](*arguments)
    return found


# --- wiring ---------------------------------------------------------------------------------------


def test_the_filter_returns_states() -> None:
    assert list(topology({"rack": colo(), "office": office()}, GROUPS)["sites"]) == ["office"]
    assert topology({"rack": colo(), "office": office()}, GROUPS, [])["sites"] == {}


def test_all_problems_come_as_one_error_of_ansible() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        topology({"rack": colo(), "office": office(extrude_customer=..., extrude_site_id=0)}, GROUPS)
    assert str(caught.value) == (
        "the inventory has 2 problems:\n"
        "office: extrude_customer: is missing; give 1 to 32 of the characters a-z 0-9 -\n"
        "office: extrude_site_id: 0 is out of range; give a whole number from 1 to 4095"
    )


def test_what_is_odd_is_a_warning_of_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text: told.append(text))
    groups = {"extrude_colos": ["rack"], "extrude_sites": ["office", "shop"]}
    hosts = {"rack": colo(), "office": office(extrude_peers=["initech"]), "shop": shop()}
    assert list(topology(hosts, groups)["sites"]) == ["office", "shop"]
    (text,) = told
    assert text.startswith("office: extrude_peers: initech has sites at rack, and none of them lists acme")


@pytest.mark.parametrize("arguments", [("text", GROUPS), ({}, "text"), ({}, GROUPS, "office"), ({}, None)])
def test_wrong_use(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        topology(*arguments)
    use = "hostvars | multihome.extrude.topology(groups, ansible_play_batch)"
    assert str(caught.value) == f"topology is used as: {use}"


def python(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run another Python, with the import path of this one."""
    path = os.pathsep.join([str(COLLECTIONS), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path, **more}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_without_netaddr_one_sentence_says_what_to_do() -> None:
    code = (
        "import sys; sys.modules['netaddr'] = None\n"
        "from ansible_collections.multihome.extrude.plugins.filter.topology import AnsibleFilterError, topology\n"
        "try: topology({}, {})\n"
        "except AnsibleFilterError as error: print(error)\n"
    )
    done = python("-c", code)
    sentence = "multihome.extrude.topology needs the Python library netaddr on the controller: pip install netaddr"
    assert (done.stdout, done.returncode) == (f"{sentence}\n", 0), done.stderr


# --- documentation --------------------------------------------------------------------------------


def blocks(kind: str) -> list[str]:
    """Return the code blocks of a kind in docs/inventory.md."""
    text = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
    return [block.removeprefix(f"{kind}\n") for block in text.split("```")[1::2] if block.startswith(f"{kind}\n")]


def test_the_smallest_example_of_the_documentation() -> None:
    groups = yaml.safe_load(blocks("yaml")[0])["all"]["children"]
    hosts = groups["extrude_colos"]["hosts"] | groups["extrude_sites"]["hosts"]
    result = topology(hosts, {name: list(group["hosts"]) for name, group in groups.items()})
    assert [tunnel["name"] for tunnel in result["sites"]["office"]["tunnels"]] == ["ex-dsl", "ex-cable"]


def full_example() -> Vars:
    return {"rack1": yaml.safe_load(blocks("yaml")[1]), "office": yaml.safe_load(blocks("yaml")[2])}


DIRECT_TABLE = 4219


def test_the_full_example_of_the_documentation_has_the_shares_that_it_names() -> None:
    result = topology(full_example(), {"extrude_colos": ["rack1"], "extrude_sites": ["office"]})
    site, colo = result["sites"]["office"], result["colos"]["rack1"][0]
    for routes, shares in (
        ([route for route in site["routes"] if route["table"] != DIRECT_TABLE], [5, 2]),
        ([route for route in site["routes"] if route["table"] == DIRECT_TABLE], [2, 1]),
        (colo["routes"], [2, 1]),
    ):
        found = [[hop["weight"] for hop in route["nexthops"]] for route in routes if len(route["nexthops"]) == 2]
        assert found
        assert all(weights == shares for weights in found)


def test_the_errors_of_the_documentation() -> None:
    hosts = full_example()
    fibre = hosts["office"]["extrude_wans"][0]
    fibre["gatway"] = fibre.pop("gateway")
    for name, number in (("shop", 7), ("one", 1), ("two", 2)):
        hosts[name] = shop(extrude_colo="rack1", extrude_site_id=number)
        hosts[name]["extrude_addresses"] = [f"203.0.113.{30 + number}"]
        hosts[name]["extrude_wans"][0]["address"] = f"192.0.2.{30 + number}"
    with pytest.raises(AnsibleFilterError) as caught:
        topology(hosts, {"extrude_colos": ["rack1"], "extrude_sites": [name for name in hosts if name != "rack1"]})
    assert f"{caught.value}\n" == blocks("text")[0]


# --- random inventories ---------------------------------------------------------------------------

MESSAGE = re.compile(r"(rack|office|shop)(, (office|shop))*: (extrude_[a-z0-9_]+|groups)\b.*: .")


@examples(300, 10_000, suppress_health_check=[HealthCheck.too_slow])
@given(inventories(), st.sampled_from([None, [], ["office"], ["shop", "office"]]))
def test_any_inventory_gives_states_or_errors_that_name_host_and_variable(hosts: Vars, batch: list[str] | None) -> None:
    groups = {"extrude_colos": ["rack"], "extrude_sites": ["office", "shop"]}
    try:
        result = topology(hosts, groups, batch)
    except AnsibleFilterError as error:
        lines = str(error).splitlines()
        assert lines[0].startswith("the inventory has ")
        assert [line for line in lines[1 : MOST + 1] if not MESSAGE.match(line)] == []
    else:
        for state in [*result["sites"].values(), *result["colos"].get("rack", [])]:
            State.parse(bind(state, links_up(state)))


@examples(100, 1000)
@given(st.lists(SOUND, min_size=1, max_size=4))
def test_both_ends_of_sound_inventories_fit_together(drawn: list[Any]) -> None:
    sites = {f"site{number}": sound_site(number, *values) for number, values in enumerate(drawn, 1)}
    result = topology({"rack": colo(), **sites}, {"extrude_colos": ["rack"], "extrude_sites": list(sites)})
    colo_states = result["colos"]["rack"]
    for state, far in zip(result["sites"].values(), colo_states, strict=True):
        State.parse(state)
        State.parse(far)
        for near_end, far_end in zip(state["tunnels"], far["tunnels"], strict=True):
            assert (near_end["local"], near_end["remote"]) == (far_end["remote"], far_end["local"])
            assert all(near_end[key] == far_end[key] for key in ("key", "mtu", "wan", "ttl"))
            assert len(far_end["name"]) <= 15
    tunnels = [tunnel for state in colo_states for tunnel in state["tunnels"]]
    insides = [item["address"] for state in colo_states for item in state["addresses"]]
    for unique in ([tunnel["key"] for tunnel in tunnels], [tunnel["name"] for tunnel in tunnels], insides):
        assert len(set(unique)) == len(unique)


# --- real Ansible ---------------------------------------------------------------------------------

PLAY = """
- hosts: extrude_sites
  gather_facts: false
  tasks:
    - name: Compute
      ansible.builtin.copy:
        content: "{{ hostvars | multihome.extrude.topology(groups, ansible_play_batch) | to_json }}"
        dest: "{{ target }}"
        mode: "0600"
      run_once: true
      delegate_to: localhost
"""


def play(inventory: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the filter in a playbook; what it returns goes to ``result.json`` in the folder."""
    (folder / "play.yml").write_text(PLAY, encoding="utf-8")
    target = f"target={folder / 'result.json'}"
    return python(
        *("-m", "ansible", "playbook", "-i", str(inventory), "-e", target, str(folder / "play.yml")),
        ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
        ANSIBLE_LOCALHOST_WARNING="false",
    )


@pytest.mark.parametrize(("name", "sites"), [("lab", 1), ("lab-dynamic", 3), ("lab-nat", 2), ("example", 3)])
def test_the_inventories_that_we_ship(name: str, sites: int, tmp_path: Path) -> None:
    done = play(ROOT / "inventories" / name, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert len(result["sites"]) == sites
    for state in [*result["sites"].values(), *(state for states in result["colos"].values() for state in states)]:
        made = State.parse(bind(state, links_up(state)))
        assert len(made.of(Tunnel)) == len(state["tunnels"])


def links_up(state: Vars) -> dict[str, str]:
    """Return what stands for the placeholders of a state while all its links are up."""
    values: dict[str, str] = {}
    for number, tunnel in enumerate(state["tunnels"]):
        near, far = f"192.0.2.{2 * number + 1}", f"192.0.2.{2 * number + 2}"
        words = {"device": f"wan{number}", "address": near, "gateway": far, "network": f"{far}/32", "endpoint": near}
        values |= {f"{tunnel['wan']}.{word}": value for word, value in words.items()}
    return values


VARIABLES = """
extrude_customer: "{{ nope }}"
extrude_site_id: "{{ 1 + 0 }}"
extrude_colo: "{{ groups['extrude_colos'] | first }}"
extrude_addresses: ["{{ nothing.at.all }}", 203.0.113.11, 12]
extrude_wans:
  - name: "{{ unknown }}"
    interface: "{{ x | mandatory }}"
    address: "{{ '192.0.2.2' + '/24' }}"
    gateway: 192.0.2.1
  - "{{ neither }}"
extrude_table: "{{ 1 / 0 }}"
extrude_renumber: "{{ renumber | default(omit) }}"
extrude_balance: "{{ balance | default(None) }}"
extrude_lan:
  - {interface: lan0, mode: nat, addresses: "{{ which | default(omit) }}"}
extrude_when_down: !vault |
  $ANSIBLE_VAULT;1.1;AES256
  6162
"""


def test_templates_that_fail_are_named_with_all_other_problems(tmp_path: Path) -> None:
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / "office.yml").write_text(VARIABLES, encoding="utf-8")
    hosts = {"extrude_colos": {"hosts": {"rack": colo()}}, "extrude_sites": {"hosts": {"office": {}}}}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
    done = play(tmp_path / "hosts.json", tmp_path)
    assert done.returncode == 2
    for line in (
        "office: extrude_customer: cannot be evaluated: 'nope' is undefined",
        "office: extrude_addresses[0]: cannot be evaluated: 'nothing' is undefined",
        "office: extrude_addresses[2]: 12 is not a text; give an address or a prefix such as 203.0.113.0/28",
        "office: extrude_wans[0].name: cannot be evaluated: 'unknown' is undefined",
        "office: extrude_wans[1]: cannot be evaluated: 'neither' is undefined",
        "office: extrude_balance: is empty; leave it out, or give flow or packet",
    ):
        assert f"{line}\n" in done.stdout + done.stderr
    for start in ("extrude_wans[0].interface", "extrude_table", "extrude_when_down"):
        assert f"\noffice: {start}: cannot be evaluated: " in done.stdout + done.stderr
    for sound in ("extrude_site_id", "extrude_renumber", "extrude_lan"):
        assert sound not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_hundred_sites_in_ansible(tmp_path: Path) -> None:
    sites = {f"site{n}": shop(extrude_site_id=n, extrude_addresses=[f"203.0.113.{n + 9}"]) for n in range(1, 101)}
    for number, site in enumerate(sites.values()):
        site["extrude_wans"][0]["address"] = f"192.0.2.{number + 2}/24"
    hosts = {"extrude_colos": {"hosts": {"rack": colo()}}, "extrude_sites": {"hosts": sites}}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
    done = play(tmp_path / "hosts.json", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert [len(part) for part in (result["sites"], result["colos"]["rack"])] == [100, 100]
