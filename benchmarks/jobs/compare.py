"""All in one run, in turns: each round asks us and every peer once; medians over the rounds, ratios within a round."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import calibration
from benchmarks.jobs import remote_idle
from benchmarks.jobs.install import ROOT, Missing, interpreter, versions
from benchmarks.jobs.peers import DURABLE, FASTEST, KEPT, OURS, PEERS, Peer
from benchmarks.jobs.trial import Failed, trial
from heroredis.form import is_compiled

CYCLE: Final = "heroredis, embedded"
WANTED: Final = {DURABLE: 7.0, FASTEST: 3.0}
"""How many times faster the embedded cycle has to be than a peer."""
BARS: Final = {"embedded_per_s": 120_000, "socket_created_per_s": 40_000, "socket_drained_per_s": 20_000,
               "threads_per_s": 15_000, "processes_per_s": 8000}
LIMITS: Final = {"idle_embedded_ms": 0.3, "idle_socket_ms": 0.6}
LAST_BEGIN_S: Final = 240.0
"""A round that would begin later is left out."""
QUIET: Final = {"fdatasync_4k_us": 150.0, "load": 0.5}
"""Above these the machine is not the one for which the bars are meant."""
Found = dict[str, Any]


def ask(question: str, jobs: int) -> float:
    done = subprocess.run([sys.executable, "-m", "benchmarks.jobs.embedded", question, str(jobs)], cwd=ROOT,
                          stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])[question])


def present(names: Sequence[str],
            interpreter: Callable[[Peer], list[str]] = interpreter) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The commands of the peers that can take part, and why the others cannot."""
    commands, missing = {}, {}
    for peer in [OURS, *PEERS]:
        if names and peer is not OURS and not any(name.lower() in peer.name.lower() for name in names):
            continue
        try:
            commands[peer.name] = interpreter(peer)
        except Missing as why:
            missing[peer.name] = str(why)
            print(f"*** {peer.name} IS NOT MEASURED: {why}", flush=True)
    return commands, missing


