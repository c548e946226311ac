"""Starting as redis-server is started: from a redis.conf and options behind it, with the log lines that tools wait for.

Jobs, UI and WebDAV are off then, unless a settings file or the environment asks for them.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from heroredis.config.conf import RedisConf
from heroredis.config.lines import ConfError, read_file, read_options, read_text
from heroredis.config.rewrite import replace_file, rewritten
from heroredis.parameters import Parameters
from heroredis.session.core import Core
from heroredis.settings import Config, load
from heroredis.version import REDIS_VERSION

logger = logging.getLogger("heroredis")
FLAG: Final = "--redis-conf"
OFF: Final = {"enable_jobs": False, "enable_ui": False, "enable_webdav": False}


class Prepared:
    """What a start from a redis.conf needs."""

    def __init__(self, config: Config, conf: RedisConf, ready_file: str | None) -> None:
        self.config: Final = config
        self.conf: Final = conf
        self.ready_file: Final = ready_file


def is_asked_for(arguments: Sequence[str]) -> bool:
    return any(word == FLAG or word.startswith(FLAG + "=") for word in arguments)


def prepare(arguments: Sequence[str]) -> Prepared:
    """Read everything, and go to the folder that `dir` names. ConfError or SettingsError."""
    words = list(arguments)
    if words and words[0] == "serve":
        words.pop(0)
    path = _taken(words, FLAG)
    ready_file = _taken(words, "--ready-file")
    settings_file = _taken(words, "--config")
    if not path:
        raise ConfError(f"{FLAG} wants a file, or - for standard input")
    if path == "-":
        conf = RedisConf("")
        lines = read_text(sys.stdin.buffer.read(), "standard input")
    else:
        conf = RedisConf(str(Path(path).absolute()))
        lines = read_file(path)
    conf.take([*lines, *read_options(words)])
    folder = conf.parameters.get("dir").decode("utf-8", "surrogateescape") or os.getcwd()
    conf.parameters.put("dir", os.fsencode(folder))
    os.chdir(folder)
    config = load(settings_file, defaults=OFF)
    config.data_dir = folder
    return Prepared(config, conf, ready_file)


def _taken(words: list[str], flag: str) -> str:
    """The value of an option of our own, taken out of the words."""
    for at, word in enumerate(words):
        if word == flag and at + 1 < len(words):
            value = words[at + 1]
            del words[at : at + 2]
            return value
        if word.startswith(flag + "="):
            del words[at]
            return word.partition("=")[2]
    return ""


def log_start(conf: RedisConf) -> None:
    logger.warning("heroredis is starting as Redis %s", REDIS_VERSION)
    logger.warning("Configuration loaded, PID: %d", os.getpid())
    logger.info("Running mode=standalone, port=%d.", conf.parameters.integer("port"))


def log_ready(core: Core, conf: RedisConf) -> None:
    """Also writes the pidfile, and makes CONFIG REWRITE and a change of loglevel work."""
    logger.info("Server initialized")
    pidfile = conf.parameters.get("pidfile")
    if pidfile:
        try:
            Path(os.fsdecode(pidfile)).write_text(f"{os.getpid()}\n", encoding="ascii")
        except OSError as error:
            logger.warning("pidfile %s: %s", os.fsdecode(pidfile), error.strerror)
    if conf.path:
        core.rewrite_config = lambda everything: _rewrite(core, conf.path, everything)
    logger.info("Ready to accept connections")


def remove_pidfile(conf: RedisConf) -> None:
    pidfile = conf.parameters.get("pidfile")
    if pidfile:
        Path(os.fsdecode(pidfile)).unlink(missing_ok=True)


def _rewrite(core: Core, path: str, everything: bool) -> None:
    target = Path(path)
    old = target.read_bytes() if target.exists() else b""
    users = None if core.parameters.get("aclfile") else core.users.lines()
    replace_file(path, rewritten(old, core.parameters, Parameters(), users, everything))
    logger.warning("CONFIG REWRITE executed with success.")
