"""What the lines of a redis.conf mean here: each sets a parameter, a user or a name, or is refused with the reason.

Redis's own defaults hold, but for the address: without a `bind` line only this machine can connect.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from heroredis.acl.rules import RuleError
from heroredis.acl.users import Users
from heroredis.config.lines import ConfError, Directive
from heroredis.config.table import ALIASES, TABLE
from heroredis.parameters import Parameters, Refused
from heroredis.registry import Registry

LOOPBACK: Final = b"127.0.0.1 -::1"
SAVE_POINTS: Final = b"3600 1 300 100 60 10000"
IGNORED: Final = frozenset({"list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"})
"""Names of older versions that Redis 7.0 takes without a word."""
NOT_HERE: Final = {
    "daemonize": "heroredis stays in the foreground; let a service manager start it, or write 'daemonize no'",
    "cluster-enabled": "there is no cluster mode; write 'cluster-enabled no'",
    "syslog-enabled": "logs go to standard output or to a logfile; write 'syslog-enabled no'",
    "tls-cluster": "there is no cluster bus; write 'tls-cluster no'",
    "tls-replication": "there is no replication; write 'tls-replication no'",
}
"""Switches that may only be off: what they switch on does not exist here."""
REFUSED: Final = {
    "replicaof": "heroredis is never a replica",
    "loadmodule": "modules cannot be loaded",
    "sentinel": "sentinel directive while not in sentinel mode",
}


class RedisConf:
    """A redis.conf that was read: parameters, and what is no parameter."""

    def __init__(self, path: str) -> None:
        self.path: Final = path
        """Where CONFIG REWRITE writes; empty when there was no file."""
        self.parameters: Final = Parameters(save=SAVE_POINTS)
        self.users: Final[list[Directive]] = []
        self.renamed: Final[list[tuple[bytes, bytes]]] = []
        self._given: Final[set[str]] = set()

    def take(self, directives: list[Directive]) -> None:
        """Apply all lines in order. ConfError at the first that cannot be used."""
        for one in directives:
            self._take_one(one)
        if "bind" not in self._given:
            self.parameters.put("bind", LOOPBACK)
        if self.users and self.parameters.get("aclfile"):
            raise ConfError("users are defined in the configuration and in an aclfile; use one of the two, not both")

    def _take_one(self, one: Directive) -> None:
        name = ALIASES.get(one.name, one.name)
        if name in REFUSED:
            if name == "replicaof" and [word.lower() for word in one.words] == [b"no", b"one"]:
                return
            raise one.error(f"{one.name}: {REFUSED[name]}")
        if one.name == "user" and one.words:
            if one.words[0] in [earlier.words[0] for earlier in self.users]:
                name = one.words[0].decode("utf-8", "replace")
                raise one.error(f"Error in user declaration '{name}': Duplicate user found. A user can only be defined "
                                "once in config files")
            self.users.append(one)
        elif one.name == "rename-command" and len(one.words) == 2:
            self.renamed.append((one.words[0], one.words[1]))
        elif name in TABLE:
            self._set(one, name)
        elif one.name not in IGNORED or len(one.words) != 1:
            raise one.error("Bad directive or wrong number of arguments")

    def declare_users(self, users: Users) -> None:
        """Make the users of a server that has all its commands. ConfError."""
        for one in self.users:
            try:
                users.configure(one.words[0], one.words[1:])
            except RuleError as error:
                raise one.error(str(error)) from None
        path = self.parameters.get("aclfile")
        if path:
            try:
                users.load(path.decode("utf-8", "surrogateescape"))
            except RuleError as error:
                raise ConfError(f"Aborting Redis startup because of ACL errors: {error}") from None

    def rename_commands(self, registry: Registry) -> None:
        """Once the data is loaded: what was journaled bears the commands' own names. ConfError."""
        for old, new in self.renamed:
            reason = registry.rename(old, new)
            if reason:
                raise ConfError(f"rename-command {old.decode('latin-1')}: {reason}")

    def _set(self, one: Directive, name: str) -> None:
        words = one.words
        kind = TABLE[name].kind
        if not kind.several and len(words) != 1:
            raise one.error("wrong number of arguments")
        if kind.several and len(words) == 1 and b" " in words[0]:  # --save "3600 1": one argument with several words
            words = words[0].split(b" ")
        if name in NOT_HERE and words[0].lower() == b"yes":
            raise one.error(f"{name}: {NOT_HERE[name]}")
        if name == "save" and "save" in self._given and words != [b""]:
            words = [*self.parameters.get("save").split(), *words]
        if name == "dir":
            words = [self._folder(one)]
        try:
            self.parameters.set_words(name, words)
        except Refused as refusal:
            raise one.error(refusal.reason) from None
        self._given.add(name)

    def _folder(self, one: Directive) -> bytes:
        path = one.words[0].decode("utf-8", "surrogateescape")
        if not Path(path).is_dir():
            raise one.error(f"Can't chdir to '{path}': No such file or directory")
        return one.words[0]
