"""The pages people see: overview, list of jobs, one job, login. Rendered with Jinja2, everything escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from heroredis.extension import JobRefused
from ui import query, shown
from ui.api import counts, no_such_job, refusals
from ui.errors import BadRequest
from ui.security import COOKIE, too_many

if TYPE_CHECKING:
    from heroredis.extension import JobService
    from ui.auth import Gate

PAGE_COUNT: Final = 50
NEWEST_COUNT: Final = 12
TOPIC_ROWS: Final = 50
HISTORY_ROWS: Final = 200


class Pages:
    """Handlers of the HTML pages."""

    def __init__(self, jobs: JobService | None, gate: Gate) -> None:
        self._jobs = jobs
        self._gate = gate
        self._templates = environment()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.overview),
            web.get("/jobs", refusals(self.list_jobs)),
            web.post("/jobs", self.create),
            web.get("/jobs/{id}", refusals(self.job)),
            web.get("/login", self.login_form),
            web.post("/login", self.login),
            web.post("/logout", self.logout),
        ]

    def live(self) -> dict[str, str]:
        """The two parts of the overview that change by themselves, rendered once for all open pages."""
        values = self._live_values()
        return {part: self._templates.get_template(f"_{part}.html").render(values) for part in ("counts", "newest")}

    async def overview(self, request: web.Request) -> web.Response:
        return self._overview(query.topic_filter(request) or "", "", "", 200)

    async def list_jobs(self, request: web.Request) -> web.Response:
        if self._jobs is None:
            return self._page("jobs_off.html", status=503)
        topic, state = query.topic_filter(request), query.state_filter(request)
        cursor = query.number(request, "cursor", 0)
        following, found = self._jobs.list_jobs(topic=topic, state=state, cursor=cursor, count=PAGE_COUNT)
        kept = {name: value for name, value in (("topic", topic), ("state", state)) if value}
        values: dict[str, object] = {
            "jobs": found,
            "topic": topic or "",
            "state": state or "",
            "first": f"/jobs?{urlencode(kept)}" if cursor else "",
            "following": f"/jobs?{urlencode({**kept, 'cursor': following})}" if following else "",
            "stats": counts(self._jobs.stats(topic)),
        }
        return self._page("jobs.html", values)

    async def job(self, request: web.Request) -> web.Response:
        if self._jobs is None:
            return self._page("jobs_off.html", status=503)
        number = query.job_id(request)
        job = await self._jobs.get_job(number)
        if job is None:
            raise no_such_job()
        history = await self._jobs.get_history(number, HISTORY_ROWS)
        found = (("Params", job.params), ("Result", job.result), ("Error", job.error), ("Traceback", job.traceback))
        parts = [(title, shown.show(value)) for title, value in found if value is not None]
        return self._page("job.html", {"job": job, "history": history, "parts": parts})

    async def create(self, request: web.Request) -> web.Response:
        if self._jobs is None:
            return self._page("jobs_off.html", status=503)
        form = await read_form(request)
        topic, params = form.get("topic", "").strip(), form.get("params", "").replace("\r\n", "\n")
        try:
            job = await self._jobs.create_job(topic, params.encode())
        except JobRefused as refused:
            return self._overview(topic, params, refused.text, query.status_of(refused))
        except UnicodeEncodeError:
            return self._overview("", "", "the parameters are not valid text", 422)
        return see_other(f"/jobs/{job.job_id}")

    async def login_form(self, request: web.Request) -> web.Response:
        if not self._gate.closed:
            return see_other("/")
        return self._page("login.html", {"target": local_path(query.one(request, "next")), "problem": ""})

    async def login(self, request: web.Request) -> web.Response:
        if not self._gate.closed:
            return see_other("/")
        caller = request.remote or ""
        form = await read_form(request)
        target = local_path(form.get("next", ""))
        right = await self._gate.check(form.get("password", ""), caller)
        if not right:
            wait = self._gate.brake.wait_s(caller)
            if wait > 0:
                return too_many(request, wait)
            return self._page("login.html", {"target": target, "problem": "That is not the password."}, status=401)
        answer = see_other(target)
        answer.set_cookie(
            COOKIE, self._gate.open_session(), httponly=True, samesite="Strict", path="/", secure=request.secure
        )
        return answer

    async def logout(self, request: web.Request) -> web.Response:
        self._gate.close_session(request.cookies.get(COOKIE, ""))
        answer = see_other("/login")
        answer.del_cookie(COOKIE, path="/")
        return answer

    def _overview(self, topic: str, params: str, problem: str, status: int) -> web.Response:
        if self._jobs is None:
            return self._page("jobs_off.html")
        values = self._live_values()
        values.update({"topic": topic, "params": params, "problem": problem})
        return self._page("overview.html", values, status=status)

    def _live_values(self) -> dict[str, object]:
        if self._jobs is None:
            return {}
        topics = self._jobs.topics()
        rows = [(topic, counts(topics[topic])) for topic in sorted(topics)[:TOPIC_ROWS]]
        _, newest = self._jobs.list_jobs(count=NEWEST_COUNT)
        return {
            "total": counts(self._jobs.stats()),
            "topics": rows,
            "more_topics": max(0, len(topics) - TOPIC_ROWS),
            "jobs": newest,
        }

    def _page(self, template: str, values: dict[str, object] | None = None, *, status: int = 200) -> web.Response:
        shared = {"closed": self._gate.closed, "off": self._jobs is None}
        text = self._templates.get_template(template).render({**shared, **(values or {})})
        return web.Response(status=status, text=text, content_type="text/html")


def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("ui"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["when"] = shown.when
    made.filters["size"] = shown.size_text
    made.filters["spent"] = shown.spent
    made.globals["states"] = shown.STATES
    return made


async def read_form(request: web.Request) -> dict[str, str]:
    """The text fields of a form; files have no place in it."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise BadRequest("the body must be a form", status=415, code="UNSUPPORTED_TYPE")
    try:
        form = await request.post()
    except (ValueError, LookupError) as error:
        raise BadRequest("the form cannot be read") from error
    return {name: value for name, value in form.items() if isinstance(value, str)}


def local_path(target: str) -> str:
    """Where to go after login: a path of this site, never another site."""
    plain = target.startswith("/") and target[1:2] not in ("/", "\\") and target.isascii() and target.isprintable()
    return target if plain else "/"


def see_other(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})
