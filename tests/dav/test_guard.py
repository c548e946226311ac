"""Hostile requests over raw sockets, and the guard's own counting of failed logins."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dav.auth import Login
from dav.extension import DavService


class Wire:
    """Sends bytes and reads until the server closes."""

    def __init__(self, netloc: str, files: Path) -> None:
        self.host = netloc
        self.files = files

    async def send(self, request: bytes) -> bytes:
        address = urlsplit(f"http://{self.host}")
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(request.replace(b"HOST", self.host.encode()))
            writer.write_eof()
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def status(self, request: bytes) -> int:
        answer = await self.send(request)
        return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    service = DavService(host="127.0.0.1", port=0, user="", password="", files_root=tmp_path / "files", jobs=None,
                         allowed_hosts=("share.example",))
    url = (await service.start())[0].url
    (tmp_path / "files" / "old.txt").write_text("old")
    yield Wire(urlsplit(url).netloc, tmp_path / "files")
    await service.stop(1)


def shown(folder: Path) -> list[str]:
    """What is in the folder; uploads on their way must be gone too."""
    assert not os.listdir(folder / ".upload-parts")
    return sorted(set(os.listdir(folder)) - {".upload-parts"})


REFUSED = [
    (b"GET /files/%00 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
    (b"GET /files/%ff%fe HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
    (b"GET /files/%0d%0aX:1 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
    (b"GET /files/old.txt HTTP/1.1\r\n\r\n", 421),
    (b"GET /files/old.txt HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
    (b"GET /files/old.txt HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 421),
    (b"GET /files/old.txt HTTP/1.0\r\n\r\n", 421),
    (b"PUT /files/n HTTP/1.1\r\nHost: HOST\r\n\r\n", 411),
    (b"PUT /files/n HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n", 400),
    (b"PUT /files/n HTTP/1.1\r\nHost: HOST\r\nContent-Length: +3\r\n\r\nabc", 400),
    (b"PUT /files/n HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1_0\r\n\r\nabc", 400),
    (b"PUT /files/n HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"PROPFIND / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    (b"PROPFIND / HTTP/1.1\r\nHost: HOST\r\nDepth: 0\r\nContent-Length: 9999999\r\n\r\n", 413),
    (b"LOCK /files/n HTTP/1.1\r\nHost: HOST\r\nContent-Length: 9999999\r\n\r\n", 413),
    (b"PROPFIND / HTTP/1.1\r\nHost: HOST\r\n\r\n", 403),
    (b"PROPFIND / HTTP/1.1\r\nHost: HOST\r\nDepth: 7\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 413),
    (b"BREW / HTTP/1.1\r\nHost: HOST\r\n\r\n", 405),
    (b"POST /files/old.txt HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\n\r\nx", 405),
]


async def test_hostile_requests_are_refused(wire: Wire) -> None:
    for request, status in REFUSED:
        got = await wire.status(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        assert got == status, request[:100]
    assert shown(wire.files) == ["old.txt"]


async def test_further_names_are_answered(wire: Wire) -> None:
    for host in (b"share.example", b"SHARE.example:9002", b"localhost:1"):
        request = b"OPTIONS / HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n\r\n"
        assert await wire.status(request) == 200


CUT = [
    b"PUT /files/%b HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1000\r\n\r\nhalf",
    b"PUT /files/%b HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    b"PUT /files/%b HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nhalf",
    b"PUT /files/%b HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf",
]


@pytest.mark.parametrize("request_text", CUT)
async def test_a_cut_upload_changes_nothing(wire: Wire, request_text: bytes) -> None:
    for name in (b"old.txt", b"new.txt"):
        assert not 200 <= await wire.status(request_text % name) < 300
    assert shown(wire.files) == ["old.txt"]
    assert (wire.files / "old.txt").read_text() == "old"


async def test_a_full_disk_is_told_and_changes_nothing(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdopen

    def full(descriptor: int, mode: str, buffering: int) -> object:
        os.close(descriptor)
        return real(os.open("/dev/full", os.O_WRONLY), mode, buffering)

    monkeypatch.setattr("dav.files.os.fdopen", full)
    for name in (b"old.txt", b"new.txt"):
        assert await wire.status(b"PUT /files/%b HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n"
                                 b"Content-Length: 3\r\n\r\nabc" % name) == 507
    assert shown(wire.files) == ["old.txt"]
    assert (wire.files / "old.txt").read_text() == "old"


async def test_what_a_killed_server_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / "files" / ".upload-parts" / ".upload-left"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    service = DavService(host="127.0.0.1", port=0, user="", password="", files_root=tmp_path / "files", jobs=None)
    await service.start()
    await service.stop(1)
    assert shown(tmp_path / "files") == []


async def test_a_chunked_upload_as_finder_sends_it(wire: Wire) -> None:
    assert await wire.status(b"PUT /files/new.txt HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n"
                             b"X-Expected-Entity-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
                             b"4\r\nwhol\r\n2\r\ne!\r\n0\r\n\r\n") == 201
    assert (wire.files / "new.txt").read_text() == "whole!"


async def test_a_refused_body_is_not_read_as_the_next_request(wire: Wire) -> None:
    hidden = b"DELETE /files/old.txt HTTP/1.1\r\nHost: HOST\r\n\r\n"
    for head in (b"PUT /files/n HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 b"PROPFIND / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2000000\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 60\r\n\r\n"):
        await wire.send(head + hidden)
        assert (wire.files / "old.txt").exists(), head


@pytest.mark.parametrize("body", [
    b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    b'<propfind xmlns="DAV:"><prop><x>&b;</x></prop></propfind>',
    b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    b'<propfind xmlns="DAV:"><prop><x>&f;</x></prop></propfind>',
    b"<propfind", b"\xff\xfe\x00", b"<a/>"])
async def test_xml_that_attacks_is_refused(wire: Wire, body: bytes) -> None:
    for depth in (b"0", b"1"):
        head = b"PROPFIND /files/ HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n"
        head += b"Depth: %b\r\nContent-Length: %d\r\n\r\n"
        assert await wire.status(head % (depth, len(body)) + body) == 400


async def test_errors_are_short_and_tell_no_version(wire: Wire) -> None:
    for request in (b"GET /none", b"GET /files/../x", b"BREW /"):
        answer = await wire.send(request + b" HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n")
        assert b"wsgidav" not in answer.lower()
        assert b"cheroot" not in answer.lower()
        assert b"Traceback" not in answer
        assert len(answer) < 500


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_failures_count_per_address_and_are_forgotten_after_a_minute() -> None:
    now = [0.0]
    login = Login("ada", "right", lambda: now[0])
    for _ in range(5):
        assert not login.is_slowed("one")
        assert not login.admits("one", basic("ada:wrong"))
    assert login.is_slowed("one")
    assert not login.is_slowed("two")
    now[0] = 61.0
    assert not login.is_slowed("one")
    assert login.admits("one", basic("ada:right"))


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!", "Basic " + "A" * 9, "Digest x", "Bearer right",
                                    basic("ada"), basic("ada:"), basic("ada:right "), basic(":right"), "Basic ÿ"])
def test_only_the_right_login_is_admitted(header: str) -> None:
    login = Login("ada", "right")
    assert not login.admits("here", header)
    assert login.admits("here", basic("ada:right"))
    assert Login("", "").admits("here", header)


async def test_a_taken_port_is_an_oserror(wire: Wire, tmp_path: Path) -> None:
    second = DavService(host="127.0.0.1", port=int(wire.host.rpartition(":")[2]), user="", password="",
                        files_root=tmp_path / "second", jobs=None)
    with pytest.raises(OSError):
        await second.start()
    await second.stop(0)
