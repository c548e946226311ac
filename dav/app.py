"""Puts wsgidav together: one provider, no login of its own, no directory pages, short errors."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

from wsgidav import dav_error
from wsgidav.error_printer import ErrorPrinter
from wsgidav.http_authenticator import HTTPAuthenticator
from wsgidav.request_resolver import RequestResolver
from wsgidav.wsgidav_app import WsgiDAVApp

from dav.bridge import JobFiles
from dav.files import prepare
from dav.guard import Application
from dav.properties import Properties
from dav.tree import Tree

BLOCK_SIZE = 262144


def application(files_root: Path, jobs: JobFiles | None) -> Application:
    """The WSGI application of the share. `files_root` is made when it is missing."""
    files_root.mkdir(parents=True, exist_ok=True)
    prepare(str(files_root))
    for code, text in ((413, "Content Too Large"), (422, "Unprocessable Content"), (503, "Service Unavailable"),
                       (507, "Insufficient Storage")):
        dav_error.ERROR_DESCRIPTIONS.setdefault(code, f"{code} {text}")
    logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
    config: dict[str, Any] = {
        "provider_mapping": {"/": Tree(str(files_root), jobs)},
        "simple_dc": {"user_mapping": {"*": True}},
        "middleware_stack": [ErrorPrinter, HTTPAuthenticator, RequestResolver],
        "property_manager": Properties(),
        "lock_storage": True,
        "block_size": BLOCK_SIZE,
        "verbose": 0,
        "logging": {"enable": False},
        "suppress_version_info": True,
        "hotfixes": {"emulate_win32_lastmod": True},
        "mutable_live_props": ["{DAV:}getlastmodified"],
    }
    return cast("Application", WsgiDAVApp(config))
