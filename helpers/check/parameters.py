"""Checks of notebook 03."""

import math
import random
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional as F

from .answer import Untouched, Wrong, call, compare, describe, exercise, fresh, value

NOTEBOOK = "03_parameters"
NAMES = ("W_xh", "W_hh", "b_h", "W_hq", "b_q")


@exercise(
    NOTEBOOK, "warm-up", 2, "Only W_hh grows with the square of hidden_size, so in a large model it is nearly all."
)
def count_parameters(answer) -> None:
    """count_parameters(vocab_size, hidden_size): how many numbers the five tensors hold together."""
    generator = random.Random(fresh().initial_seed())
    cases = [(3, 2), (generator.randint(5, 30), generator.randint(40, 99)), (28, generator.randint(100, 600))]
    mistakes = [
        (lambda V, h: 2 * V * h + h * h, "These are the three matrices alone: the model also learns its biases."),
        (lambda V, h: 2 * V * h + h * h + h, "One bias is missing: the outputs have one as well as the state."),
        (lambda V, h: 2 * V * h + h * h + V, "One bias is missing: the state has one as well as the outputs."),
        (
            lambda V, h: 2 * V * h + h * h + 2 * h,
            "Both biases have `hidden_size` numbers here. To what is `b_q` added?",
        ),
        (
            lambda V, h: V * h + 2 * h * h + h + V,
            "`W_hq` is counted as a square matrix. What are the sizes of what goes into it, and of what comes out?",
        ),
        (
            lambda V, h: V * h + 2 * h * h + 2 * h,
            "`W_hq` is counted as a square matrix. What are the sizes of what goes into it, and of what comes out?",
        ),
        (
            lambda V, h: 2 * V * h + h * h + h + 2 * V,
            "`b_q` is counted twice: it is added once, to the outputs.",
        ),
        (
            lambda V, h: 2 * V * h + h * h + 2 * h + V,
            "`b_h` is counted twice: this model adds one bias to the state, also where two products are added.",
        ),
        (lambda V, h: 2 * V * h + h + V, "`W_hh` is missing: the state also depends on the state before it."),
        (
            lambda V, h: V * h + h * h + h + V,
            "One matrix with a side for the vocabulary is missing: tokens come in at one end and go out at the other.",
        ),
        (
            lambda V, h: V * h + h * h + h,
            "This is how the state comes about. The model also learns how to read the outputs off the state.",
        ),
    ]
    compare(answer, lambda V, h: V * h + h * h + h + h * V + V, cases, mistakes)


def _gradients_of(params: list[torch.Tensor], X: torch.Tensor) -> set[str]:
    """The names of the tensors with a gradient that is not zero; takes a step against the gradient."""
    W_xh, W_hh, b_h, W_hq, b_q = params
    H = torch.zeros(len(X), len(W_hh), dtype=W_hh.dtype)
    outputs = []
    for X_t in X[:, :-1].T:
        H = torch.tanh(W_xh[X_t] + H @ W_hh + b_h)
        outputs.append(H @ W_hq + b_q)
    loss = F.cross_entropy(torch.stack(outputs, dim=2), X[:, 1:])  # (batch, vocab, time) against (batch, time)
    gradients = torch.autograd.grad(loss, params)
    with torch.no_grad():
        for p, gradient in zip(params, gradients, strict=True):
            p -= gradient
    return {name for name, gradient in zip(NAMES, gradients, strict=True) if gradient.any()}


def _names(part) -> set[str]:
    if part is ...:
        raise Untouched
    if isinstance(part, str):
        raise Wrong(f"Two lists are asked for, one for each step, but one of your two parts is the text {part!r:.30}.")
    if not isinstance(part, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in part):
        raise Wrong(f"Each of the two parts should be a list of names such as 'W_xh', but one is {describe(part)}.")
    unknown = sorted(set(part) - set(NAMES))
    if unknown:
        raise Wrong(f"There is no tensor called {unknown[0]!r}: the names are {', '.join(NAMES)}.")
    return set(part)


