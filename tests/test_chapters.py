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
    names = {pattern.format(stem=chapter.stem, name=chapter.name): what for pattern, what in COUNTERPARTS.items()}
    found = [
        f"{name} is missing: chapter {chapter.stem} needs {what}."
        for name, what in names.items()
        if not (top / name).is_file()
    ]
    figures = top / "helpers" / "figures"
    own, shown = figures / f"{chapter.name}.py", imported_by_notebook(chapter.notebook, top)
    if not any(path == own or (path.parent == figures and "ipywidgets" in path.read_text()) for path in shown):
        found.append(
            f"helpers/figures/{chapter.name}.py is missing, or its notebook does not import it: "
            f"chapter {chapter.stem} needs a figure that answers."
        )
    return found


def row_complaints(chapter: Chapter, table: str, where: str, link: str) -> list[str]:
    """The table has one row for the chapter, with its name, the question that is its title, and its minutes."""
    rows = [line.split("|") for line in table.splitlines() if line.startswith("|") and f"]({link})" in line]
    if len(rows) != 1:
        return [f"{where} is missing a row: its table needs one that links to {link}, but it has {len(rows)}."]
    named, question, minutes = (cell.strip() for cell in rows[0][1:4])
    found = []
    if question != chapter.title:
        found.append(f"{where} asks “{question}”, but {link} asks “{chapter.title}”.")
    if minutes != str(chapter.minutes):
        found.append(f"{where} says {minutes} minutes of {link}, but it takes {chapter.minutes}.")
    if not re.search(rf"\[{chapter.stem[:2]} · [^\]]+\]", named):
        found.append(f"{where}: the row of {link} is not called [{chapter.stem[:2]} · its name].")
    return found


def orphans(top: Path) -> list[str]:
    """What is named after no chapter; a module that others import is shared by them."""
    chapters = find_chapters(top)
    used = set().union(*(imported_by_notebook(chapter.notebook, top) for chapter in chapters))
    used = used.union(*(imported_by_module(path, top) - {path} for path in (top / "helpers").rglob("*.py")))
    alone = set((top / "notebooks" / "solutions").glob("*.ipynb")) - {chapter.solutions for chapter in chapters}
    names = {"__init__", *(chapter.name for chapter in chapters)}
    for folder in ("helpers/exercises", "helpers/figures", "tests/exercises"):
        alone |= {path for path in (top / folder).glob("*.py") if path.stem not in names} - used
    return [f"{path.relative_to(top)} belongs to no chapter, and nothing imports it." for path in sorted(alone)]


def minutes_complaints(chapter: Chapter, readme: str) -> list[str]:
    """The time that a first cell or the plan of lectures says is that of a first reading, and not too long."""
    said = re.findall(r"\*\*Time:\*\* (\d+) minutes", source(read_notebook(chapter.notebook)["cells"][0]))
    said += re.findall(rf"\b{chapter.stem[:2]} \((\d+)\)", readme)
    found = []
    if set(said) != {str(chapter.minutes)}:
        found.append(f"{chapter.stem} takes {chapter.minutes} minutes, but is said to take {said}.")
    if chapter.minutes > MOST_MINUTES:
        found.append(f"{chapter.stem} takes {chapter.minutes} minutes, more than {MOST_MINUTES}: cut it or split it.")
    return found


def chapter_complaints(top: Path) -> list[str]:
    """All that is missing, wrong or alone, each with what to do."""
    start, *chapters = find_chapters(top)
    readme = (top / "README.md").read_text(encoding="utf-8")
    the_map = "\n".join(source(cell) for cell in read_notebook(start.notebook)["cells"])
    found = orphans(top)
    for chapter in (start, *chapters):
        found += row_complaints(chapter, readme, "README.md", f"notebooks/{chapter.stem}.ipynb")
        found += minutes_complaints(chapter, readme)
    for chapter in chapters:
        found += missing(chapter, top)
        found += row_complaints(chapter, the_map, f"The map in {start.notebook.name}", f"{chapter.stem}.ipynb")
    return found


def test_every_chapter_is_whole():
    complain(chapter_complaints(TOP))


ROWS = "| | | |\n| [01 · One]({0}01_one.ipynb) | Why one? | 1 |\n| [02 · Two]({0}02_two.ipynb) | Why two? | 1 |\n"
ZERO = "| [00 · Zero](notebooks/00_zero.ipynb) | Why? | 1 |\n"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A small course of two chapters after 00; 01 has a figure of its own, 02 a shared one."""

    def write(name: str, content: str = "") -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")

    def write_notebook(name: str, question: str, rest: str = "", code: str = "pass") -> None:
        text = f"# {name[:2]} · {question}\n\n**Time:** 1 minutes. \n{rest}"
        cells = [{"cell_type": "markdown", "source": text}, {"cell_type": "code", "source": code}]
        write(f"notebooks/{name}.ipynb", json.dumps({"cells": cells}))

    write("README.md", ZERO + ROWS.format("notebooks/"))
    write("helpers/exercises/one.py", "from .shared import x")
    write("helpers/figures/panel.py", "import ipywidgets")
    for name in ("helpers/exercises/shared.py", "helpers/exercises/two.py", "helpers/figures/one.py"):
        write(name)
    write_notebook("00_zero", "Why?", ROWS.format(""))
    for number, name, figure in (("01", "one", "one"), ("02", "two", "panel")):
        code = f"from helpers.figures.{figure} import explore\n%time explore()"
        write_notebook(f"{number}_{name}", f"Why {name}?", code=code)
        write(f"notebooks/solutions/{number}_{name}.ipynb")
        write(f"tests/exercises/{name}.py")
    return tmp_path


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
    ("README.md is missing a row", edited("README.md", "| [00 · Zero]", "[00 · Zero]")),
    ("The map in 00_zero.ipynb is missing a row", edited("notebooks/00_zero.ipynb", "(01_one.ipynb)", "(01)")),
    ("README.md asks “Why on?”, but notebooks/01_one.ipynb", edited("README.md", "Why one?", "Why on?")),
    ("the row of notebooks/02_two.ipynb is not called [02 ·", edited("README.md", "[02 · Two]", "[03 · Two]")),
    ("README.md says 2 minutes of notebooks/02_two", edited("README.md", "Why two? | 1", "Why two? | 2")),
    ("02_two takes 1 minutes, but is said to take ['3']", edited("notebooks/02_two.ipynb", "1 minutes", "3 minutes")),
    ("01_one takes 1 minutes, but is said to take ['1', '4']", edited("README.md", "| | | |", "01 (4)\n")),
    ("02_two takes 31 minutes, more than 30", edited("notebooks/02_two.ipynb", "1 minutes", "31 " + 3900 * "so ")),
    ("notebooks/solutions/03_no.ipynb belongs to no chapter", beside("notebooks/solutions/03_no.ipynb")),
    ("helpers/figures/no.py belongs to no chapter", beside("helpers/figures/no.py")),
    ("tests/exercises/no.py belongs to no chapter", beside("tests/exercises/no.py")),
    ("helpers/exercises/shared.py belongs to no", edited("helpers/exercises/one.py", "from .shared import x", "")),
]


@pytest.mark.parametrize("complaint, break_it", BROKEN, ids=[complaint for complaint, _ in BROKEN])
def test_what_is_missing_is_named(course: Path, complaint: str, break_it: Callable[[Path], None]):
    assert chapter_complaints(course) == []
    break_it(course)
    assert complaint in "\n".join(chapter_complaints(course))
