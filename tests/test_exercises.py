"""Every exercise: its stub is ⬜, its solution ✅, every mistake gets its own hint, nothing a student writes raises.

The stub is the cell of the chapter that calls the check, the solution the cell of the solutions notebook that does;
both run with nothing but their notebook's first cell of code before them.
"""

import ast
import functools
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
import torch

from helpers.exercises import exercise as judging
from helpers.exercises.exercise import Exercise

TOP = Path(__file__).parents[1]
LEVELS = {"warm-up", "core", "stretch"}


def exercises_of(module: str) -> dict[str, Exercise]:
    found = vars(importlib.import_module(f"helpers.exercises.{module}"))
    return {name: task for name, task in found.items() if isinstance(task, Exercise)}


CHAPTERS = {path.stem: path for path in sorted((TOP / "notebooks").glob("*.ipynb")) if path.stem[:2] != "00"}
TASKS = {(chapter, name): task for chapter in CHAPTERS for name, task in exercises_of(chapter[3:]).items()}
each = pytest.mark.parametrize(("chapter", "name"), TASKS)


def solution_path(chapter: str) -> Path:
    return TOP / "notebooks" / "solutions" / f"{chapter}.ipynb"


def cells(path: Path) -> list[str]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def calls_in(code: str) -> list[str]:
    """The checks that a cell calls, as `check.name(answer)`."""
    called = (node.func for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    return [f.attr for f in called if isinstance(f, ast.Attribute) and ast.unparse(f.value) == "check"]


def cell_of(path: Path, name: str) -> str:
    (cell,) = [code for code in cells(path) if name in calls_in(code)]
    return cell


@functools.cache
def answer_of(path: Path, name: str):
    """What the cell of one exercise hands to its check."""
    matplotlib.use("Agg")
    handed = []
    namespace = {"display": lambda *a: None}
    exec(cells(path)[0], namespace)
    namespace["check"] = type("Check", (), {"__getattr__": lambda self, attr: handed.append})()
    code = compile(cell_of(path, name), str(path), "exec")
    exec(code, namespace)
    return handed[0]


def solution_of(chapter: str, name: str):
    return answer_of(solution_path(chapter), name)


def answers(chapter: str, kind: str) -> dict:
    """Answers as students write them: tests/exercises/<chapter>.py holds WRONG, with the hints, and RIGHT."""
    return getattr(importlib.import_module(f"exercises.{chapter[3:]}"), kind)


def test_nothing_is_missing():
    assert len(TASKS) >= 32
    for chapter, path in CHAPTERS.items():
        mine = exercises_of(chapter[3:])
        assert 3 <= len(mine) <= 4, f"{chapter} has {len(mine)} exercises"
        assert {task.level for task in mine.values()} == LEVELS, f"{chapter} lacks a level"
        for place in (path, solution_path(chapter)):
            called = [name for code in cells(place) for name in calls_in(code)]
            assert sorted(called) == sorted(mine), place.relative_to(TOP)
        assert set(answers(chapter, "WRONG")) | set(answers(chapter, "RIGHT")) <= set(mine)
        assert all(len(task.mistakes) >= 3 for task in mine.values())


def test_the_readme_tells_how_many_and_how_long():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    for chapter in CHAPTERS:
        mine = exercises_of(chapter[3:]).values()
        (row,) = [line for line in readme.splitlines() if line.startswith("|") and f"notebooks/{chapter}.ipynb" in line]
        assert row.split("|")[-2].strip() == f"{len(mine)} · {sum(task.minutes for task in mine)} min", chapter


@each
def test_the_untouched_stub_is_not_attempted(chapter, name):
    stub = answer_of(CHAPTERS[chapter], name)
    assert TASKS[chapter, name].verdict(stub).startswith(judging.UNTOUCHED)
    assert TASKS[chapter, name].verdict(...).startswith(judging.UNTOUCHED)


@each
def test_right_answers_are_right(chapter, name):
    task = TASKS[chapter, name]
    for answer in [solution_of(chapter, name), *answers(chapter, "RIGHT").get(name, [])]:
        for _ in range(3):  # fresh inputs each time
            assert task.verdict(answer) == f"{judging.RIGHT} {task.meaning}"


@each
def test_every_mistake_gets_its_own_hint(chapter, name):
    task = TASKS[chapter, name]
    for mistake in task.mistakes:
        answer = mistake.answer if task.takes_function else mistake.answer()
        for _ in range(3):
            said = task.verdict(answer)
            assert said.startswith(judging.WRONG) and mistake.hint in said, f"{mistake.name}: {said}"
        assert len(said) < 450, "a hint is one or two lines"


@each
def test_wrong_answers_as_students_write_them_get_the_right_hint(chapter, name):
    for number, (answer, hint) in enumerate(answers(chapter, "WRONG").get(name, [])):
        for _ in range(3):
            said = TASKS[chapter, name].verdict(answer)
            assert said.startswith(judging.WRONG) and re.search(hint, said), f"wrong answer {number}: {said}"
            assert len(said) < 450, "a hint is one or two lines"


@each
def test_whatever_a_student_writes_there_is_a_sentence(chapter, name):
    task = TASKS[chapter, name]

    def divides():
        return 1 / 0

    def raises(*arguments):
        return divides()

    def exits(*arguments):
        sys.exit()

    strange = [None, "hello", object(), float("nan"), [], {}, torch.zeros(2, 3), 1j]
    if callable(solution_of(chapter, name)):
        strange += [raises, exits, lambda: 1, lambda *a: "hello", lambda *a: None]
        strange += [lambda *a: torch.full((2, 2), torch.nan)]
        line = divides.__code__.co_firstlineno + 1
        assert f"ZeroDivisionError in line {line}: `return 1 / 0`" in task.verdict(raises)
        assert "SystemExit" in task.verdict(exits)
    for answer in strange:
        said = task.verdict(answer)
        assert said.startswith(judging.WRONG), f"{answer!r}: {said}"
        assert "could not be checked" not in said, f"{answer!r}: {said}"


def change(value) -> bool:
    """Change what can be changed in an argument; says whether anything could be."""
    if isinstance(value, torch.Tensor) and value.numel():
        with torch.no_grad():
            value += 1
        return True
    if isinstance(value, list) and value:
        value.append(value[0])
        return True
    if isinstance(value, dict) and value:
        value.pop(next(iter(value)))
        return True
    return isinstance(value, tuple) and any([change(part) for part in value])


@each
def test_an_answer_that_changes_its_inputs_is_told_so(chapter, name):
    solution, changed = solution_of(chapter, name), []
    if not callable(solution):
        return  # a value has no inputs

    def changes(*arguments):
        result = solution(*arguments)
        changed.append(any([change(argument) for argument in arguments]))
        return result

    said = TASKS[chapter, name].verdict(changes)
    if any(changed):
        assert said.startswith(judging.WRONG) and "in place" in said, said
    else:  # numbers and texts cannot be changed
        assert said.startswith(judging.RIGHT)


@each
def test_no_chapter_contains_the_answer(chapter, name):
    solution = cell_of(solution_path(chapter), name)
    body = [line.strip() for line in solution.splitlines() if re.search(r"^\s+(return|for|while)\b|=[^=]", line)]
    body = [line for line in body if len(line) > 12 and "check." not in line and "..." not in line]
    stub = cell_of(CHAPTERS[chapter], name)
    assert not [line for line in body if line in stub], "the stub holds a line of the solution"


def test_each_way_to_write_a_mistake_is_recognised_by_its_hint():
    @judging.exercise("core", 1, "Right.")
    class difference:
        def cases(generator):
            return [(5, 2), (7, 3)]

        def right(x, y):
            return x - y

        from_case = {lambda x, y: (y, x): "swapped", lambda x, y: (x, y + 1): "one more"}  # noqa: RUF012
        from_right = {lambda result: result**2: "squared", str: "a text"}  # noqa: RUF012

        @judging.variants(sign=(1, -1), factor={2: "twice", 3: "three times"})
        def multiplied(x, y, sign, factor):
            return sign * factor * (x - y)

        def added(x, y):
            """a
            sum"""
            return x + y

    wrong = {"swapped": lambda x, y: y - x, "one more": lambda x, y: x - y - 1, "squared": lambda x, y: (x - y) ** 2}
    wrong |= {"twice": lambda x, y: 2 * y - 2 * x, "three times": lambda x, y: 3 * x - 3 * y, "a sum": int.__add__}
    wrong |= {"a text": lambda x, y: f"{x - y}", "For 5, 2 your result is 9, expected 3.": lambda x, y: 9}
    wrong |= {"For 7, 3 your result is 3, expected 4.": lambda x, y: 3}
    assert {hint: difference.verdict(answer) for hint, answer in wrong.items()} == {
        h: f"{judging.WRONG} {h}" for h in wrong
    }
    assert len(difference.mistakes) == 9


def test_a_loop_that_never_ends_is_ended(monkeypatch):
    monkeypatch.setattr("helpers.exercises.answer.LIMIT", 0.5)
    beats = []

    def forever(*arguments):
        while True:
            beats.append(1)

    said = TASKS["02_one_hot", "one_hot_by_hand"].verdict(forever)
    assert said.startswith(judging.WRONG) and "never ends" in said
    torch.zeros(10**6).sort()  # a moment in which it would go on
    count = len(beats)
    torch.zeros(10**6).sort()
    assert len(beats) == count, "the loop goes on"


def test_a_first_use_of_torch_optim_is_no_endless_loop():
    """Its first use in a process imports for seconds, so this needs a process of its own."""
    code = """
import torch
from helpers.exercises import gradient_clipping as check
def descend(loss, params, lr, max_norm, num_steps):
    params = [p.clone().requires_grad_() for p in params]
    optimizer, losses = torch.optim.SGD(params, lr=lr), []
    for _ in range(num_steps):
        optimizer.zero_grad()
        value = loss(params)
        value.backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(params, max_norm)
        optimizer.step()
        losses.append(value.item())
    return losses
check.descend(descend)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TOP)
    assert answer.stdout.startswith(judging.RIGHT), answer.stdout
