"""The tree in one process: what it shows, what it refuses, and that nothing outside of it is touched."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from dav.extension import DavService
from tests.dav.fake_jobs import FakeJob, FakeJobs

CANARY = "nobody may read or change this"


@dataclass
class Share:
    address: str
    files: Path
    outside: Path
    jobs: FakeJobs

    async def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        return await asyncio.to_thread(self._call, method, path, body, headers)

    def _call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    async def copy(self, method: str, path: str, destination: str) -> int:
        return (await self.call(method, path, Destination=destination))[0]


@pytest.fixture
async def share(tmp_path: Path) -> AsyncIterator[Share]:
    jobs = FakeJobs([FakeJob(number, "mail", ("new", "done")[number % 2]) for number in range(1, 1301)])
    jobs.jobs += [FakeJob(2000, "a/b"), FakeJob(2001, "..")]
    files = tmp_path / "files"
    service = DavService(host="127.0.0.1", port=0, user="", password="", files_root=files, jobs=jobs)
    url = (await service.start())[0].url
    (files / "folder").mkdir()
    (files / "folder" / "inner.txt").write_text("inner")
    (files / "one.txt").write_text("one")
    (tmp_path / "canary.txt").write_text(CANARY)
    (files / "to-canary").symlink_to(tmp_path / "canary.txt")
    (files / "to-outside").symlink_to(tmp_path)
    (files / "dangling").symlink_to(tmp_path / "made-by-attack")
    yield Share(urlsplit(url).netloc, files, tmp_path, jobs)
    await service.stop(1)
    assert (tmp_path / "canary.txt").read_text() == CANARY
    assert sorted(os.listdir(tmp_path)) == ["canary.txt", "files"]


def hrefs(body: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(body).iter("{DAV:}href")]


HOSTILE = ["/files/../canary.txt", "/files/%2e%2e/canary.txt", "/files/.%2e/canary.txt", "/files/..%2fcanary.txt",
           "/files/folder/../../canary.txt", "/files/..%5ccanary.txt", "/files//../canary.txt", "/../canary.txt",
           "/files/%252e%252e/canary.txt", "/files/%00/../canary.txt", "/files/to-outside/canary.txt",
           "/files/to-outside/new.txt", "/files/to-canary", "/files/dangling", "/files/to-outside",
           "//files/../canary.txt", "/files/..;/canary.txt", "/files/%c0%ae%c0%ae/canary.txt",
           "/files/\\..\\canary.txt"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PROPFIND", "MKCOL", "LOCK", "DELETE"])
async def test_no_path_leads_out(share: Share, method: str) -> None:
    for path in HOSTILE:
        _, body = await share.call(method, path, b"attack" if method == "PUT" else None, Depth="0")
        assert CANARY.encode() not in body, path


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
async def test_no_destination_leads_out(share: Share, method: str) -> None:
    stolen = share.files / "stolen.txt"
    for path in HOSTILE:
        await share.copy(method, path, "/files/stolen.txt")
        await share.copy(method, "/files/one.txt", path)
        assert not stolen.exists() or CANARY not in stolen.read_text(), path


@pytest.mark.parametrize("method", ["DELETE", "MOVE", "COPY"])
async def test_the_roots_are_never_emptied(share: Share, method: str) -> None:
    for root in ("/", "/files", "/files/", "//files//", "/files/.", "/files/./", "/files/folder/..", "/%66iles",
                 "/jobs/"):
        for status in (await share.copy(method, root, "/files/moved"), await share.copy("COPY", "/files/folder", root),
                       await share.copy("MOVE", "/files/one.txt", root)):
            assert 400 <= status < 500, root
        assert (share.files / "one.txt").read_text() == "one", root
        assert (share.files / "folder" / "inner.txt").read_text() == "inner", root


async def test_symlinks_are_not_listed_and_a_copy_leaves_them_out(share: Share) -> None:
    (share.files / "folder" / "link").symlink_to(share.outside / "canary.txt")
    _, body = await share.call("PROPFIND", "/files/", Depth="1")
    assert sorted(hrefs(body)) == ["/files/", "/files/folder/", "/files/one.txt"]
    assert await share.copy("COPY", "/files/folder", "/files/second") == 201
    assert os.listdir(share.files / "second") == ["inner.txt"]


async def test_unshowable_names_do_not_break_a_listing(share: Share) -> None:
    for name in (b"no-\xff-utf8", b"bell-\x07", b".upload-left", "emoji 👩‍💻.txt".encode()):
        Path(os.fsdecode(os.fsencode(share.files) + b"/" + name)).write_text("x")
    status, body = await share.call("PROPFIND", "/files/", Depth="1")
    assert status == 207
    assert len(hrefs(body)) == 4
    assert (await share.call("PUT", "/files/" + "n" * 300, b"x"))[0] == 403
    assert (await share.call("PUT", "/files/.upload-mine", b"x"))[0] == 403


async def test_one_page_of_jobs_at_a_time(share: Share) -> None:
    _, body = await share.call("PROPFIND", "/jobs/mail/all/", Depth="1")
    assert len(hrefs(body)) == 1301
    assert len(share.jobs.pages) == 3
    _, body = await share.call("PROPFIND", "/jobs/mail/new/", Depth="1")
    assert len(hrefs(body)) == 651


async def test_topics_are_single_names(share: Share) -> None:
    _, body = await share.call("PROPFIND", "/jobs/", Depth="1")
    assert sorted(hrefs(body)) == ["/jobs/", "/jobs/%252E./", "/jobs/a%252Fb/", "/jobs/mail/"]
    assert await share.call("GET", "/jobs/a%252Fb/all/2000.json") == (
        200, b'{"id": 2000, "topic": "a/b", "state": "done"}')
    assert (await share.call("GET", "/jobs/%252E./done/2001.json"))[0] == 200


async def test_what_is_not_there(share: Share) -> None:
    for path in ("/jobs/none/all/1.json", "/jobs/mail/all/9999.json", "/jobs/mail/all/-1.json", "/jobs/mail/all/1",
                 "/jobs/mail/all/%C2%B2.json", "/jobs/mail/all/1.json/x", "/jobs/a%252Fb/all/1.json",
                 "/jobs/mail/other/1.json", "/else"):
        assert (await share.call("GET", path))[0] == 404, path


async def test_a_job_can_be_copied_to_the_files_and_nothing_goes_the_other_way(share: Share) -> None:
    assert await share.copy("COPY", "/jobs/mail/all/1.json", "/files/kept.json") == 201
    assert (share.files / "kept.json").read_bytes() == b'{"id": 1, "topic": "mail", "state": "done"}'
    for method, source, destination in (("MOVE", "/jobs/mail/all/1.json", "/files/m.json"),
                                        ("COPY", "/files/one.txt", "/jobs/mail/new/one.txt"),
                                        ("MOVE", "/files/one.txt", "/jobs/mail/all/1.json"),
                                        ("COPY", "/jobs/mail/", "/files/mail")):
        await share.copy(method, source, destination)
    assert (share.files / "one.txt").exists()
    assert not {"m.json", "mail"} & set(os.listdir(share.files))


def described(body: bytes) -> dict[str, set[tuple[str, str, str]]]:
    """href -> {(status, property, value)}; free space changes by itself and is left out."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for response in ElementTree.fromstring(body).iter("{DAV:}response"):
        shown = found.setdefault(response.findtext("{DAV:}href") or "", set())
        for group in response.iter("{DAV:}propstat"):
            for element in group.find("{DAV:}prop") or ():
                inner = "".join(re.sub(r"ns\d+:| xmlns:\w+=\"\S+\"", "", ElementTree.tostring(child, "unicode"))
                                for child in element)
                if not element.tag.startswith("{DAV:}quota"):
                    shown.add((group.findtext("{DAV:}status") or "", element.tag, (element.text or "") + inner))
    return found


