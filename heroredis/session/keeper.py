"""Who keeps ordinary keys on disk, as commands and INFO see it. This base keeps nothing."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from heroredis.errors import RedisError
from heroredis.session.client import Client

NOT_KEPT = b"ERR this server keeps no keys on disk"


@mypyc_attr(allow_interpreted_subclasses=True)
class Keeper:
    """All of it is called on the loop."""

    loading = False
    """The files are being loaded: only some commands may run."""

    def facts(self) -> list[tuple[str, str]]:
        """Section Persistence of INFO."""
        return []

    def rewrite(self, later: bool) -> bytes:
        """BGREWRITEAOF, or begin it `later`, behind a transaction; the status line."""
        raise RedisError(NOT_KEPT)

    def save(self) -> None:
        """SAVE: everything is in a new base file when it returns."""
        raise RedisError(NOT_KEPT)

    def background_save(self, schedule: bool, later: bool) -> bytes:
        """BGSAVE, or begin it `later`, behind a transaction; the status line."""
        raise RedisError(NOT_KEPT)

    def sync(self, client: Client) -> bytes:
        """SYNC: all keys in their RDB form; the client is sent what is written from now on."""
        raise RedisError(NOT_KEPT)

    def all_flushed(self) -> None:
        """FLUSHALL: what is being saved is wanted no more, and with save points it is saved that nothing is left."""

    def before_shutdown(self, save: bool, no_save: bool) -> None:
        """SHUTDOWN: save when that is asked for, or when there are save points and nothing else keeps the keys."""

    def last_save_s(self) -> int:
        """Unix time of the last save that succeeded."""
        return 0

    def reload(self, save: bool, flush: bool) -> None:
        """DEBUG RELOAD: write everything to a base (`save`), empty all databases (`flush`), load."""
        raise RedisError(NOT_KEPT)

    def load_append_only(self) -> None:
        """DEBUG LOADAOF: empty all databases and load the append-only files."""
        raise RedisError(NOT_KEPT)
