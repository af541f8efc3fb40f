"""Checks of notebook 03."""

import functools
import math
import random

import torch

from .answer import Wrong, call, value
from .compare import as_tensor, describe
from .exercise import exercise, variants

ALL = ["W_xh", "W_hh", "b_h", "W_hq", "b_q"]
LAST = ALL[3:]  # those that no zero matrix cuts off from the loss


@exercise("warm-up", 2, "Only W_hh grows with the square of hidden_size, so in a large model it is nearly all.")
class count_parameters:
    def cases(generator):
        draw = random.Random(generator.initial_seed()).randint
        return [(3, 2), (draw(5, 30), draw(40, 99)), (28, draw(100, 600))]

    def right(V, h):
        return V * h + h * h + h + h * V + V

    @variants(
        numbers={
            lambda V, h: 2 * V * h + h * h: "These are the three matrices alone: the model also learns its biases.",
            lambda V, h: 2 * V * h + h * h + h: "One bias is missing: the outputs have one as well as the state.",
            lambda V, h: 2 * V * h + h * h + V: "One bias is missing: the state has one as well as the outputs.",
            lambda V, h: 2 * V * h + h * h + 2 * h: "Both biases have `hidden_size` numbers here. To what is `b_q` "
            "added?",
            lambda V, h: 2 * V * h + h * h + h + 2 * V: "`b_q` is counted twice: it is added once, to the outputs.",
            lambda V, h: 2 * V * h + h * h + 2 * h + V: "`b_h` is counted twice: this model adds one bias to the "
            "state, also where two products are added.",
            lambda V, h: 2 * V * h + h + V: "`W_hh` is missing: the state also depends on the state before it.",
            lambda V, h: V * h + h * h + h + V: "One matrix with a side for the vocabulary is missing: tokens come in "
            "at one end and go out at the other.",
            lambda V, h: V * h + h * h + h: "This is how the state comes about. The model also learns how to read the "
            "outputs off the state.",
        }
    )
    def miscounted(V, h, numbers):
        return numbers(V, h)

    @variants(wrong_bias=(False, True))
    def square_output_matrix(V, h, wrong_bias):
        """`W_hq` is counted as a square matrix. What are the sizes of what goes into it, and of what comes out?"""
        return V * h + 2 * h * h + h + (h if wrong_bias else V)


def _names(part) -> set[str]:
    if isinstance(part, str):
        raise Wrong(f"Two lists are asked for, one for each step, but one of your two parts is the text {part!r:.30}.")
    if not isinstance(part, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in part):
        raise Wrong(f"Each of the two parts should be a list of names such as 'W_xh', but one is {describe(part)}.")
    for name in sorted(set(part) - set(ALL)):
        raise Wrong(f"There is no tensor called {name!r}: the names are {', '.join(ALL)}.")
    return set(part)


@exercise(
    "core", 10, "A matrix of zeros blocks the way back, but not its own gradient: after one step the way is open."
)
class zero_output_weights:
    def right():
        return LAST, ALL  # autograd says the same in the solutions notebook

    def run(answer):
        given = value(answer)
        if not isinstance(given, (list, tuple)) or len(given) != 2:
            raise Wrong(f"Two lists of names are asked for, one for each step, but this is {describe(given)}.")
        return tuple(map(_names, given))

    def otherwise(result):
        first, second = result
        name = "second_not_all" if "W_hh" in second else "state_before_taken_for_zero"
        if first != set(LAST):
            names = {("b_q",): "as_if_all_were_zero", ("W_hq",): "no_output_bias"}
            name = "through_the_zeros" if first & set(ALL[:3]) else names.get(tuple(first), "none_at_first")
        return zero_output_weights.hint(name)

    @variants(first=(ALL[:3], ALL), second=(LAST, []))
    def turned_round(first, second):
        """This looks turned round: name the tensors that do get a gradient, those of the first step first."""
        return first, second

    def as_if_all_were_zero():
        """At the first step you have the answer for a network in which everything is zero. Here the state is not:
        which gradient is made of the state and needs no way through `W_hq`?"""
        return ["b_q"], ["b_q"]

    def through_the_zeros():
        """At the first step: the gradient of a tensor that makes the state must come back through `W_hq`. What does a
        matrix of zeros let through?"""
        return ALL, ALL

    def no_output_bias():
        """At the first step, `b_q` is missing: its gradient passes through no matrix at all."""
        return ["W_hq"], ALL

    def none_at_first():
        """At the first step: go through the five, and ask of each what lies between it and the loss."""
        return [], ALL

    def same_again():
        """The first step is right, but the second is not the same again: one of the tensors that were zero has changed.
        What does that change?"""
        return LAST, LAST

    def state_before_taken_for_zero():
        """The first step is right. At the second, ask again for `W_hh`: is the state before it still zero?"""
        return LAST, ["W_xh", "b_h", *LAST]

    def second_not_all():
        """The first step is right. At the second, ask of each tensor whether anything on its way is zero."""
        return LAST, ["W_hh", *LAST]


