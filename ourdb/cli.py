"""The command `ourdb`: looks at stores, checks, copies and mends them. Parses arguments and prints."""

from __future__ import annotations

import argparse
import base64
import json
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from ourdb.backup import Progress, no_progress
from ourdb.check import check
from ourdb.errors import OurDBError
from ourdb.files import Files
from ourdb.legacy import import_legacy
from ourdb.repair import repair
from ourdb.store import OurDB

FAULTY: Final = 1
UNUSABLE: Final = 2
BAR_WIDTH: Final = 30
BAR_EVERY_S: Final = 0.1


class Bar:
    """A progress bar on standard error, only where somebody watches."""

    def __init__(self, label: str) -> None:
        self._label: Final = label
        self._shown = sys.stderr.isatty()
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._shown or (now < self._next and done < total):
            return
        self._shown = done < total  # the end is told once
        self._next = now + BAR_EVERY_S
        part = min(1.0, done / total) if total else 1.0
        filled = int(part * BAR_WIDTH)
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{self._label} [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {part:4.0%}{end}")
        sys.stderr.flush()


def progress(options: argparse.Namespace, label: str) -> Progress:
    return no_progress if options.quiet else Bar(label)


def existing(path: str) -> Path:
    """A folder that holds a store."""
    folder = Path(path)
    if not folder.is_dir() or not any(folder.glob("[0-9]*.db")):
        raise argparse.ArgumentTypeError(f"there is no store in {path!r}")
    return folder


def run_check(options: argparse.Namespace) -> int:
    report = check(Files(options.store), progress(options, "check"))
    for fault in report.faults:
        print(f"fault: {fault}")
    for note in report.notes:
        print(f"note: {note}")
    print(f"{report.records} records in {report.segments} files, {report.live} living ids, "
          f"{len(report.faults)} fault{'' if len(report.faults) == 1 else 's'}")
    return FAULTY if report.faults else 0


def run_stats(options: argparse.Namespace) -> int:
    report = check(Files(options.store), progress(options, "read"))
    facts = {
        "files": report.segments, "bytes": report.size, "records": report.records, "tombstones": report.tombstones,
        "living ids": report.live, "bytes of newest values": report.live_bytes, "next id": report.next_id,
        "last log sequence number": report.last_lsn, "faults": len(report.faults),
    }
    if options.json:
        print(json.dumps({name.replace(" ", "_"): value for name, value in facts.items()}))
    else:
        for name, value in facts.items():
            print(f"{name:26}{value:>16,}")
    return 0


def as_json(data: bytes | None) -> dict[str, object]:
    """A payload as text where it is text, else as base64."""
    if data is None:
        return {"deleted": True}
    try:
        return {"data": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def dump_lines(db: OurDB, live: bool, since: int, told: Progress) -> Iterable[str]:
    """Tells the progress by ids or by log sequence numbers."""
    if live:
        last = db.next_id - 1
        for record_id, data in db.scan():
            yield json.dumps({"id": record_id, **as_json(data)}, ensure_ascii=False)
            told(record_id, last + 1)
        told(last + 1, last + 1)
        return
    for change in db.changes(since):
        fields: dict[str, object] = {"lsn": change.lsn, "id": change.id, "time": change.time}
        yield json.dumps(fields | as_json(change.data), ensure_ascii=False)
        told(change.lsn - since, db.last_lsn - since + 1)
    told(1, 1)


def run_dump(options: argparse.Namespace) -> int:
    told = no_progress if sys.stdout.isatty() else progress(options, "dump")
    with OurDB(options.store, read_only=True) as db:
        for line in dump_lines(db, options.live, options.since, told):
            print(line)
        for fault in db.faults:
            print(f"fault: {fault}", file=sys.stderr)
        return FAULTY if db.faults else 0


def run_backup(options: argparse.Namespace) -> int:
    with OurDB(options.store, read_only=True) as db:
        done = db.backup(options.target, progress(options, "backup"))
        faults = [str(fault) for fault in db.faults]
    if not options.no_verify:
        faults += [str(fault) for fault in check(Files(options.target), progress(options, "verify")).faults]
    for fault in faults:
        print(f"fault: {fault}")
    print(f"{done.copied} bytes copied of {done.size}, {done.removed} old files removed")
    return FAULTY if faults else 0


def run_repair(options: argparse.Namespace) -> int:
    done = repair(Files(options.store), Files(options.target), progress(options, "repair"))
    for loss in done.losses:
        print(f"lost: {loss}")
    print(f"{done.saved} records saved, {done.ids} living ids, {len(done.losses)} losses; "
          f"the repaired store is {options.target}, the damaged one was left as it is")
    return FAULTY if done.losses else 0


def run_compact(options: argparse.Namespace) -> int:
    if options.versions is None and options.days is None and not options.drop_deleted:
        print("ourdb: say what to drop: --versions, --days or --drop-deleted", file=sys.stderr)
        return UNUSABLE
    age_ms = None if options.days is None else int(options.days * 86_400_000)
    with OurDB(options.store) as db:
        done = db.compact(options.versions, age_ms, options.drop_deleted, progress(options, "compact"))
    print(f"{done.kept} records kept, {done.dropped} dropped, {done.bytes_before - done.bytes_after} bytes freed")
    return 0


def run_import(options: argparse.Namespace) -> int:
    with OurDB(options.target) as db:
        result = import_legacy(options.folder, db, options.key_size, progress(options, "import"))
    for loss in result.losses:
        print(f"lost: {loss}")
    print(f"{result.ids} ids with {result.versions} versions, {result.deleted} deleted, next id {result.next_id}, "
          f"key size {result.key_size}, {len(result.losses)} lost")
    return FAULTY if result.losses else 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="ourdb", description="Look at OurDB stores, check, copy and mend them.")
    top.add_argument("-q", "--quiet", action="store_true", help="no progress bars")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("check", help="read everything and name each fault; exit status 1 when there is one")
    one.add_argument("store", type=existing)
    one.set_defaults(run=run_check)
    one = commands.add_parser("stats", help="how much is in a store")
    one.add_argument("store", type=existing)
    one.add_argument("--json", action="store_true", help="as one JSON object")
    one.set_defaults(run=run_stats)
    one = commands.add_parser("dump", help="every record of the log as one line of JSON")
    one.add_argument("store", type=existing)
    one.add_argument("--live", action="store_true", help="only the newest values, in the order of their ids")
    one.add_argument("--since", type=int, default=0, metavar="LSN", help="only what came after this sequence number")
    one.set_defaults(run=run_dump)
    one = commands.add_parser("import", help="bring a folder of the original OurDB into a new store")
    one.add_argument("folder", type=Path)
    one.add_argument("target", type=Path, metavar="store")
    one.add_argument("--key-size", type=int, default=0, choices=(0, 2, 3, 4, 6), help="of its lookup; 0 = find out")
    one.set_defaults(run=run_import)
    one = commands.add_parser("backup", help="copy a store, also one in use; a second time only what is new")
    one.add_argument("store", type=existing)
    one.add_argument("target", type=Path)
    one.add_argument("--no-verify", action="store_true", help="do not read the copy afterwards")
    one.set_defaults(run=run_backup)
    one = commands.add_parser("repair", help="save what can be saved of a damaged store into a new one")
    one.add_argument("store", type=existing)
    one.add_argument("target", type=Path, metavar="new-store")
    one.set_defaults(run=run_repair)
    one = commands.add_parser("compact", help="drop old versions and give their space back")
    one.add_argument("store", type=existing)
    one.add_argument("--versions", type=int, metavar="N", help="keep the last N versions of each id")
    one.add_argument("--days", type=float, metavar="D", help="keep versions younger than D days")
    one.add_argument("--drop-deleted", action="store_true", help="drop deleted ids (with --days: deleted for so long)")
    one.set_defaults(run=run_compact)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 = well, 1 = faults were found, 2 = it could not be done."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except BrokenPipeError:  # the reader of a dump has seen enough
        sys.stdout = None
        return UNUSABLE
    except (OurDBError, OSError) as error:
        print(f"ourdb: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 128 + signal.SIGINT
    return status


if __name__ == "__main__":
    sys.exit(main())
