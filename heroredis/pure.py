"""HEROREDIS_PURE=1: the sources run as they are, also where compiled modules lie beside them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

PACKAGES: Final = frozenset({"heroredis", "jobs", "ourdb"})


class SourceFinder(MetaPathFinder):
    """Finds the modules of our packages as Python files only."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        first, _, name = fullname.rpartition(".")
        if path is None or first.split(".")[0] not in PACKAGES:
            return None
        for folder in path:
            package = Path(folder) / name / "__init__.py"
            if package.is_file():
                return importlib.util.spec_from_file_location(
                    fullname, package, submodule_search_locations=[str(package.parent)])
            source = Path(folder) / f"{name}.py"
            if source.is_file():
                return importlib.util.spec_from_file_location(fullname, source)
        return None


def install() -> None:
    """Before any of the modules is imported."""
    sys.meta_path.insert(0, SourceFinder())
