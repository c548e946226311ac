"""What clients and the owner of the folder rely on below WebDAV: framing, permissions, the reason of a failed start."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dav.extension import DavService


def service(files: Path, port: int = 0) -> DavService:
    return DavService(host="127.0.0.1", port=port, user="", password="", files_root=files, jobs=None)


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    running = service(tmp_path / "files")
    yield urlsplit((await running.start())[0].url).netloc
    await running.stop(1)


async def status(address: str, request: str) -> int:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request.replace("HOST", address).replace("\n", "\r\n").encode())
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("head", [
    "Host: evil.example\nHost: HOST\nContent-Length: 1\n", "Host: HOST\nHost: HOST\nContent-Length: 1\n",
    "Host: HOST\nContent-Length: 1\nContent-Length: 5\n", "Host: HOST\nContent-Length : 1\n",
    "Host: HOST\nTransfer-Encoding: chunked\ntransfer-encoding: chunked\n"])
async def test_headers_that_frame_a_request_come_once(address: str, tmp_path: Path, head: str) -> None:
    assert await status(address, f"PUT /files/x HTTP/1.1\n{head}Connection: close\n\nabcde") == 400
    assert not (tmp_path / "files" / "x").exists()


async def test_requests_of_one_connection_are_read_apart(address: str) -> None:
    one = "OPTIONS /files/ HTTP/1.1\nHost: HOST\n\n"
    assert await status(address, one + one.replace("\n\n", "\nConnection: close\n\n")) == 200


async def test_an_upload_keeps_the_permissions_of_the_file(address: str, tmp_path: Path) -> None:
    secret = tmp_path / "files" / "secret"
    secret.write_text("old")
    secret.chmod(0o600)
    put = "PUT /files/{} HTTP/1.1\nHost: HOST\nContent-Length: 3\nConnection: close\n\nnew"
    assert await status(address, put.format("secret")) == 204
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("new", 0o600)
    before = os.umask(0o077)
    try:
        assert await status(address, put.format("fresh")) == 201
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "files" / "fresh").stat().st_mode) == 0o600


async def test_a_taken_port_tells_its_errno(address: str, tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        await service(tmp_path / "second", int(address.rpartition(":")[2])).start()
    assert caught.value.errno == errno.EADDRINUSE
