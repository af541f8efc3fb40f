"""A chapter is its files: each notebook has its counterparts under its own name, and nothing belongs to no chapter."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from course import (
    TOP,
    Chapter,
    complain,
    find_chapters,
    imported_by_module,
    imported_by_notebook,
    read_notebook,
    source,
)

MOST_MINUTES = 30
COUNTERPARTS = {  # of every chapter from 01 on
    "notebooks/solutions/{stem}.ipynb": "its solutions",
    "helpers/exercises/{name}.py": "its exercises",
    "tests/exercises/{name}.py": "answers as students write them",
}


def missing(chapter: Chapter, top: Path) -> list[str]:
    found = []
    for pattern, what in COUNTERPARTS.items():
        name = pattern.format(stem=chapter.stem, name=chapter.name)
        if not (top / name).is_file():
            found.append(f"{name} is missing: chapter {chapter.stem} needs {what}.")
    figures = top / "helpers" / "figures"
    own, shown = figures / f"{chapter.name}.py", imported_by_notebook(chapter.notebook, top)
    if not any(path == own or (path.parent == figures and "ipywidgets" in path.read_text()) for path in shown):
        found.append(
            f"helpers/figures/{chapter.name}.py is missing, or its notebook does not import it: "
            f"chapter {chapter.stem} needs a figure that answers."
        )
    return found


def row_complaints(chapter: Chapter, table: str, where: str, link: str) -> list[str]:
    """The table has one row for the chapter, with the question that is its title."""
    rows = [line.split("|") for line in table.splitlines() if line.startswith("|") and f"]({link})" in line]
    if len(rows) != 1:
        return [f"{where} is missing a row: its table needs one that links to {link}, but it has {len(rows)}."]
    question = rows[0][2].strip()
    ours = [] if question == chapter.title else [f"{where} asks “{question}”, but {link} asks “{chapter.title}”."]
    number = re.escape(chapter.stem[:2])
    if rows[0][3].strip() != str(chapter.minutes):
        ours.append(f"{where} says {rows[0][3].strip()} minutes of {link}, but it takes {chapter.minutes}.")
    named = re.search(rf"\[{number} · [^\]]+\]", rows[0][1])
    return ours if named else [*ours, f"{where}: the row of {link} is not called [{chapter.stem[:2]} · its name]."]


def orphans(top: Path) -> list[str]:
    """What is named after no chapter; a module that others import is shared by them."""
    chapters = find_chapters(top)
    names, helpers = {chapter.name for chapter in chapters}, sorted((top / "helpers").rglob("*.py"))
    used = set().union(*(imported_by_notebook(chapter.notebook, top) for chapter in chapters))
    used = used.union(*(imported_by_module(path, top) - {path} for path in helpers))
    solutions = [path for path in (top / "notebooks" / "solutions").glob("*.ipynb")]
    alone = [path for path in solutions if path.stem not in {chapter.stem for chapter in chapters}]
    for folder in ("helpers/exercises", "helpers/figures", "tests/exercises"):
        modules = [path for path in (top / folder).glob("*.py") if path.stem != "__init__"]
        alone += [path for path in modules if path.stem not in names and path not in used]
    return [f"{path.relative_to(top)} belongs to no chapter, and nothing imports it." for path in sorted(alone)]


def minutes_complaints(chapters: list[Chapter], readme: str) -> list[str]:
    """The time that a first cell or the plan of lectures says is that of a first reading, and not too long."""
    found = []
    for chapter in chapters:
        first = source(read_notebook(chapter.notebook)["cells"][0])
        said = re.findall(r"\*\*Time:\*\* (\d+) minutes", first)
        said += re.findall(rf"\b{chapter.stem[:2]} \((\d+)\)", readme)
        if set(said) != {str(chapter.minutes)}:
            found.append(f"{chapter.stem} takes {chapter.minutes} minutes, but is said to take {said}.")
        if chapter.minutes > MOST_MINUTES:
            found.append(
                f"{chapter.stem} takes {chapter.minutes} minutes, more than {MOST_MINUTES}: cut it or split it."
            )
    return found


def chapter_complaints(top: Path) -> list[str]:
    start, *chapters = find_chapters(top)
    readme = (top / "README.md").read_text(encoding="utf-8")
    cells = json.loads(start.notebook.read_text(encoding="utf-8"))["cells"]
    the_map = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    found = row_complaints(start, readme, "README.md", f"notebooks/{start.stem}.ipynb")
    for chapter in chapters:
        found += missing(chapter, top)
        found += row_complaints(chapter, readme, "README.md", f"notebooks/{chapter.stem}.ipynb")
        found += row_complaints(chapter, the_map, f"The map in {start.notebook.name}", f"{chapter.stem}.ipynb")
    return found + minutes_complaints([start, *chapters], readme) + orphans(top)


def test_every_chapter_is_whole():
    complain(chapter_complaints(TOP))


def write_notebook(path: Path, markdown: str, code: str = "pass") -> None:
    cells = [{"cell_type": "markdown", "source": markdown}, {"cell_type": "code", "source": code}]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A small course of two chapters after 00; 01 has a figure of its own, 02 a shared one."""
    for folder in ("notebooks/solutions", "helpers/exercises", "helpers/figures", "tests/exercises"):
        (tmp_path / folder).mkdir(parents=True)
    for name in (
        "exercises/shared",
        "exercises/one",
        "exercises/two",
        "figures/one",
        "figures/panel",
        "figures/__init__",
    ):
        (tmp_path / "helpers" / f"{name}.py").write_text("")
    (tmp_path / "helpers" / "figures" / "panel.py").write_text("import ipywidgets")
    (tmp_path / "helpers" / "exercises" / "one.py").write_text("from .shared import x")
    rows = "| | | |\n| [01 · One]({}01_one.ipynb) | Why one? | 1 |\n| [02 · Two]({}02_two.ipynb) | Why two? | 1 |\n"
    time = "**Time:** 1 minutes. "
    write_notebook(tmp_path / "notebooks" / "00_zero.ipynb", f"# 00 · Why?\n\n{time}\n" + rows.format("", ""))
    readme = "| [00 · Zero](notebooks/00_zero.ipynb) | Why? | 1 |\n" + rows.format("notebooks/", "notebooks/")
    (tmp_path / "README.md").write_text(readme, encoding="utf-8")
    for number, name, figure in (("01", "one", "figures.one"), ("02", "two", "figures.panel")):
        code = f"from helpers.{figure} import explore\n%time explore()"
        write_notebook(tmp_path / "notebooks" / f"{number}_{name}.ipynb", f"# {number} · Why {name}?\n\n{time}", code)
        (tmp_path / "notebooks" / "solutions" / f"{number}_{name}.ipynb").touch()
        (tmp_path / "tests" / "exercises" / f"{name}.py").touch()
    return tmp_path