@pytest.mark.parametrize("question", [
    None, b'<propfind xmlns="DAV:"><allprop/></propfind>',
    b'<propfind xmlns="DAV:"><prop><getetag/><getcontentlength/><x xmlns="urn:y"/><lockdiscovery/></prop></propfind>'])
async def test_the_fast_listing_says_what_the_general_one_says(share: Share, question: bytes | None) -> None:
    (share.files / "a & <b> 'c' ü.xml").write_text("x")
    for path in ("/files/", "/files", "/files/folder/", "/jobs/mail/all/", "/jobs/a%252Fb/done/"):
        fast = await share.call("PROPFIND", path, question, Depth="1")
        general = await share.call("PROPFIND", path, question, Depth="1", If="(Not <urn:none>)")
        assert fast[0] == general[0] == 207
        assert described(fast[1]) == described(general[1])
        assert b"<D:multistatus" in fast[1]
        assert b"<D:multistatus" not in general[1]


async def test_dead_properties_and_locks_are_listed(share: Share) -> None:
    patch = (b'<propertyupdate xmlns="DAV:"><set><prop><colour xmlns="urn:x">blue</colour></prop></set>'
             b"</propertyupdate>")
    assert (await share.call("PROPPATCH", "/files/one.txt", patch))[0] == 207
    assert b"blue" in (await share.call("PROPFIND", "/files/", Depth="1"))[1]
    lock = (b'<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>')
    assert (await share.call("LOCK", "/files/folder/inner.txt", lock, Timeout="Second-60"))[0] == 200
    assert b"opaquelocktoken" in (await share.call("PROPFIND", "/files/folder/", Depth="1"))[1]
    assert (await share.call("PUT", "/files/folder/inner.txt", b"other"))[0] == 423
