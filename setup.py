"""Compiles the hot modules with mypyc where a C compiler is; without one everything runs interpreted."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import setup

HOT = [
    "heroredis/acl/*.py",
    "heroredis/args.py",
    "heroredis/clock.py",
    "heroredis/command.py",
    "heroredis/commands/*.py",
    "heroredis/dispatch.py",
    "heroredis/encoding.py",
    "heroredis/errors.py",
    "heroredis/execute.py",
    "heroredis/framing.py",
    "heroredis/glob.py",
    "heroredis/inline.py",
    "heroredis/keyspace/*.py",
    "heroredis/output.py",
    "heroredis/parameters.py",
    "heroredis/persistence/*.py",
    "heroredis/permission.py",
    "heroredis/protocol.py",
    "heroredis/rdb/*.py",
    "heroredis/registry.py",
    "heroredis/replay.py",
    "heroredis/reply.py",
    "heroredis/scanning.py",
    "heroredis/server.py",
    "heroredis/session/*.py",
    "heroredis/transport.py",
    "heroredis/types/*.py",
    "heroredis/waiting.py",
    "ourdb/batch.py",
    "ourdb/chunk.py",
    "ourdb/commit.py",
    "ourdb/compact.py",
    "ourdb/feed.py",
    "ourdb/index.py",
    "ourdb/log.py",
    "ourdb/reading.py",
    "ourdb/record.py",
    "ourdb/recovery.py",
    "ourdb/segment.py",
    "ourdb/store.py",
    "ourdb/watch.py",
    "jobs/admission.py",
    "jobs/answers.py",
    "jobs/arguments.py",
    "jobs/commands.py",
    "jobs/counts.py",
    "jobs/endings.py",
    "jobs/full_disk.py",
    "jobs/handlers.py",
    "jobs/job.py",
    "jobs/lifecycle.py",
    "jobs/limits.py",
    "jobs/live.py",
    "jobs/manager.py",
    "jobs/metrics.py",
    "jobs/ourdb_store.py",
    "jobs/packing.py",
    "jobs/queue.py",
    "jobs/recovery.py",
    "jobs/redis_queue.py",
    "jobs/schedule.py",
    "jobs/steer_commands.py",
    "jobs/store.py",
    "jobs/steering.py",
    "jobs/turns.py",
    "jobs/worker.py",
]
"""What a request or a job passes through; the rest is interpreted on purpose (msgspec, pydantic, asyncio glue)."""


BUILDS = {"build_ext", "bdist_wheel", "build", "install", "editable_wheel"}
"""The commands that need the compiled modules; asking for the metadata does not."""


def hot_files() -> list[str]:
    root = Path(__file__).parent
    found: list[str] = []
    for pattern in HOT:
        found += sorted(str(path.relative_to(root)) for path in root.glob(pattern))
    return found


def extensions() -> list[object]:
    """The compiled modules; none when HEROREDIS_PURE is set or there is no compiler."""
    if os.environ.get("HEROREDIS_PURE") or not BUILDS & set(sys.argv):
        return []
    compiler = os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None and shutil.which("cc") is None and shutil.which("gcc") is None:
        print("heroredis: no C compiler was found; everything works interpreted, several times slower")
        return []
    try:
        from mypyc.build import mypycify
    except ImportError:
        print("heroredis: mypy is not installed; everything works interpreted, several times slower")
        return []
    try:
        # `make check` is strict; here what is not installed in an isolated build must not matter.
        found = mypycify(["--config-file=", "--follow-imports=silent", "--ignore-missing-imports", *hot_files()],
                         group_name="heroredis", opt_level=os.environ.get("HEROREDIS_OPT", "2"))
    except SystemExit:
        if os.environ.get("CI") == "true":
            raise
        print("heroredis: mypyc could not compile it; everything works interpreted, several times slower")
        return []
    if sys.platform == "linux":  # no detour for calls inside the library: a tenth of the time of a request
        for extension in found:
            extension.extra_compile_args += ["-fno-semantic-interposition", "-fno-plt", "-g0"]
            # Nobody reads warnings about generated code, and looking for them takes twice as long as compiling it. The
            # first turns off what -Wall has turned on (-w alone would only not show it), the second hides the rest.
            extension.extra_compile_args += ["-Wno-all", "-w"]
    return list(found)


setup(ext_modules=extensions())
