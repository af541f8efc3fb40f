"""How an answer is judged: run it on small inputs, compare with a reference, and name the mistake.

A check prints ✅ and what the right answer means, ❌ and what it looks like, or ⬜ when nothing was
written yet. It never raises, and never takes longer than LIMIT seconds, whatever the answer does.
"""

import copy
import ctypes
import functools
import linecache
import math
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

LIMIT = 2.0  # seconds
RIGHT, WRONG, UNTOUCHED = "✅", "❌", "⬜"
EXERCISES: dict[str, "Exercise"] = {}  # by "notebook.name", in the order in which they were defined


def fresh() -> torch.Generator:
    """A generator with a new seed, so that every call of a check draws other inputs; the global one is left alone."""
    return torch.Generator().manual_seed(secrets.randbits(31))


class Wrong(Exception):
    """What is wrong with an answer, in one or two sentences for the student."""


class Untouched(Exception):
    """There is no answer yet: the stub still returns, or is, `...`."""


@dataclass(frozen=True)
class Exercise:
    """A check and what is known about it."""

    notebook: str  # such as "02_one_hot"
    name: str
    level: str  # "warm-up", "core" or "stretch"
    minutes: int
    judge: Callable  # judge(answer) raises Wrong or Untouched, or returns
    meaning: str  # what a right answer means
    in_place: bool = False  # whether the answer is meant to change its arguments

    def verdict(self, answer) -> str:
        """✅, ❌ or ⬜ and one or two sentences."""
        try:
            in_time(lambda: self.judge(answer))
        except Untouched:
            return f"{UNTOUCHED} {self.name}: not attempted yet. Replace the `...` and run the cell again."
        except Wrong as wrong:
            return f"{WRONG} {wrong}"
        except Exception as error:  # never a traceback of the checker's own code
            return f"{WRONG} Your answer could not be checked ({type(error).__name__}: {_first_line(error)})."
        return f"{RIGHT} {self.meaning}"


def exercise(
    notebook: str, level: str, minutes: int, meaning: str, in_place: bool = False
) -> Callable[[Callable], Callable]:
    """Turn judge(answer), which raises Wrong for a wrong answer, into a check that prints its verdict."""

    def decorate(judge: Callable) -> Callable:
        task = Exercise(notebook, judge.__name__, level, minutes, judge, meaning, in_place)
        EXERCISES[f"{notebook}.{task.name}"] = task

        @functools.wraps(judge)
        def check(answer) -> None:
            print(task.verdict(answer))

        return check

    return decorate


class _OutOfTime(BaseException):
    """Raised inside a student's loop that does not end."""


def in_time(work: Callable[[], None]) -> None:
    """Do `work`; raise Wrong when it takes longer than LIMIT, and end it as far as Python can."""
    outcome: list[BaseException] = []
    threads = torch.get_num_threads()

    def run() -> None:
        torch.set_num_threads(threads)  # a new thread does not know it, and spinning threads can take seconds
        try:
            work()
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LIMIT)
    if thread.is_alive():
        # raises _OutOfTime at the thread's next Python instruction, so that an endless loop ends
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_OutOfTime))
        raise Wrong(f"Your answer took longer than {LIMIT:g} seconds: is there a loop that never ends?")
    if outcome:
        raise outcome[0]


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] if str(error).strip() else "no message"


