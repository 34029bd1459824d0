# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _files, _programs, _strongswan, _vici
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, Fields
from ansible_collections.multihome.extrude.plugins.module_utils._files import UNTOLD
from ansible_collections.multihome.extrude.plugins.module_utils._model import Connection
from ansible_collections.multihome.extrude.plugins.module_utils._strongswan import (
    UNLOADED,
    Connections,
    Secret,
    Secrets,
    call,
    installed,
    lacking,
    path_of,
    peers,
)
from tests.unit.charon import Answer, Charon, event, response

DONE = response({"success": "yes"})
PSK, OTHER_PSK = "correct horse battery staple", 'quotes " and } # \\ =, all of them'
ADMINS = "connections {\n  office {\n  }\n}\n"


def connection(name: str, **settings: Any) -> Connection:
    data = {"name": name, "settings": {"version": "2", "remote_addrs": "%any", **settings}}
    return Connection.parse(Fields(data, "connections[0]"), "acme/1")


DSL, CABLE = connection("ex-dsl"), connection("ex-cable")
MOVED = connection("ex-dsl", local_addrs="192.0.2.2")


def refusing(*names: str, only: str = "") -> Answer:
    """Answers to load-conn: none of these connections is taken, with *only* none whose settings say that."""

    def answer(message: Any) -> bytes:
        (name,) = message
        refused = name in names and only in str(message)
        return response({"success": "no", "errmsg": f"invalid: {name}"}) if refused else DONE

    return answer


def up(*names: str, **children: Any) -> bytes:
    """An answer to list-sas: connections that are up and have these children."""
    return b"".join(
        event("list-sa", {name: {"state": "ESTABLISHED", "child-sas": children}}) for name in names
    ) + response({})


