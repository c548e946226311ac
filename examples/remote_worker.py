"""A worker of your own, with the client: fetch with a lease, heartbeat, complete. Run it beside a server.

`heroredis worker URL examples/handlers.py` does all of this, with many jobs at a time; this shows what it does.
"""

from __future__ import annotations

import sys

from jobs.client import Client, ClientError


def work_once(url: str, topic: str, wait: float = 5) -> int:
    """Take up to ten jobs and end them; how many."""
    with Client(url, name="example-worker") as client:
        jobs = client.fetch([topic], count=10, wait=wait, lease=30)
        for job in jobs:
            job_id, token = job["id"], job["token"]
            client.extend(job_id, 30, token)  # a heartbeat: the jobs behind this one are held on
            try:
                client.complete_job(job_id, job["params"].upper(), token)
            except ClientError as refused:
                print(f"job {job_id} is no longer ours: {refused}", file=sys.stderr)
        return len(jobs)


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "redis://127.0.0.1:6379"
    while work_once(address, "shout", 60) >= 0:
        pass
