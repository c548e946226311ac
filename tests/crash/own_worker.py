"""A worker written with jobs.client alone: takes, works, ends; tells the witness when its end was acknowledged."""

from __future__ import annotations

import sys
import threading

from jobs.client import Client, ClientError
from tests.crash.witness_handlers import tell


def main() -> None:
    with Client(sys.argv[1]) as client:
        while True:
            for job in client.fetch(["own"], count=4, wait=60, lease=float(sys.argv[2])):
                params = job["params"].decode()
                tell("start", job["id"], job["token"], params)
                if params == "die" and job["attempts"] == 1:
                    tell("wait", job["id"], job["token"], params)
                    threading.Event().wait()
                try:
                    client.complete_job(job["id"], "r", job["token"])
                except ClientError as refused:
                    if refused.code != "STALE":
                        raise
                else:
                    tell("ack", job["id"], job["token"], params)


if __name__ == "__main__":
    main()
