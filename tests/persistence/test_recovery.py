"""Loading: torn ends, damage with its place, foreign and old layouts, and any power failure."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from heroredis.framing import MAX_ARGUMENTS
from heroredis.persistence.files import DiskFiles
from heroredis.persistence.manifest import Manifest, ManifestError, Part, read_manifest
from heroredis.persistence.recovery import RecoveryError
from ourdb.faulty import Disk
from tests.differential.harness import encode
from tests.persistence.house import BASE, INCREMENT, MANIFEST, Kept, again


def disk_with(increment: bytes, base: bytes = b"") -> Disk:
    disk = Disk()
    disk.put(BASE, base)
    disk.put(INCREMENT, increment)
    disk.put(MANIFEST, f"file {BASE} seq 1 type b\nfile {INCREMENT} seq 1 type i\n".encode())
    return disk


def requests(*commands: tuple[bytes | str | int, ...]) -> bytes:
    return b"".join(encode(*command) for command in commands)


SELECT = ("SELECT", 0)


def test_a_file_cut_at_any_byte_loses_what_is_not_whole_and_nothing_else() -> None:
    commands = [SELECT, ("SET", "a", "1"), ("MULTI",), ("SET", "b", "2"), ("INCR", "a"), ("EXEC",),
                ("SET", "c", "\r\n*3"), ("SELECT", 3), ("RPUSH", "l", "x", "")]
    whole = requests(*commands)
    ends = [len(requests(*commands[:count])) for count in range(len(commands) + 1) if count not in (3, 4, 5)]
    full = Kept(disk_with(whole)).start()
    for cut in range(len(whole) + 1):
        disk = disk_with(whole[:cut])
        kept = Kept(disk).start()
        assert len(disk.now[INCREMENT]) == max(end for end in ends if end <= cut), cut
        names = [name for keys in kept.data().values() for name in keys]
        assert names == [b"a", b"b", b"c", b"l"][: sum(cut >= end for end in (ends[2], ends[3], ends[4], ends[6]))]
        kept.call("SET", "z", "after")
        kept.stop()
        assert again(kept).data()[0][b"z"] == (b"after", -1)
    assert full.call("GET", "a") == b"$1\r\n2\r\n"


def test_a_torn_end_is_refused_when_it_may_not_be_cut() -> None:
    whole = requests(SELECT, ("SET", "a", "1"))
    wanted = rf"Unexpected end of file .*{INCREMENT} ends in the middle .* offset {len(whole)}; set aof-load-tr"
    with pytest.raises(RecoveryError, match=wanted):
        Kept(disk_with(whole + b"*3\r\n$3"), aof_load_truncated=b"no").start()


def test_a_torn_end_before_further_files_is_damage() -> None:
    with pytest.raises(RecoveryError, match=f"{BASE} ends in the middle .* offset 0, though"):
        Kept(disk_with(requests(SELECT), base=b"*3\r\n$3")).start()


@pytest.mark.parametrize("wrong", [
    b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$x\r\n", b"\0" * 40, b"*1000000000\r\n", b"SET a 1\r\n", b"*2\r\n:1\r\n",
    b"*-1\r\n", b"*0\r\n", b"*1\r\n$-1\r\n"])
@pytest.mark.parametrize("before", [0, 1, 700])
def test_damage_is_refused_with_its_place(wrong: bytes, before: int) -> None:
    good = requests(SELECT, *[("SET", f"key-{number}", "x" * 70) for number in range(before)])
    with pytest.raises(RecoveryError, match=f"Bad file format .*{INCREMENT} is damaged at offset {len(good)}: "):
        Kept(disk_with(good + wrong + requests(("SET", "b", "1")))).start()


@pytest.mark.parametrize("before", [0, 700])
def test_a_command_that_nobody_knows_is_refused_with_its_place(before: int) -> None:
    good = requests(SELECT, *[("SET", f"key-{number}", "x" * 70) for number in range(before)])
    for wrong in (("NOPE", "a"), ("SET", "a"), ("SELECT", 99)):
        with pytest.raises(RecoveryError, match=f"{INCREMENT} at offset {len(good)}: "):
            Kept(disk_with(good + requests(wrong, ("SET", "b", "1")))).start()


def test_annotations_are_read_over_also_across_slices() -> None:
    long = b"#" + b"x" * 40_000 + b"\r\n"
    data = b"#TS:17\r\n" + requests(SELECT, ("SET", "a", "1")) + long + requests(("SET", "b", "2")) + b"#TS:1\r\n"
    kept = Kept(disk_with(data)).start()
    assert list(kept.data()[0]) == [b"a", b"b"]
    assert bytes(kept.disk.now[INCREMENT]) == data


def test_a_request_with_more_arguments_than_a_client_may_send_is_loaded() -> None:
    """Redis takes up to 2,147,483,647."""
    count = MAX_ARGUMENTS + 1
    data = b"*%d\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n" % (count + 2) + b"$0\r\n\r\n" * count
    kept = Kept(disk_with(requests(SELECT) + data)).start()
    assert kept.call("LLEN", "l") == b":%d\r\n" % count


def test_an_rdb_preamble_is_refused_by_name() -> None:
    with pytest.raises(RecoveryError, match=r"RDB preamble.*aof-use-rdb-preamble no"):
        Kept(disk_with(b"", base=b"REDIS0010rest")).start()


def test_a_missing_file_is_refused() -> None:
    disk = disk_with(b"")
    disk.remove(BASE)
    with pytest.raises(RecoveryError, match=f"{BASE} is named in the manifest but is not there"):
        Kept(disk).start()


@pytest.mark.parametrize("manifest", [None, b"# nothing\n"])
def test_files_that_no_manifest_names_count_for_nothing_and_are_not_written_over(
        manifest: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
    """Redis starts empty there, and loses them."""
    data = requests(SELECT, ("SET", "a", "1"))
    disk = disk_with(data)
    disk.remove(MANIFEST)
    if manifest is not None:
        disk.put(MANIFEST, manifest)
    kept = Kept(disk).start()
    assert kept.data() == {}
    assert f"no {MANIFEST} names {BASE}, {INCREMENT}: they" in caplog.text
    kept.call("SET", "b", "2")
    kept.call("SAVE")
    kept.stop()
    assert list(again(kept).data()[0]) == [b"b"]
    assert bytes(kept.disk.now[INCREMENT]) == data
    assert bytes(kept.disk.now[BASE]) == b""


def test_what_had_expired_before_it_was_written_again_does_not_come_back() -> None:
    """PEXPIREAT in the past must not take the key away before the commands that still found it there."""
    data = requests(SELECT, ("SET", "a", 5), ("PEXPIREAT", "a", 1_600_000_000_000), ("INCR", "a"), ("RENAME", "a", "b"),
                    ("PERSIST", "b"), ("SET", "c", 1, "PXAT", 1_600_000_000_000))
    assert Kept(disk_with(data)).start().data() == {0: {b"b": (b"6", -1)}}


def test_relative_expiries_of_older_servers_count_from_now() -> None:
    kept = Kept(disk_with(requests(SELECT, ("SETEX", "a", 10, 1), ("SET", "b", 1), ("EXPIRE", "b", 10)))).start()
    at = kept.clock.now_ms() + 10_000
    assert kept.data()[0] == {b"a": (b"1", at), b"b": (b"1", at)}


def test_a_single_file_of_an_older_server_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof").write_bytes(requests(SELECT, ("SET", "a", "1")))
    for round_number in range(2):
        kept = Kept()
        kept.server.persistence.use(DiskFiles(tmp_path / "appendonlydir"), DiskFiles(tmp_path))
        kept.start()
        assert list(kept.data()[0]) == [b"a", b"b"][: 1 + round_number]
        kept.call("SET", "b", 2)
        kept.stop()
    assert (tmp_path / "appendonlydir" / "appendonly.aof.manifest").read_text() == (
        "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["appendonlydir"]


def test_manifests() -> None:
    text = b'# note\nfile "a \\x00b.aof" seq 3 type b\nfile old seq 1 type h\nfile x.1 seq 1 type i startoffset 0\n'
    read = read_manifest(text)
    assert [(part.name, part.number, part.kind) for part in read.parts] == [
        ("a \x00b.aof", 3, "b"), ("old", 1, "h"), ("x.1", 1, "i")]
    again_read = read_manifest(Manifest([Part('q"uo te\xe4', 1, "b"), *read.increments]).text())
    assert again_read.parts[0].name == 'q"uo te\xe4'
    assert read_manifest(b"# only\n" + b"#" + b"x" * 1022 + b"\n").parts == []
    lenient = read_manifest(b" FILE a\tSeq 2x TYPE base \r\n").parts[0]
    assert (lenient.name, lenient.number, lenient.kind) == ("a", 2, "b")
    bad_format = "Invalid AOF manifest file format"
    for wrong, why in (
            (b"", "Found an empty AOF manifest"), (b"file a seq 1 type b", "contains too long line"),
            (b"#" + b"x" * 1024 + b"\n" + text, bad_format),
            (b"file a seq 0 type b\n", bad_format), (b"file a\\b seq 1 type b\n", bad_format),
            (b"file a seq 1\n", bad_format), (b"file a seq x type b\n", bad_format), (b"\n" + text, bad_format),
            (b"file ../a seq 1 type b\n", bad_format), (b'file "a seq 1 type b\n', bad_format),
            (b"file a seq 1 type b\nfile b seq 2 type b\n", "Found duplicate base file information"),
            (b"file a seq 2 type i\nfile b seq 1 type i\n", "Found a non-monotonic sequence number"),
            (b"file a seq 1 type z\n", "Unknown AOF file type")):
        with pytest.raises(ManifestError, match=why):
            read_manifest(wrong)


def test_after_a_power_failure_what_was_answered_under_always_is_there() -> None:
    rng = random.Random(7)
    for _ in range(300):
        kept = Kept(appendfsync=b"always").start()
        answered: dict[bytes, object] = {}
        written: dict[bytes, object] = {}
        for number in range(rng.randint(0, 6)):
            name = b"key-%d" % number
            kept.call("SET", name, "x" * rng.choice((1, 600)))
            written[name] = kept.data()[0][name]
            if rng.random() < 0.6:
                kept.server.persistence.output.sync_now()
                answered.update(written)
        twin = Kept(kept.disk.power_cut(rng), kept.clock)
        try:
            twin.start()
        except RecoveryError:
            # Sectors of an unsynced tail may be lost before others that are there; it is told, nothing is served.
            assert len(written) > len(answered)
            continue
        found = twin.data().get(0, {})
        assert answered.items() <= found.items()
        assert found.items() <= written.items()
        twin.stop()
        kept.stop()