@exercise(
    NOTEBOOK,
    "core",
    10,
    "A matrix of zeros blocks the way back, but not its own gradient: after one step the way is open.",
)
def zero_output_weights(answer) -> None:
    """The names of the tensors with a gradient at the first and at the second step when W_hq starts at zero."""
    given = value(answer)
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        raise Wrong(f"Two lists of names are asked for, one for each step, but this is {describe(given)}.")
    first, second = map(_names, given)

    generator = fresh()
    shapes = ((4, 3), (3, 3), (3,), (3, 4), (4,))
    params = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    for name, p in zip(NAMES, params, strict=True):
        if name == "W_hq" or name.startswith("b"):
            p.zero_()
        p.requires_grad_()
    X = torch.randint(4, (2, 7), generator=generator)
    right_first, right_second = _gradients_of(params, X), _gradients_of(params, X)

    everything = set(NAMES)
    if first == everything - right_first or (first == right_second and second == right_first):
        raise Wrong("This looks turned round: name the tensors that do get a gradient, those of the first step first.")
    if first == {"b_q"}:
        raise Wrong(
            "At the first step you have the answer for a network in which everything is zero. Here the state is not: "
            "which gradient is made of the state and needs no way through `W_hq`?"
        )
    if first & {"W_xh", "W_hh", "b_h"}:
        raise Wrong(
            "At the first step: the gradient of a tensor that makes the state must come back through `W_hq`. "
            "What does a matrix of zeros let through?"
        )
    if first == {"W_hq"}:
        raise Wrong("At the first step, `b_q` is missing: its gradient passes through no matrix at all.")
    if first != right_first:
        raise Wrong("At the first step: go through the five, and ask of each what lies between it and the loss.")
    if second == right_first:
        raise Wrong(
            "The first step is right, but the second is not the same again: one of the tensors that were zero "
            "has changed. What does that change?"
        )
    if "W_hh" in right_second - second:
        raise Wrong("The first step is right. At the second, ask again for `W_hh`: is the state before it still zero?")
    if second != right_second:
        raise Wrong("The first step is right. At the second, ask of each tensor whether anything on its way is zero.")


def _surprise(known: str, new: str) -> list[float]:
    return [known.count(character) / len(known) for character in new]


@exercise(
    NOTEBOOK,
    "core",
    10,
    "Perplexity is one over a typical probability: the average is taken over the logarithms, then undone.",
)
def frequency_perplexity(answer) -> None:
    """frequency_perplexity(known, new): the perplexity on `new` of a model that gives the frequencies in `known`."""
    generator = random.Random(fresh().initial_seed())
    cases = [("aab", "ab")]
    for length in (10, 25):
        cases.append(
            (
                "abcd" + "".join(generator.choices("abcd", [6, 3, 2, 1], k=length)),
                "da" + "".join(generator.choices("abcd", k=length)),
            )
        )

    def loss(known, new):
        return -np.mean(np.log(_surprise(known, new)))

    def entropy(text):
        return loss(text, text)

    mistakes = [
        (loss, "This is the loss, the mean cross-entropy. One operation leads from it to the perplexity."),
        (
            lambda known, new: math.exp(loss(known, new) / math.log(2)),
            "Logarithm and power do not belong together: a loss from `log2` is in bits, and `exp` undoes `log`.",
        ),
        (
            lambda known, new: loss(known, new) / math.log(2),
            "This is the loss in bits: take the natural logarithm, and go on from the loss to the perplexity.",
        ),
        (
            lambda known, new: 1 / np.mean(_surprise(known, new)),
            "You average the probabilities and invert the mean. The loss averages something else.",
        ),
        (
            lambda known, new: np.mean(_surprise(known, new)),
            "This is the mean of the probabilities. The loss averages something else; the perplexity follows from it.",
        ),
        (
            lambda known, new: np.mean(1 / np.array(_surprise(known, new))),
            "You average 1/p. The loss averages something else, and then one operation leads to the perplexity.",
        ),
        (lambda known, new: math.exp(-loss(known, new)), "A sign is lost: no model has a perplexity below 1."),
        (
            lambda known, new: math.exp(entropy(known)),
            "You score the model on `known`, where it counted. Which characters does it have to guess here?",
        ),
        (
            lambda known, new: math.exp(entropy(new)),
            "You count the frequencies in `new`, which the model has not seen: it knows those of `known`.",
        ),
        (
            lambda known, new: math.exp(loss(new, known)),
            "The two texts are swapped: count in `known`, guess the characters of `new`.",
        ),
        (
            lambda known, new: math.exp(-np.mean(np.log(_surprise(known, sorted(set(new)))))),
            "You average over the different characters. Each place of `new` is a guess: a frequent one counts often.",
        ),
        (
            lambda known, new: math.exp(len(new) * loss(known, new)),
            "You add up the losses of all places: the loss is their mean, or else a longer text would be harder.",
        ),
    ]
    compare(answer, lambda known, new: math.exp(loss(known, new)), cases, mistakes, atol=1e-5)


