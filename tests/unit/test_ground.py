"""Glob patterns, numbers, durations, settings, the keyspace's expiry and owned keys."""

from __future__ import annotations

import fnmatch
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis import args
from heroredis.args import check_repetitions, random_count, read_bound, read_float
from heroredis.clock import ManualClock
from heroredis.durations import parse_duration_ms
from heroredis.errors import RedisError
from heroredis.glob import matches
from heroredis.keyspace.space import Space
from heroredis.settings import SettingsError, load, unknown_variables

ALPHABET = "abc*?"


@settings(max_examples=500, deadline=None)
@given(st.text(ALPHABET, max_size=12), st.text("abc", max_size=12))
def test_stars_and_question_marks_match_as_in_a_shell(pattern: str, text: str) -> None:
    assert matches(pattern.encode(), text.encode(), False) == fnmatch.fnmatchcase(text, pattern)


@pytest.mark.parametrize(("pattern", "text", "expected"), [
    (b"h[ae]llo", b"hello", True), (b"h[^e]llo", b"hello", False), (b"h[a-b]llo", b"hbllo", True), (b"\\*", b"*", True),
    (b"\\*", b"x", False), (b"[\\]]", b"]", True), (b"a[", b"a[", False),
])
def test_classes_and_escapes(pattern: bytes, text: bytes, expected: bool) -> None:
    assert matches(pattern, text, False) is expected


def test_a_hostile_pattern_costs_little() -> None:
    assert not matches(b"a*" * 30 + b"b", b"a" * 5000, False)


@pytest.mark.parametrize(("text", "value"), [
    (b"0", 0), (b"-1", -1), (b"9223372036854775807", (1 << 63) - 1), (b"-9223372036854775808", -(1 << 63)),
    (b"9223372036854775808", None), (b"", None), (b"-", None), (b"01", None), (b"+1", None), (b" 1", None),
    (b"1 ", None),
    (b"1_0", None), (b"-0", None), ("١".encode(), None),
])
def test_integers_are_read_strictly(text: bytes, value: int | None) -> None:
    assert args.read_int(text) == value


@pytest.mark.parametrize(("text", "value"), [
    (b"1.5", 1.5), (b"inf", float("inf")), (b"nan", None), (b" 1", None), (b"1_0", None), (b"", None), (b"1e3", 1000.0),
])
def test_floats(text: bytes, value: float | None) -> None:
    assert args.read_float(text) == value


@pytest.mark.parametrize(("text", "value"), [
    ("100ms", 100), ("1.5s", 1500), ("2m", 120_000), (250, 250), ("1h", 3_600_000),
])
def test_durations(text: object, value: int) -> None:
    assert parse_duration_ms(text) == value


def test_keys_expire_when_looked_at_and_when_due() -> None:
    clock = ManualClock()
    space = Space(2, clock)
    db = space.databases[0]
    for number in range(10):
        db.store(b"%d" % number, b"x")
        db.set_expiry(b"%d" % number, clock.now_ms() + 100 * number)
    clock.advance(450)
    assert space.expire_due(3) == 3
    assert db.size() == 7
    assert db.lookup(b"4") is None
    assert (db.lookup(b"5"), db.expired) == (b"x", 4)
    db.persist(b"5")
    clock.advance(10_000)
    space.expire_due(100)
    assert db.keys() == [b"5"]


def test_owned_keys_stay_through_flush_and_swap() -> None:
    space = Space(2, ManualClock())
    space.own((b"own:",))
    one, two = space.databases
    one.store(b"own:a", b"1")
    one.store(b"plain", b"2")
    two.store(b"own:b", b"3")
    space.swap(0, 1)
    assert (sorted(one.data), sorted(two.data)) == ([b"own:a"], [b"own:b", b"plain"])
    space.flush(None)
    assert (sorted(one.data), sorted(two.data)) == ([b"own:a"], [])


def test_settings_rise_from_file_over_environment_to_command_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('data_dir = "from-file"\n[redis]\ntcp_port = 1001\n[jobs]\nworker_count = 7\n')
    config = load(str(file), {"HEROREDIS_REDIS_TCP_PORT": "1002"}, {"redis.tcp_port": ("--port", "1003")})
    assert (config.data_dir, config.redis.tcp_port, config.jobs.worker_count) == ("from-file", 1003, 7)
    assert load(str(file), {"HEROREDIS_REDIS_TCP_PORT": "1002"}).redis.tcp_port == 1002


@pytest.mark.parametrize(("environ", "parts"), [
    ({"HEROREDIS_REDIS_TCP_PORT": "x"}, ["redis.tcp_port", "'x'", "whole number"]),
    ({"HEROREDIS_REDIS_BIND": "0.0.0.0"}, ["redis.bind", "0.0.0.0", "password"]),
    ({"HEROREDIS_DURABILITY": "maybe"}, ["durability", "maybe", "always"]),
    ({"HEROREDIS_JOBS_WORKER_COUNT": "-1"}, ["jobs.worker_count", "-1"]),
])
def test_bad_settings_name_option_value_and_fix(environ: dict[str, str], parts: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, environ)
    for part in parts:
        assert part in str(caught.value)


def test_variables_that_no_part_of_heroredis_reads_are_named() -> None:
    read = ("HEROREDIS_URL", "HEROREDIS_PURE", "HEROREDIS_CONFIG", "HEROREDIS_WORKER", "HEROREDIS_DATA_DIR", "HOME")
    assert unknown_variables(dict.fromkeys((*read, "HEROREDIS_DATADIR"), "x")) == ["HEROREDIS_DATADIR"]


def test_an_unknown_option_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[redis]\ntcp_prot = 1\n")
    with pytest.raises(SettingsError, match=r"did you mean redis\.tcp_port"):
        load(str(file), {})


@pytest.mark.parametrize(("text", "score", "bound"), [
    (b"1", 1.0, 1.0), (b"-1.5e3", -1500.0, -1500.0), (b"inf", math.inf, math.inf), (b"-Infinity", -math.inf, -math.inf),
    (b"0x1p3", 8.0, 8.0), (b"-0X.8", -0.5, -0.5), (b"1e400", None, math.inf), (b"-1e400", None, -math.inf),
    (b"0x1p5000", None, math.inf), (b"1e-400", None, 0.0), (b"0e5", 0.0, 0.0), (b"0.000", 0.0, 0.0),
    (b"", None, 0.0), (b" 1", None, 1.0), (b"1 ", None, None), (b"1_0", None, None), (b"0x", None, None),
    (b"nan", None, None), (b"1\x00x", None, 1.0), (b"9" * 400, None, math.inf), (b"99999999999999999999", 1e20, 1e20),
])
def test_doubles_are_read_as_redis_reads_them(text: bytes, score: float | None, bound: float | None) -> None:
    assert (read_float(text), read_bound(text)) == (score, bound)


def test_random_elements_with_repetitions_are_bounded() -> None:
    assert random_count(b"-9223372036854775807") == -9223372036854775807
    assert random_count(b"9223372036854775807") == 9223372036854775807
    for text in (b"-9223372036854775808", b"x"):
        with pytest.raises(RedisError):
            random_count(text)
    check_repetitions(-1048576)
    with pytest.raises(RedisError):
        check_repetitions(-1048577)
