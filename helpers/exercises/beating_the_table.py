"""Checks of notebook 10."""

import math
from statistics import fmean

import torch

from .exercise import exercise, variants


def _numbers(generator, size: int, low: float = 0.05, high: float = 0.95) -> list[float]:
    drawn = torch.rand(size, generator=generator, dtype=torch.float64)
    return [round(low + (high - low) * value, 3) for value in drawn.tolist()]


@exercise("warm-up", 3, "A difference of logarithms, base 2, for each character, and as many of them as the text has.")
class saved:
    def cases(generator):
        return [(4, 2, 1), (4.0, 4.0, 50), (16, 2, 1000), (4.13, 3.95, 17_378), (3.0, 5.0, 200)]

    def right(old, new, num_chars):
        return num_chars * math.log2(old / new)

    from_case = {
        lambda old, new, num_chars: (new, old, num_chars): "The sign is turned: a lower perplexity saves bits.",
        lambda old, new, num_chars: (old, new, 1): "That is for one character. The text has `num_chars`.",
    }
    from_right = {
        lambda r: r * math.log(2): "These are nats: the logarithm is natural. Bits need base 2.",
        lambda r: r * math.log10(2): "The logarithm has base 10. Bits need base 2.",
        abs: "Where the new model is worse, the number is negative.",
    }

    @variants(
        formula={
            lambda old, new: old - new: "That is a difference of perplexities. Bits are their logarithms: take the "
            "difference of these.",
            lambda old, new: old / new: "A ratio is a step on the way: its logarithm, base 2, is the bits saved.",
            lambda old, new: math.log2(old) / math.log2(new): "You divide the bits. To save is to subtract.",
            lambda old, new: math.log2(old): "That is what the old model needs. Subtract what the new one needs.",
        }
    )
    def other_formula(old, new, num_chars, formula):
        return num_chars * formula(old, new)


def _adam(gradients, lr, mistake="", rates=(0.1, 0.001)):
    w, mean, square, path = 0.0, 0.0, 0.0, []
    for step, g in enumerate(gradients, 1):
        mean += rates[0] * (g - mean)
        square += rates[1] * (g**2 - square)
        m, s = mean / (1 - (1 - rates[0]) ** step), square / (1 - (1 - rates[1]) ** step)
        if mistake == "no_correction":
            m, s = mean, square
        elif mistake == "first_correction":
            m, s = mean / rates[0], square / rates[1]
        elif mistake == "mean_alone":
            s = 1.0
        elif mistake == "gradient_alone":
            m = g
        elif mistake == "from_zero":
            m, s = mean / (1 - (1 - rates[0]) ** (step - 1) or 1), square / (1 - (1 - rates[1]) ** (step - 1) or 1)
        move = lr * m / (s if mistake == "no_root" else math.sqrt(s))
        w = -move if mistake == "forgets" else w - move
        path.append(w)
    return path


@exercise(
    "core", 10, "The first step is lr long, whatever the gradient; later ones are shorter where gradients disagree."
)
class adam_path:
    atol = 1e-5  # the 1e-8 is allowed, and float32

    def cases(generator):
        sign = lambda values: [v if i % 3 else -v for i, v in enumerate(values)]  # noqa: E731
        return [
            ([2.0], 0.1),
            ([1.0, 1.0, 1.0], 0.01),
            ([4.0, -4.0, 4.0], 0.5),
            (sign(_numbers(generator, 6, 0.5, 9)), 0.3),
            (sign(_numbers(generator, 20, 0.5, 90)), 0.02),
        ]

    right = _adam

    from_case = {
        lambda *case: (*case, "no_correction"): "The means begin at zero: without the corrections, the first steps are "
        "wrong.",
        lambda *case: (*case, "first_correction"): "You correct every step like the first one. The factor is "
        "1 − 0.9 to the power of the number of steps.",
        lambda *case: (*case, "from_zero"): "Count the steps from 1: at the first step the means hold one gradient.",
        lambda *case: (*case, "mean_alone"): "The mean is not divided by the root of the mean square.",
        lambda *case: (*case, "gradient_alone"): "You divide the gradient itself. Adam divides its running mean.",
        lambda *case: (*case, "no_root"): "You divide by the mean square. Take its root.",
        lambda *case: (*case, "forgets"): "Each value is only the last step. A step starts where the weight is.",
        lambda gradients, lr: (gradients, lr, "", (0.001, 0.1)): "The two means are swapped: 0.9 belongs to the "
        "gradient, 0.999 to its square.",
        lambda gradients, lr: (gradients, lr, "", (0.1, 0.1)): "The mean square keeps 0.999 of the old one, not 0.9.",
        lambda gradients, lr: (gradients, 1): "The learning rate is missing.",
    }
    from_right = {
        lambda r: [-value for value in r]: "The weight goes *against* the gradient.",
        lambda r: r[-1]: "That is the last value. Return the weight after each step.",
        lambda r: [0.0, *r]: "The list begins after the first step, without the 0.",
    }

    def plain_descent(gradients, lr):
        """That is plain gradient descent: the step is lr times the gradient."""
        return [-lr * sum(gradients[: i + 1]) for i in range(len(gradients))]


def _perplexity(given) -> float:
    return math.exp(-fmean(map(math.log, given)))


