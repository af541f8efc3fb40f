"""The rooms of `helpers`: arrows between them point down only, and each keeps to its size."""

import ast
from pathlib import Path

import pytest
from course import TOP, complain, find_chapters, imported_by_module

# Which rooms a room may import from, beside itself.
ARROWS = {"core": set(), "plot": set(), "runs": {"core"}, "figures": {"plot", "runs", "core"}, "exercises": {"core"}}
MOST_LINES = {"helpers": 7700, "core": 1100, "plot": 280, "module": 300, "class": 150, "function": 60}


def modules(top: Path) -> list[Path]:
    return sorted((top / "helpers").rglob("*.py"))


def room(path: Path, top: Path) -> str:
    first = path.relative_to(top / "helpers").parts[0].removesuffix(".py")
    return first if first in ARROWS else "core"


def arrow_complaints(top: Path) -> list[str]:
    chapters = {chapter.name for chapter in find_chapters(top)}
    found = []
    for path in modules(top):
        for target in imported_by_module(path, top) - {path, top / "helpers" / "__init__.py"}:
            here, there, name = room(path, top), room(target, top), path.relative_to(top)
            if there not in ARROWS[here] | {here} or path.stem == "require":
                found.append(f"{name} imports {target.relative_to(top)}, against the arrows")
            if {path.stem, target.stem} <= chapters:
                found.append(f"{name} imports the chapter {target.relative_to(top)}")
    return found


def init_complaints(top: Path) -> list[str]:
    """An __init__ says what its package is; only that of `helpers` also sets the threads. None passes names on."""
    found = []
    for path in (path for path in modules(top) if path.name == "__init__.py"):
        docstring, *rest = ast.parse(path.read_text(encoding="utf-8")).body or [None]
        more = bool(rest) if path.parent.name != "helpers" else bool(imported_by_module(path, top) - {path})
        if not isinstance(docstring, ast.Expr) or more:
            found.append(f"{path.relative_to(top)} holds more or less than a docstring")
    return found


def size_complaints(top: Path) -> list[str]:
    sizes, lines = [], {}
    for path in modules(top):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(top).as_posix()
        lines[path] = len(text.splitlines())
        sizes.append(("module", name, lines[path]))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                kind = "class" if isinstance(node, ast.ClassDef) else "function"
                sizes.append((kind, f"{name}: {node.name}", node.end_lineno - node.lineno + 1))
    for kind in ("core", "plot"):
        sizes.append((kind, kind, sum(size for path, size in lines.items() if room(path, top) == kind)))
    sizes.append(("helpers", "helpers", sum(lines.values())))
    return [f"{name} has {n} lines, more than {MOST_LINES[kind]}" for kind, name, n in sizes if n > MOST_LINES[kind]]


CHECKS = [arrow_complaints, init_complaints, size_complaints]


@pytest.mark.parametrize("check", CHECKS)
def test_rooms(check):
    complain(check(TOP))


FUNCTION = "def long():\n" + "    pass\n" * 59
BROKEN = [
    ("core.py", "from . import plot", "helpers/core.py imports helpers/plot.py, against the arrows"),
    ("require.py", "from .core import x", "helpers/require.py imports helpers/core.py, against"),
    ("plot.py", "import helpers.core", "helpers/plot.py imports helpers/core.py, against"),
    ("exercises/one.py", "def f():\n    from ..figures import one", "helpers/exercises/one.py imports"),
    ("figures/two.py", "from .one import x", "imports the chapter helpers/figures/one.py"),
    ("figures/__init__.py", '"""Figures."""\nfrom .one import x', "helpers/figures/__init__.py holds"),
    ("figures/__init__.py", "", "helpers/figures/__init__.py holds more or less"),
    ("__init__.py", '"""Helpers."""\nfrom .core import x', "helpers/__init__.py holds more or less"),
    ("core.py", "x = 1\n" * 301, "helpers/core.py has 301 lines, more than 300"),
    ("plot.py", "x = 1\n" * 281, "plot has 281 lines, more than 280"),
    ("core.py", "x = 1\n" * 1099, "core has 1101 lines, more than 1100"),
    ("runs/a.py", "x = 1\n" * 7700, "lines, more than 7700"),
    ("core.py", FUNCTION + "    pass\n", "helpers/core.py: long has 61 lines, more than 60"),
    ("core.py", "class Big:\n" + "    x = 1\n" * 150, "helpers/core.py: Big has 151 lines"),
]


@pytest.mark.parametrize("name, code, complaint", BROKEN)
def test_a_wrong_room_is_found(tmp_path: Path, name: str, code: str, complaint: str):
    files = ["require.py", "core.py", "plot.py", "runs/a.py", "figures/a.py", "figures/one.py", "figures/two.py"]
    for file in [*files, "exercises/one.py", "__init__.py", "figures/__init__.py", "runs/__init__.py"]:
        (tmp_path / "helpers" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "helpers" / file).write_text(FUNCTION if file == "core.py" else '"""A room."""\n')
    (tmp_path / "notebooks").mkdir()
    for chapter in ("01_one.ipynb", "02_two.ipynb"):
        (tmp_path / "notebooks" / chapter).touch()
    assert [complaint for check in CHECKS for complaint in check(tmp_path)] == []
    (tmp_path / "helpers" / name).write_text(code)
    assert complaint in "\n".join(complaint for check in CHECKS for complaint in check(tmp_path))
