"""A process that writes, rolls over, saves checkpoints and compacts without end: what it had said is there after it was
killed, and for a reader beside it."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from ourdb import OurDB
from ourdb.check import check
from ourdb.files import Files

ROOT = Path(__file__).parents[2]
WRITER = """
import random, sys, threading
from ourdb import OurDB
db = OurDB(sys.argv[1], segment_size=30_000, checkpoint_every=20_000)
rng = random.Random(int(sys.argv[2]))
newest = {record_id: int(db.get(record_id).split()[1]) for record_id in db.ids()}

def compact():
    while True:
        db.compact(3)

threading.Thread(target=compact, daemon=True).start()
while True:
    some = []
    for _ in range(rng.randint(1, 20)):
        record_id = rng.randint(1, 40)
        newest[record_id] = newest.get(record_id, 0) + 1
        db.append(b"%d %d " % (record_id, newest[record_id]) + bytes(rng.randint(0, 300)), record_id)
        some.append("%d:%d" % (record_id, newest[record_id]))
    db.flush()
    print(*some, flush=True)
"""


def numbers_of(line: str) -> dict[int, int]:
    """What a line of the writer acknowledges: by id, the number of its newest version."""
    return {int(word.split(":")[0]): int(word.split(":")[1]) for word in line.split()} if line.endswith("\n") else {}


def numbers_in(db: OurDB, record_id: int) -> list[int]:
    return [int((version.data or b"").split()[1]) for version in db.get_history(record_id)]


@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    acknowledged: dict[int, int] = {}
    for turn in range(4):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(turn)], cwd=ROOT, text=True,
                                   stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            lines = [process.stdout.readline() for _ in range(rng.randint(20, 800))]
            process.kill()
            lines += process.stdout.readlines()
        process.wait(timeout=60)
        for line in lines:
            acknowledged |= numbers_of(line)
        with OurDB(tmp_path, read_only=True) as db:
            for record_id, number in acknowledged.items():
                found = numbers_in(db, record_id)
                assert found[0] >= number
                assert found == list(range(found[0], found[0] - len(found), -1))
                assert len(found) >= min(3, number)
        assert check(Files(tmp_path)).faults == []


def test_a_reader_sees_all_that_was_committed_whatever_the_writer_takes_away(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "1"], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        acknowledged = numbers_of(process.stdout.readline())
        with OurDB(tmp_path, read_only=True) as db:
            for turn in range(600):
                acknowledged |= numbers_of(process.stdout.readline())
                db.refresh()
                assert db.faults == []
                for record_id, number in acknowledged.items():
                    found = numbers_in(db, record_id)
                    assert found[0] >= number
                    assert found == list(range(found[0], found[0] - len(found), -1))
                if not turn % 20:
                    feed = {change.id: int((change.data or b"").split()[1]) for change in db.changes()}
                    assert all(feed[record_id] >= number for record_id, number in acknowledged.items())
                    with OurDB(tmp_path, read_only=True) as fresh:
                        assert fresh.faults == []
                        assert all(numbers_in(fresh, record_id)[0] >= number
                                   for record_id, number in acknowledged.items())
    finally:
        process.kill()
        process.stdout.close()
        process.wait(timeout=60)
