"""Every exercise: its stub is ⬜, its solution ✅, every mistake gets its own hint, nothing a student writes raises.

The stub is the cell of the chapter that calls the check, the solution the cell of the solutions notebook that does;
both run with nothing but their notebook's first cell of code before them.
"""

import ast
import functools
import importlib
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
import torch
from course import TOP, cells_of, find_chapters, parse, read_notebook, source

from helpers.exercises import exercise as judging
from helpers.exercises.exercise import Exercise

matplotlib.use("Agg")

CHAPTERS = [chapter for chapter in find_chapters() if chapter.stem[:2] != "00"]


def exercises_of(name: str) -> dict[str, Exercise]:
    found = vars(importlib.import_module(f"helpers.exercises.{name}"))
    return {name: task for name, task in found.items() if isinstance(task, Exercise)}


TASKS = [(chapter, task) for chapter in CHAPTERS for task in exercises_of(chapter.name).values()]
each = pytest.mark.parametrize(("chapter", "task"), TASKS, ids=lambda value: getattr(value, "name", ""))
# Inputs are drawn anew each time: once while you work, three times in the whole suite.
times = pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])


@functools.cache
def calls_in(code: str) -> list[str]:
    """The checks that a cell calls, as `check.name(answer)`."""
    called = (node.func for node in ast.walk(parse(code)) if isinstance(node, ast.Call))
    return [f.attr for f in called if isinstance(f, ast.Attribute) and ast.unparse(f.value) == "check"]


@functools.cache
def cells(path: Path) -> list[str]:
    return [source(cell) for _, cell in cells_of(read_notebook(path), "code")]


def cell_of(path: Path, task: Exercise) -> str:
    (cell,) = [code for code in cells(path) if task.name in calls_in(code)]
    return cell


@functools.cache
def answer_of(path: Path, task: Exercise):
    """What the cell of one exercise hands to its check."""
    handed = []
    namespace = {"display": lambda *a: None}
    exec(cells(path)[0], namespace)
    namespace["check"] = type("Check", (), {"__getattr__": lambda self, attr: handed.append})()
    exec(compile(cell_of(path, task), str(path), "exec"), namespace)
    return handed[0]


def solution_of(chapter, task: Exercise):
    return answer_of(chapter.solutions, task)


def answers(chapter, kind: str) -> dict:
    """Answers as students write them: tests/exercises/<chapter>.py holds WRONG, with the hints, and RIGHT."""
    return getattr(importlib.import_module(f"exercises.{chapter.name}"), kind)


def verdicts(task: Exercise, answer, times: int) -> list[str]:
    """What is said of a wrong answer, each time."""
    said = [task.verdict(answer) for _ in range(times)]
    assert all(text.startswith(judging.WRONG) for text in said), said
    assert all(len(text) < 450 for text in said), "a hint is one or two lines"
    return said


def test_nothing_is_missing():
    assert len(TASKS) >= 32
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    for chapter in CHAPTERS:
        mine = exercises_of(chapter.name)
        assert 3 <= len(mine) <= 4, f"{chapter.stem} has {len(mine)} exercises"
        assert {task.level for task in mine.values()} == {"warm-up", "core", "stretch"}, f"{chapter.stem} lacks a level"
        for place in (chapter.notebook, chapter.solutions):
            assert sorted(name for code in cells(place) for name in calls_in(code)) == sorted(mine), place
        assert set(answers(chapter, "WRONG")) | set(answers(chapter, "RIGHT")) <= set(mine)
        assert all(len(task.mistakes) >= 3 for task in mine.values())
        (row,) = [line for line in readme.splitlines() if line.startswith("|") and f"{chapter.notebook.name})" in line]
        minutes = sum(task.minutes for task in mine.values())
        assert row.split("|")[-2].strip() == f"{len(mine)} · {minutes} min", chapter.stem


@each
def test_the_untouched_stub_is_not_attempted(chapter, task):
    for stub in (answer_of(chapter.notebook, task), ...):
        assert task.verdict(stub).startswith(judging.UNTOUCHED)


@times
@each
def test_right_answers_are_right(chapter, task, times):
    for answer in [solution_of(chapter, task), *answers(chapter, "RIGHT").get(task.name, [])]:
        assert {task.verdict(answer) for _ in range(times)} == {f"{judging.RIGHT} {task.meaning}"}


@times
@each
def test_every_mistake_gets_its_own_hint(chapter, task, times):
    for mistake in task.mistakes:
        said = verdicts(task, mistake.answer if task.takes_function else mistake.answer(), times)
        assert all(mistake.hint in text for text in said), f"{mistake.name}: {said}"


@times
@each
def test_wrong_answers_as_students_write_them_get_the_right_hint(chapter, task, times):
    for number, (answer, hint) in enumerate(answers(chapter, "WRONG").get(task.name, [])):
        said = verdicts(task, answer, times)
        assert all(re.search(hint, text) for text in said), f"wrong answer {number}: {said}"


@each
def test_whatever_a_student_writes_there_is_a_sentence(chapter, task):
    def divides():
        return 1 / 0

    def raises(*arguments):
        return divides()

    def exits(*arguments):
        sys.exit()

    strange = [None, "hello", object(), float("nan"), [], {}, torch.zeros(2, 3), 1j]
    if callable(solution_of(chapter, task)):
        strange += [raises, exits, lambda: 1, lambda *a: "hello", lambda *a: None]
        strange += [lambda *a: torch.full((2, 2), torch.nan)]
        line = divides.__code__.co_firstlineno + 1
        assert f"ZeroDivisionError in line {line}: `return 1 / 0`" in task.verdict(raises)
        assert "SystemExit" in task.verdict(exits)
    for answer in strange:
        (said,) = verdicts(task, answer, 1)
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
def test_an_answer_that_changes_its_inputs_is_told_so(chapter, task):
    solution, changed = solution_of(chapter, task), []
    if not callable(solution):
        return  # a value has no inputs

    def changes(*arguments):
        result = solution(*arguments)
        changed.append(any([change(argument) for argument in arguments]))
        return result

    said = task.verdict(changes)
    if any(changed):
        assert said.startswith(judging.WRONG) and "in place" in said, said
    else:  # numbers and texts cannot be changed
        assert said.startswith(judging.RIGHT)


@each
def test_no_chapter_contains_the_answer(chapter, task):
    lines = (line.strip() for line in cell_of(chapter.solutions, task).splitlines())
    body = [line for line in lines if re.search(r"^(return|for|while)\b|=[^=]", line) and len(line) > 12]
    stub = cell_of(chapter.notebook, task)
    assert not [line for line in body if line in stub and "check." not in line and "..." not in line]


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

    (said,) = verdicts(exercises_of("one_hot")["one_hot_by_hand"], forever, 1)
    assert "never ends" in said
    torch.zeros(10**6).sort()  # a moment in which it would go on
    count = len(beats)
    torch.zeros(10**6).sort()
    assert len(beats) == count, "the loop goes on"


@pytest.mark.slow
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
