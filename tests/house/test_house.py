"""The rules of the house: sizes, direction of imports, no circles, generated pages current, examples that run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from heroredis.docs import pages

ROOT = Path(__file__).parents[2]
PACKAGES = ("heroredis", "jobs", "ourdb", "ui", "dav")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
MAX_LINES = 400
MAX_FUNCTION = 50
ABOVE_ALL = {"heroredis.factory", "heroredis.cli", "heroredis.__main__", "heroredis.threaded", "heroredis.docs",
             "heroredis.entry"}
"""Of heroredis, what may know the other packages (docs.py describes their commands)."""


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Modules of the project that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    modules = {module_name(source) for source in SOURCES}
    return {name for name in found if name in modules}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            assert node.end_lineno - node.lineno < MAX_FUNCTION, node.name


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_packages_import_in_one_direction(path: Path) -> None:
    name = module_name(path)
    package = name.split(".")[0]
    for other in imports(path):
        target = other.split(".")[0]
        if target == package:
            continue
        if package == "heroredis":
            assert name in ABOVE_ALL or name == "heroredis", f"{name} imports {other}"
        elif target == "heroredis":
            assert other == "heroredis.extension", f"{name} imports {other}, not the public door"
        else:
            assert (package, target) == ("jobs", "ourdb"), f"{name} imports {other}"


def compiled() -> list[Path]:
    """The files that setup.py compiles, read from its list."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    [patterns] = [ast.literal_eval(node.value) for node in tree.body
                  if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOT"]
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


@pytest.mark.parametrize("path", compiled(), ids=module_name)
def test_a_name_stands_for_one_kind_of_error_in_a_function(path: Path) -> None:
    """Compiled code gives each name one type: two except clauses that share a name crash in the second."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        kinds: dict[str, str] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler) and node.name and node.type is not None:
                kind = ast.unparse(node.type)
                assert kinds.setdefault(node.name, kind) == kind, function.name


def test_there_are_no_import_circles() -> None:
    graph = {module_name(path): imports(path) - {module_name(path)} for path in SOURCES
             if module_name(path) not in PACKAGES}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name):], name))
        if name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages()[name], "run `make docs`"


def test_each_decision_has_a_number_of_its_own_which_its_title_repeats() -> None:
    paths = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [path.name[:3] for path in paths]
    assert len(set(numbers)) == len(numbers) > 0
    assert [path.read_text(encoding="utf-8")[:6] for path in paths] == [f"# {number}:" for number in numbers]


def defined_in(path: Path) -> set[str]:
    """Functions, classes and their methods (`Class.method`) of a file."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}" for inner in node.body
                      if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)}
    return found


def test_the_walk_through_the_code_names_what_is_there() -> None:
    page = (ROOT / "docs" / "internals.md").read_text(encoding="utf-8")
    places = re.findall(r"`([a-z_/]+\.py)(?:: ([\w.]+))?`", page)
    assert len(places) > 20
    wrong = [f"{name}: {what}" for name, what in places
             if not (ROOT / name).is_file() or (what and what not in defined_in(ROOT / name))]
    everything = set[str]().union(*(defined_in(path) for path in SOURCES))
    wrong += [what for what in re.findall(r"`([A-Z]\w*[a-z]\w*\.\w+)`", page) if what not in everything]
    wrong += [name for name in re.findall(r"`([a-z_/]+/)`", page) if not (ROOT / name).is_dir()]
    assert wrong == []


def test_importing_one_part_loads_no_other() -> None:
    code = ("import sys, heroredis.cli, heroredis.transport, jobs.extension\n"
            "names = {name.split('.')[0] for name in sys.modules}\n"
            "print(sorted(names & {'ui', 'dav', 'aiohttp', 'wsgidav', 'cheroot', 'jinja2'}))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True,
                          timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("pure", ["", "1"])
def test_the_pure_form_can_be_asked_for(pure: str) -> None:
    code = ("import heroredis.form, ourdb.store, jobs.lifecycle\n"
            "print(heroredis.form.is_compiled(), ourdb.store.__file__)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True,
                          timeout=60, env={**os.environ, "HEROREDIS_PURE": pure})
    is_compiled = any((ROOT / "heroredis").glob("protocol.*.so")) and not pure
    assert done.stdout.split()[0] == str(is_compiled)
    assert done.stdout.strip().endswith(".so" if is_compiled else ".py")


def test_the_embedding_example_runs() -> None:
    done = subprocess.run([sys.executable, "examples/embed.py"], cwd=ROOT, text=True, capture_output=True, check=False,
                          timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "embedded worker: done b'Hello, Ada'", "  version 3 done by api", "  version 2 active by api",
        "  version 1 new by api", "plain script: b'Hello, Grace'",
    ]