def _where(error: BaseException, function: Callable) -> str:
    """The line of the student's own code in which `error` arose, as " in line 3: `x = y`"."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    place = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            place = trace.tb_lineno
        trace = trace.tb_next
    if place is None:
        return ""
    line = linecache.getline(file, place).strip()
    return f" in line {place}" + (f": `{line}`" if line else "")


def _same(a, b) -> bool:
    """Whether two arguments are equal, whatever they are made of."""
    if isinstance(a, torch.Tensor):
        return a.shape == b.shape and bool(torch.equal(torch.nan_to_num(a.detach()), torch.nan_to_num(b.detach())))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (int, float, str, bool, type(None), np.generic)):
        return a == b
    return True  # models and the like: what they hold is not looked at


def _copied(value):
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple, dict)):
        return copy.deepcopy(value) if not _holds_tensors(value) else _copied_container(value)
    return value


def _holds_tensors(value) -> bool:
    values = value.values() if isinstance(value, dict) else value
    return any(
        isinstance(v, torch.Tensor) or (isinstance(v, (list, tuple, dict)) and _holds_tensors(v)) for v in values
    )


def _copied_container(value):
    if isinstance(value, dict):
        return {key: _copied(v) for key, v in value.items()}
    return type(value)(_copied(v) for v in value)


def call(function: Callable, *arguments, may_change: bool = False):
    """What the student's `function` returns for copies of `arguments`.

    Raises Wrong when it is no function, raises, returns nothing, or changes an argument in place
    (unless it `may_change` them); Untouched when it returns `...`.
    """
    if function is ...:
        raise Untouched
    if not callable(function):
        raise Wrong(f"A function is expected here, but this is {describe(function)}.")
    given = [_copied(argument) for argument in arguments]
    try:
        result = function(*given)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # raised by the call itself
            raise Wrong(
                f"Your function does not take {len(given)} arguments as in the text: {_first_line(error)}."
            ) from None
        raise Wrong(f"Your function raised TypeError{_where(error, function)}: {_first_line(error)}") from None
    except Exception as error:
        raise Wrong(
            f"Your function raised {type(error).__name__}{_where(error, function)}: {_first_line(error)}"
        ) from None
    if result is ...:
        raise Untouched
    if result is None:
        raise Wrong("Your function returns nothing: is there a `return` at its end?")
    if not may_change:
        for number, (before, after) in enumerate(zip(arguments, given, strict=True), start=1):
            if not _same(before, after):
                raise Wrong(
                    f"Your function changes its argument {number} in place: the caller still needs it. Make a new one."
                )
    return result


def value(answer):
    """The answer itself, when it was given; raises Untouched when it is still `...`."""
    if answer is ...:
        raise Untouched
    if answer is None:
        raise Wrong("The answer is None: does the cell give it a value?")
    return answer


def describe(thing, digits: int = 4) -> str:
    """A short text for a value: numbers rounded, large tensors by their shape."""
    if isinstance(thing, torch.Tensor):
        if thing.numel() > 12:
            return f"a tensor of shape {tuple(thing.shape)}"
        return str(_rounded(thing.detach().tolist(), digits))
    if isinstance(thing, np.ndarray):
        return describe(torch.as_tensor(thing), digits)
    if isinstance(thing, (tuple, list)):
        if len(thing) > 12:
            return f"a {type(thing).__name__} of {len(thing)}"
        inside = ", ".join(describe(part, digits) for part in thing)
        return f"({inside})" if isinstance(thing, tuple) else f"[{inside}]"
    if isinstance(thing, float):
        return str(_rounded(thing, digits))
    if isinstance(thing, str):
        return repr(thing if len(thing) <= 60 else thing[:57] + "…")
    if isinstance(thing, (int, bool, type(None))):
        return str(thing)
    return f"a {type(thing).__name__}"


def _rounded(thing, digits):
    if isinstance(thing, list):
        return [_rounded(part, digits) for part in thing]
    return float(f"{thing:.{digits}g}") if isinstance(thing, float) else thing


def as_tensor(result, like: torch.Tensor) -> torch.Tensor:
    """The student's result as a tensor on the CPU; lists, arrays and numbers are accepted. Raises Wrong otherwise."""
    if isinstance(result, torch.Tensor):
        return result.detach().cpu()
    try:
        if isinstance(result, (list, tuple)) and any(isinstance(part, torch.Tensor) for part in result):
            return torch.stack([torch.as_tensor(part).detach().cpu() for part in result])
        if isinstance(result, (str, dict, set)):
            raise TypeError
        return torch.as_tensor(np.asarray(result))
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(
            f"A tensor of shape {tuple(like.shape)} is expected, but the result is {describe(result)}."
        ) from None


def agrees(result, expected, atol: float = 1e-6) -> bool:
    """Whether a result equals what is expected, within `atol` (absolute, and relative for large numbers)."""
    if isinstance(expected, (tuple, list)) and not _is_numbers(expected):
        return (
            isinstance(result, (tuple, list))
            and len(result) == len(expected)
            and all(agrees(r, e, atol) for r, e in zip(result, expected, strict=True))
        )
    if isinstance(expected, str) or isinstance(result, str):
        return isinstance(result, str) and isinstance(expected, str) and result == expected
    if isinstance(expected, bool):
        return isinstance(result, (bool, np.bool_, torch.Tensor)) and bool(result) == expected
    expected = torch.as_tensor(expected)
    try:
        result = as_tensor(result, expected)
    except Wrong:
        return False
    if result.shape != expected.shape or result.is_complex():
        return False
    return torch.allclose(result.double(), expected.detach().cpu().double(), rtol=atol, atol=atol)