def test_a_whole_course_has_no_complaints(course: Path):
    assert chapter_complaints(course) == []


def without(name: str) -> Callable[[Path], None]:
    return lambda course: (course / name).unlink()


def beside(name: str) -> Callable[[Path], None]:
    return lambda course: (course / name).touch()


def edited(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(course: Path) -> None:
        text = (course / name).read_text(encoding="utf-8")
        assert old in text
        (course / name).write_text(text.replace(old, new), encoding="utf-8")

    return edit


BROKEN = [
    ("notebooks/solutions/02_two.ipynb is missing: chapter 02_two", without("notebooks/solutions/02_two.ipynb")),
    ("helpers/exercises/two.py is missing: chapter 02_two", without("helpers/exercises/two.py")),
    ("tests/exercises/one.py is missing: chapter 01_one", without("tests/exercises/one.py")),
    ("helpers/figures/one.py is missing", without("helpers/figures/one.py")),
    ("helpers/figures/two.py is missing", edited("notebooks/02_two.ipynb", "figures.panel", "rnn")),
    ("README.md is missing a row: its table needs", edited("README.md", "(notebooks/02_two.ipynb)", "(02)")),
    ("README.md is missing a row", edited("README.md", "| [00 · Zero]", "[00 · Zero]")),
    ("The map in 00_zero.ipynb is missing a row", edited("notebooks/00_zero.ipynb", "(01_one.ipynb)", "(01)")),
    ("README.md asks “Why on?”, but notebooks/01_one.ipynb", edited("README.md", "Why one?", "Why on?")),
    ("asks “Why two?”, but 02_two.ipynb asks “Who?”", edited("notebooks/02_two.ipynb", "Why two?", "Who?")),
    ("the row of notebooks/02_two.ipynb is not called [02 ·", edited("README.md", "[02 · Two]", "[03 · Two]")),
    ("README.md says 2 minutes of notebooks/02_two", edited("README.md", "Why two? | 1", "Why two? | 2")),
    ("02_two takes 1 minutes, but is said to take ['3']", edited("notebooks/02_two.ipynb", "1 minutes", "3 minutes")),
    ("01_one takes 1 minutes, but is said to take ['1', '4']", edited("README.md", "| | | |", "01 (4)\n")),
    (
        "02_two takes 31 minutes, more than 30",
        edited("notebooks/02_two.ipynb", "1 minutes", "31 minutes " + 3900 * "so "),
    ),
    ("notebooks/solutions/03_no.ipynb belongs to no chapter", beside("notebooks/solutions/03_no.ipynb")),
    ("helpers/exercises/no.py belongs to no chapter", beside("helpers/exercises/no.py")),
    ("helpers/figures/no.py belongs to no chapter", beside("helpers/figures/no.py")),
    ("tests/exercises/no.py belongs to no chapter", beside("tests/exercises/no.py")),
    ("helpers/exercises/shared.py belongs to no", edited("helpers/exercises/one.py", "from .shared import x", "")),
]


@pytest.mark.parametrize("complaint, break_it", BROKEN, ids=[complaint for complaint, _ in BROKEN])
def test_what_is_missing_is_named(course: Path, complaint: str, break_it: Callable[[Path], None]):
    break_it(course)
    assert complaint in "\n".join(chapter_complaints(course))
