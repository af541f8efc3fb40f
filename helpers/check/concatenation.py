"""Checks of notebook 01."""

import math
from collections.abc import Callable
from itertools import permutations

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from .answer import Wrong, agrees, call, compare, describe, exercise, explain_difference, fresh

NOTEBOOK = "01_concatenation"
PRODUCTS = {
    "matmul",
    "mm",
    "bmm",
    "addmm",
    "baddbmm",
    "einsum",
    "tensordot",
    "linear",
    "bilinear",
    "dot",
    "inner",
    "mv",
}
AUTOGRAD = {"backward", "grad"}


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


def compare_briefly(
    function: Callable, reference: Callable, cases: list[tuple], mistakes: list[tuple], asked: Callable
) -> None:
    """As `compare`, but a difference that no mistake explains is told with asked(*case) in place of the arguments."""
    results = [call(function, *case) for case in cases]
    given = iter(results)
    try:
        compare(lambda *case: next(given), reference, cases, mistakes)
    except Wrong as wrong:
        if str(wrong) in {hint for _, hint in mistakes}:
            raise
        for case, result in zip(cases, results, strict=True):
            expected = reference(*case)
            if not agrees(result, expected):
                raise Wrong(explain_difference(result, expected, asked(*case))) from None
        raise


def _named(names: str) -> Callable[..., str]:
    """For tensors of these names: "For " and their numbers where they are few, their shapes otherwise."""

    def asked(*tensors: torch.Tensor) -> str:
        if sum(tensor.numel() for tensor in tensors) <= 8:
            return "For " + ", ".join(map(describe, tensors))
        parts = zip(names.split(), tensors, strict=True)
        return "For " + ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in parts)

    return asked


def _draw(generator: torch.Generator, *shape: int) -> torch.Tensor:
    """Numbers between 0.5 and 2 in size, of both signs: none so small that a mistake hides."""
    sizes = 0.5 + 1.5 * torch.rand(shape, generator=generator, dtype=torch.float64)
    return sizes * (2 * torch.randint(2, shape, generator=generator) - 1)


@exercise(
    NOTEBOOK, "warm-up", 2, "A sum may be cut anywhere: the place between `X` and `H` is only where the names change."
)
def cut_anywhere(answer) -> None:
    """The pair of products whose sum is XH @ W, cut before column c."""
    generator = fresh()
    cases = [
        (_draw(generator, rows, n), _draw(generator, n, columns), c)
        for rows, n, columns, c in ((1, 2, 1, 1), (2, 5, 2, 2), (2, 5, 2, 0), (2, 5, 2, 5))
    ]

    def cut(columns, rows):
        return lambda XH, W, c: (XH[:, columns(c)[0]] @ W[rows(c)[0]], XH[:, columns(c)[1]] @ W[rows(c)[1]])

    def at(shift, gap=0):
        return lambda c: (slice(None, c + shift), slice(c + shift + gap, None))

    right = cut(at(0), at(0))
    mistakes = [
        (lambda XH, W, c: XH @ W, "This is the sum. The two products themselves are asked for, as a pair."),
        (lambda XH, W, c: right(XH, W, c)[::-1], "Both products are right, but the other one comes first."),
        (
            lambda XH, W, c: (XH @ W[:, :c], XH @ W[:, c:]),
            "You cut `W` between two columns, so each half lacks some hidden units. Cut where the sum runs.",
        ),
        (cut(at(0, 1), at(0, 1)), "One column of `XH` is in neither part: where does the second part start?"),
        (cut(at(-1), at(-1)), "The cut is one column too early: what does the slice `:c` stop before?"),
        (cut(at(1), at(1)), "The cut is one column too late: columns are counted from 0, and `:c` stops before `c`."),
    ]
    compare(answer, right, cases, mistakes)


def _truth(result) -> bool:
    if isinstance(result, (torch.Tensor, np.ndarray)) and math.prod(result.shape) != 1:
        raise Wrong(
            f"One True or False for the whole tensors is asked for, but your function returns {describe(result)}: "
            "one answer for each entry."
        )
    if isinstance(result, (torch.Tensor, np.ndarray, np.generic)):
        result = result.item()
    if not isinstance(result, bool):
        raise Wrong(f"True or False is expected, but your function returns {describe(result)}.")
    return result


def _largest(A, B):
    return torch.maximum(A.abs().max(), B.abs().max())


