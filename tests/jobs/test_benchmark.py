"""The harness of benchmarks/jobs: what it reads, what it counts, and that its programs run. No timing is judged."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.jobs import compare, install, scale
from benchmarks.jobs.brokers import beanstalkd_command, redis_command
from benchmarks.jobs.peers import DURABLE, FASTEST, KEPT, OURS, PEERS, Peer
from benchmarks.jobs.trial import marks_of, rates, trial, wanted_marks
from jobs.ourdb_store import OurDBStore
from ourdb import OurDB

ROUND = {"cycle": 1000.0, "cycles": [1000.0], "peers": {
    ("RQ", DURABLE): {"created": 400.0, "drained": 100.0, "end_to_end": 50.0},
    (OURS.name, DURABLE): {"created": 5000.0, "drained": 500.0, "end_to_end": 400.0}}}
CALIBRATION = {"fdatasync_4k_us": 100.0, "python_loop_ms": 60.0, "cores": 2.0, "load": 0.1}


def found(**changed: object) -> compare.Found:
    rows = compare.rows([ROUND], [OURS, *PEERS])
    return {"form": "compiled", "rounds": 1, "before": CALIBRATION, "after": CALIBRATION, "missing": {}, "failures": {},
            "own": {**dict.fromkeys(compare.BARS, 1e6), **dict.fromkeys(compare.LIMITS, 0.1)}, "rows": rows, **changed}


def test_an_unfinished_mark_is_not_read() -> None:
    assert marks_of("1 500\n101 9000\n202 12") == {1: 500, 101: 9000}
    assert marks_of("") == {}
    assert marks_of("error: no broker\n") == {}


def test_rates_come_from_what_producer_and_worker_noted() -> None:
    begun, drained, ended = wanted_marks(100)
    assert (begun, drained, ended) == (1, 101, 202)
    second = 1_000_000_000
    marks = {begun: 10 * second, drained: 12 * second, ended: 25 * second}
    assert rates(100, {"begin": 0, "end": second}, {"begin": 20 * second, "end": 21 * second}, marks) == {
        "created": 100.0, "drained": 50.0, "end_to_end": 20.0}


def test_the_durable_brokers_sync_every_write() -> None:
    assert "--appendfsync always" in " ".join(redis_command(1, DURABLE))
    assert "--appendonly no" in " ".join(redis_command(1, FASTEST))
    assert beanstalkd_command(1, DURABLE, Path("/f"))[-3:] == ["-b", "/f", "-f0"]
    assert "-b" not in beanstalkd_command(1, FASTEST, Path("/f"))


def test_every_row_says_what_is_kept() -> None:
    assert all((peer.broker, setting) in KEPT for peer in [OURS, *PEERS] for setting in peer.settings)


def test_ratios_are_ours_by_theirs() -> None:
    rows = {row["peer"]: row for row in compare.rows([ROUND], [OURS, *PEERS])}
    assert set(rows) == {"RQ", OURS.name}
    assert (rows["RQ"]["ratio_end_to_end"], rows["RQ"]["ratio_drained"]) == (20.0, 10.0)


def test_a_missed_bar_and_a_loaded_machine_are_said() -> None:
    shown = "\n".join(compare.lines(found()))
    assert "MISSED" not in shown
    assert "LOADED" not in shown
    assert "MISSED" in "\n".join(compare.lines(found(own={**found()["own"], "threads_per_s": 1.0})))
    assert "LOADED" in "\n".join(compare.lines(found(after={**CALIBRATION, "load": 5.0})))
    assert "NOT MEASURED: RQ: no network" in "\n".join(compare.lines(found(missing={"RQ": "no network"})))


def test_a_peer_that_cannot_be_installed_is_told_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    def unavailable(peer: Peer) -> list[str]:
        if peer is OURS:
            return ["python"]
        raise install.Missing("no network")
    commands, missing = compare.present(["BullMQ"], unavailable)
    assert commands == {OURS.name: ["python"]}
    assert missing == {"BullMQ": "no network"}
    assert "*** BullMQ IS NOT MEASURED: no network" in capsys.readouterr().out


def test_the_big_store_holds_what_it_says(tmp_path: Path) -> None:
    scale.fill(tmp_path, 30, 10)
    assert len(scale.PARAMS) == 120
    store = OurDBStore(OurDB(tmp_path / "data" / "jobsdb"))
    try:
        states = [job.state for job in store.newest()]
        assert (states.count("done"), states.count("new")) == (30, 10)
        assert [job.version for job in store.history(7, 9)] == [3, 2, 1]
    finally:
        store.close()


@pytest.mark.parametrize("peer", [OURS, *PEERS], ids=lambda peer: peer.name)
def test_the_program_of_each_peer_runs_every_job(peer: Peer) -> None:
    broker = install.BROKERS[peer.broker]
    if broker and shutil.which(broker) is None:
        pytest.skip(f"{broker} is not installed; `make bench` brings it where it can")
    if not peer.is_own and not (install.environment(peer) / install.MARK).exists():
        pytest.skip(f"{peer.name} is not installed for the benchmarks; `make bench` installs it in .bench/")
    if os.environ.get("CI") == "true" and peer is not OURS:
        pytest.skip("the peers are run by `make bench`, not by CI")
    for setting in peer.settings:
        assert set(trial(peer, install.interpreter(peer), setting, 100)) == {"created", "drained", "end_to_end"}
