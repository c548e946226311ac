"""beanstalkd, spoken to directly: puts pipelined; one process works over several connections, each of which deletes
its job and reserves the next in one write."""

from __future__ import annotations

import asyncio
import socket

from tally import BATCH, main, tally, timed

CONNECTIONS = 16
PUT = b"put 100 0 60 1\r\nx\r\n"


def create(address: str, count: int) -> None:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def put(number: int) -> None:
            link.sendall(PUT * number)
            lines = 0
            while lines < number:
                data = link.recv(65536)
                if not data:
                    raise RuntimeError("beanstalkd closed the connection")
                lines += data.count(b"\n")

        def many() -> None:
            for start in range(0, count, BATCH):
                put(min(BATCH, count - start))
        timed(lambda: put(1), many)


class Reserver(asyncio.Protocol):
    """Reserve, run, delete and reserve again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._data = b""
        transport.write(b"reserve\r\n")

    def data_received(self, data: bytes) -> None:
        """DELETED, RESERVED id size and the body, in any number of pieces."""
        self._data += data
        _, found, rest = self._data.partition(b"RESERVED ")
        if not found:
            return
        line, ended, body = rest.partition(b"\r\n")
        if not ended or not body.endswith(b"\r\n"):
            return
        self._data = b""
        tally.add()
        self._transport.write(b"delete %b\r\nreserve\r\n" % line.split()[0])


async def consume(address: str) -> None:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(Reserver, host, int(port))
    await asyncio.sleep(3600)


def work(address: str) -> None:
    import uvloop
    uvloop.run(consume(address))


if __name__ == "__main__":
    main(create, work)