@exercise(NOTEBOOK, "core", 10, "Every entry counts, up or down, and rounding is judged by the size of the numbers.")
def equal_within(answer) -> None:
    """Whether two float32 tensors differ nowhere by more than a share of their largest entry."""
    generator = fresh()

    def draw(*shape):
        return _draw(generator, *shape).float()

    def shifted(A, share, signs):
        """A with the entries moved by `share` of its largest, times `signs`."""
        return A + share * A.abs().max() * torch.tensor(signs)

    pair, row, negative = draw(2), draw(4), -draw(3).abs()
    many, large, small = draw(100), 1e5 * draw(3), 1e-6 * draw(3)
    wide, tall = draw(8, 500), draw(500, 8)
    spike = torch.cat([torch.tensor([1000.0]), 0.001 * draw(9)])  # its norm is its largest entry
    cases = [
        (pair, pair.clone(), 1e-6),
        (torch.zeros(2), torch.zeros(2), 1e-6),
        (pair, shifted(pair, 0.1, [0.0, 1.0]), 1e-3),
        (pair, shifted(pair, 0.1, [-1.0, 0.0]), 1e-3),
        (negative, shifted(negative, 3e-5, [1.0, 1.0, 1.0]), 1e-4),
        (torch.tensor([5.0]), torch.tensor([-5.0]), 0.1),
        (torch.tensor([1.0, 2.0, -5.0]), torch.tensor([1.0, 2.0, -5.35]), 0.1),
        (torch.tensor([5.0, 1.0, 1.0]), torch.tensor([5.35, 1.0, 1.0]), 0.1),
        (row, shifted(row, 0.07, [1.0, -1.0, 1.0, -1.0]), 0.1),
        (row, shifted(row, 0.15, [1.0, -1.0, 1.0, -1.0]), 0.1),
        (torch.tensor([1.0]), torch.tensor([1.4]), 0.3),
        (torch.tensor([1.4]), torch.tensor([1.0]), 0.3),
        (torch.tensor([1.0]), torch.tensor([3.0]), 0.45),
        (spike, shifted(spike, 0.15, [0.0] * 9 + [1.0]), 0.1),
        (torch.tensor([2000.0, 1e-4]), torch.tensor([2000.0, -1e-4]), 1e-5),
        (large, shifted(large, 3e-5, [1.0, -1.0, 1.0]), 1e-4),
        (small, shifted(small, 1e-3, [1.0, -1.0, 1.0]), 1e-4),
        (row, shifted(row, 0.1, [1.0, -1.0, 1.0, -1.0]), 1e-3),
        (many, shifted(many, 0.005, [0.0] * 99 + [1.0]), 1e-3),
        (many, shifted(many, 0.005, [0.0] * 98 + [1.0] * 2), 1e-3),
        (wide @ tall, wide[:, :99] @ tall[:99] + wide[:, 99:] @ tall[99:], 1e-4),
    ]

    def right(A, B, tolerance):
        return bool((A.double() - B.double()).abs().max() <= tolerance * _largest(A, B).double())

    sizes = [  # the number that is multiplied with the tolerance, and what is wrong with it
        (_largest, ""),
        (lambda A, B: A.abs().max(), "B"),
        (lambda A, B: B.abs().max(), "A"),
        (lambda A, B: torch.maximum(A.max(), B.max()), "signed"),
        (lambda A, B: torch.maximum(A.max().abs(), B.max().abs()), "signed"),
        (lambda A, B: torch.maximum(A.max(), B.max()).abs(), "signed"),
        (lambda A, B: A.max(), "signed"),
        (lambda A, B: B.max(), "signed"),
        (lambda A, B: A.max().abs(), "signed"),
        (lambda A, B: B.max().abs(), "signed"),
        (lambda A, B: torch.tensor(1.0), "fixed"),
        (lambda A, B: A.abs(), "own"),
        (lambda A, B: B.abs(), "own"),
        (lambda A, B: torch.maximum(A.abs(), B.abs()), "own"),
        (lambda A, B: A.abs().max() + B.abs().max(), "sum"),
        (lambda A, B: A.abs().mean(), "mean"),
        (lambda A, B: torch.maximum(A.abs().mean(), B.abs().mean()), "mean"),
    ]
    other = "The largest number of *both* tensors counts: it may well stand in `{}`, which you do not look at."
    wrong_sizes = {
        "A": other.format("A"),
        "B": other.format("B"),
        "signed": (
            "What is the largest number of 1, 2 and −5 here, or of a tensor in which all are negative? Its size counts."
        ),
        "fixed": (
            "You allow the same difference whatever the size of the numbers. Near 100,000 the next `float32` is 0.008 "
            "away, and among numbers near 0.000001 a difference of 0.0001 is huge."
        ),
        "own": (
            "You allow each entry a share of itself. An entry near 0 that was left over from large numbers carries "
            "*their* rounding."
        ),
        "sum": "You add the largest numbers of the two tensors, and allow twice too much: the larger of them counts.",
        "mean": "You measure by the mean size of the numbers. The text asks for the largest one.",
    }

    def rule(judge, size=_largest):
        return lambda A, B, tolerance: bool(torch.as_tensor(judge(A - B, tolerance * size(A, B))).all())

    def for_any_size(judge, hint):
        return [(rule(judge, size), hint) for size, what in sizes if what in ("", "A", "B", "fixed")]

    def unlike(A, B, tolerance):
        return bool(((A.abs() - B.abs()).abs() <= tolerance * _largest(A, B)).all())

    def one_hides(A, B, tolerance):
        return (len(A) >= 10 and int((A != B).sum()) == 1) or right(A, B, tolerance)

    signed = "You compare `A - B` without its sign taken off: an entry that is far too small passes."
    mean = "You judge the mean of the differences. One entry that is far off hides among many good ones."
    opposite = "Differences up and down cancel one another in your mean, so two very different tensors pass."
    whole = "You compare whole tensors, by norms or means: one entry that is far off hides among many good ones."
    norms = [
        (torch.norm, lambda A, B: torch.maximum(A.norm(), B.norm())),
        (torch.norm, lambda A, B: A.norm()),
        (torch.norm, lambda A, B: B.norm()),
        (lambda d: d.abs().mean(), lambda A, B: A.abs().mean()),
        (lambda d: d.abs().mean(), lambda A, B: B.abs().mean()),
        (lambda d: d.square().mean().sqrt(), lambda A, B: A.abs().mean()),
    ]
    mistakes = [
        (
            lambda A, B, tolerance: torch.equal(A, B),
            "You compare bit for bit, so two right routes to one result count as different.",
        ),
        (unlike, "You take the signs off before you subtract: then 5 and −5 are equal."),
        *[(rule(lambda d, limit: d.abs() <= limit, size), wrong_sizes[what]) for size, what in sizes[1:]],
        (lambda A, B, tolerance: torch.allclose(A, B, atol=tolerance), wrong_sizes["fixed"]),
        *for_any_size(lambda d, limit: d <= limit, signed),
        *for_any_size(lambda d, limit: -d <= limit, signed),
        *for_any_size(lambda d, limit: d.abs().mean() <= limit, mean),
        *for_any_size(lambda d, limit: d.square().mean().sqrt() <= limit, mean),
        *for_any_size(lambda d, limit: d.mean().abs() <= limit, opposite),
        *for_any_size(lambda d, limit: d.mean() <= limit, opposite),
        *[(rule(lambda d, limit, of=of: of(d) <= limit, size), whole) for of, size in norms],
        *for_any_size(
            lambda d, limit: d.abs() < limit,
            "Two tensors of zeros count as different: “at most” takes in 0, and 0/0 is no number.",
        ),
        *for_any_size(lambda d, limit: (d.abs() <= limit).any(), "One entry that agrees is not enough: all must."),
        (one_hides, "One entry that is far off passes: look at each entry."),
    ]
    results = iter([_truth(call(answer, *case)) for case in cases])
    compare(lambda *case: next(results), right, cases, mistakes)


