"""Every exercise: its stub is ⬜, its solution ✅, wrong answers get the right hint, nothing a student writes raises.

The stub is the cell of the chapter that calls the check, the solution the cell of the solutions notebook that does;
both run with nothing but their notebook's first cell of code before them.
"""

import ast
import importlib
import json
import re
from pathlib import Path

import matplotlib
import pytest
import torch

from helpers.check import answer as judging

TOP = Path(__file__).parents[1]
CHAPTERS = {
    "01_concatenation": "concatenation",
    "02_one_hot": "one_hot",
    "03_parameters": "parameters",
    "04_forward_loop": "forward_loop",
    "05_prediction": "prediction",
    "06_gradient_clipping": "gradient_clipping",
    "07_training": "training",
    "08_perplexity": "perplexity",
}
CHECKS = {chapter: importlib.import_module(f"helpers.check.{module}") for chapter, module in CHAPTERS.items()}
EXERCISES = judging.EXERCISES
LEVELS = {"warm-up", "core", "stretch"}


def cells(path: Path, kind: str = "code") -> list[str]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def calls_in(code: str) -> list[str]:
    """The names of the checks that a cell calls, as check.name(...)."""
    found = [node.func for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return [f.attr for f in found if isinstance(f, ast.Attribute) and ast.unparse(f.value) == "check"]


def chapter_path(chapter: str) -> Path:
    return TOP / "notebooks" / f"{chapter}.ipynb"


def solution_path(chapter: str) -> Path:
    return TOP / "notebooks" / "solutions" / f"{chapter}.ipynb"


def cell_of(path: Path, name: str) -> str:
    (cell,) = [code for code in cells(path) if name in calls_in(code)]
    return cell


def answer_of(path: Path, name: str, module):
    """What the cell of the check `name` hands to it, the cell run after the first cell of its notebook."""
    given = []

    class Catching:
        def __getattr__(self, attribute):
            assert attribute == name or hasattr(module, attribute)
            return given.append if attribute == name else lambda answer: None

    space = {"__name__": "__main__"}
    matplotlib.use("Agg")
    exec(compile(cells(path)[0], "first cell", "exec"), space)
    space["check"] = Catching()
    exec(compile(cell_of(path, name), f"cell of {name}", "exec"), space)
    (answer,) = given
    return answer


def verdict(key: str, answer) -> str:
    return EXERCISES[key].verdict(answer)


def wrong_answers(chapter: str) -> dict:
    return importlib.import_module(f"exercises.ch{chapter[:2]}").WRONG


KEYS = sorted(EXERCISES)
each = pytest.mark.parametrize("key", KEYS)


def parts(key: str):
    chapter, name = key.split(".")
    return chapter, name, CHECKS[chapter]


def test_nothing_is_missing():
    assert len(EXERCISES) >= 26
    for chapter in CHAPTERS:
        mine = {key.split(".")[1]: task for key, task in EXERCISES.items() if key.startswith(f"{chapter}.")}
        assert 3 <= len(mine) <= 4, f"{chapter} has {len(mine)} exercises"
        assert {task.level for task in mine.values()} == LEVELS, f"{chapter} lacks a level"
        for path in (chapter_path(chapter), solution_path(chapter)):
            called = [name for code in cells(path) for name in calls_in(code)]
            assert sorted(called) == sorted(mine), f"{path.parent.name}/{path.name}"
        assert set(wrong_answers(chapter)) == set(mine)
        assert all(len(wrong) >= 3 for wrong in wrong_answers(chapter).values())


def test_the_readme_tells_how_many_and_how_long():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    for chapter in CHAPTERS:
        mine = [task for key, task in EXERCISES.items() if key.startswith(f"{chapter}.")]
        (row,) = [line for line in readme.splitlines() if line.startswith("|") and f"notebooks/{chapter}.ipynb" in line]
        assert row.split("|")[-2].strip() == f"{len(mine)} · {sum(task.minutes for task in mine)} min", chapter


@each
def test_the_untouched_stub_is_not_attempted(key):
    chapter, name, module = parts(key)
    assert verdict(key, answer_of(chapter_path(chapter), name, module)).startswith(judging.UNTOUCHED)


@each
def test_the_solution_is_right(key):
    chapter, name, module = parts(key)
    answer = answer_of(solution_path(chapter), name, module)
    for _ in range(3):  # fresh inputs each time
        assert verdict(key, answer) == f"{judging.RIGHT} {EXERCISES[key].meaning}"


@each
def test_wrong_answers_get_the_right_hint(key):
    chapter, name, _ = parts(key)
    for number, (answer, hint) in enumerate(wrong_answers(chapter)[name]):
        said = verdict(key, answer)
        assert said.startswith(judging.WRONG) and re.search(hint, said), f"wrong answer {number}: {said}"
        assert len(said) < 450, "a hint is one or two lines"


@each
def test_whatever_a_student_writes_there_is_a_sentence(key):
    chapter, name, module = parts(key)
    solution = answer_of(solution_path(chapter), name, module)

    def raises(*arguments):
        return 1 / 0

    def no_arguments():
        return 1

    strange = [None, "hello", object(), float("nan"), [], {}, torch.zeros(2, 3), 1j]
    if callable(solution):
        strange += [raises, no_arguments, lambda *a: "hello", lambda *a: None, lambda *a: torch.full((2, 2), torch.nan)]
        assert "ZeroDivisionError" in verdict(key, raises) and "1 / 0" in verdict(key, raises)
    for answer in strange:
        said = verdict(key, answer)
        assert said.startswith(judging.WRONG), f"{answer!r}: {said}"
        assert "could not be checked" not in said, f"{answer!r}: {said}"
    assert verdict(key, ...).startswith(judging.UNTOUCHED)


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
def test_an_answer_that_changes_its_inputs_is_told_so(key):
    chapter, name, module = parts(key)
    solution = answer_of(solution_path(chapter), name, module)
    if not callable(solution):
        return  # a value has no inputs
    changed = []

    def changes(*arguments):
        result = solution(*arguments)
        changed.append(any([change(argument) for argument in arguments]))
        return result

    said = verdict(key, changes)
    if not any(changed):  # numbers and texts cannot be changed
        assert said.startswith(judging.RIGHT)
    elif not EXERCISES[key].in_place:
        assert said.startswith(judging.WRONG) and "in place" in said, said


@each
def test_no_chapter_contains_the_answer(key):
    chapter, name, _ = parts(key)
    solution = cell_of(solution_path(chapter), name)
    body = [line.strip() for line in solution.splitlines() if re.search(r"^\s+(return|for|while)\b|=[^=]", line)]
    body = [line for line in body if len(line) > 12 and "check." not in line and "..." not in line]
    stub = cell_of(chapter_path(chapter), name)
    assert not [line for line in body if line in stub], "the stub holds a line of the solution"


def test_a_loop_that_never_ends_is_ended():
    def forever(*arguments):
        while True:
            pass

    said = verdict("02_one_hot.one_hot_by_hand", forever)
    assert said.startswith(judging.WRONG) and "never ends" in said
