# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _certificate, _files, _strongswan, _vici
from ansible_collections.multihome.extrude.plugins.module_utils._certificate import Certificates, key_of, present, until
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from tests.unit.certificates import pair
from tests.unit.charon import Charon, event, response

DONE = response({"success": "yes"})


SAMPLE = """\
-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUP79xGk5JqDGsPg4gmec0Pk9RPyowCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGc2FtcGxlMCAXDTI2MTEyMzIzMDMwOVoYDzIxMjYxMDMwMjMw
MzA5WjARMQ8wDQYDVQQDDAZzYW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARMulENKvSvGmhuYXsAlrYb49uGW9Se4YqaQfbJ2+xuNgsvA1zVV6dPnxMVBIu7
NKF1Bb6pXwHGrKB2SePlW+3Bo1MwUTAdBgNVHQ4EFgQUQB2C+y7n5ReklN8JKMZr
uukET5wwHwYDVR0jBBgwFoAUQB2C+y7n5ReklN8JKMZruukET5wwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAnrPpbvDXFXZYvDObetkr/J3h6qal
3WIdmFQk3fK2zpICID9lr2lh1c4kwYgTAobwMnUq3LUE7UGYL9RYmyFhzceX
-----END CERTIFICATE-----
"""
SAMPLE_KEY = "401d82fb2ee7e517a494df0928c66bbae9044f9c"
"""What openssl has as the certificate's Subject Key Identifier."""
END = datetime(2027, 11, 23, 12, tzinfo=UTC)
KEYS = dict(pair(END) for _number in range(3))
OWN, NEXT, AUTHORITY = KEYS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the files; no daemon runs."""
    monkeypatch.setattr(_vici, "SOCKET", tmp_path / "charon.vici")
    made = tmp_path / "swanctl"
    made.mkdir()
    return made


def daemon(listed: Sequence[Mapping[str, object]] = (), taken: bytes = DONE) -> Charon:
    """A daemon that lists these certificates."""
    answers = {
        "list-certs": b"".join(event("list-cert", one) for one in listed) + response({}),
        "load-key": response({"success": "yes", "id": "the next"}),
        "unload-key": DONE,
        "load-cert": taken,
        "list-sas": response({}),
        "get-conns": response({"conns": ["ex-dsl", "office"]}),
        "initiate": DONE,
    }
    return Charon(_vici.SOCKET, answers, events=("list-cert", "list-sa"))


def listed(text: str, **about: str) -> dict[str, str]:
    return {"type": "X509", "flag": "NONE", "data": ssl.PEM_cert_to_DER_cert(text).decode(errors="replace"), **about}


KNOWN = [listed(OWN, has_privkey="yes"), listed(AUTHORITY, flag="CA")]


ALL = ["x509ca/extrude.pem", "private/extrude.pem", "x509/extrude.pem"]


def apply(folder: Path, certificate: str = OWN, check: bool = False) -> list[str]:
    (folder / "extrude.key").write_text(KEYS[certificate])
    changes = Certificates(folder).apply(certificate, AUTHORITY, check)
    return [after.path for _before, after in changes if after]


def test_both_are_kept_and_stay(folder: Path) -> None:
    assert present(folder) == ""
    assert apply(folder, check=True) == ALL
    assert not (folder / "x509").exists()
    assert apply(folder) == ALL
    assert present(folder) == OWN
    assert (folder / "x509ca" / "extrude.pem").read_text() == AUTHORITY
    assert apply(folder) == []
    assert apply(folder, NEXT) == ["private/extrude.pem", "x509/extrude.pem"]
    assert (folder / "private" / "extrude.pem").read_text() == KEYS[NEXT]
    assert (folder / "private" / "extrude.pem").stat().st_mode & 0o777 == 0o600


def test_a_running_daemon_takes_the_key_before_the_certificate_and_calls(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_strongswan, "FOLDER", folder)
    (folder / "extrude-ex-dsl.conf").touch()
    with daemon() as charon:
        apply(folder)
        asked = [one for one in charon.asked() if one[0] != "register"]
    assert asked == [
        ("load-key", {"type": "any", "data": KEYS[OWN]}),
        ("load-cert", {"type": "X509", "flag": "CA", "data": AUTHORITY}),
        ("load-cert", {"type": "X509", "flag": "NONE", "data": OWN}),
        ("list-sas", {}),
        ("get-conns", {}),
        ("initiate", {"child": "ex-dsl", "timeout": "-1"}),
    ]


def test_a_daemon_that_hangs_is_told_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vici, "_SOON", 0.05)
    with Charon(_vici.SOCKET, {}, silent=True):
        assert apply(folder) == ALL
    assert present(folder) == OWN
    assert (folder / ".untold-certificate").exists()


def test_a_daemon_that_knows_both_is_left_alone(folder: Path) -> None:
    apply(folder)
    with daemon(KNOWN):
        assert apply(folder) == []


@pytest.mark.parametrize("known", [[], KNOWN[1:], [listed(OWN), KNOWN[1]], [listed(NEXT, has_privkey="yes"), KNOWN[1]]])
def test_a_daemon_that_lacks_one_or_its_key_is_told(folder: Path, known: Sequence[Mapping[str, object]]) -> None:
    apply(folder)
    with daemon(known) as charon:
        assert "x509/extrude.pem" in apply(folder)
        assert "load-cert" in [command for command, _message in charon.asked()]


def test_the_former_key_is_unloaded_so_that_its_certificate_is_not_used(folder: Path) -> None:
    apply(folder)
    with daemon() as charon:
        apply(folder, NEXT)
        asked = [one for one in charon.asked() if one[0].endswith("-key")]
    assert asked == [("load-key", {"type": "any", "data": KEYS[NEXT]}), ("unload-key", {"id": key_of(OWN)})]


def test_the_daemon_forgets_the_key_of_a_certificate_that_is_removed(folder: Path) -> None:
    apply(folder)
    with daemon() as charon:
        assert len(Certificates(folder).remove(check=True)) == 4
        assert len(Certificates(folder).remove(check=False)) == 4
        asked = [one for one in charon.asked() if one[0] != "register"]
    assert asked == [("unload-key", {"id": key_of(OWN)})]
    assert Certificates(folder).remove(check=False) == []


def test_what_the_daemon_calls_a_key() -> None:
    assert key_of(SAMPLE) == SAMPLE_KEY
    assert key_of("no certificate") is None


def test_a_daemon_that_refuses_changes_nothing(folder: Path) -> None:
    refused = response({"success": "no", "errmsg": "parsing X.509 certificate failed"})
    with daemon(taken=refused), pytest.raises(EngineError, match=r"does not take x509ca/extrude.pem: parsing"):
        apply(folder)
    assert present(folder) == ""


def test_what_was_not_told_is_told_by_the_next_run(folder: Path) -> None:
    apply(folder)
    (folder / ".untold-certificate").touch()
    assert apply(folder) == ALL
    assert apply(folder) == []


def test_until_the_new_certificate_stands_the_former_one_has_its_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(folder)
    spare, seen, write = folder / "private/extrude-former.pem", [], _files.Folder.apply

    def watched(self: _files.Folder, changes: Sequence[_files.Change]) -> None:
        seen.append((spare.read_text(), spare.stat().st_mode & 0o777))
        write(self, changes)

    monkeypatch.setattr(_files.Folder, "apply", watched)
    apply(folder, NEXT)
    assert seen == [(KEYS[OWN], 0o600)]
    assert not spare.exists()


def test_without_a_private_key(folder: Path) -> None:
    with pytest.raises(EngineError, match=r"there is no private key in .*/extrude.key"):
        Certificates(folder).apply(OWN, AUTHORITY, check=False)


@pytest.mark.parametrize("key", [KEYS[NEXT], "no key"])
def test_a_certificate_for_another_key_is_not_taken(folder: Path, key: str) -> None:
    apply(folder)
    (folder / "extrude.key").write_text(key)
    with pytest.raises(EngineError, match=r"the certificate is for another key than that in .*/extrude.key"):
        Certificates(folder).apply(OWN, AUTHORITY, check=False)
    assert (folder / "private" / "extrude.pem").read_text() == KEYS[OWN]


def test_when_a_certificate_expires() -> None:
    assert until(OWN) == END


@pytest.mark.parametrize("text", ["", "no certificate", "\udcff"])
def test_when_that_cannot_be_told(text: str) -> None:
    assert until(text) is None


def test_without_the_library_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_certificate, "has_cryptography", lambda: False)
    assert until(OWN) is None
