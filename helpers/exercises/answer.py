"""How an answer is called: on copies of its arguments, within a time limit, whatever it does."""

import _imp
import ctypes
import importlib
import secrets
import threading
import time
import traceback
from collections.abc import Callable

import torch
from torch.overrides import TorchFunctionMode

from .compare import describe

LIMIT = 5.0  # seconds on the clock; a loop inside one call of C cannot be ended and may last longer
LATEST = 60.0  # seconds, with all that is imported on the way
_IMPORTING = importlib._bootstrap._module_locks  # a lock for each module that is being imported just now


# torch's functions that multiply tensors, by name: with a sum, `*` makes a product too
PRODUCTS = (
    *("matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "tensordot", "linear", "bilinear", "dot", "inner", "mv"),
    *("__matmul__", "__rmatmul__", "addmv", "addbmm", "chain_matmul", "multi_dot", "kron", "outer", "ger", "cdist"),
    *("linalg_matmul", "linalg_multi_dot", "linalg_vecdot", "_sparse_mm", "smm"),
    *("mul", "mul_", "multiply", "__mul__", "__rmul__", "__imul__", "addcmul"),
)


class Wrong(Exception):
    """What is wrong with an answer, in one or two sentences for the student."""


class Untouched(Exception):
    """There is no answer yet: the stub still returns, or holds, `...`."""


class _OutOfTime(BaseException):
    """Raised inside a student's loop that does not end."""


def fresh() -> torch.Generator:
    """A generator with a new seed, so that every call of a check draws other inputs; the global one is left alone."""
    return torch.Generator().manual_seed(secrets.randbits(31))


def value(answer):
    """The answer itself, when it was given; raises Untouched when `...` is in it, Wrong when it is None."""
    if _has_ellipsis(answer):
        raise Untouched
    if answer is None:
        raise Wrong("The answer is None: does the cell give it a value?")
    return answer


def call(function: Callable, *arguments):
    """What the student's `function` returns for copies of `arguments`.

    Raises Wrong when it is no function, raises, returns nothing, or changes an argument in place;
    Untouched when it, or what it returns, holds `...`.
    """
    if function is ...:
        raise Untouched
    if not callable(function):
        raise Wrong(f"A function is expected here, but this is {describe(function)}.")
    given = [copied(argument) for argument in arguments]
    try:
        result = function(*given)
    except _OutOfTime:
        raise
    except BaseException as error:  # SystemExit, too
        told = f"raised {type(error).__name__}{_where(error, function)}: {first_line(error)}"
        if isinstance(error, TypeError) and error.__traceback__.tb_next is None:  # raised by the call itself
            told = f"does not take {len(given)} arguments as in the text: {first_line(error)}."
        raise Wrong(f"Your function {told}") from None
    if _has_ellipsis(result):
        raise Untouched
    if result is None:
        raise Wrong("Your function returns nothing: is there a `return` at its end?")
    for number, (before, after) in enumerate(zip(arguments, given, strict=True), start=1):
        if not _same(before, after):
            told = "in place: the caller still needs it. Make a new one."
            raise Wrong(f"Your function changes its argument {number} {told}")
    return result


def in_time(work: Callable[[], None]) -> None:
    """Do `work`; raise Wrong when it takes longer than LIMIT, and end it as far as Python can.

    The clock stands still while something is imported: the first use of torch.optim imports for seconds.
    """
    outcome: list[BaseException] = []
    done = threading.Event()  # an interrupt during a thread's own `join` would mark the thread as ended
    threads = torch.get_num_threads()

    def run() -> None:
        torch.set_num_threads(threads)  # a new thread does not know it, and spinning threads can take seconds
        try:
            work()
        except BaseException as error:
            outcome.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    now = time.monotonic()
    end, latest = now + LIMIT, now + LATEST
    try:
        while not done.is_set() and now < min(end, latest):
            importing, before = bool(_IMPORTING), now
            done.wait(0.05)
            now = time.monotonic()
            end += now - before if importing else 0
        if not done.is_set():
            raise Wrong(f"Your answer was still running after {LIMIT:g} seconds: is there a loop that never ends?")
    finally:  # also when the student interrupts the cell
        if not done.is_set():
            threading.Thread(target=_end, args=(thread.ident, done), daemon=True).start()
    if outcome:
        raise outcome[0]


def _end(ident: int, done: threading.Event) -> None:
    """Raise _OutOfTime in a thread until it is done, but never amid an import: half a module would be left behind."""
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    arguments = ctypes.c_ulong(ident), ctypes.py_object(_OutOfTime)
    while not done.is_set():
        # no call stands between the look at the locks and the raising, so no other thread can run between them
        if not _imp.lock_held() and not _IMPORTING:
            raise_in(*arguments)
            done.wait(1.0)  # once is enough, unless the answer catches it
        done.wait(0.01)


class _Recorder(TorchFunctionMode):
    """Writes down the names of torch's functions while they run."""

    def __init__(self):
        super().__init__()
        self.names: list[str] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.append(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def torch_calls(function: Callable, *arguments) -> list[str]:
    """The names of torch's functions that the student's `function` calls, in their order."""
    with _Recorder() as recorder:
        call(function, *arguments)
    return recorder.names


def copied(value):
    """A copy of an argument; models and the like are handed over as they are."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple)):
        return type(value)(map(copied, value))
    return dict(value) if isinstance(value, dict) else value


def _same(a, b) -> bool:
    """Whether two arguments are equal; what models and the like hold is not looked at."""
    if isinstance(a, torch.Tensor):
        return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b


def _has_ellipsis(thing) -> bool:
    return thing is ... or (isinstance(thing, (list, tuple)) and any(_has_ellipsis(part) for part in thing))


def first_line(error: BaseException) -> str:
    line = str(error).strip().split("\n")[0] or "no message"
    return line if len(line) <= 160 else f"{line[:159]}…"


def _where(error: BaseException, function: Callable) -> str:
    """The line of the student's own code in which `error` arose, as " in line 3: `x = y`"."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if not frames:
        return ""
    return f" in line {frames[-1].lineno}" + (f": `{frames[-1].line}`" if frames[-1].line else "")