@exercise(NOTEBOOK, "core", 10, "Any sum of products is one product of joined matrices, whatever the number of terms.")
def join_three(answer) -> None:
    """X @ W_xh + H @ W_hh + Z @ W_zh as one product."""
    generator = fresh()

    def case(rows, x, h, z):
        return tuple(_draw(generator, *shape) for shape in ((rows, x), (rows, h), (rows, z), (x, h), (h, h), (z, h)))

    def right(X, H, Z, W_xh, W_hh, W_zh):
        return X @ W_xh + H @ W_hh + Z @ W_zh

    def reordered(order):
        return lambda *six: torch.cat([six[i] for i in order], dim=1) @ torch.cat(six[3:], dim=0)

    blocks = "A right shape and wrong numbers: the inputs stand in another order than their weights."
    mistakes = [(reordered(order), blocks) for order in permutations(range(3)) if order != (0, 1, 2)]
    mistakes += [
        (
            lambda *six: sum(six[:3]) @ sum(six[3:]),
            "You add the inputs, and add the weights: then `X` meets `W_hh` too.",
        ),
        (lambda *six: sum(six[:3]) @ six[3], "You add the inputs: then `H` and `Z` meet the weights of `X`."),
        (lambda *six: six[0] @ six[3] + six[1] @ six[4], "The third input, `Z`, is missing from your result."),
        (
            lambda *six: torch.cat(six[:3], dim=0) @ torch.cat(six[3:], dim=1),
            "You stack the inputs and lay the weights side by side. Which axis does the sum run along?",
        ),
    ]
    asked = _named("X H Z W_xh W_hh W_zh")
    alike = [case(1, 1, 1, 1), case(2, 3, 3, 3)]  # all sizes alike: no mistake is an error
    compare_briefly(answer, right, alike, mistakes, asked)
    other = case(2, 3, 4, 5)
    compare_briefly(answer, right, [other], [], asked)
    products = sum(name in PRODUCTS for name in torch_calls(answer, *other))
    if products > 1:
        raise Wrong(f"The numbers are right, but your function makes {products} matrix products. One is enough.")


