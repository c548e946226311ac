"""Where the command `heroredis` begins: the server, or the tools that speak to one; neither loads the other."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

TOOLS: Final = ("job", "topic", "schedule", "workers", "top", "completion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] and given[0] in TOOLS:
        from jobs.cli import main as tools

        return tools(given, _elsewhere)
    if given[:1] == ["worker"]:
        from jobs.remote_worker import main as work

        return work(given[1:])
    from heroredis.cli import main as serve

    return serve(given)


def _elsewhere() -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands that are none of the tools."""
    from heroredis.cli import parser as serve
    from jobs.remote_worker import parser as work

    return {"serve": serve(), "worker": work()}
