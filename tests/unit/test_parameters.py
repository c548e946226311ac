"""The values of Redis's parameters: read, kept as numbers, told to who listens, hidden where they are secret."""

from __future__ import annotations

import pytest

from heroredis.config.table import ALIASES, TABLE
from heroredis.parameters import Parameters, Refused


def test_every_default_is_a_value_of_its_kind() -> None:
    for one in TABLE.values():
        if one.name == "dir":  # it has to exist; the factory sets it
            continue
        words = one.default.split(b" ") if one.kind.several else [one.default]
        assert one.kind.read(one.default, words) == one.default, one.name
    assert set(ALIASES) & set(TABLE) == set()


def test_every_written_value_is_read_again() -> None:
    for one in TABLE.values():
        if one.name in ("dir", "client-output-buffer-limit", "save"):
            continue
        [line] = one.kind.written(one.default)
        words = line.replace(b'""', b"").split(b" ") if one.kind.several else [line]
        assert one.kind.read(one.default, words) == one.default, one.name


def test_numbers_are_kept_beside_the_texts() -> None:
    parameters = Parameters()
    assert parameters.integer("databases") == 16
    assert parameters.change("maxmemory", b"2kb") == ""
    assert (parameters.get("maxmemory"), parameters.integer("maxmemory")) == (b"2048", 2048)
    assert parameters.change("maxmemory-clients", b"7%") == ""
    assert parameters.integer("maxmemory-clients") == -7
    assert parameters.change("latency-tracking", b"NO") == ""
    assert not parameters.is_on("latency-tracking")


def test_an_alias_is_the_same_parameter() -> None:
    parameters = Parameters()
    assert parameters.change("hash-max-ziplist-entries", b"7") == ""
    assert parameters.integer("hash-max-listpack-entries") == 7
    assert parameters.get("hash-max-ziplist-entries") == b"7"


def test_who_listens_is_called_once_and_may_refuse() -> None:
    parameters = Parameters()
    seen: list[tuple[bytes, bytes]] = []

    def apply() -> str:
        seen.append((parameters.get("timeout"), parameters.get("tcp-keepalive")))
        return "no" if parameters.get("timeout") == b"9" else ""

    parameters.when_changed("timeout tcp-keepalive", apply)
    parameters.change_all([("timeout", b"1"), ("tcp-keepalive", b"2")], True)
    assert seen == [(b"1", b"2")]
    parameters.change_all([("timeout", b"1"), ("tcp-keepalive", b"2")], True)
    assert len(seen) == 1
    with pytest.raises(Refused) as refused:
        parameters.change_all([("tcp-keepalive", b"5"), ("timeout", b"9")], True)
    assert (refused.value.name, refused.value.reason) == ("tcp-keepalive", "no")
    assert seen[1:] == [(b"9", b"5"), (b"1", b"2")]
    assert parameters.get("timeout") == b"1"


def test_a_secret_shows_only_that_it_is_set() -> None:
    parameters = Parameters()
    assert parameters.shown("requirepass") == b""
    parameters.put("requirepass", b"canary")
    assert dict(parameters.matching(b"*"))["requirepass"] == b"***"
    assert parameters.matching(b"REQUIREPASS") == [("REQUIREPASS", b"***")]
    assert parameters.change("requirepass", b"***") == ""
    assert parameters.get("requirepass") == b"canary"
    assert parameters.change("requirepass", b"") == ""
    assert parameters.get("requirepass") == b""


def test_protected_ones_follow_where_the_client_is() -> None:
    for allowed, is_local, works in ((b"no", True, False), (b"local", True, True), (b"local", False, False),
                                     (b"yes", False, True)):
        parameters = Parameters(enable_protected_configs=allowed)
        if works:
            parameters.change_all([("dbfilename", b"x.rdb")], is_local)
        else:
            with pytest.raises(Refused, match="can't set protected config"):
                parameters.change_all([("dbfilename", b"x.rdb")], is_local)
