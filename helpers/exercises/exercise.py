"""What an exercise is: a right answer, cases to try it on, what is forbidden, and mistakes with their hints.

It is written as a class of plain functions, under the decorator `exercise`:

    @exercise("core", 10, "What a right answer means.")
    class double:
        def cases(generator): return [(1,), (2.5,)]       # arguments, the easiest first
        def right(x): return 2 * x
        from_case = {lambda x: (-x,): "A sign is lost."}    # mistakes that are `right` for another case,
        from_right = {str: "A number is asked, no text."}   # or are made of what is right, each with its hint
        def squared(x):                                     # any other name is a mistake, too;
            "That is the square of x: add it to itself."    # its docstring is the hint
            return x**2

Without `cases` the answer is a value, and `right` and the mistakes are functions without arguments. Other parts:

- then(generator): cases to try when the first ones are right
- run(answer, *case): how an answer is run on a case, and what of its result is compared; else it is called
- tells(*case): how a hint names a case
- otherwise(result, *case): the hint for a wrong result that no mistake explains
- also(answer, generator): what is asked of an answer whose results are right, raising Wrong
- judge(answer, generator): in place of all this, raising Wrong
- atol: how close is equal
- forbidden: a dict of names of torch's functions, as a tuple, and what is said to an answer that calls one of them

A name with an underscore in front is the class's own business.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from .answer import Untouched, Wrong, call, copied, first_line, fresh, in_time, torch_calls, value
from .compare import agrees, describe, explain_difference

RIGHT, WRONG, UNTOUCHED = "✅", "❌", "⬜"
PARTS = {"cases", "then", "right", "run", "tells", "otherwise", "also", "judge", "atol"}
PARTS |= {"forbidden", "from_case", "from_right"}


@dataclass(frozen=True)
class Mistake:
    """A function that answers wrongly, and the hint for it."""

    name: str
    hint: str
    answer: Callable


def variants(**choices) -> Callable[[Callable], Callable]:
    """Make several mistakes of a function that also takes the keywords of `choices`, one of each list.

    Their hint is the docstring; where the choices are a dict, it holds a hint for each, and texts as keys are names.
    """

    def decorate(function: Callable) -> Callable:
        function.choices = choices
        return function

    return decorate


def _mistakes(name: str, function: Callable) -> list[Mistake]:
    choices, found = getattr(function, "choices", {}), []
    for chosen in itertools.product(*choices.values()):
        mistake, hint = name, function.__doc__ or ""
        for options, choice in zip(choices.values(), chosen, strict=True):
            if isinstance(options, dict):
                mistake, hint = choice if isinstance(choice, str) else name, options[choice]
        if not hint:
            raise TypeError(f"The mistake {name} needs a docstring: it is the hint.")
        answer = functools.partial(function, **dict(zip(choices, chosen, strict=True))) if chosen else function
        found.append(Mistake(mistake, " ".join(hint.split()), answer))
    return found


class Exercise:
    """A check that prints ✅ and what the right answer means, ❌ and what it looks like, or ⬜; it never raises."""

    def __init__(self, written: type, level: str, minutes: int, meaning: str):
        self.name, self.level, self.minutes, self.meaning = written.__name__, level, minutes, meaning
        own = {name: part for name, part in vars(written).items() if not name.startswith("_")}
        self.parts = {name: part for name, part in own.items() if name in PARTS}
        self.mistakes = [m for name, part in own.items() if name not in PARTS for m in _mistakes(name, part)]
        self.right, self.atol = self.parts.get("right"), self.parts.get("atol", 1e-6)
        for change, hint in self.parts.get("from_case", {}).items():
            self.mistakes.append(Mistake("from_case", hint, lambda *case, change=change: self.right(*change(*case))))
        for change, hint in self.parts.get("from_right", {}).items():
            self.mistakes.append(Mistake("from_right", hint, lambda *case, change=change: change(self.right(*case))))
        self.takes_function = "cases" in self.parts or "judge" in self.parts
        self.run = self.parts.get("run", call if self.takes_function else value)  # what is compared of an answer

    def __call__(self, answer) -> None:
        print(self.verdict(answer))

    def verdict(self, answer) -> str:
        """✅, ❌ or ⬜ and one or two sentences."""
        try:
            in_time(lambda: self._judge(answer, fresh()))
        except Untouched:
            return f"{UNTOUCHED} {self.name}: not attempted yet. Replace the `...` and run the cell again."
        except Wrong as wrong:
            return f"{WRONG} {wrong}"
        except Exception as error:  # never a traceback of the checker's own code
            return f"{WRONG} Your answer could not be checked ({type(error).__name__}: {first_line(error)})."
        return f"{RIGHT} {self.meaning}"

    def hint(self, name: str) -> str:
        """The hint of the mistake called `name`."""
        return next(mistake.hint for mistake in self.mistakes if mistake.name == name)

    def _judge(self, answer, generator) -> None:
        if "judge" in self.parts:
            self.parts["judge"](answer, generator)
            return
        if not self.takes_function:
            self._compare(answer, [()])
        for name in ("cases", "then"):
            if name in self.parts:
                self._compare(answer, self.parts[name](generator))
        for names, sentence in self.parts.get("forbidden", {}).items():
            if set(names) & set(torch_calls(answer, *self.parts["cases"](generator)[-1])):
                raise Wrong(sentence)
        if "also" in self.parts:
            self.parts["also"](answer, generator)

    def _compare(self, answer, cases: list[tuple]) -> None:
        """Raise Wrong unless the answer gives what `right` gives for all `cases`, the easiest first.

        A mistake is recognised when it gives what the answer gives in every case. Otherwise the hint is the
        first case in which the two differ, with both values.
        """
        results = [self.run(answer, *case) for case in cases]
        expected = [self._run_ours(self.right, *case) for case in cases]
        right = [agrees(r, e, self.atol) for r, e in zip(results, expected, strict=True)]
        if all(right):
            return
        order = sorted(range(len(cases)), key=right.__getitem__)  # wrong results first: they tell the mistakes apart
        for mistake in self.mistakes:
            try:
                if all(agrees(results[i], self._run_ours(mistake.answer, *cases[i]), self.atol) for i in order):
                    raise Wrong(mistake.hint)
            except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):  # it does not fit these cases
                continue
        first = order[0]
        if "otherwise" in self.parts:
            raise Wrong(self.parts["otherwise"](results[first], *cases[first]))
        tells = self.parts.get("tells", lambda *case: f"For {', '.join(map(describe, case))}" if case else "Here")
        raise Wrong(explain_difference(results[first], expected[first], tells(*cases[first])))

    def _run_ours(self, function: Callable, *case):
        """Our own functions are run as an answer is; without a `run` part, plainly."""
        if "run" not in self.parts:
            return function(*map(copied, case))
        try:
            return self.run(function if self.takes_function else function(), *case)
        except Wrong as wrong:
            raise ValueError(str(wrong)) from None


def exercise(level: str, minutes: int, meaning: str) -> Callable[[type], Exercise]:
    """Turn a class of functions, as above, into a check."""
    return lambda written: Exercise(written, level, minutes, meaning)
