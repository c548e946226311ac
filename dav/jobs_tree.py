"""The read-only tree `/jobs/<topic>/<state>/<id>.json`, with `all` as the state that never changes."""

from __future__ import annotations

import hashlib
import io
from typing import Any
from urllib.parse import quote, unquote

from wsgidav.dav_error import HTTP_FORBIDDEN, DAVError
from wsgidav.dav_provider import DAVCollection, DAVNonCollection

from dav.bridge import ALL, STATES, JobFiles, Shown
from dav.files import Upload
from dav.listing import Entry, file_values, folder_values

JSON = "application/json"
SAFE = " !#$&'()+,-.;=@[]^_`{}~"


def name_of_topic(topic: str) -> str:
    """A topic as a file name that every client can carry."""
    name = quote(topic, safe=SAFE, errors="surrogateescape")
    return name.replace(".", "%2E", 1) if name.startswith(".") else name


def topic_of_name(name: str) -> str:
    return unquote(name, errors="surrogateescape")


def etag_of(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


class ReadOnlyFolder(DAVCollection):
    """A folder that holds what the jobs are; nothing can be put, moved or deleted in it."""

    def get_member_names(self) -> list[str]:
        raise NotImplementedError

    def get_member(self, name: str) -> Any:
        return self.provider.get_resource_inst(self.path.rstrip("/") + "/" + name, self.environ)

    def get_member_list(self) -> list[Any]:
        members = (self.get_member(name) for name in self.get_member_names())
        return [member for member in members if member is not None]

    def get_etag(self) -> None:
        return None

    def create_empty_resource(self, name: str) -> Any:
        raise DAVError(HTTP_FORBIDDEN, "jobs are read-only here; make them with JOB.CREATE")

    def create_collection(self, name: str) -> Any:
        raise DAVError(HTTP_FORBIDDEN, "jobs are read-only here")

    def handle_delete(self) -> bool:
        raise DAVError(HTTP_FORBIDDEN, "jobs are read-only here")

    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> bool:
        raise DAVError(HTTP_FORBIDDEN, "copy single jobs, not folders of them")

    def handle_move(self, dest_path: str) -> bool:
        raise DAVError(HTTP_FORBIDDEN, "jobs are read-only here")

    def support_recursive_move(self, dest_path: str) -> bool:
        return False


class JobsFolder(ReadOnlyFolder):
    """`/jobs/`: one folder per topic."""

    def __init__(self, path: str, environ: dict[str, Any], jobs: JobFiles | None) -> None:
        super().__init__(path, environ)
        self._jobs = jobs

    def get_member_names(self) -> list[str]:
        return [] if self._jobs is None else [name_of_topic(topic) for topic in self._jobs.topics()]


class TopicFolder(ReadOnlyFolder):
    """`/jobs/<topic>/`: one folder per state, and `all`."""

    def get_member_names(self) -> list[str]:
        return [*STATES, ALL]


class StateFolder(ReadOnlyFolder):
    """`/jobs/<topic>/<state>/`: the newest jobs as files, from one snapshot."""

    def __init__(self, path: str, environ: dict[str, Any], jobs: JobFiles, topic: str, state: str) -> None:
        super().__init__(path, environ)
        self._jobs = jobs
        self._topic = topic
        self._state = state

    def get_member_names(self) -> list[str]:
        return [f"{shown.job_id}.json" for shown in self._jobs.listing(self._topic, self._state)]

    def get_member_list(self) -> list[Any]:
        folder = self.path.rstrip("/")
        return [JobFile(f"{folder}/{shown.job_id}.json", self.environ, shown)
                for shown in self._jobs.listing(self._topic, self._state)]

    def entries(self) -> list[Entry]:
        """Itself and its jobs, from one snapshot."""
        base = self.get_preferred_path()
        found = [Entry(base, folder_values(self.name))]
        for shown in self._jobs.listing(self._topic, self._state):
            name = f"{shown.job_id}.json"
            found.append(Entry(base + name, file_values(
                name, len(shown.text), shown.created_at / 1000, shown.at / 1000, etag_of(shown.text), JSON)))
        return found


class JobFile(DAVNonCollection):
    """One job as JSON; a snapshot taken when the request came."""

    def __init__(self, path: str, environ: dict[str, Any], shown: Shown) -> None:
        super().__init__(path, environ)
        self._shown = shown

    def get_content_length(self) -> int:
        return len(self._shown.text)

    def get_content_type(self) -> str:
        return JSON

    def get_creation_date(self) -> float:
        return self._shown.created_at / 1000

    def get_last_modified(self) -> float:
        return self._shown.at / 1000

    def get_etag(self) -> str:
        return etag_of(self._shown.text)

    def support_etag(self) -> bool:
        return True

    def support_ranges(self) -> bool:
        return True

    def get_content(self) -> io.BytesIO:
        return io.BytesIO(self._shown.text)

    def begin_write(self, *, content_type: str | None = None) -> Any:
        raise DAVError(HTTP_FORBIDDEN, "jobs are read-only here")

    def handle_delete(self) -> bool:
        raise DAVError(HTTP_FORBIDDEN, "jobs are read-only here")

    def handle_move(self, dest_path: str) -> bool:
        raise DAVError(HTTP_FORBIDDEN, "jobs are read-only here")

    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        """A copy into `/files/` keeps the job as it is now."""
        if is_move or not dest_path.startswith("/files/"):
            raise DAVError(HTTP_FORBIDDEN, "jobs can be copied into /files/ only")
        target = self.provider._loc_to_file_path(dest_path, self.environ)
        copy = Upload(target, None, self.provider.root_folder_path)
        try:
            copy.write(self._shown.text)
            copy.close()
        except DAVError:
            copy.drop()
            raise
        copy.keep()