def one_round(commands: Mapping[str, list[str]], share: float, failures: dict[str, str]) -> Found:
    """Our cycle before and after the peers and in their midst, each peer in each of its settings."""
    found: Found = {"cycles": [], "peers": {}}
    jobs = max(10_000, round(100_000 * share))
    every = max(1, len(commands) // 3)
    for number, peer in enumerate(peer for peer in [OURS, *PEERS] if peer.name in commands):
        if number % every == 0:
            found["cycles"].append(ask("cycle", jobs))
        for setting in peer.settings:
            count = max(100, round(peer.jobs[setting] * share / 100) * 100)
            try:
                found["peers"][peer.name, setting] = trial(peer, commands[peer.name], setting, count)
            except (Failed, subprocess.TimeoutExpired, KeyError, ValueError, IndexError) as failed:
                failures[f"{peer.name}, {setting}"] = str(failed)
                print(f"*** {peer.name}, {setting}, FAILED: {failed}", flush=True)
    found["cycles"].append(ask("cycle", jobs))
    found["cycle"] = statistics.median(found["cycles"])
    return found


def own_figures(share: float) -> dict[str, float]:
    os.sync()  # what the brokers have written is not to be written meanwhile
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as folder:
        remote = remote_idle.measure(Path(folder), max(50, round(300 * share)))
    jobs = max(2000, round(20_000 * share) // 500 * 500)
    return {"idle_embedded_ms": ask("idle", max(50, round(300 * share))), "idle_socket_ms": remote,
            "threads_per_s": ask("threads", jobs), "processes_per_s": ask("processes", jobs)}


def rows(rounds: Sequence[Found], all_peers: Sequence[Peer]) -> list[Found]:
    """One row per peer and setting: medians of its rates, and of our rate by its, round by round."""
    found = []
    for peer in all_peers:
        for setting in peer.settings:
            runs = [(one["cycle"], one["peers"][peer.name, setting]) for one in rounds
                    if (peer.name, setting) in one["peers"]]
            if runs:
                found.append(_row(peer, setting, runs))
    return found


def _row(peer: Peer, setting: str, runs: Sequence[tuple[float, Mapping[str, float]]]) -> Found:
    row: Found = {"peer": peer.name, "setting": setting, "kept": KEPT[peer.broker, setting]}
    for name in ("created", "drained", "end_to_end"):
        row[f"{name}_per_s"] = round(statistics.median(rates[name] for _, rates in runs))
    for name in ("end_to_end", "drained"):
        row[f"ratio_{name}"] = round(statistics.median(cycle / rates[name] for cycle, rates in runs), 2)
    return row


def measure(quick: bool = False, names: Sequence[str] = ()) -> Found:
    share, count = (0.1, 1) if quick else (1.0, 3)
    commands, missing = present(names)
    failures: dict[str, str] = {}
    before = calibration.measure()
    rounds, own = [], []
    begin = time.monotonic()
    for number in range(count):
        if number and time.monotonic() - begin > LAST_BEGIN_S:
            print(f"no time for more than {number} of {count} rounds", flush=True)
            break
        rounds.append(one_round(commands, share, failures))
        own.append(own_figures(share))
        print(f"round {number + 1} of {count} is over", flush=True)
    found: Found = {
        "form": "compiled" if is_compiled() else "interpreted", "rounds": len(rounds), "before": before,
        "after": calibration.measure(), "missing": missing, "failures": failures,
        "versions": {peer.name: versions(peer) for peer in PEERS if peer.name in commands},
        "own": {name: round(statistics.median(one[name] for one in own), 3) for name in own[0]},
        "rows": rows(rounds, [OURS, *PEERS]),
    }
    found["own"]["embedded_per_s"] = round(statistics.median(one["cycle"] for one in rounds))
    for row in found["rows"]:
        if row["peer"] == OURS.name:
            found["own"]["socket_created_per_s"] = row["created_per_s"]
            found["own"]["socket_drained_per_s"] = row["drained_per_s"]
            found["own"]["socket_end_to_end_per_s"] = row["end_to_end_per_s"]
    print("\n".join(lines(found)))
    return found


# What is shown


def is_quiet(*measured: Mapping[str, float]) -> bool:
    return all(one[name] <= limit for one in measured for name, limit in QUIET.items())


def lines(found: Found) -> list[str]:
    shown = [f"heroredis {found['form']}, medians of {found['rounds']} rounds in turns; one producer, one worker "
             "process, no-op jobs"]
    shown += [f"{when}: fdatasync of 4 KiB {one['fdatasync_4k_us']} µs, Python loop {one['python_loop_ms']} ms, "
              f"load {one['load']}" for when, one in (("before", found["before"]), ("after", found["after"]))]
    if not is_quiet(found["before"], found["after"]):
        shown.append("MEASURED ON A LOADED OR SLOW MACHINE: only the ratios count, and they are rough")
    own = found["own"]
    shown += ["", "ours, durable"]
    shown += [own_line(name, own[name], bar, own[name] >= bar, "at least") for name, bar in BARS.items() if name in own]
    shown += [own_line(name, own[name], bar, own[name] <= bar, "at most") for name, bar in LIMITS.items()]
    shown += ["", f"{'':18}{'setting':9}{'created':>9}{'drained':>9}{'end to end':>11}{'ours/e2e':>10}"
                  f"{'ours/drain':>11}{'wanted':>8}  kept"]
    return shown + [row_line(row) for row in found["rows"]] + gaps(found)


def own_line(name: str, value: float, bar: float, is_met: bool, how: str) -> str:
    return f"  {name:26}{value:>12,.6g}   wanted {how} {bar:,g}{'' if is_met else '   MISSED'}"


def row_line(row: Mapping[str, Any]) -> str:
    is_peer = row["peer"] != OURS.name
    wanted = WANTED[row["setting"]]
    verdict = f"{wanted:g}x" if is_peer else ""
    missed = [name for name in ("end_to_end", "drained") if row[f"ratio_{name}"] < wanted] if is_peer else []
    note = f"   MISSED ({', '.join(missed).replace('_', ' ')})" if missed else ""
    return (f"{row['peer']:18}{row['setting']:9}{row['created_per_s']:9,}{row['drained_per_s']:9,}"
            f"{row['end_to_end_per_s']:11,}{row['ratio_end_to_end']:10.1f}{row['ratio_drained']:11.1f}{verdict:>8}  "
            f"{row['kept']}{note}")


def gaps(found: Found) -> list[str]:
    return ([f"NOT MEASURED: {name}: {why}" for name, why in found["missing"].items()]
            + [f"FAILED: {name}: {why.splitlines()[0] if why else ''}" for name, why in found["failures"].items()])