def _mix(network, table, w) -> list[float]:
    return [w * p + (1 - w) * q for p, q in zip(network, table, strict=True)]


def _best(network, table, weights, score=lambda p, q, w: _perplexity(_mix(p, q, w)), pick=min):
    scores = [score(network, table, w) for w in weights]
    return weights[scores.index(pick(scores))], pick(scores)


@exercise("core", 10, "The mixture is made character by character, and the weight with the lowest perplexity wins.")
class best_weight:
    atol = 1e-5

    def cases(generator):
        tenths = [i / 10 for i in range(11)]
        cases = [([0.5, 0.01], [0.01, 0.5], [0.0, 0.5, 1.0])]
        for size in (3, 8, 30):
            p, q = _numbers(generator, size, 0.01), _numbers(generator, size, 0.01)
            cases.append((p, q, tenths))
        sharp, blunt = _numbers(generator, 6, 0.5, 0.9), _numbers(generator, 6, 0.02, 0.3)
        return [*cases, (sharp, blunt, [0.2, 0.7, 0.4]), (blunt, sharp, [0.9, 0.25, 0.6])]

    right = _best

    from_case = {
        lambda network, table, weights: (table, network, weights): "The weights are the network's; the table has the "
        "rest. Yours are swapped.",
    }
    from_right = {
        lambda r: r[::-1]: "Right numbers in another order: the weight first.",
        lambda r: r[0]: "The perplexity of that mixture is missing.",
        lambda r: r[1]: "That is the perplexity. Which weight has it?",
        lambda r: (r[0], math.log(r[1])): "The second number is the mean loss, not the perplexity.",
        lambda r: (r[0], 1 / r[1]): "The second number is below 1: look at the sign of the logarithm.",
    }

    @variants(
        score={
            lambda p, q, w: (
                w * _perplexity(p) + (1 - w) * _perplexity(q)
            ): "You average the perplexities: that is never "
            "lower than the better one. Average the shares, character by character.",
            lambda p, q, w: _perplexity([a**w * b ** (1 - w) for a, b in zip(p, q, strict=True)]): "You average the "
            "logarithms. Average the shares, then take the logarithm.",
            lambda p, q, w: 1 / fmean(_mix(p, q, w)): "You average the shares over the text. Perplexity averages "
            "their logarithms.",
        }
    )
    def other_score(network, table, weights, score):
        return _best(network, table, weights, score)

    def worst(network, table, weights):
        """That is the weight with the *highest* perplexity. Low is good."""
        return _best(network, table, weights, pick=max)

    def place(network, table, weights):
        """The first number is a place in the list. Return the weight that stands there."""
        weight, value = _best(network, table, weights)
        return weights.index(weight), value


def _learned(network, table, mistake=""):
    w, mixed = 0.5, []
    for p, q in zip(network, table, strict=True):
        both = w * p + (1 - w) * q
        new = w * p / both
        if mistake == "fresh":
            new = p / (p + q)
        elif mistake == "swapped":
            new = (1 - w) * q / both
        elif mistake == "winner":
            new = 1.0 if p > q else 0.0 if p < q else w
        if mistake == "too_late":
            both = new * p + (1 - new) * q
        mixed.append(w if mistake == "weights" else both)
        w = w if mistake == "fixed" else new
    return mixed


@exercise("stretch", 25, "Each share is made before its character is seen, and the weights learn after it.")
class learned_mix:
    def cases(generator):
        cases = [([0.5], [0.1]), ([0.5, 0.5], [0.25, 0.1]), ([0.1, 0.6, 0.2], [0.4, 0.1, 0.9])]
        return cases + [tuple(_numbers(generator, size, 0.01) for _ in range(2)) for size in (8, 40)]

    def then(generator):  # so long that a product of all shares is 0 in the computer
        p, q = _numbers(generator, 1500, 0.01, 0.3), _numbers(generator, 1500, 0.01, 0.3)
        pairs = [(a, b) for both in zip(p, q, strict=True) for a, b in (both, both[::-1])]  # so that neither gets far
        return [tuple(map(list, zip(*pairs, strict=True)))]

    right = _learned

    from_case = {
        lambda *case: (*case, "fixed"): "The weights stay at ½. After each character they change.",
        lambda *case: (*case, "too_late"): "You change the weights *before* you mix, so the mixture has seen the "
        "character it guesses. Mix first.",
        lambda *case: (*case, "fresh"): "The new weight must come from the old one too: old weight times share.",
        lambda *case: (*case, "swapped"): "The weights are swapped: the one that gave more must gain.",
        lambda *case: (*case, "winner"): "The winner takes all here. Multiply the old weight by the share, and divide "
        "by the sum of both.",
        lambda *case: (*case, "weights"): "These are the network's weights. Return the mixture's shares.",
    }
    from_right = {
        lambda r: r[-1]: "That is the last share. Return all of them, in a list.",
        _perplexity: "That is the perplexity. Return the list of shares.",
        lambda r: [math.log(p) for p in r]: "These are logarithms. Return the shares themselves.",
    }

    def never_divided(network, table):
        """The two weights no longer add up to 1: divide each by their sum."""
        w, v, mixed = 0.5, 0.5, []
        for p, q in zip(network, table, strict=True):
            mixed.append(w * p + v * q)
            w, v = w * p, v * q
        return mixed
