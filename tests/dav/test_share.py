"""The share as HTTP: files, jobs as files, and requests that are refused."""

from __future__ import annotations

import base64
import json
import socket
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from heroredis.testing import ServerProcess


def call(server: ServerProcess, method: str, path: str, body: bytes | None = None,
         **headers: str) -> tuple[HTTPResponse, bytes]:
    address = urlsplit(server.url("webdav"))
    connection = HTTPConnection(address.hostname or "", address.port or 0, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer, text


def raw(server: ServerProcess, request: bytes) -> bytes:
    address = urlsplit(server.url("webdav"))
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_a_file_goes_in_and_comes_out(share: ServerProcess) -> None:
    assert call(share, "PUT", "/files/a%20b.txt", b"content")[0].status == 201
    answer, body = call(share, "GET", "/files/a%20b.txt")
    assert (answer.status, body) == (200, b"content")
    assert (share.data_dir / "files" / "a b.txt").read_bytes() == b"content"
    assert call(share, "DELETE", "/files/a%20b.txt")[0].status == 204


def test_an_ended_job_is_a_readable_file_under_its_state_and_under_all(share: ServerProcess) -> None:
    for state in ("done", "all"):
        answer, body = call(share, "GET", f"/jobs/echo/{state}/1.json")
        assert answer.status == 200
        assert answer.getheader("Content-Type") == "application/json"
        shown = json.loads(body)
        assert (shown["id"], shown["topic"], shown["state"], shown["result"]) == (1, "echo", "done", "hi")
    assert call(share, "GET", "/jobs/echo/new/1.json")[0].status == 404


def test_listings_name_topics_states_and_jobs(share: ServerProcess) -> None:
    _, topics = call(share, "PROPFIND", "/jobs/", Depth="1")
    assert b"/jobs/echo/" in topics
    assert b"waiting%252Ffor" in topics
    answer, jobs = call(share, "PROPFIND", "/jobs/echo/done/", Depth="1")
    assert answer.status == 207
    assert b"/jobs/echo/done/1.json" in jobs


@pytest.mark.parametrize("method", ["PUT", "DELETE", "MKCOL", "PROPPATCH", "LOCK"])
def test_jobs_cannot_be_changed_here(share: ServerProcess, method: str) -> None:
    path = "/jobs/echo/done/new" if method == "MKCOL" else "/jobs/echo/done/1.json"
    body = b"x" if method == "PUT" else None
    before = call(share, "GET", "/jobs/echo/done/1.json")[1]
    answer, _ = call(share, method, path, body)
    assert answer.status >= 400
    assert call(share, "GET", "/jobs/echo/done/1.json")[1] == before


@pytest.mark.parametrize("path", ["/", "/files/", "/files", "/jobs/"])
def test_the_roots_cannot_be_deleted(share: ServerProcess, path: str) -> None:
    call(share, "PUT", "/files/stays.txt", b"here")
    assert call(share, "DELETE", path)[0].status == 403
    assert call(share, "GET", "/files/stays.txt")[1] == b"here"


@pytest.mark.parametrize("path", [
    "/files/../canary.txt", "/files/%2e%2e/canary.txt", "/files/..%2fcanary.txt", "/files/a/../../canary.txt",
    "/files/%2e%2e%2fcanary.txt", "/../canary.txt", "/files/link/canary.txt", "/files/%00", "/files/%ff",
    "/files/..%5ccanary.txt",
])
def test_nothing_outside_the_folder_is_reached(share: ServerProcess, path: str) -> None:
    canary = share.data_dir / "canary.txt"
    canary.write_text("canary")
    files = share.data_dir / "files"
    link = files / "link"
    if not link.is_symlink():
        link.symlink_to(share.data_dir)
    for method in ("GET", "PUT", "DELETE"):
        answer, body = call(share, method, path, b"overwritten" if method == "PUT" else None)
        assert b"canary" not in body or answer.status >= 400
        assert canary.read_text() == "canary"


def test_an_upload_that_is_cut_short_leaves_the_old_file(share: ServerProcess) -> None:
    call(share, "PUT", "/files/whole.txt", b"the old content")
    host = urlsplit(share.url("webdav")).netloc.encode()
    head = b"PUT /files/whole.txt HTTP/1.1\r\nHost: %b\r\nContent-Length: 1000\r\n\r\n" % host
    answer = raw(share, head + b"x" * 500)
    assert not answer.startswith(b"HTTP/1.1 2")
    assert call(share, "GET", "/files/whole.txt")[1] == b"the old content"
    assert not list((share.data_dir / "files" / ".upload-parts").iterdir())


@pytest.mark.parametrize(("head", "status"), [
    (b"PUT /files/x HTTP/1.1\r\nHost: %b\r\n", b"411"),
    (b"PUT /files/x HTTP/1.1\r\nHost: %b\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"400"),
    (b"PUT /files/x HTTP/1.1\r\nHost: %b\r\nContent-Length: -1\r\n", b"400"),
    (b"PROPFIND / HTTP/1.1\r\nHost: evil.example\r\nX: %b\r\n", b"421"),
    (b"PROPFIND / HTTP/1.1\r\nHost: %b\r\nContent-Length: 2000000\r\n", b"413"),
])
def test_hostile_requests_are_refused(share: ServerProcess, head: bytes, status: bytes) -> None:
    host = urlsplit(share.url("webdav")).netloc.encode()
    assert raw(share, head % host + b"Connection: close\r\n\r\n").split(b" ")[1] == status


def test_depth_infinity_is_refused(share: ServerProcess) -> None:
    assert call(share, "PROPFIND", "/", Depth="infinity")[0].status == 403


def test_a_login_is_asked_for_and_guessing_is_slowed(private_share: ServerProcess) -> None:
    def login(text: str) -> int:
        header = "Basic " + base64.b64encode(text.encode()).decode()
        return call(private_share, "PROPFIND", "/", Depth="0", Authorization=header)[0].status

    answer, _ = call(private_share, "PROPFIND", "/", Depth="0")
    assert answer.status == 401
    assert (answer.getheader("WWW-Authenticate") or "").startswith("Basic")
    assert login("ada:s3cret") == 207
    assert [login(f"ada:guess{number}") for number in range(6)] == [401] * 5 + [429]


def test_the_answer_does_not_tell_versions(share: ServerProcess) -> None:
    answer, body = call(share, "GET", "/files/none")
    assert answer.status == 404
    assert b"WsgiDAV" not in body
    assert answer.getheader("Server") == "heroredis"


def test_files_root_is_in_the_data_folder(share: ServerProcess) -> None:
    assert Path(share.data_dir, "files").is_dir()
