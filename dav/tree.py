"""One tree for everything: `/` with `files/` (a real folder) and `jobs/` (made from the jobs)."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from wsgidav.dav_error import HTTP_FORBIDDEN, HTTP_NOT_FOUND, DAVError
from wsgidav.fs_dav_provider import FilesystemProvider

from dav.bridge import ALL, STATES, JobFiles
from dav.files import StoredFile, StoredFolder, is_possible
from dav.jobs_tree import JobFile, JobsFolder, ReadOnlyFolder, StateFolder, TopicFolder, name_of_topic, topic_of_name
from dav.listing import asked_properties, multistatus


class RootFolder(ReadOnlyFolder):
    """`/`: what clients probe first."""

    def get_member_names(self) -> list[str]:
        return ["files", "jobs"]


class Tree(FilesystemProvider):
    """The provider of the whole share."""

    def __init__(self, files_root: str, jobs: JobFiles | None) -> None:
        super().__init__(files_root, fs_opts={"follow_symlinks": False})
        self._jobs = jobs

    def _loc_to_file_path(self, path: str, environ: dict[str, Any] | None = None) -> str:
        if path != "/files" and not path.startswith("/files/"):
            raise DAVError(HTTP_FORBIDDEN, "files can be put below /files/ only")
        if not all(is_possible(name) for name in path.split("/")):
            raise DAVError(HTTP_FORBIDDEN, "this name is not possible")
        found: str = super()._loc_to_file_path(path[len("/files") :] or "/", environ)
        return found

    def get_resource_inst(self, path: str, environ: dict[str, Any]) -> Any:
        """The resource of a path; None when there is none."""
        self._count_get_resource_inst += 1
        parts = [part for part in path.split("/") if part]
        if not parts:
            return RootFolder("/", environ)
        if parts[0] == "files":
            return self._stored(path, environ)
        if parts[0] == "jobs":
            return self._job_resource(parts[1:], "/" + "/".join(parts), environ)
        return None

    def _stored(self, path: str, environ: dict[str, Any]) -> Any:
        try:
            file_path = self._loc_to_file_path(path, environ)
        except DAVError as error:
            if error.value == HTTP_NOT_FOUND:
                return None
            raise
        if os.path.islink(file_path) or not os.path.exists(file_path):
            return None
        if os.path.isdir(file_path):
            return StoredFolder(path, environ, file_path)
        return StoredFile(path, environ, file_path) if os.path.isfile(file_path) else None

    def _job_resource(self, parts: list[str], path: str, environ: dict[str, Any]) -> Any:
        if not parts:
            return JobsFolder(path, environ, self._jobs)
        if self._jobs is None or len(parts) > 3:
            return None
        topic = topic_of_name(parts[0])
        if name_of_topic(topic) != parts[0]:
            return None
        if len(parts) == 3:
            return self._job_file(topic, parts[1], parts[2], path, environ)
        if not self._jobs.has_topic(topic):
            return None
        if len(parts) == 1:
            return TopicFolder(path, environ)
        return StateFolder(path, environ, self._jobs, topic, parts[1]) if parts[1] in (*STATES, ALL) else None

    def _job_file(self, topic: str, state: str, name: str, path: str, environ: dict[str, Any]) -> Any:
        number = name.removesuffix(".json")
        if not name.endswith(".json") or not number.isdecimal() or not number.isascii() or len(number) > 15:
            return None
        shown = None if self._jobs is None else self._jobs.find(int(number))
        if shown is None or shown.topic != topic or state not in (ALL, shown.state):
            return None
        return JobFile(path, environ, shown)

    def custom_request_handler(self, environ: dict[str, Any], start_response: Any, default_handler: Any) -> Any:
        """Depth infinity is refused: clients use 0 and 1, and a tree of jobs has no end."""
        default_handler.__self__.allow_propfind_infinite = False
        if environ["REQUEST_METHOD"] == "PROPFIND" and environ.get("HTTP_DEPTH") == "1":
            answer = self._listed(environ)
            if answer is not None:
                start_response("207 Multi-Status", [
                    ("Content-Type", "application/xml; charset=utf-8"), ("Content-Length", str(len(answer)))])
                return [answer]
        return default_handler(environ, start_response)

    def _listed(self, environ: dict[str, Any]) -> bytes | None:
        """A listing as text; None when locks, dead properties or conditions need the general way."""
        if any(name.startswith("HTTP_IF") for name in environ):
            return None
        folder = self.get_resource_inst(environ["PATH_INFO"], environ)
        if not isinstance(folder, StoredFolder | StateFolder):
            return None
        if self.lock_manager.get_url_lock_list(folder.get_ref_url(), recursive=True):
            return None
        names = asked_properties(environ)
        if names is None:
            return None
        entries = folder.entries()
        if self.prop_manager.has_any(quote(entry.path) for entry in entries):
            return None
        return multistatus(entries, names)
