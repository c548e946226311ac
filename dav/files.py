"""The folder `/files/`: uploads land in a temporary file and take their name only when they are whole."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from typing import Any

from wsgidav.dav_error import HTTP_BAD_REQUEST, HTTP_FORBIDDEN, HTTP_INSUFFICIENT_STORAGE, DAVError
from wsgidav.fs_dav_provider import FileResource, FolderResource
from wsgidav.util import guess_mime_type

from dav.listing import Entry, file_values, folder_values

PREFIX = ".upload-"
PARTS = ".upload-parts"
NAME_LIMIT = 255
UNSHOWN = re.compile("[\\x00-\\x1f\\x7f\\ud800-\\udfff\\ufffe\\uffff]")


class Upload:
    """What wsgidav writes a body into; `close` leaves the whole file under its temporary name."""

    def __init__(self, target: str, expected: int | None, root: str) -> None:
        self.target = target
        self.written = 0
        self._expected = expected
        try:
            self.path = os.path.join(_parts_beside(target, root), PREFIX + secrets.token_hex(16))
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise refused(error) from error
        self._file = os.fdopen(descriptor, "wb", 262144)

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise refused(error) from error
        self.written += len(data)

    def close(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise refused(error) from error

    def is_whole(self) -> bool:
        return self._expected is None or self._expected == self.written

    def keep(self) -> None:
        try:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(self.path, stat.S_IMODE(os.lstat(self.target).st_mode) & 0o777)
            os.replace(self.path, self.target)
        except OSError as error:
            self.drop()
            raise refused(error) from error

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)


def refused(error: OSError) -> DAVError:
    """507 when the disk is full, 403 otherwise; the reason without paths."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return DAVError(HTTP_INSUFFICIENT_STORAGE if full else HTTP_FORBIDDEN, error.strerror)


def prepare(root: str) -> None:
    """Make the folder for uploads on their way, without what a killed server left in it."""
    parts = os.path.join(root, PARTS)
    shutil.rmtree(parts, ignore_errors=True)
    os.makedirs(parts, mode=0o700, exist_ok=True)


def _parts_beside(target: str, root: str) -> str:
    """Where the temporary file goes: a rename does not lead from one disk to another."""
    folder, parts = os.path.dirname(target), os.path.join(root, PARTS)
    same = os.path.isdir(parts) and os.stat(parts).st_dev == os.stat(folder).st_dev
    return parts if same else folder


def expected_length(environ: dict[str, Any]) -> int | None:
    text = str(environ.get("CONTENT_LENGTH") or "")
    return int(text) if text.isdigit() else None


def is_possible(name: str) -> bool:
    """A name that the file system and XML can carry, and that is no upload on its way."""
    if name.startswith(PREFIX) or UNSHOWN.search(name):
        return False
    return len(name.encode()) <= NAME_LIMIT


class StoredFile(FileResource):
    """A file of the folder."""

    def __init__(self, path: str, environ: dict[str, Any], file_path: str) -> None:
        super().__init__(path, environ, file_path)
        self.is_new = False
        self._upload: Upload | None = None

    def begin_write(self, *, content_type: str | None = None) -> Upload:
        self._upload = Upload(self._file_path, expected_length(self.environ), self.provider.root_folder_path)
        return self._upload

    def end_write(self, *, with_errors: bool) -> None:
        """Give the upload its name, or leave what was there before as it was."""
        upload, self._upload = self._upload, None
        if upload is not None and not with_errors and upload.is_whole():
            upload.keep()
            return
        if upload is not None:
            upload.drop()
        if self.is_new:
            with contextlib.suppress(OSError):
                os.unlink(self._file_path)
        if not with_errors:
            raise DAVError(HTTP_BAD_REQUEST, "the body is shorter than its Content-Length")


class StoredFolder(FolderResource):
    """A folder below `/files/`, or `/files/` itself."""

    def get_member_names(self) -> list[str]:
        return [name for name in super().get_member_names() if is_possible(name)]

    def get_member_list(self) -> list[Any]:
        """Members that are still there; one may vanish while the list is made."""
        members = (self.get_member(name) for name in self.get_member_names())
        return [member for member in members if member is not None]

    def entries(self) -> list[Entry]:
        """Itself and its members, from one reading of the folder."""
        base = self.get_preferred_path()
        usage = shutil.disk_usage(self._file_path)
        quota = (usage.used, usage.free)
        own = self.file_stat
        found = [Entry(base, folder_values(self.name, (own.st_ctime, own.st_mtime), quota))]
        with os.scandir(self._file_path) as members:
            for member in members:
                if not is_possible(member.name):
                    continue
                try:
                    seen = member.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(seen.st_mode):
                    values = folder_values(member.name, (seen.st_ctime, seen.st_mtime), quota)
                    found.append(Entry(f"{base}{member.name}/", values))
                elif stat.S_ISREG(seen.st_mode):
                    etag = f"{seen.st_ino}-{int(seen.st_mtime)}-{seen.st_size}"
                    mime_type = guess_mime_type(member.name, self.environ["wsgidav.config"])
                    found.append(Entry(base + member.name, file_values(
                        member.name, seen.st_size, seen.st_ctime, seen.st_mtime, etag, mime_type)))
        return found

    def create_empty_resource(self, name: str) -> Any:
        made = super().create_empty_resource(name)
        made.is_new = True
        return made

    def delete(self) -> None:
        if os.path.samefile(self._file_path, self.provider.root_folder_path):
            raise DAVError(HTTP_FORBIDDEN, "the folder of all files cannot be deleted")
        super().delete()
