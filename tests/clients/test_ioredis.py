"""ioredis, the Node client under BullMQ, from the npm registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from heroredis.testing import ServerProcess

SCRIPT = Path(__file__).with_name("ioredis_session.mjs")


def test_ioredis_session(heroredis_server: ServerProcess, ioredis_folder: Path) -> None:
    done = subprocess.run(["node", str(SCRIPT), str(heroredis_server.port), str(ioredis_folder)],
                          text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "set": "OK",
        "get": "wert",
        "hash": {"name": "Ada"},
        "transaction": [[None, "OK"], [None, 2]],
        "popped": ["io:queue", "job"],
        "message": "hello",
        "scanned": 100,
        "error": "WRONGTYPE Operation against a key holding the wrong kind of value",
    }