def _is_numbers(values) -> bool:
    return bool(values) and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def explain_difference(result, expected, asked: str) -> str:
    """One sentence on how a result differs from what is expected; `asked` says for which input."""
    if isinstance(expected, torch.Tensor):
        found = as_tensor(result, expected)
        if found.shape != expected.shape:
            return f"{asked} your result has the shape {tuple(found.shape)} instead of {tuple(expected.shape)}."
        if found.is_floating_point() and torch.isnan(found).any() and not torch.isnan(expected).any():
            return f"{asked} your result holds NaN, which is no number: look for 0/0, inf − inf or the log of 0."
        if found.is_complex():
            return f"{asked} your result holds complex numbers."
        if expected.numel() > 12:
            place = _worst(found, expected)
            return (
                f"{asked} entry {list(place)} of your result is {describe(found[place].item())}, "
                f"expected {describe(expected[place].item())}."
            )
    if isinstance(result, float) and math.isnan(result):
        return f"{asked} your result is NaN, which is no number: look for 0/0, inf − inf or the log of 0."
    return f"{asked} your result is {describe(result)}, expected {describe(expected)}."


def _worst(found: torch.Tensor, expected: torch.Tensor) -> tuple[int, ...]:
    difference = (found.double() - expected.detach().double()).abs()
    return tuple(int(i) for i in np.unravel_index(int(difference.argmax()), tuple(expected.shape)))


def compare(
    function: Callable,
    reference: Callable,
    cases: Iterable[tuple],
    mistakes: Iterable[tuple[Callable, str]] = (),
    atol: float = 1e-6,
    may_change: bool = False,
) -> None:
    """Raise Wrong unless `function` gives what `reference` gives for all `cases`, the smallest case first.

    mistakes: pairs of a function that makes a known mistake, and the hint for it. A mistake is recognised
    when it gives what the student's function gives in every case. Otherwise the hint is the smallest case in
    which the two differ, with both values.
    """
    cases = list(cases)
    results = [call(function, *case, may_change=may_change) for case in cases]
    expected = [reference(*map(_copied, case)) for case in cases]
    right = [agrees(r, e, atol) for r, e in zip(results, expected, strict=True)]
    if all(right):
        return
    for mistaken, hint in mistakes:
        try:
            if all(agrees(r, mistaken(*map(_copied, c)), atol) for r, c in zip(results, cases, strict=True)):
                raise Wrong(hint)
        except (RuntimeError, ValueError, IndexError, TypeError, ZeroDivisionError):  # it does not fit these cases
            continue
    first = right.index(False)
    asked = ", ".join(describe(argument) for argument in cases[first])
    raise Wrong(explain_difference(results[first], expected[first], f"For {asked}"))


def compare_value(
    answer, expected, mistakes: Iterable[tuple[object, str]] = (), atol: float = 1e-6, what: str = "The answer"
) -> None:
    """Raise Wrong unless a value is the expected one; mistakes: pairs of a wrong value and its hint.

    The expected value is not given away.
    """
    given = value(answer)
    if isinstance(expected, (bool, str)) or isinstance(given, (bool, str)):
        if type(given) is not type(expected):
            raise Wrong(f"{what} should be a {type(expected).__name__}, but it is {describe(given)}.")
    elif not isinstance(expected, (tuple, list, dict, set)):
        number = as_tensor(given, torch.as_tensor(expected))
        if number.shape != torch.as_tensor(expected).shape:
            raise Wrong(f"{what} should be a single number, but it is {describe(given)}.")
        if number.is_floating_point() and torch.isnan(number).any():
            raise Wrong(f"{what} is NaN, which is no number.")
    if agrees(given, expected, atol):
        return
    for mistaken, hint in mistakes:
        if agrees(given, mistaken, atol):
            raise Wrong(hint)
    raise Wrong(f"{what} is not {describe(given)}.")
