"""The JSON API, the pages over the same data, and the event stream."""

from __future__ import annotations

import io
import json
import socket

import pytest

from heroredis.clock import ManualClock
from heroredis.extension import JobRefused
from tests.ui.conftest import RunningUi, StartUi
from ui.extension import UiService


async def test_create_and_read_back(ui: RunningUi) -> None:
    status, body, headers = await ui.call("POST", "/api/jobs", json={"topic": "mail", "params": "hello"})
    assert (status, json.loads(body)) == (201, {"id": 1})
    assert headers["Location"] == "/api/jobs/1"
    assert ui.jobs.versions[1][0].params == b"hello"
    status, body, headers = await ui.call("GET", "/api/jobs/1")
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(body) == {"id": 1, "topic": "mail", "state": "new", "queue_wait_ms": None, "wall_ms": 7,
                                "cpu_us": None, "max_rss": None}


async def test_json_params_keep_their_text(ui: RunningUi) -> None:
    body = b'{"topic": "t", "params":  {"n": 12345678901234567890123, "f": 1.10} }'
    status, _, _ = await ui.call("POST", "/api/jobs", data=body, headers={"Content-Type": "application/json"})
    assert status == 201
    assert ui.jobs.versions[1][0].params == b'{"n": 12345678901234567890123, "f": 1.10}'


async def test_params_may_be_left_out(ui: RunningUi) -> None:
    await ui.call("POST", "/api/jobs", json={"topic": "t"})
    assert ui.jobs.versions[1][0].params == b""


async def test_topics_and_stats(ui: RunningUi) -> None:
    for topic in ("a", "a", "b"):
        await ui.jobs.create_job(topic, b"")
    ui.jobs.change(1, state="done")
    _, body, _ = await ui.call("GET", "/api/topics")
    assert json.loads(body)["a"] == {"new": 1, "active": 0, "done": 1, "error": 0}
    _, body, _ = await ui.call("GET", "/api/stats?topic=b")
    assert json.loads(body)["new"] == 1


async def test_list_pages_through_everything(ui: RunningUi) -> None:
    for _ in range(7):
        await ui.jobs.create_job("t", b"")
    seen, cursor = [], 0
    while True:
        _, body, _ = await ui.call("GET", f"/api/jobs?count=3&cursor={cursor}")
        page = json.loads(body)
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_history(ui: RunningUi) -> None:
    await ui.jobs.create_job("t", b"")
    ui.jobs.change(1, state="active", reason="taken", by="worker-1")
    _, body, _ = await ui.call("GET", "/api/jobs/1/history")
    rows = json.loads(body)["history"]
    assert [row["wall_ms"] for row in rows] == [7, 7]
    assert [(row["version"], row["state"], row["by"]) for row in rows] == [(2, "active", "worker-1"), (1, "new", "ui")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/jobs/99", 404),
        ("GET", "/api/jobs/99/history", 404),
        ("GET", "/api/jobs/0", 400),
        ("GET", "/api/jobs/x", 400),
        ("GET", "/api/jobs/99999999999999999999", 400),
        ("GET", "/api/jobs?count=0", 400),
        ("GET", "/api/jobs?count=501", 400),
        ("GET", "/api/jobs?count=%D9%A3", 400),
        ("GET", "/api/jobs?cursor=-1", 400),
        ("GET", "/api/jobs?state=nope", 400),
        ("GET", "/api/jobs?state=new&state=done", 400),
        ("GET", "/api/nothing", 404),
    ],
)
async def test_wrong_requests(ui: RunningUi, method: str, path: str, status: int) -> None:
    answered, body, _ = await ui.call(method, path)
    assert answered == status
    assert set(json.loads(body)["error"]) == {"code", "message"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"params": 1}', b'{"topic": 1}', b'{"topic": "t", "x": 1}'])
async def test_wrong_bodies(ui: RunningUi, body: bytes) -> None:
    status, _, _ = await ui.call("POST", "/api/jobs", data=body, headers={"Content-Type": "application/json"})
    assert status == 400
    assert not ui.jobs.versions