LOW, HIGH = 0.3, 0.8
FACTOR = 1.9  # from the smallest to the largest sigma · √hidden_size that gives a moderate spread
SIZES = (32, 56, 97, 169, 294, 512)  # each 1.7 times the one before


def _spread(hidden_size: int, sigma: float, generator: torch.Generator) -> float:
    """Standard deviation of the hidden state after 35 steps of random characters."""
    W_xh = torch.randn(28, hidden_size, generator=generator) * sigma
    W_hh = torch.randn(hidden_size, hidden_size, generator=generator) * sigma
    H = torch.zeros(8, hidden_size)
    for X_t in torch.randint(28, (35, 8), generator=generator):
        H = torch.tanh(W_xh[X_t] + H @ W_hh)
    return H.std().item()


def _sigma(function: Callable, hidden_size: int) -> float:
    result = call(function, hidden_size)
    if isinstance(result, (torch.Tensor, np.ndarray, np.generic)) and math.prod(result.shape) == 1:
        result = result.item()
    if isinstance(result, bool) or not isinstance(result, (int, float)):
        raise Wrong(f"For hidden_size {hidden_size} a number is expected, but the result is {describe(result)}.")
    if not 0 <= result < math.inf:
        raise Wrong(
            f"For hidden_size {hidden_size} your sigma is {describe(result)}: it must be 0 or more, and finite."
        )
    return float(result)


@exercise(
    NOTEBOOK,
    "stretch",
    20,
    "A sum of independent terms grows with the square root of their number: divide by it, and all sizes start alike.",
)
def moderate_start(answer) -> None:
    """sigma_for(hidden_size): a sigma that gives the hidden state a moderate spread, whatever its size."""
    generator = fresh()
    middle = int(torch.randint(100, 201, (), generator=generator))
    draws = {32: 8, middle: 3, 512: 1}  # a small network varies more, so more of them are drawn
    sigmas = {size: _sigma(answer, size) for size in (*SIZES, *draws)}
    spreads = {
        size: sum(_spread(size, min(sigmas[size], 1e3), generator) for _ in range(number)) / number
        for size, number in draws.items()
    }
    bad = [size for size, spread in spreads.items() if not LOW <= spread <= HIGH]
    if not bad:
        for size, larger in pairwise(SIZES):
            if math.isclose(sigmas[size], sigmas[larger]):
                raise Wrong(
                    f"All spreads are moderate, but {size} and {larger} units get the same sigma: "
                    "one formula is asked for, not a table."
                )
        return
    size = bad[0]
    side = "too small" if spreads[size] < LOW else "too large"
    measured = f"With {size} units your sigma {sigmas[size]:.2g} gives a spread of {spreads[size]:.2f}, {side}."
    sides = {spread < LOW for spread in spreads.values() if not LOW <= spread <= HIGH}
    gains = [max(sigmas[size], 1e-30) * math.sqrt(size) for size in draws]  # what the spread depends on
    if math.isclose(sigmas[32], sigmas[512], rel_tol=0.05):
        hint = (
            f"One sigma for all sizes cannot do: a unit adds up {min(draws)} terms in one network and 512 in another."
        )
    elif sigmas[512] > sigmas[32]:
        hint = (
            "Your sigma grows with the size. A unit of a larger network adds up more terms: what must each of them do?"
        )
    elif max(gains) < FACTOR * min(gains) and len(sides) == 1:
        hint = "It changes with the size as it should, or nearly; the factor in front is not right yet."
    elif gains[0] < gains[1] < gains[2]:
        hint = "Your sigma falls too slowly with the size: how fast does a sum of random terms grow with their number?"
    elif gains[0] > gains[1] > gains[2]:
        hint = (
            "Your sigma falls too fast: terms of both signs partly cancel, so their sum grows slower than their number."
        )
    else:
        hint = f"The spreads of {', '.join(map(str, draws))} units do not go one way: one formula is asked for."
    raise Wrong(f"{measured} {hint}")