@pytest.fixture(autouse=True)
def strongswan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_strongswan, "installed", lambda: True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the files, with one of an admin; no daemon runs."""
    monkeypatch.setattr(_vici, "SOCKET", tmp_path / "charon.vici")
    made = tmp_path / "conf.d"
    made.mkdir()
    (made / "office.conf").write_text(ADMINS)
    monkeypatch.setattr(_strongswan, "FOLDER", made)
    return made


def have(folder: Path, *listed: str) -> None:
    """The files of some connections."""
    for name in listed:
        (folder / _strongswan.path_of(name)).touch()


@contextmanager
def daemon(
    folder: Path, knows: Sequence[str] = (), secrets: Sequence[str] = (), last: str = "", **answers: Answer
) -> Iterator[Charon]:
    """A daemon that knows some connections and secrets, and does what it is asked for, or what *answers* say."""
    path = folder.parent / "charon.vici"
    commands = ("terminate", "load-conn", "unload-conn", "load-shared", "unload-shared", "initiate")
    known = {"get-conns": response({"conns": list(knows)}), "get-shared": response({"keys": list(secrets)})}
    others = {name.replace("_", "-"): answer for name, answer in answers.items()}
    real = _vici.Session
    made = {**dict.fromkeys(commands, DONE), "list-sas": up(), **known, **others}
    with Charon(path, made, ["list-sa"], last) as charon, pytest.MonkeyPatch.context() as patch:
        patch.setattr(_vici, "Session", lambda seconds=None: real(path, seconds))
        yield charon
    path.unlink()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def terminated(name: str, timeout: str = "-1") -> tuple[str, dict[str, str]]:
    """The request to close a connection; one that goes is waited for."""
    return ("terminate", {"ike": name, "force": "yes", "timeout": timeout})


def loaded(one: Connection) -> tuple[str, Any]:
    settings = {**one.settings, "remote_addrs": ["%any"]}
    settings |= {"local_addrs": ["192.0.2.2"]} if "local_addrs" in settings else {}
    return ("load-conn", {one.name: settings})


@pytest.mark.parametrize(
    ("programs", "is_installed"),
    [(("swanctl", "charon-systemd"), True), (("swanctl",), False), (("charon-systemd",), False), ((), False)],
)
def test_the_daemon_and_its_command_make_strongswan(
    programs: tuple[str, ...], is_installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_programs, "find", {name: f"/usr/sbin/{name}" for name in programs}.get)
    assert installed() is is_installed


# --- connections -------------------------------------------------------------------------------------


def test_each_connection_has_a_file_beside_those_of_others(folder: Path) -> None:
    former = os.umask(0o077)
    try:
        Connections(folder).apply([(None, DSL), (None, CABLE)])
    finally:
        os.umask(former)
    assert names(folder) == ["extrude-ex-cable.conf", "extrude-ex-dsl.conf", "office.conf"]
    assert (folder / path_of("ex-dsl")).read_text() == DSL.content
    assert mode(folder / path_of("ex-dsl")) == 0o644
    assert Connections(folder).read(["ex-dsl", "ex-cable", "ex-lte"]) == {DSL.place: DSL, CABLE.place: CABLE}


def test_the_last_one_leaves_the_folder_to_others(folder: Path) -> None:
    Connections(folder).apply([(None, DSL)])
    Connections(folder).apply([(DSL, None)])
    assert names(folder) == ["office.conf"]
    assert (folder / "office.conf").read_text() == ADMINS
    (folder / "office.conf").unlink()
    Connections(folder).apply([(None, DSL)])
    Connections(folder).apply([(DSL, None)])
    assert names(folder) == []


def test_who_asks_for_none_does_not_need_the_daemon(folder: Path) -> None:
    (folder.parent / "charon.vici").touch()  # nobody listens there
    assert Connections(folder).read([]) == {}
    assert Connections(folder).read(["ex-dsl"]) == {}


def test_what_only_the_daemon_knows_is_not_there(folder: Path) -> None:
    with daemon(folder, knows=["ex-dsl"]) as charon:
        assert Connections(folder).read(["ex-dsl"]) == {}
        assert charon.asked() == []


def test_a_connection_that_the_daemon_does_not_know_is_to_be_loaded_again(folder: Path) -> None:
    Connections(folder).apply([(None, DSL), (None, CABLE)])
    with daemon(folder, knows=["ex-cable", "office"]) as charon:
        found = Connections(folder).read(["ex-dsl", "ex-cable"])
        assert found == {DSL.place: Connection("ex-dsl", DSL.content, UNLOADED), CABLE.place: CABLE}
        charon.asked()
        Connections(folder).apply([(found[DSL.place], DSL)])
        assert charon.asked() == [terminated("ex-dsl"), loaded(DSL)]
    assert Connections(folder).read(["ex-dsl"]) == {DSL.place: DSL}


def test_a_new_connection_is_loaded_and_no_other_is_touched(folder: Path) -> None:
    with daemon(folder, knows=["office"]) as charon:
        Connections(folder).apply([(None, DSL)])
        assert charon.asked() == [loaded(DSL)]


def test_a_changed_connection_is_closed_and_made_anew(folder: Path) -> None:
    Connections(folder).apply([(None, DSL), (None, CABLE)])
    with daemon(folder, knows=["ex-dsl", "ex-cable"]) as charon:
        Connections(folder).apply([(DSL, MOVED)])
        assert charon.asked() == [terminated("ex-dsl"), loaded(MOVED)]
    assert (folder / path_of("ex-dsl")).read_text() == MOVED.content


def test_at_a_colo_a_changed_connection_stays_up_until_the_site_closes_it(folder: Path) -> None:
    was, moved = connection("ex1-dsl"), connection("ex1-dsl", local_addrs="192.0.2.2")
    Connections(folder).apply([(None, was)])
    with daemon(folder) as charon:
        Connections(folder).apply([(was, moved)])
        assert charon.asked() == [loaded(moved)]
        Connections(folder).apply([(moved, None)])
        assert charon.asked() == [("unload-conn", {"name": "ex1-dsl"}), terminated("ex1-dsl", "2000")]


def test_a_connection_that_goes_is_closed_and_forgotten(folder: Path) -> None:
    Connections(folder).apply([(None, DSL)])
    with daemon(folder, knows=["ex-dsl"]) as charon:
        Connections(folder).apply([(DSL, None)])
        assert charon.asked() == [("unload-conn", {"name": "ex-dsl"}), terminated("ex-dsl", "2000")]


def test_one_that_is_not_up_or_not_known_goes_too(folder: Path) -> None:
    Connections(folder).apply([(None, DSL), (None, CABLE)])
    no = response({"success": "no", "errmsg": "no matching SAs to terminate found"})
    with daemon(folder, terminate=no, unload_conn=no) as charon:
        Connections(folder).apply([(DSL, MOVED), (CABLE, None)])
        assert [command for command, _message in charon.asked()] == [
            "terminate",
            "load-conn",
            "unload-conn",
            "terminate",
        ]
    assert names(folder) == ["extrude-ex-dsl.conf", "office.conf"]


def test_all_are_put_back_when_the_daemon_refuses_one(folder: Path) -> None:
    Connections(folder).apply([(None, DSL)])
    with daemon(folder, knows=["ex-dsl"], load_conn=refusing("ex-cable")) as charon:
        with pytest.raises(EngineError) as caught:
            Connections(folder).apply([(DSL, MOVED), (None, CABLE)])
        assert str(caught.value) == "strongSwan does not take connection ex-cable: invalid: ex-cable"
        asked = charon.asked()
        assert asked[:3] == [terminated("ex-dsl"), loaded(MOVED), loaded(CABLE)]
        assert asked[3:] == [
            ("unload-conn", {"name": "ex-cable"}),
            terminated("ex-cable", "2000"),
            terminated("ex-dsl"),
            loaded(DSL),
        ]
    assert names(folder) == ["extrude-ex-dsl.conf", "office.conf"]
    assert Connections(folder).read(["ex-dsl"]) == {DSL.place: DSL}


def test_those_that_the_daemon_was_not_told_of_are_not_closed_to_be_put_back(folder: Path) -> None:
    Connections(folder).apply([(None, DSL), (None, CABLE)])
    other = connection("ex-cable", local_addrs="192.0.2.3")
    with daemon(folder, knows=["ex-dsl", "ex-cable"], load_conn=refusing("ex-dsl", only="192.0.2.2")) as charon:
        with pytest.raises(EngineError, match=r"^strongSwan does not take connection ex-dsl: invalid: ex-dsl$"):
            Connections(folder).apply([(DSL, MOVED), (CABLE, other)])
        assert charon.asked() == [terminated("ex-dsl"), loaded(MOVED), terminated("ex-dsl"), loaded(DSL)]
    assert (folder / path_of("ex-cable")).read_text() == CABLE.content


def test_a_daemon_that_takes_nothing_back_is_told_of_all_next_time(folder: Path) -> None:
    Connections(folder).apply([(None, DSL)])
    refused = "strongSwan does not take connection ex-dsl: invalid: ex-dsl"
    with daemon(folder, knows=["ex-dsl"], load_conn=refusing("ex-dsl")):
        with pytest.raises(EngineError) as caught:
            Connections(folder).apply([(DSL, MOVED)])
        assert str(caught.value) == f"{refused}; and putting back the files that stood before failed too: {refused}"
        assert Connections(folder).read(["ex-dsl"]) == {DSL.place: Connection("ex-dsl", DSL.content, UNTOLD)}


def test_nothing_is_sent_where_the_daemon_does_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_words: object) -> None:
        raise AssertionError

    monkeypatch.setattr(_vici, "runs", lambda: False)
    monkeypatch.setattr(_vici, "hangs", lambda: False)
    monkeypatch.setattr(_vici, "Session", never)
    Connections(folder).apply([(None, DSL)])
    assert Connections(folder).read(["ex-dsl"]) == {DSL.place: DSL}
    Connections(folder).apply([(DSL, MOVED)])
    Connections(folder).apply([(MOVED, None)])
    Secrets(folder).apply([secret()], check=False)
    Secrets(folder).apply([secret(None)], check=False)
    assert names(folder) == ["office.conf"]


def test_a_daemon_that_hangs_keeps_nothing_else_from_being_done_and_is_told_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, Charon(folder.parent / "charon.vici", {}, silent=True):
        patch.setattr(_vici, "_SOON", 0.05)
        Connections(folder).apply([(None, DSL)])
        assert Connections(folder).read(["ex-dsl"]) == {DSL.place: DSL}
        assert lacking(["ex-dsl"]) == {"ex-dsl": "strongSwan does not answer"}
    (folder.parent / "charon.vici").unlink()
    monkeypatch.setattr(_vici, "_hanging", set())  # as in a process that comes later
    with daemon(folder, knows=["ex-dsl"]) as charon:
        (found,) = Connections(folder).read(["ex-dsl"]).values()
        assert found.extra == "not yet told to the daemon"
        charon.asked()
        Connections(folder).apply([(found, DSL)])
        assert charon.asked()[-1] == loaded(DSL)
        assert Connections(folder).read(["ex-dsl"]) == {DSL.place: DSL}


def test_a_daemon_that_hangs_up_is_an_error_and_files_are_put_back(folder: Path) -> None:
    with daemon(folder, last="load-conn", load_conn=b""):
        with pytest.raises(EngineError) as caught:
            Connections(folder).apply([(None, DSL)])
        hung = "strongSwan's daemon has hung up"
        assert str(caught.value) == f"strongSwan does not take connection ex-dsl: {hung}"
    assert names(folder) == ["office.conf"]


@pytest.mark.parametrize("damage", ["connections {\n", "connections { ex-dsl { version = 2 } }\n", "", "\udcff\n"])
def test_a_file_that_somebody_has_damaged_is_replaced(folder: Path, damage: str) -> None:
    (folder / path_of("ex-dsl")).write_text(damage, errors="surrogateescape")
    with daemon(folder, knows=["ex-dsl"]) as charon:
        found = Connections(folder).read(["ex-dsl"])
        assert found == {DSL.place: Connection("ex-dsl", damage)}
        charon.asked()
        Connections(folder).apply([(found[DSL.place], DSL)])
        assert charon.asked() == [loaded(DSL)]
    assert (folder / path_of("ex-dsl")).read_text() == DSL.content


def test_without_strongswan_connections_can_go_and_none_can_come(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Connections(folder).apply([(None, DSL)])
    monkeypatch.setattr(_strongswan, "installed", lambda: False)
    with pytest.raises(EngineError, match=r"^strongSwan is missing on this host \(Debian packages strongswan-swanctl,"):
        Connections(folder).apply([(DSL, None), (None, CABLE)])
    assert names(folder) == ["extrude-ex-dsl.conf", "office.conf"]
    Connections(folder).apply([(DSL, None)])
    assert names(folder) == ["office.conf"]


# --- secrets -----------------------------------------------------------------------------------------


def secret(text: str | None = PSK, site: str = "acme.1") -> Secret:
    customer, number = site.split(".")
    return Secret(site, f"*.{number}.{customer}.extrude", text)


FILE, NAME = "extrude-acme.1.secrets.conf", "ike-extrude-acme_1"


def shared(text: str = PSK) -> tuple[str, Any]:
    return ("load-shared", {"id": NAME, "type": "IKE", "data": text, "owners": ["*.1.acme.extrude"]})


def test_a_secret_is_in_a_file_that_only_root_reads(folder: Path) -> None:
    former = os.umask(0)
    try:
        assert Secrets(folder).apply([secret()], check=False) == ["acme.1"]
    finally:
        os.umask(former)
    assert names(folder) == [FILE, "office.conf"]
    assert mode(folder / FILE) == 0o600
    # as swanctl(8) reads it: 0x and hexadecimal digits are the bytes of the secret
    assert (
        f"  {NAME} {{\n    id = *.1.acme.extrude\n    secret = 0x{PSK.encode().hex()}\n  }}\n"
        in (folder / FILE).read_text()
    )


def test_it_is_written_into_a_file_that_nobody_else_could_read_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    sync = os.fsync

    def look(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr("os.fsync", look)
    Secrets(folder).apply([secret()], check=False)
    assert set(modes) == {0o600}


@pytest.mark.parametrize("text", [PSK, OTHER_PSK, "ä€ beyond ASCII, which takes bytes"])
def test_the_daemon_gets_the_secret_itself(folder: Path, text: str) -> None:
    with daemon(folder) as charon:
        Secrets(folder).apply([secret(text)], check=False)
        told = [("get-shared", {}), shared(text)]
        assert charon.asked() == [*told, ("register", "list-sa"), ("list-sas", {}), ("get-conns", {})]


def test_a_secret_that_stays_is_no_change(folder: Path) -> None:
    Secrets(folder).apply([secret()], check=False)
    before = (folder / FILE).stat()
    assert Secrets(folder).apply([secret()], check=False) == []
    with daemon(folder, secrets=[NAME]) as charon:
        assert Secrets(folder).apply([secret()], check=False) == []
        assert charon.asked() == [("get-shared", {})]
    assert (folder / FILE).stat() == before


def test_a_secret_that_the_daemon_does_not_know_is_told_again(folder: Path) -> None:
    Secrets(folder).apply([secret()], check=False)
    with daemon(folder, secrets=["ike-office"]) as charon:
        assert Secrets(folder).apply([secret()], check=True) == ["acme.1"]
        charon.asked()
        assert Secrets(folder).apply([secret()], check=False) == ["acme.1"]
        assert shared() in charon.asked()


def test_a_secret_that_changes_is_replaced_without_a_moment_in_which_there_is_none(folder: Path) -> None:
    Secrets(folder).apply([secret()], check=False)
    with daemon(folder, secrets=[NAME]) as charon:
        assert Secrets(folder).apply([secret(OTHER_PSK)], check=False) == ["acme.1"]
        asked = charon.asked()
    assert shared(OTHER_PSK) in asked
    assert "unload-shared" not in [command for command, _message in asked]
    assert OTHER_PSK.encode().hex() in (folder / FILE).read_text()


def test_a_secret_of_links_with_other_names_is_a_change(folder: Path) -> None:
    Secrets(folder).apply([secret()], check=False)
    assert Secrets(folder).apply([Secret("acme.1", "*.extrude", PSK)], check=True) == ["acme.1"]


def test_a_secret_that_goes_is_forgotten(folder: Path) -> None:
    Secrets(folder).apply([secret()], check=False)
    with daemon(folder, secrets=[NAME]) as charon:
        assert Secrets(folder).apply([secret(None)], check=False) == ["acme.1"]
        assert ("unload-shared", {"id": NAME}) in charon.asked()
    assert names(folder) == ["office.conf"]
    assert Secrets(folder).apply([secret(None)], check=False) == []


def test_a_secret_that_a_run_has_forgotten_without_telling_the_daemon_is_forgotten_by_the_next(folder: Path) -> None:
    others = ["ike-extrude-acme_11", "ike-office"]
    with daemon(folder, secrets=[f"{NAME}-1", *others]) as charon:
        assert Secrets(folder).apply([secret()], check=False) == ["acme.1"]
        assert [name for command, name in charon.asked() if command == "unload-shared"] == [{"id": f"{NAME}-1"}]


def test_sites_that_are_not_listed_keep_theirs(folder: Path) -> None:
    Secrets(folder).apply([secret(), secret(OTHER_PSK, "acme.11")], check=False)
    assert Secrets(folder).apply([secret(None), secret("x" * 20, "initech.2")], check=False) == ["acme.1", "initech.2"]
    assert names(folder) == ["extrude-acme.11.secrets.conf", "extrude-initech.2.secrets.conf", "office.conf"]


@pytest.mark.parametrize("text", [OTHER_PSK, None])
def test_a_check_says_what_would_change_and_changes_nothing(folder: Path, text: str | None) -> None:
    with daemon(folder, secrets=[NAME]) as charon:
        assert Secrets(folder).apply([secret()], check=True) == ["acme.1"]
        assert names(folder) == ["office.conf"]
        Secrets(folder).apply([secret()], check=False)
        content = (folder / FILE).read_text()
        charon.asked()
        assert Secrets(folder).apply([secret(text)], check=True) == ["acme.1"]
        assert charon.asked() == [("get-shared", {})]
    assert (folder / FILE).read_text() == content


def test_connections_of_the_site_that_are_not_up_are_made(folder: Path) -> None:
    knows = ["ex-dsl", "ex-cable", "ex7-dsl", "office", "ex-partner"]
    have(folder, *knows[:3])  # the others are an administrator's
    with daemon(folder, knows=knows, list_sas=up("ex-cable", "office", one={"mode": "BEET"})) as charon:
        Secrets(folder).apply([secret()], check=False)
        assert charon.asked()[-1] == ("initiate", {"child": "ex-dsl", "timeout": "-1"})
        assert [command for command, _message in charon.asked()] == []


@pytest.mark.parametrize(("one", "made"), [(DSL, ["ex-dsl"]), (connection("ex7-dsl"), [])], ids=["site", "colo"])
def test_a_sites_router_calls_what_is_not_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, one: Connection, made: list[str]
) -> None:
    monkeypatch.setattr(_strongswan, "FOLDER", folder)
    Connections(folder).apply([(None, one)])
    call()
    with daemon(folder, knows=[one.name]) as charon:
        call()
        assert [message["child"] for command, message in charon.asked() if command == "initiate"] == made


def test_one_that_carries_nothing_is_called_and_one_that_is_being_made_is_left_alone(folder: Path) -> None:
    made = event("list-sa", {"ex-dsl": {"state": "CONNECTING"}}) + up("ex-cable")
    have(folder, "ex-dsl", "ex-cable")
    with daemon(folder, knows=["ex-dsl", "ex-cable"], list_sas=made) as charon:
        Secrets(folder).apply([secret()], check=False)
        assert [message["child"] for command, message in charon.asked() if command == "initiate"] == ["ex-cable"]


def test_one_that_cannot_be_made_keeps_no_other_from_it(folder: Path) -> None:
    no = response({"success": "no", "errmsg": "CHILD_SA config not found"})
    have(folder, "ex-a", "ex-b")
    with daemon(folder, knows=["ex-a", "ex-b"], initiate=no) as charon:
        assert Secrets(folder).apply([secret()], check=False) == ["acme.1"]
        made = [message["child"] for command, message in charon.asked() if command == "initiate"]
    assert made == ["ex-a", "ex-b"]


def test_nothing_shows_a_secret(folder: Path) -> None:
    one = secret(OTHER_PSK)
    shown = [repr(one), str(one), f"{[one]}"]
    with daemon(folder, load_shared=response({"success": "no", "errmsg": "parsing failed"})):
        with pytest.raises(EngineError) as caught:
            Secrets(folder).apply([one], check=False)
        assert str(caught.value).startswith("parsing failed")
        shown += [str(caught.value), *traceback.format_exception(caught.value)]
    assert names(folder)[-1] == "office.conf"
    (folder / FILE).mkdir()
    (folder / FILE / "x").touch()
    with pytest.raises(EngineError) as caught:
        Secrets(folder).apply([one], check=False)
    shown += traceback.format_exception(caught.value)
    assert not [text for text in shown if OTHER_PSK in text or OTHER_PSK.encode().hex() in text or "quotes" in text]


def test_a_secret_that_the_daemon_refuses_leaves_the_former_one(folder: Path) -> None:
    Secrets(folder).apply([secret()], check=False)

    def answer(message: Any) -> bytes:
        return response({"success": "no", "errmsg": "parsing failed"}) if message["data"] == OTHER_PSK else DONE

    with daemon(folder, secrets=[NAME], load_shared=answer) as charon:
        with pytest.raises(EngineError, match=r"^parsing failed$"):
            Secrets(folder).apply([secret(OTHER_PSK)], check=False)
        assert [message["data"] for command, message in charon.asked() if command == "load-shared"] == [OTHER_PSK, PSK]
    assert PSK.encode().hex() in (folder / FILE).read_text()
    assert mode(folder / FILE) == 0o600


@pytest.mark.parametrize("damage", ["", "secrets {\n", f"secrets {{\n  {NAME} {{\n    secret = 0xzz\n  }}\n}}\n"])
def test_a_secret_in_a_damaged_file_is_replaced(folder: Path, damage: str) -> None:
    (folder / FILE).write_text(damage)
    with daemon(folder, secrets=[NAME]) as charon:
        assert Secrets(folder).apply([secret()], check=False) == ["acme.1"]
        assert shared() in charon.asked()
    assert Secrets(folder).apply([secret()], check=False) == []


NEXT = "the secret that comes next"


def told(charon: Charon) -> list[tuple[str, str]]:
    """The secrets that a daemon was told of or has to forget, each with its name."""
    asked = [pair for pair in charon.asked() if pair[0] in ("load-shared", "unload-shared")]
    return [(message["id"], message.get("data", "")) for _command, message in asked]


def test_a_colo_takes_the_next_secret_and_uses_the_former_until_the_site_has_it(folder: Path) -> None:
    Secrets(folder).apply([secret()], check=False, former="use")
    with daemon(folder, secrets=[NAME]) as charon:
        assert Secrets(folder).apply([secret(NEXT)], check=False, former="use") == ["acme.1"]
        assert told(charon) == [(f"{NAME}-1", NEXT), (NAME, PSK)]
    both = (folder / FILE).read_text()
    assert both.index(NEXT.encode().hex()) < both.index(PSK.encode().hex())
    with daemon(folder, secrets=[NAME, f"{NAME}-1"]) as charon:
        assert Secrets(folder).apply([secret(NEXT)], check=False, former="use") == []
        assert Secrets(folder).apply([secret(NEXT)], check=False) == ["acme.1"]
        assert told(charon) == [(NAME, NEXT), (f"{NAME}-1", "")]
    assert PSK.encode().hex() not in (folder / FILE).read_text()


def test_a_site_uses_the_next_secret_and_takes_the_former_until_the_colo_has_let_go(folder: Path) -> None:
    Secrets(folder).apply([secret()], check=False, former="accept")
    with daemon(folder, secrets=[NAME]) as charon:
        assert Secrets(folder).apply([secret(NEXT)], check=False, former="accept") == ["acme.1"]
        assert told(charon) == [(f"{NAME}-1", PSK), (NAME, NEXT)]
    with daemon(folder, secrets=[NAME, f"{NAME}-1"]) as charon:
        assert Secrets(folder).apply([secret(NEXT)], check=False, former="accept") == []
        assert Secrets(folder).apply([secret(NEXT)], check=False) == ["acme.1"]
        assert told(charon) == [(NAME, NEXT), (f"{NAME}-1", "")]


@pytest.mark.parametrize("again", [PSK, "and one that comes after all"])
def test_whoever_changes_it_again_after_a_run_was_cut_short_shuts_nobody_out(folder: Path, again: str) -> None:
    """The site may have got the next one, or not."""
    Secrets(folder).apply([secret()], check=False)
    Secrets(folder).apply([secret(NEXT)], check=False, former="use")
    Secrets(folder).apply([secret(again)], check=False, former="use")
    with daemon(folder) as charon:
        Secrets(folder).recall(_vici.Session(), ["acme.1"])
        loaded_now = [data for _name, data in told(charon)]
    assert {PSK, NEXT, again} == set(loaded_now)
    assert loaded_now[-1] == PSK


@pytest.mark.parametrize("one", [DSL, connection("ex1-dsl")], ids=["site", "colo"])
def test_a_daemon_that_has_lost_its_secrets_is_told_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, one: Connection
) -> None:
    monkeypatch.setattr(_strongswan, "FOLDER", folder)
    Connections(folder).apply([(None, one)])
    Secrets(folder).apply([secret()], check=False)
    with daemon(folder, knows=[one.name], secrets=[NAME, "ike-admin"]) as charon:
        call()
        assert told(charon) == []
    with daemon(folder, knows=[one.name], secrets=["ike-admin"]) as charon:
        call()
        assert told(charon) == [(NAME, PSK)]


def test_whose_secrets_the_host_keeps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_strongswan, "FOLDER", folder)
    assert _strongswan.secrets_of() == []
    Connections(folder).apply([(None, DSL)])
    Secrets(folder).apply([secret(site="initech.20"), secret()], check=False)
    assert _strongswan.secrets_of() == ["acme.1", "initech.20"]
    monkeypatch.setattr(_strongswan, "FOLDER", folder / "gone")
    assert _strongswan.secrets_of() == []


def cut_short(run: Callable[[], object]) -> None:
    """A run that dies when it has written its files."""

    def die(*_args: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_vici, "runs", die)
        patch.setattr(_files.Folder, "_put_back", die)
        with pytest.raises(KeyboardInterrupt):
            run()


def test_connections_that_the_daemon_was_not_told_of_stay_so_when_secrets_are_told(folder: Path) -> None:
    cut_short(lambda: Connections(folder).apply([(None, DSL)]))
    Secrets(folder).apply([secret()], check=False)
    assert Connections(folder).read(["ex-dsl"]) == {DSL.place: Connection("ex-dsl", DSL.content, UNTOLD)}
    Connections(folder).apply([(None, DSL)])
    assert Connections(folder).read(["ex-dsl"]) == {DSL.place: DSL}


def test_secrets_that_the_daemon_was_not_told_of_stay_so_when_connections_are_told(folder: Path) -> None:
    cut_short(lambda: Secrets(folder).apply([secret()], check=False))
    Connections(folder).apply([(None, DSL)])
    with daemon(folder, secrets=[NAME]) as charon:
        assert Secrets(folder).apply([secret()], check=False) == ["acme.1"]
        assert shared() in charon.asked()
    assert names(folder) == [FILE, "extrude-ex-dsl.conf", "office.conf"]
    assert Secrets(folder).apply([secret()], check=False) == []


# --- what has become of them -------------------------------------------------------------------------


def association(name: str, host: str, **children: Any) -> bytes:
    return event("list-sa", {name: {"remote-host": host, "child-sas": children}})


def test_who_is_at_the_far_end(folder: Path) -> None:
    up_and_not_yet = association("ex-dsl", "203.0.113.2", one={"mode": "BEET"}) + association("ex-lte", "203.0.113.2")
    with daemon(folder, list_sas=up_and_not_yet + response({})):
        assert peers() == {"ex-dsl": "203.0.113.2"}
    assert peers() is None


JOURNAL = """#!/bin/sh
format="--output=json --output-fields=MESSAGE,IKE_SA_NAME"
[ "$*" = "--quiet --boot $format --lines=100 IKE_SA_NAME=ex-dsl IKE_SA_NAME=ex-cable" ] || exit
say() { echo "{\\"__CURSOR\\": \\"s\\", \\"IKE_SA_NAME\\": \\"$1\\", \\"MESSAGE\\": \\"$2\\"}"; }
say ex-dsl "giving up after 3 retransmits"
say ex-dsl "parsed IKE_AUTH response 1 [ N(AUTH_FAILED) ]"
say ex-dsl "received AUTHENTICATION_FAILED notify error"
say ex-cable "initiating IKE_SA ex-cable[4] to 203.0.113.2"
say ex-dsl "initiating IKE_SA ex-dsl[5] to 203.0.113.2"
"""


def test_why_tunnels_are_not_encrypted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "journalctl").write_text(JOURNAL)
    (folder.parent / "journalctl").chmod(0o755)
    monkeypatch.setattr(_programs, "find", lambda program: str(folder.parent / program))
    monkeypatch.setattr(_strongswan, "FOLDER", folder)
    Connections(folder).apply([(None, DSL), (None, CABLE)])
    asked = ["ex-dsl", "ex-cable", "ex-plain"]
    refused, silent = "received AUTHENTICATION_FAILED notify error", "IKE is not up"
    with daemon(folder):
        assert lacking(asked) == {"ex-dsl": refused, "ex-cable": silent}
    with daemon(folder, list_sas=association("ex-dsl", "203.0.113.2", one={}) + response({})):
        assert lacking(asked) == {"ex-cable": silent}
    assert lacking(asked) == dict.fromkeys(asked[:2], "strongSwan does not run")
    assert lacking(["ex-plain"]) == {}