@pytest.mark.parametrize(("code", "status"), [("REFUSED", 409), ("INVALID", 422), ("IOERR", 503), ("NOJOB", 404)])
async def test_refusals_have_their_status(ui: RunningUi, code: str, status: int) -> None:
    ui.jobs.refuse = JobRefused(code, "no <b>way</b>")
    answered, body, _ = await ui.call("POST", "/api/jobs", json={"topic": "t"})
    assert (answered, json.loads(body)["error"]) == (status, {"code": code, "message": "no <b>way</b>"})
    form = {"topic": "kept", "params": "also kept"}
    answered, body, _ = await ui.call("POST", "/jobs", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert answered == status
    assert "no &lt;b&gt;way" in body
    assert 'value="kept"' in body
    assert "also kept" in body


async def test_body_above_the_limit(ui: RunningUi) -> None:
    for size, expected, words in ((16, 201, "id"), (20, 413, "the body has more than 20971520 bytes")):
        body = b'{"topic": "t", "params": "' + b"x" * (size * 1024 * 1024) + b'"}'
        status, answered, _ = await ui.call(
            "POST", "/api/jobs", data=io.BytesIO(body), headers={"Content-Type": "application/json"}
        )
        assert (status, words in answered) == (expected, True)


async def test_form_leads_to_the_job(ui: RunningUi) -> None:
    form = {"topic": "mail", "params": "a\r\nb"}
    status, _, headers = await ui.call("POST", "/jobs", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert (status, headers["Location"]) == (303, "/jobs/1")
    assert ui.jobs.versions[1][0].params == b"a\nb"
    _, page, _ = await ui.call("GET", "/jobs/1")
    assert "a\nb</pre>" in page


async def test_job_page_shows_bytes(ui: RunningUi) -> None:
    await ui.jobs.create_job("t", b"\x00\xff binary")
    ui.jobs.change(1, state="error", result=b"x" * 70_000, error=b'{"a":1}', traceback="ä".encode())
    status, page, _ = await ui.call("GET", "/jobs/1")
    assert status == 200
    assert "00000000  00 ff 20 62" in page
    assert "x" * 65_536 in page
    assert "x" * 65_537 not in page
    assert "{\n  &#34;a&#34;: 1\n}" in page


async def test_switched_off_job_system(start_ui: StartUi) -> None:
    ui = await start_ui(switched_on=False)
    status, page, _ = await ui.call("GET", "/")
    assert status == 200
    assert "switched off" in page
    for path in ("/api/topics", "/api/jobs/1", "/events", "/jobs", "/jobs/1"):
        status, _, _ = await ui.call("GET", path)
        assert status == 503, path


async def test_events_are_coalesced_and_end_with_the_service(ui: RunningUi) -> None:
    async with ui.http.get(ui.url + "events") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        first = await stream.content.readuntil(b"\n\n")
        assert b"No jobs here" in first
        for _ in range(1000):
            await ui.jobs.create_job("burst", b"")
        second = await stream.content.readuntil(b"\n\n")
        data = json.loads(second.partition(b"data: ")[2])
        assert data["changed"] is None
        assert ">1000</span>" in data["html"]["counts"]
        ui.jobs.change(5, state="done")
        third = json.loads((await stream.content.readuntil(b"\n\n")).partition(b"data: ")[2])
        assert third["changed"] == [5]
        await ui.service.stop(1.0)
        assert await stream.content.read() == b""
    assert ui.jobs.callbacks == []


async def test_taken_port_raises(ui: RunningUi) -> None:
    other = UiService(host="127.0.0.1", port=ui.port, password="", jobs=None, server=None, clock=ManualClock())
    with pytest.raises(OSError):
        await other.start()


async def test_port_is_free_after_stop(ui: RunningUi) -> None:
    await ui.service.stop(1.0)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", ui.port))