def _chances(known: str, new: str) -> torch.Tensor:
    """The frequency in `known`, for each character of `new`."""
    return torch.tensor([known.count(character) / len(known) for character in new], dtype=torch.float64)


@exercise(
    "core", 10, "Perplexity is one over a typical probability: the average is taken over the logarithms, then undone."
)
class frequency_perplexity:
    atol = 1e-5

    def cases(generator):
        draw, found = random.Random(generator.initial_seed()), [("aab", "ab")]
        for largest in (5, 9):
            letters, counts = draw.sample("aAB ", 4), sorted(draw.sample(range(1, largest), 4))
            both = (draw.sample(letters, sum(counts), counts=n) for n in (counts[::-1], counts))
            found.append(tuple(f" {''.join(text)} " for text in both))  # what is rare in one is frequent in the other
        return found

    def then(generator):
        draw = random.Random(generator.initial_seed())
        page = "".join(draw.choices("abcdefg", range(1, 8), k=1200))
        return [("b", "b"), ("abc", "b"), ("hgfedcba " + page[:300], page)]

    def right(known, new):
        return (-_chances(known, new).log().mean()).exp()

    from_case = {
        lambda known, new: (known, known): "You score the model on `known`, where it counted. Which characters does it "
        "have to guess here?",
        lambda known, new: (new, new): "You count the frequencies in `new`, which the model has not seen: it knows "
        "those of `known`.",
        lambda known, new: (new, known): "The two texts are swapped: count in `known`, guess the characters of `new`.",
        lambda known, new: (known, set(new)): "You average over the different characters. Each place of `new` is a "
        "guess: a frequent one counts often.",
    }
    from_right = {
        torch.log: "This is the loss, the mean cross-entropy. One operation leads from it to the perplexity.",
        torch.log2: "This is the loss in bits: take the natural logarithm, and go on from the loss to the perplexity.",
        lambda r: r.log2().exp(): "Logarithm and power do not belong together: a loss from `log2` is in bits, and "
        "`exp` undoes `log`.",
        torch.reciprocal: "A sign is lost: no model has a perplexity below 1.",
    }

    @variants(
        average={
            lambda p: 1 / p.mean(): "You average the probabilities and invert the mean. The loss averages something "
            "else.",
            lambda p: p.mean(): "This is the mean of the probabilities. The loss averages something else; the "
            "perplexity follows from it.",
            lambda p: (1 / p).mean(): "You average 1/p. The loss averages something else, and then one operation leads "
            "to the perplexity.",
            lambda p: p.prod() ** (-1 / len(p)): "On a page of text the product becomes 0, and the sum too large for "
            "`exp`: average the logarithms first.",
            lambda p: (1 / p).prod(): "You add up the losses of all places: the loss is their mean, or else a longer "
            "text would be harder.",
        }
    )
    def other_average(known, new, average):
        return average(_chances(known, new))


LOW, HIGH, FACTOR = 0.3, 0.8, 1.9  # the range; the largest sigma · √hidden_size in it over the smallest, about
SIZES = (32, 56, 97, 169, 294, 512)  # each 1.7 times the one before


