"""One Config for all services: defaults < TOML file < environment (HEROREDIS_...) < command line.

Every option is a dataclass field that carries its help, its parser and its flag; the command line, the environment
names, the error texts and docs/config.md are all derived from it. Imports no service, so that reading it is fast.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from heroredis.durations import parse_duration_ms

ENV_PREFIX = "HEROREDIS_"
RESERVED_ENV = frozenset({"HEROREDIS_PURE", "HEROREDIS_CONFIG", "HEROREDIS_URL", "HEROREDIS_WORKER"})
"""Read elsewhere: HEROREDIS_URL by the command line, HEROREDIS_WORKER marks worker processes and what they start."""
DURABILITIES = ("always", "everysec", "no")
DEFAULT_JOBS_PATH = "./data/jobsdb"


class SettingsError(Exception):
    """An option that cannot be used; the message names the option, the value and the fix."""

    def __init__(self, option: str, value: object, fix: str, source: str = "") -> None:
        self.option, self.value, self.fix, self.source = option, value, fix, source
        where = f" ({source})" if source else ""
        super().__init__(f"{option} = {value!r}{where}: {fix}")


def _port(value: Any) -> int:
    number = _whole(value)
    if not 0 <= number <= 65535:
        raise ValueError("give a port from 1 to 65535, or 0 for any free one")
    return number


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError("give a whole number")
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError("give a whole number") from None


def _between(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        number = _whole(value)
        if not low <= number <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return number
    return parse


def _permissions(value: Any) -> str:
    try:
        number = int(str(value), 8)
    except ValueError:
        number = -1
    if not 0 <= number <= 0o777:
        raise ValueError("give permissions in octal as a text, such as \"660\"")
    return f"{number:o}"


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError("give true or false")


def _text(value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise ValueError("give a text in quotes")
    return os.fspath(value)


def _address(value: Any) -> str:
    text = _text(value)
    if text != "localhost":
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise ValueError("give an IP address such as 127.0.0.1, ::1 or 0.0.0.0") from None
    return text


def _rules(value: Any) -> str:
    """Rules of retention as one text; a table has states, and tables of states by topic."""
    if not isinstance(value, dict):
        return _text(value)
    rules = []
    for name, rule in value.items():
        if isinstance(rule, dict):
            rules += [f"{name}:{state}={age}" for state, age in rule.items()]
        else:
            rules.append(f"{name}={rule}")
    return " ".join(rules)


def _duration(value: Any) -> str:
    parse_duration_ms(value)
    return f"{value}ms" if isinstance(value, int) else str(value)


def _one_of(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError("give one of " + ", ".join(repr(choice) for choice in choices))
        return str(value)
    return parse


def _hosts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ValueError("give a list of host names")


def option(default: Any, parse: Callable[[Any], Any], text: str, *, flag: str = "", secret: bool = False) -> Any:
    """One option: its default, its parser (ValueError says the fix), its help and its flag on the command line."""
    return field(default=default, metadata={"parse": parse, "help": text, "flag": flag, "secret": secret})


@dataclass(slots=True)
class RedisSettings:
    """Section [redis]: where Redis clients connect."""

    tcp_port: int = option(6379, _port, "TCP port of the Redis listener; 0 = any free port", flag="--port")
    bind: str = option("127.0.0.1", _address, "address of the Redis listener; beyond loopback it needs a password",
                       flag="--bind")
    unix_socket_path: str = option("/tmp/redis.sock", _text, 'Unix socket of the Redis listener; "" = none',
                                   flag="--unix-socket")
    unix_socket_permissions: str = option("600", _permissions, "who may open the Unix socket, in octal")
    tls_port: int = option(0, _port, "port for TLS connections (rediss://); 0 = none", flag="--tls-port")
    tls_cert_file: str = option("", _text, "certificate of the TLS listener, PEM; read again on SIGHUP")
    tls_key_file: str = option("", _text, "its private key, PEM")
    tls_ca_cert_file: str = option("", _text, "authorities whose client certificates are taken, PEM")
    tls_auth_clients: str = option("no", _one_of("no", "optional", "yes"), "whether clients have to show a certificate")
    password: str = option("", _text, "password that clients send with AUTH; empty = none", secret=True)
    databases: int = option(16, _between(1, 16384), "number of databases for SELECT")
    appendonly: bool = option(True, _truth, "keep ordinary keys on disk: true or false", flag="--appendonly")
    appendfsync: str = option("everysec", _one_of(*DURABILITIES), "when a write to an ordinary key is synced: before "
                              "its answer (always), once a second (everysec), or when the system likes (no)",
                              flag="--appendfsync")


@dataclass(slots=True)
class JobsSettings:
    """Section [jobs]: the job system."""

    ourdb_path: str = option(DEFAULT_JOBS_PATH, _text, "folder of the job store; the default follows data_dir")
    worker_count: int = option(5, _between(0, 100_000), "embedded workers; 0 = none, remote workers only",
                               flag="--workers")
    queue_poll_interval: str = option("100ms", _duration, "safety net: how often queues are looked at when no push "
                                      "woke a worker")
    handlers: str = option("", _text, "module or file with the handlers, with an optional :NAME (default handlers)",
                           flag="--handlers")
    max_params: int = option(16 * 1024 * 1024, _between(0, 512 * 1024 * 1024), "bytes of a job's params at most")
    max_result: int = option(16 * 1024 * 1024, _between(0, 512 * 1024 * 1024), "bytes of a job's result at most")
    poison_after: int = option(3, _between(0, 1_000_000), "worker deaths after which a job is set aside with the "
                               "reason poison; 0 = never")
    stuck_after: str = option("10m", _duration, "how long a handler may run, beyond its timeout, before the log "
                              "names it as stuck; 0 = no such alarm")
    index: bool = option(True, _truth, "the index by which jobs are searched", flag="--no-job-index")
    retention: str = option("", _rules, "how long ended jobs are kept, `[topic:]done=AGE[/NUMBER]` and the same with "
                            "error, separated by spaces; in the file also a table; empty = for ever")
    process_count: int = option(2, _between(0, 1000), "worker processes for handlers with isolation=\"process\"; none "
                                "is started when there is no such handler")
    process_max_jobs: int = option(0, _between(0, 1 << 40), "jobs after which a worker process is replaced; 0 = never")
    process_max_memory: int = option(0, _between(0, 1 << 50), "resident bytes beyond which a worker process is "
                                     "replaced after its job; 0 = no limit")
    process_memory_limit: int = option(0, _between(0, 1 << 50), "bytes of address space that a worker process cannot "
                                       "get beyond: its handler sees a MemoryError; 0 = no limit")
    grace: str = option("10s", _duration, "how long running handlers may go on when the server stops")


@dataclass(slots=True)
class UiSettings:
    """Section [ui]: the web interface."""

    port: int = option(9001, _port, "HTTP port of the UI; 0 = any free port", flag="--ui-port")
    bind: str = option("127.0.0.1", _address, "address of the UI; beyond loopback it needs a password")
    password: str = option("", _text, "password of the UI; empty = no login", secret=True)
    allowed_hosts: tuple[str, ...] = option((), _hosts, "further names under which the UI may be asked for")


@dataclass(slots=True)
class WebdavSettings:
    """Section [webdav]: the WebDAV share."""

    port: int = option(9002, _port, "HTTP port of the WebDAV share; 0 = any free port", flag="--webdav-port")
    bind: str = option("127.0.0.1", _address, "address of the share; beyond loopback it needs a password")
    user: str = option("hero", _text, "user name of the share")
    password: str = option("", _text, "password of the share; empty = no login", secret=True)
    allowed_hosts: tuple[str, ...] = option((), _hosts, "further names under which the share may be asked for")


@dataclass(slots=True)
class Config:
    """Everything a server is started with. Attributes may be set freely until it starts."""

    data_dir: str = option("./data", _text, "folder of everything that is kept", flag="--data-dir")
    durability: str = option("always", _one_of(*DURABILITIES), "when a job's answer may leave: after its fsync "
                             "(always), or with up to a second at risk (everysec), or when the system likes (no)",
                             flag="--durability")
    enable_redis: bool = option(True, _truth, "the Redis listener", flag="--no-redis")
    enable_jobs: bool = option(True, _truth, "the job system", flag="--no-jobs")
    enable_ui: bool = option(True, _truth, "the web interface", flag="--no-ui")
    enable_webdav: bool = option(True, _truth, "the WebDAV share", flag="--no-webdav")
    log_level: str = option("info", _one_of("debug", "info", "warning", "error"), "least level that is logged",
                            flag="--log-level")
    log_format: str = option("text", _one_of("text", "json"), "log lines for people or for machines",
                             flag="--log-format")
    redis: RedisSettings = field(default_factory=RedisSettings)
    jobs: JobsSettings = field(default_factory=JobsSettings)
    ui: UiSettings = field(default_factory=UiSettings)
    webdav: WebdavSettings = field(default_factory=WebdavSettings)

    def jobs_path(self) -> Path:
        """Folder of the job store: ourdb_path, or jobsdb/ in data_dir when ourdb_path was left alone."""
        if self.jobs.ourdb_path == DEFAULT_JOBS_PATH:
            return Path(self.data_dir) / "jobsdb"
        return Path(self.jobs.ourdb_path)

    def check(self) -> None:
        """Parse every value again (they may have been assigned) and check what depends on several of them."""
        for section, name, fact in walk():
            holder = getattr(self, section) if section else self
            setattr(holder, name, _parsed(section, name, fact, getattr(holder, name), ""))
        self._check_exposed("redis", self.enable_redis, self.redis.bind, self.redis.password)
        self._check_exposed("ui", self.enable_ui, self.ui.bind, self.ui.password)
        self._check_exposed("webdav", self.enable_webdav, self.webdav.bind, self.webdav.password)

    def _check_exposed(self, section: str, enabled: bool, bind: str, password: str) -> None:
        if enabled and not password and bind != "localhost" and not ipaddress.ip_address(bind).is_loopback:
            raise SettingsError(f"{section}.bind", bind, "this address is open to other machines and no password is "
                                f"set; set {section}.password ({env_name(section, 'password')}), or bind 127.0.0.1")


def walk() -> Iterator[tuple[str, str, Field[Any]]]:
    """All options as (section, name, field); section "" is the top level."""
    for top in fields(Config):
        if "parse" in top.metadata:
            yield "", top.name, top
    for section, kind in (("redis", RedisSettings), ("jobs", JobsSettings), ("ui", UiSettings),
                          ("webdav", WebdavSettings)):
        for inner in fields(kind):
            yield section, inner.name, inner


def dotted(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


def env_name(section: str, name: str) -> str:
    return ENV_PREFIX + dotted(section, name).replace(".", "_").upper()


def _parsed(section: str, name: str, fact: Field[Any], value: Any, source: str) -> Any:
    try:
        return fact.metadata["parse"](value)
    except ValueError as error:
        shown = "***" if fact.metadata["secret"] else value
        raise SettingsError(dotted(section, name), shown, str(error), source) from None


def load(path: str | None = None, environ: Mapping[str, str] | None = None,
         overrides: Mapping[str, tuple[str, Any]] | None = None, defaults: Mapping[str, Any] | None = None) -> Config:
    """A checked Config. `overrides` maps a dotted option to (flag as typed, value); `defaults` replace the usual."""
    environ = os.environ if environ is None else environ
    config = Config()
    known = {dotted(section, name): (section, name, fact) for section, name, fact in walk()}
    _apply(config, known, defaults or {}, "")
    path = path or environ.get("HEROREDIS_CONFIG") or None
    if path is not None:
        _apply(config, known, _flat(_read_toml(path)), path)
    by_variable = {env_name(section, name): dotted(section, name) for section, name, _ in walk()}
    for variable, value in sorted(environ.items()):
        if variable in by_variable:
            _apply(config, known, {by_variable[variable]: value}, f"environment {variable}")
    for name, (flag, value) in (overrides or {}).items():
        _apply(config, known, {name: value}, flag)
    config.check()
    return config


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """HEROREDIS_... variables that no option answers to, for a warning at start."""
    names = {env_name(section, name) for section, name, _ in walk()} | RESERVED_ENV
    return sorted(name for name in environ if name.startswith(ENV_PREFIX) and name not in names)


def _read_toml(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError("--config", path, f"cannot be read: {error.strerror}; give an existing TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("--config", path, f"is not valid TOML: {error}") from None


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict) and prefix + name != "jobs.retention":
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def _apply(config: Config, known: Mapping[str, tuple[str, str, Field[Any]]], values: Mapping[str, Any],
           source: str) -> None:
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "see docs/config.md for the options"
            raise SettingsError(name, value, f"there is no such option; {hint}", source)
        section, attribute, fact = known[name]
        holder = getattr(config, section) if section else config
        setattr(holder, attribute, _parsed(section, attribute, fact, value, source))


def as_markdown() -> str:
    """docs/config.md: every option with its names in the file, the environment and on the command line."""
    lines = ["# Configuration", "", "Generated by `make docs` from `heroredis/settings.py`; do not edit.", "",
             "Values come from, in rising order: the defaults, the TOML file given with `--config` (or "
             "`HEROREDIS_CONFIG`), the environment, the command line.",
             "Durations are written as `100ms`, `5s`, `2m`, `1h`; a plain number is milliseconds.", ""]
    last = None
    for section, name, fact in walk():
        if section != last:
            title = f"`[{section}]`" if section else "Top level"
            lines += [f"## {title}", "", "| option | default | environment | flag | meaning |", "|---|---|---|---|---|"]
            last = section
        flag = f"`{fact.metadata['flag']}`" if fact.metadata["flag"] else ""
        default = f"`{_toml(fact.default)}`"
        lines.append(f"| `{name}` | {default} | `{env_name(section, name)}` | {flag} | {fact.metadata['help']} |")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