@exercise(
    NOTEBOOK, "stretch", 20, "Joining forwards is cutting backwards: one product gives the gradients of both blocks."
)
def gradient_blocks(answer) -> None:
    """The gradients of W_xh and W_hh for the loss tanh([X, H] @ W).square().mean(), by hand."""
    generator = fresh()
    cases = [
        tuple(_draw(generator, *shape) / 2 for shape in ((rows, x), (rows, h), (x, h), (h, h)))
        for rows, x, h in ((1, 2, 1), (2, 3, 2), (3, 2, 4))  # not always as many rows as hidden units
    ]

    def right(X, H, W_xh, W_hh):
        W_xh, W_hh = (W.clone().requires_grad_() for W in (W_xh, W_hh))
        return torch.autograd.grad(torch.tanh(X @ W_xh + H @ W_hh).square().mean(), (W_xh, W_hh))

    def with_rule(rule, cut=lambda grad, x, h: (grad[:x], grad[x:])):
        """The gradients, from rule(sums, tanh of them) for the gradient of the loss with respect to the sums."""

        def mistaken(X, H, W_xh, W_hh):
            XH = torch.cat([X, H], dim=1)
            sums = XH @ torch.cat([W_xh, W_hh], dim=0)
            return cut(XH.T @ rule(sums, torch.tanh(sums)), X.shape[1], H.shape[1])

        return mistaken

    def good(S, A):
        return 2 * A * (1 - A.square()) / A.numel()

    mistakes = [
        (
            with_rule(good, lambda grad, x, h: (grad[x:], grad[:x])),
            "Both gradients are right, but swapped: the rows of `W_xh` come first in the joined matrix.",
        ),
        (
            with_rule(good, lambda grad, x, h: (grad[:x].T, grad[x:].T)),
            "Both gradients are transposed: a gradient has the shape of its matrix.",
        ),
        (
            with_rule(good, lambda grad, x, h: grad),
            "This is the gradient of the joined matrix: it still has to be cut.",
        ),
        (
            with_rule(good, lambda grad, x, h: (grad[:h], grad[h:])),
            "The cut is at the wrong row: how many rows does `W_xh` have?",
        ),
        (
            with_rule(lambda S, A: 2 * A / A.numel()),
            "The tanh is missing on the way back: how fast does it change where its value is already near 1?",
        ),
        (
            with_rule(lambda S, A: 2 * A * (1 - S.square()) / A.numel()),
            "The slope of the tanh is wrong: it depends on the *value* of the tanh. You put in the sum before it.",
        ),
        (
            with_rule(lambda S, A: A * (1 - A.square()) / A.numel()),
            "Half of what it should be: the loss holds a square.",
        ),
        (
            with_rule(lambda S, A: 2 * A * (1 - A.square())),
            "Your loss is the sum of the squares. The loss of the text is their mean.",
        ),
        (
            with_rule(lambda S, A: 2 * A * (1 - A.square()) / len(A)),
            "You divide by the number of rows. The mean runs over all entries, rows times hidden units.",
        ),
        (
            with_rule(lambda S, A: 2 * A * (1 - A.square()) / A.shape[1]),
            "You divide by the number of hidden units. The mean runs over all entries, rows times hidden units.",
        ),
        (
            with_rule(lambda S, A: (1 - A.square()) / A.numel()),
            "You have the slope of the tanh, but not that of the square: the loss holds tanh(S) *squared*.",
        ),
        (
            with_rule(lambda S, A: A.square() * (1 - A.square()) / A.numel()),
            "The square itself stands in your gradient, where its slope belongs.",
        ),
        (
            with_rule(lambda S, A: 2 * S * (1 - A.square()) / A.numel()),
            "The slope of the square is wrong: what is squared is the tanh. You put in the sum before it.",
        ),
    ]
    compare_briefly(answer, right, cases, mistakes, _named("X H W_xh W_hh"))
    if AUTOGRAD & set(torch_calls(answer, *cases[0])):
        raise Wrong("The numbers are right, but PyTorch's autograd found them. Work them out with products alone.")