@functools.lru_cache(1000)
def _spread(hidden_size: int, sigma: float) -> float:
    """Standard deviation of the state after 35 random steps, in hundredths: a mean of draws, always the same ones."""
    generator, sigma, spreads = torch.Generator().manual_seed(hidden_size), min(sigma, 1e3), []
    for _ in range(8 if hidden_size < 100 else 2):  # a small network varies more, so more of them are drawn
        W_xh, W_hh = (torch.randn(n, hidden_size, generator=generator) * sigma for n in (28, hidden_size))
        H = torch.zeros(8, hidden_size)
        for X_t in torch.randint(28, (35, 8), generator=generator):
            H = torch.tanh(W_xh[X_t] + H @ W_hh)
        spreads.append(H.std().item())
    return round(sum(spreads) / len(spreads), 2)


def _sigma(answer, hidden_size: int) -> float:
    result = call(answer, hidden_size)
    found = None if isinstance(result, (bool, list, tuple)) else as_tensor(result)
    if found is None or found.numel() != 1 or found.is_complex() or not 0 <= found.item() < math.inf:
        raise Wrong(f"For {hidden_size} units sigma must be 0 or more, a finite number, not {describe(result)}.")
    return float(found)


@exercise(
    "stretch",
    20,
    "A sum of independent terms grows with the square root of their number: divide by it, and all sizes start alike.",
)
class moderate_start:
    def judge(answer, generator):
        hint = moderate_start.hint
        sigmas = [_sigma(answer, size) for size in SIZES]
        tried = [(size, sigma, _spread(size, sigma)) for size, sigma in zip(SIZES, sigmas, strict=True)]
        bad = [one for one in tried if not LOW <= one[2] <= HIGH]
        if not bad and len(set(sigmas)) == len(SIZES):
            return
        if not bad:
            raise Wrong(hint("table"))
        gains = [max(sigma, 1e-30) * math.sqrt(size) for size, sigma, _ in tried]
        rules = {
            "one_for_all": math.isclose(sigmas[0], sigmas[-1], rel_tol=0.05),
            "grows": sigmas[-1] > sigmas[0],
            "other_factor": max(gains) < FACTOR * min(gains) and len({spread < LOW for *_, spread in bad}) == 1,
            "falls_too_slowly": gains == sorted(gains),
            "falls_too_fast": gains == sorted(gains, reverse=True),
        }
        name = next((name for name, holds in rules.items() if holds), "up_and_down")
        size, sigma, spread = bad[0]
        side = f"below {LOW}, too small" if spread < LOW else f"above {HIGH}, too large"
        raise Wrong(f"With {size} units your sigma {sigma:.2g} gives a spread of {spread:.2f}, {side}. {hint(name)}")

    @variants(sigma=(0, 0.01, 0.05, 0.1, 1, 1e300))
    def one_for_all(hidden_size, sigma):
        """One sigma for all sizes cannot do: a unit adds up 32 terms in one network and 512 in another."""
        return sigma

    @variants(power=(0.5, 1, 2))
    def grows(hidden_size, power):
        """Your sigma grows with the size. A unit of a larger network adds up more terms: what must each of them do?"""
        return 0.01 * hidden_size**power

    @variants(factor=(0.01, 0.5, 1, 4, 100))
    def other_factor(hidden_size, factor):
        """It changes with the size as it should, or nearly; the factor in front is not right yet."""
        return factor / math.sqrt(hidden_size)

    @variants(sigma=(lambda h: 0.3 / math.log(h), lambda h: 0.7 * h**-0.25))
    def falls_too_slowly(hidden_size, sigma):
        """Your sigma falls too slowly with the size: how fast does a sum of random terms grow with their number?"""
        return sigma(hidden_size)

    @variants(sigma=(lambda h: 1 / h, lambda h: 16 / h, lambda h: 40 / h, lambda h: 300 / h**2))
    def falls_too_fast(hidden_size, sigma):
        """Your sigma falls too fast: terms of both signs partly cancel, so their sum grows slower than their number."""
        return sigma(hidden_size)

    def up_and_down(hidden_size):
        """The spreads of 32 to 512 units do not go one way: one formula is asked for."""
        return 1.5 / math.sqrt(hidden_size) if hidden_size in (32, 512) else 0

    def table(hidden_size):
        """All spreads are moderate, but several sizes get the same sigma: one formula is asked for, not a table."""
        return 0.26 if hidden_size < 70 else 0.13 if hidden_size < 220 else 0.066
