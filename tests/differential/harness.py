"""Our server in a thread, a real redis-server in a process, and a client that hides nothing of the wire.

The client parses replies itself, because client libraries make one value of what Redis sends in several forms
(status and bulk string, null and null array); here a reply differs when its form does.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Final

import uvloop

from heroredis.parameters import Parameters
from heroredis.server import Server
from heroredis.transport import RedisListener

TIMEOUT_S: Final = 20.0
Argument = bytes | str | int


class Status(bytes):
    """`+OK`."""

    def __repr__(self) -> str:
        return f"Status({bytes(self)!r})"


class Failure(bytes):
    """`-ERR ...`."""

    def __repr__(self) -> str:
        return f"Failure({bytes(self)!r})"


class Tagged:
    """Any other form: its marker and what it carries. Maps carry a list of pairs."""

    def __init__(self, marker: str, value: object) -> None:
        self.marker: Final = marker
        self.value: Final = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tagged) and (self.marker, self.value) == (other.marker, other.value)

    def __hash__(self) -> int:
        return hash((self.marker, repr(self.value)))

    def __repr__(self) -> str:
        return f"Tagged({self.marker!r}, {self.value!r})"


NULL_ARRAY: Final = Tagged("*", None)
NULL3: Final = Tagged("_", None)


def same(one: object, two: object) -> bool:
    """Equal in value and in form: a status is no bulk string, True is no 1."""
    if type(one) is not type(two):
        return False
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two, strict=True))
    if isinstance(one, tuple) and isinstance(two, tuple):
        return same(list(one), list(two))
    if isinstance(one, Tagged) and isinstance(two, Tagged):
        return one.marker == two.marker and same(one.value, two.value)
    return one == two


def encode(*arguments: Argument) -> bytes:
    """A request as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        text = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)


class Wire:
    """One connection. `call` sends a request and returns the next reply."""

    def __init__(self, address: str | tuple[str, int], resp: int = 2) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket: Final = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT_S)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self._file: Final = self.socket.makefile("rb")
        if resp == 3:
            self.call("HELLO", 3)

    def send(self, *arguments: Argument) -> None:
        self.socket.sendall(encode(*arguments))

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def call(self, *arguments: Argument) -> object:
        self.send(*arguments)
        return self.read()

    def read(self) -> object:
        """The next reply; EOFError when the server has closed the connection."""
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"the connection ended behind {line!r}")
        marker, rest = chr(line[0]), line[1:-2]
        if marker == "+":
            return Status(rest)
        if marker == "-":
            return Failure(rest)
        if marker == ":":
            return int(rest)
        if marker == "#":
            return rest == b"t"
        if marker == "_":
            return NULL3
        if marker in ",(":
            return Tagged(marker, rest)
        size = int(rest)
        if marker in "$=":
            return self._text(marker, size)
        if size < 0:
            return NULL_ARRAY
        if marker == "%":
            return Tagged("%", [(self.read(), self.read()) for _ in range(size)])
        items = [self.read() for _ in range(size)]
        return items if marker == "*" else Tagged(marker, items)

    def _text(self, marker: str, size: int) -> object:
        if size < 0:
            return None
        text = self._file.read(size + 2)
        if len(text) != size + 2 or text[-2:] != b"\r\n":
            raise EOFError(f"a string of {size} bytes ended behind {text[-20:]!r}")
        return text[:-2] if marker == "$" else Tagged(marker, text[:-2])

    def at_end(self) -> bool:
        """Whether the server closes the connection without another byte."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


class OurServer:
    """A Server with its listener on a loop in a thread."""

    def __init__(self, folder: Path, parameters: Parameters | None = None, auth_timeout_s: float = 10.0) -> None:
        self.path: Final = str(folder / "ours.sock")
        self.loop: Final = uvloop.new_event_loop()
        self.server: Final = Server(parameters=parameters)
        self.listener: Final = RedisListener(self.server, host="127.0.0.1", port=0, unix_path=self.path,
                                             auth_timeout_s=auth_timeout_s)
        self._thread: Final = threading.Thread(target=self.loop.run_forever, name="our server", daemon=True)

    def start(self) -> OurServer:
        self._thread.start()
        self.run(self._start)
        return self

    async def _start(self) -> None:
        await self.server.start()
        await self.listener.start()

    def run(self, work: Callable[[], object]) -> object:
        """Do `work` on the server's loop; a coroutine is waited for."""
        done: Future[object] = Future()

        async def carry_out() -> None:
            try:
                result = work()
                done.set_result(await result if asyncio.iscoroutine(result) else result)
            except BaseException as error:
                done.set_exception(error)

        self.loop.call_soon_threadsafe(lambda: self.loop.create_task(carry_out()))
        return done.result(TIMEOUT_S)

    def stop(self) -> None:
        self.run(lambda: self.listener.stop(0))
        self.run(lambda: self.server.stop(0))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(TIMEOUT_S)
        self.loop.close()


class RealServer:
    """redis-server without persistence on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self.path: Final = str(folder / "real.sock")
        binary = shutil.which("redis-server") or "redis-server"
        self._process: Final = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", self.path, "--save", "", "--appendonly", "no", "--dir", str(folder),
             "--databases", "16", "--loglevel", "warning", "--enable-debug-command", "yes"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("redis-server did not start")

    def _answers(self) -> bool:
        try:
            with Wire(self.path) as wire:
                return wire.call("PING") == b"PONG"
        except OSError:
            return False

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(TIMEOUT_S)


def blocked_clients(path: str) -> int:
    """How many connections wait in a blocking command."""
    with Wire(path) as wire:
        text = wire.call("INFO", "clients")
    assert isinstance(text, bytes), text
    _, _, rest = text.partition(b"blocked_clients:")
    return int(rest.partition(b"\r")[0])


def until(condition: Callable[[], bool], what: str) -> None:
    """Ask again until it is so; AssertionError when it never is."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, what

