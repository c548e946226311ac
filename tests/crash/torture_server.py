"""A server over a disk that loses what is not synced, with one deliberate bug or none. It takes the arguments of
`heroredis` and `--bug NAME`, `--sync-ms N`."""

from __future__ import annotations

import argparse
import asyncio
import sys

from heroredis.cli import parser, read_config
from heroredis.factory import ServerFactory
from heroredis.settings import Config
from tests.crash.deliberate import open_store


async def serve(config: Config, bug: str, sync_ms: int) -> None:
    factory = ServerFactory(config, open_store=lambda folder: open_store(folder, bug, sync_ms / 1000))
    await factory.start()
    for listening in factory.listening:
        print(f"{listening.service:8} {listening.url}")
    print("ready", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    own = argparse.ArgumentParser()
    own.add_argument("--bug", default="")
    own.add_argument("--sync-ms", type=int, default=0)
    given, rest = own.parse_known_args(sys.argv[1:])
    asyncio.run(serve(read_config(parser().parse_args(rest)), given.bug, given.sync_ms))


if __name__ == "__main__":
    main()
