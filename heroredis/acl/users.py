"""All users of a server: found, authenticated, changed by rules, loaded and saved."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from heroredis.acl.denials import Denials
from heroredis.acl.describe import describe_user
from heroredis.acl.index import CommandIndex
from heroredis.acl.rules import BLANKS, RuleError, User, hashed, merged
from heroredis.parameters import Parameters
from heroredis.registry import Registry

DEFAULT: Final = b"default"
ALL_RULES: Final = (b"+@all", b"~*", b"&*", b"on", b"nopass")
NOTHING_CHANGED: Final = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"


class Users:
    """Users by name. `changed` hears of each that was changed (old, new) or removed (old, None)."""

    def __init__(self, registry: Registry, parameters: Parameters) -> None:
        self.index: Final = CommandIndex(registry)
        self.denials: Final = Denials(parameters)
        self.changed: Callable[[User, User | None], None] | None = None
        self._parameters: Final = parameters
        self.by_name: dict[bytes, User] = {}
        self.default: Final = self._all_powerful()
        self.by_name[DEFAULT] = self.default
        self.follow_password()
        parameters.when_changed("requirepass", self.follow_password)

    def almighty(self) -> User:
        """A user outside of the list, for connections of the server's own processes: nothing takes its rights away."""
        return self._all_powerful()

    def _all_powerful(self) -> User:
        made = self.new(DEFAULT)
        for rule in ALL_RULES:
            made.apply(self.index, rule, True)
        return made

    def follow_password(self) -> str:
        """The parameter requirepass is the default user's password."""
        password = self._parameters.get("requirepass")
        self.default.passwords = [hashed(password)] if password else []
        self.default.no_password = not password
        self._tell(self.default, self.default)
        return ""

    @property
    def open_to_all(self) -> bool:
        """Whether a new connection is let in as the default user without a password."""
        return self.default.enabled and self.default.no_password

    def new(self, name: bytes) -> User:
        return User(name, self._all_channels())

    def _all_channels(self) -> bool:
        return self._parameters.get("acl-pubsub-default") == b"allchannels"

    def authenticate(self, name: bytes, password: bytes) -> User | None:
        """The user, when name and password are right. Takes the same time whether the name or the password is wrong."""
        given = hashed(password)
        user = self.by_name.get(name)
        if user is None or not user.enabled:
            hmac.compare_digest(given, given)
            return None
        if user.no_password:
            return user
        right = False
        for known in user.passwords:
            right |= hmac.compare_digest(given, known)
        return user if right else None

    def staged(self, name: bytes, rules: list[bytes]) -> User:
        """A copy of the user (or a new one) with all `rules` applied. RuleError with the rule at fault."""
        made = self.new(name)
        old = self.by_name.get(name)
        if old is not None:
            made.copy_from(old)
        for rule in merged(rules):
            try:
                made.apply(self.index, rule, self._all_channels())
            except RuleError as error:
                raise RuleError(f"Error in ACL SETUSER modifier '{rule.decode('utf-8', 'replace')}': {error}") from None
        return made

    def set(self, name: bytes, rules: list[bytes]) -> None:
        """All rules or none. RuleError."""
        made = self.staged(name, rules)
        old = self.by_name.get(name)
        if old is None:
            self.by_name[name] = made
            return
        old.copy_from(made)
        self._tell(old, old)

    def configure(self, name: bytes, rules: list[bytes]) -> None:
        """A user as a line of a redis.conf declares it; the default user begins anew. RuleError with the rule."""
        if not name or BLANKS & set(name):
            raise RuleError("Spaces not allowed in ACL usernames")
        user = self.default if name == DEFAULT else self.new(name)
        if user is self.default:
            user.apply(self.index, b"reset", self._all_channels())
        for rule in merged(rules):
            try:
                user.apply(self.index, rule, self._all_channels())
            except RuleError as error:
                raise RuleError(f"Error in user declaration '{rule.decode('utf-8', 'replace')}': {error}") from None
        self.by_name[name] = user

    def _tell(self, old: User, new: User | None) -> None:
        if self.changed is not None:
            self.changed(old, new)

    def remove(self, name: bytes) -> bool:
        user = self.by_name.pop(name, None)
        if user is None:
            return False
        self._tell(user, None)
        return True

    def ordered(self) -> list[User]:
        return [user for _, user in sorted(self.by_name.items())]

    def lines(self) -> list[bytes]:
        """All users, as ACL LIST and the ACL file have them."""
        return [b"user %b %b" % (user.name, describe_user(self.index, user)) for user in self.ordered()]

    # The ACL file

    def load(self, path: str) -> None:
        """Replace all users by those of a file; RuleError with all that is wrong with it, and then nothing changes."""
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise RuleError(f"Error loading ACLs, opening file '{path}': {error.strerror}") from None
        made, wrong = self.read(text, path)
        if wrong:
            raise RuleError(wrong + NOTHING_CHANGED)
        self.replace(made)

    def read(self, text: bytes, path: str) -> tuple[dict[bytes, User], str]:
        """The users of an ACL file, and what is wrong with it."""
        made: dict[bytes, User] = {}
        wrong = ""
        for number, line in enumerate(text.split(b"\n"), 1):
            words = line.strip(b" \t\r\n").split(b" ")
            if words == [b""]:
                continue
            name = words[1].decode("utf-8", "replace") if len(words) > 1 else ""
            if words[0] != b"user" or len(words) < 2:
                wrong += f"{path}:{number} should start with user keyword followed by the username. "
            elif not words[1] or BLANKS & set(words[1]):
                wrong += f"'{path}:{number}: username '{name}' contains invalid characters. "
            elif words[1] in made:
                wrong += f"WARNING: Duplicate user '{name}' found on line {number}. "
            else:
                made[words[1]] = self.new(words[1])
                wrong += self._apply_line(made[words[1]], words[2:], f"{path}:{number}")
        return made, wrong

    def _apply_line(self, user: User, rules: list[bytes], where: str) -> str:
        wrong = ""
        try:
            rules = merged(rules)
        except RuleError:
            return f"{where}: Unmatched parenthesis in selector definition."
        for rule in rules:
            try:
                user.apply(self.index, rule.strip(b"\t\r\n"), self._all_channels())
            except RuleError as error:
                wrong += f"{where}: {error}. "
        return wrong

    def replace(self, made: dict[bytes, User]) -> None:
        """These are the users now. The default user stays the same object; connections of others that go are ended."""
        default = made.pop(DEFAULT, None) or self._all_powerful()
        gone = [user for name, user in self.by_name.items() if name != DEFAULT]
        self.by_name = {**made, DEFAULT: self.default}
        self.default.copy_from(default)
        self._tell(self.default, self.default)
        for user in gone:
            self._tell(user, None)

    def save(self, path: str) -> None:
        """Write all users; the file is replaced in one step. OSError."""
        temporary = Path(f"{path}.tmp-{os.getpid()}")
        try:
            with open(temporary, "wb", opener=_private) as file:
                file.write(b"".join(line + b"\n" for line in self.lines()))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
