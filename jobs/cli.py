"""`heroredis job|topic|schedule|workers|top|completion`: what the server can do with jobs, from the shell.

Speaks RESP to a running server and imports none. Exit status: 0 done, 1 refused, 2 wrong usage, 3 not found, 4 cannot
connect, 5 the time was over, 6 the job that was awaited has failed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from jobs import cli_jobs, cli_topics, cli_workers
from jobs.completion import script
from jobs.link import CannotConnect, Link, Place, Refusal, default_url
from jobs.top import top

USAGE: Final = 2
NO_SERVER: Final = 4
_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def duration(text: str) -> int:
    """Milliseconds of 250ms, 5s, 2m, 1h, 7d."""
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d|w)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: give 250ms, 5s, 2m, 1h or 7d")
    return round(float(found[1]) * _UNITS[found[2]])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="heroredis", description="Work with the jobs of a running server.",
                                   epilog="Exit status: 0 done, 1 refused, 2 wrong usage, 3 not found, 4 cannot "
                                   "connect, 5 the time was over, 6 the awaited job has failed.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", default=None, metavar="URL",
                        help="redis://[user:password@]host[:port], rediss://… for TLS, or unix:///path (default: "
                        "HEROREDIS_URL, else the Unix socket /tmp/redis.sock, else 127.0.0.1:6379)")
    common.add_argument("--json", action="store_true", help="print JSON")
    groups = made.add_subparsers(dest="group", required=True)
    jobs = groups.add_parser("job", help="create, find and steer jobs").add_subparsers(dest="verb", required=True)
    cli_jobs.add(jobs, common, duration)
    cli_topics.add(groups, common, duration)
    cli_workers.add(groups, common, duration)
    live = groups.add_parser("top", parents=[common], help="a live view of topics and running jobs")
    live.add_argument("--every", type=duration, default=2000, metavar="TIME", help="time between two looks (2s)")
    live.add_argument("--once", action="store_true", help="look once and end")
    live.set_defaults(run=top)
    complete = groups.add_parser("completion", help="a script that completes these commands in a shell")
    complete.add_argument("shell", choices=("bash", "zsh", "fish"))
    return made


def main(arguments: Sequence[str], elsewhere: Callable[[], Mapping[str, argparse.ArgumentParser]] = dict) -> int:
    """Run one command; the exit status. `elsewhere`: the parsers of `serve` and `worker`, for the shells."""
    made = parser()
    given = made.parse_args(arguments)
    if given.group == "completion":
        print(script(given.shell, made, elsewhere()))
        return 0
    try:
        with Link(Place(given.url or default_url(os.environ))) as link:
            return int(given.run(link, given))
    except ValueError as error:
        return _failed(USAGE, error)
    except CannotConnect as error:
        return _failed(NO_SERVER, error)
    except Refusal as error:
        return _failed(error.status, error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _failed(status: int, error: Exception) -> int:
    print(f"heroredis: {error}", file=sys.stderr)
    return status
