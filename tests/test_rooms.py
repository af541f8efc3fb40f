"""The rooms of `helpers`: arrows between them point down only, and each keeps to its size."""

import ast
from pathlib import Path

import pytest
from course import TOP, complain, find_chapters, imported_by_module

# Which rooms a room may import from, beside itself.
ARROWS = {"core": set(), "plot": set(), "runs": {"core"}, "figures": {"plot", "runs", "core"}, "exercises": {"core"}}
MOST_LINES = {"helpers": 5800, "core": 700, "plot": 280, "module": 300, "class": 150, "function": 60}


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
    sizes: list[tuple[str, str, int]] = []
    for path in modules(top):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(top).as_posix()
        sizes.append(("module", name, len(text.splitlines())))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                kind = "class" if isinstance(node, ast.ClassDef) else "function"
                sizes.append((kind, f"{name}: {node.name}", node.end_lineno - node.lineno + 1))
    lines = {top / name: size for kind, name, size in sizes if kind == "module"}
    sizes += [(kind, kind, sum(n for p, n in lines.items() if room(p, top) == kind)) for kind in ("core", "plot")]
    sizes.append(("helpers", "helpers", sum(lines.values())))
    return [f"{name} has {n} lines, more than {MOST_LINES[kind]}" for kind, name, n in sizes if n > MOST_LINES[kind]]


@pytest.mark.parametrize("check", [arrow_complaints, init_complaints, size_complaints])
def test_rooms(check):
    complain(check(TOP))


FUNCTION = "def long():\n" + "    pass\n" * 59
BROKEN = [
    (arrow_complaints, "core.py", "from . import plot", "helpers/core.py imports helpers/plot.py, against the arrows"),
    (arrow_complaints, "require.py", "from .core import x", "helpers/require.py imports helpers/core.py, against"),
    (arrow_complaints, "plot.py", "import helpers.core", "helpers/plot.py imports helpers/core.py, against"),
    (arrow_complaints, "runs/a.py", "from ..figures.one import x", "helpers/runs/a.py imports helpers/figures/one.py,"),
    (
        arrow_complaints,
        "exercises/one.py",
        "def f():\n    from ..figures import one",
        "helpers/exercises/one.py imports",
    ),
    (arrow_complaints, "figures/a.py", "from ..exercises import one", "helpers/figures/a.py imports"),
    (arrow_complaints, "figures/two.py", "from .one import x", "imports the chapter helpers/figures/one.py"),
    (init_complaints, "figures/__init__.py", '"""Figures."""\nfrom .one import x', "helpers/figures/__init__.py holds"),
    (init_complaints, "figures/__init__.py", "", "helpers/figures/__init__.py holds more or less"),
    (init_complaints, "__init__.py", '"""Helpers."""\nfrom .core import x', "helpers/__init__.py holds more or less"),
    (size_complaints, "core.py", "x = 1\n" * 301, "helpers/core.py has 301 lines, more than 300"),
    (size_complaints, "plot.py", "x = 1\n" * 281, "plot has 281 lines, more than 280"),
    (size_complaints, "core.py", FUNCTION + "    pass\n", "helpers/core.py: long has 61 lines, more than 60"),
    (size_complaints, "core.py", "class Big:\n" + "    x = 1\n" * 150, "helpers/core.py: Big has 151 lines"),
]


@pytest.mark.parametrize("check, name, code, complaint", BROKEN)
def test_a_wrong_room_is_found(tmp_path: Path, check, name: str, code: str, complaint: str):
    files = ["require.py", "core.py", "plot.py", "runs/a.py", "figures/a.py", "figures/one.py", "figures/two.py"]
    for file in [*files, "exercises/one.py", "__init__.py", "figures/__init__.py", "runs/__init__.py"]:
        (tmp_path / "helpers" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "helpers" / file).write_text('"""A room."""\n')
    (tmp_path / "notebooks").mkdir()
    for name_of_chapter in ("01_one", "02_two"):
        (tmp_path / "notebooks" / f"{name_of_chapter}.ipynb").touch()
    (tmp_path / "helpers" / "core.py").write_text(FUNCTION)
    assert [c for other in (arrow_complaints, init_complaints, size_complaints) for c in other(tmp_path)] == []
    (tmp_path / "helpers" / name).write_text(code)
    assert complaint in "\n".join(check(tmp_path))


def test_a_course_that_has_grown_too_large_is_found(tmp_path: Path):
    (tmp_path / "helpers").mkdir()
    for number in range(21):
        (tmp_path / "helpers" / f"m{number}.py").write_text("x = 1\n" * 290)
    assert size_complaints(tmp_path) == ["core has 6090 lines, more than 700", "helpers has 6090 lines, more than 5800"]
