"""A server over a disk that loses what is not synced, with one deliberate bug or none. It takes the arguments of
`heroredis` and `--bug NAME`, `--sync-ms N`, `--real` (the real disk), `--compact` (a compaction is always running)."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from heroredis.cli import parser, read_config
from heroredis.factory import ServerFactory
from heroredis.settings import Config
from jobs.ourdb_store import OurDBStore
from jobs.store import JobStore
from ourdb import OurDB
from tests.crash.deliberate import SEGMENT, Passing, open_store

PAUSE_S: Final = 0.02
"""Between two compactions."""


def db_of(store: JobStore) -> OurDB:
    if isinstance(store, Passing):
        return db_of(store.inner)
    if not isinstance(store, OurDBStore):
        raise TypeError(f"there is no OurDB in {store!r}")
    return store.db


async def compact_for_ever(db: OurDB) -> None:
    while True:
        await asyncio.to_thread(db.compact, drop_deleted=True)
        await asyncio.sleep(PAUSE_S)


async def serve(config: Config, given: argparse.Namespace) -> None:
    def opened(folder: Path) -> JobStore:
        if given.real:
            return OurDBStore(OurDB(folder, segment_size=SEGMENT))
        return open_store(folder, given.bug, given.sync_ms / 1000)

    factory = ServerFactory(config, open_store=opened)
    await factory.start()
    for listening in factory.listening:
        print(f"{listening.service:8} {listening.url}")
    print("ready", flush=True)
    if given.compact:
        await compact_for_ever(db_of(factory.job_manager.store))
    await asyncio.Event().wait()


def main() -> None:
    own = argparse.ArgumentParser()
    own.add_argument("--bug", default="")
    own.add_argument("--sync-ms", type=int, default=0)
    own.add_argument("--real", action="store_true")
    own.add_argument("--compact", action="store_true")
    given, rest = own.parse_known_args(sys.argv[1:])
    asyncio.run(serve(read_config(parser().parse_args(rest)), given))


if __name__ == "__main__":
    main()
