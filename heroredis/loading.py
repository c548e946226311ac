"""Loads the user's handlers: a file or a module, with an optional :NAME of the Handlers object in it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType
from typing import Final

PRIVATE_NAME: Final = "_heroredis_user_handlers"
DEFAULT_NAME: Final = "handlers"
OURS: Final = ("heroredis", "jobs", "ourdb")
STDLIB: Final = sysconfig.get_path("stdlib")
SITE: Final = f"{os.sep}site-packages{os.sep}"
"""Where code lives that is not the user's."""


class LoadError(Exception):
    """The handlers cannot be loaded; the text says why and what to do."""


def load_handlers(spec: str) -> object:
    """The object that `MODULE_OR_FILE[:NAME]` names. A file may be called anything, also like one of our packages."""
    target, _, name = spec.partition(":")
    try:
        module = _load(target)
    except LoadError:
        raise
    except Exception as error:
        # Whatever the user's own code raises while it is imported is told as what it is.
        raise LoadError(f"{target} cannot be imported: {type(error).__name__}: {error}{_place_of(error)}") from error
    found: object = getattr(module, name or DEFAULT_NAME, None)
    if found is None:
        raise LoadError(f"{target} has no {name or DEFAULT_NAME!r}; name it with {target}:NAME")
    return found


def _place_of(error: Exception) -> str:
    """The last line of the user's own code that led to it, as ` (file, line n)`."""
    if isinstance(error, SyntaxError):  # it says so itself
        return ""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]  # compiled code has no path of its file
        if package not in OURS and not file.startswith(("<", STDLIB)) and SITE not in file:
            place = f" ({Path(file).name}, line {line})"
    return place


def _load(target: str) -> ModuleType:
    path = Path(target)
    if path.suffix != ".py" and not target.count("/") and (Path.cwd() / f"{target}.py").is_file():
        path = Path.cwd() / f"{target}.py"
    if path.suffix == ".py":
        return _load_file(path)
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(target)


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise LoadError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(PRIVATE_NAME, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PRIVATE_NAME] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec.loader.exec_module(module)
    return module
