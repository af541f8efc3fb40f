"""Checks of notebook 11."""

import math

import torch

from .compare import by_name
from .exercise import exercise, variants


def _curve(generator, ks, steps) -> dict[int, float]:
    """A perplexity for each number of letters read, falling by `steps`, the last one drawn."""
    low = 3.5 + torch.rand((), generator=generator).item()
    return {k: round(low * factor, 4) for k, factor in zip(ks, steps, strict=True)}


@exercise("warm-up", 4, "Beyond that number of letters, the network guesses as if it had read nothing more.")
class flat_from:
    def cases(generator):
        return [
            (_curve(generator, ks, steps),)
            for ks, steps in (
                ((1, 2, 5, 10), (2.5, 1.5, 1.004, 1)),
                ((1, 2, 3, 5, 10, 20), (3, 2, 1.4, 1.07, 1.008, 1)),
                ((2, 4, 8, 16), (1.9, 1.3, 1.1, 1)),  # only the last one
                ((1, 3, 10, 30, 100), (2.2, 1.015, 1, 1.005, 1.02)),  # higher again at the end
                ((1, 2, 4, 9, 20, 40), (3, 1.05, 1.008, 1.002, 1, 1.004)),
                ((10, 1, 5, 2), (1, 2.4, 1.008, 1.6)),  # not in order
            )
        ]

    def right(curve):
        lowest = min(curve.values())
        return min(k for k, value in curve.items() if value <= 1.01 * lowest)

    @variants(
        limit={
            lambda c: 1.01 * c[max(c)]: "You compare with the perplexity after the most letters. A curve may have been "
            "lower on the way: compare with its lowest value.",
            lambda c: min(c.values()): "You look for the lowest value itself. Within 1 % of it is near enough.",
            lambda c: min(c.values()) + 0.01: "1 % of the lowest perplexity is asked, not 0.01.",
            lambda c: 1.1 * min(c.values()): "That is 10 %: 1 % above the lowest is 1.01 times as much.",
        }
    )
    def other_limit(curve, limit):
        return min(k for k, value in curve.items() if value <= limit(curve))

    @variants(
        pick={
            lambda c, near: next(iter(near)): "You take the first one that the dict holds. Its keys need not be in "
            "order: look for the smallest.",
            lambda c, near: max(near): "You take the largest number of letters that is near enough. Which is the "
            "smallest?",
            lambda c, near: list(c).index(min(near)): "This is a place in the dict. The number of letters is its key.",
            lambda c, near: c[min(near)]: "This is the perplexity there. How many letters were read?",
        }
    )
    def other_pick(curve, pick):
        return pick(curve, [k for k, value in curve.items() if value <= 1.01 * min(curve.values())])


@exercise("core", 10, "An average hides them: most guesses need nothing from far back, a few need much.")
class helped_most:
    def cases(generator):
        found = []
        for size, most in ((5, 2), (8, 3), (12, 4)):
            few = torch.rand(size, generator=generator, dtype=torch.float64) * 0.3 + 0.1
            ratios = (torch.randperm(size, generator=generator) + 1).double() / 3  # some were harmed
            found.append(((few).tolist(), (few * ratios).tolist(), most))
        # a large difference of a large share, and a large ratio of a small one
        return [([0.5, 0.01, 0.2, 0.3], [0.9, 0.08, 0.1, 0.31], 2), *found]

    def right(few, many, most):
        bits = [math.log2(b / a) for a, b in zip(few, many, strict=True)]
        order = sorted(range(len(bits)), key=lambda i: -bits[i])[:most]
        return order, [bits[i] for i in order]

    from_case = {
        lambda few, many, most: (many, few, most): "These are the guesses that the longer text harmed most: the shares "
        "are swapped, or the sign.",
        lambda few, many, most: (few, many, len(few)): "You return all guesses. Only the first `most` are asked.",
    }
    from_right = {
        lambda r: (r[0], [b * math.log(2) for b in r[1]]): "The guesses are right, their gains are in nats. A bit is "
        "the logarithm with base 2.",
        lambda r: (r[0], [2**b for b in r[1]]): "The guesses are right. These are ratios of shares: a gain in bits is "
        "their logarithm with base 2.",
        lambda r: (r[0][::-1], r[1][::-1]): "Right guesses, in the wrong order: the one that gained most comes first.",
        lambda r: r[0]: "The guesses are right. How many bits did each of them gain?",
        lambda r: r[1]: "The gains are right. Which guesses are they?",
        lambda r: ([i + 1 for i in r[0]], r[1]): "You count the guesses from 1. The first one is number 0.",
        lambda r: list(zip(*r, strict=True)): "Right, but as pairs. Two lists are asked: guesses, then gains.",
    }

    def by_difference(few, many, most):
        """You rank by the difference of the shares. From 0.01 to 0.08 is more bits than from 0.5 to 0.9."""
        order = sorted(range(len(few)), key=lambda i: few[i] - many[i])[:most]
        return order, [math.log2(many[i] / few[i]) for i in order]

    def largest_either_way(few, many, most):
        """You rank by the size of the change, whatever its sign. Those that lost were not helped."""
        bits = [math.log2(b / a) for a, b in zip(few, many, strict=True)]
        order = sorted(range(len(bits)), key=lambda i: -abs(bits[i]))[:most]
        return order, [bits[i] for i in order]


def _correlations(hidden, feature, mean=True, spread=True):
    if mean:
        hidden, feature = hidden - hidden.mean(dim=0), feature - feature.mean()
    products = (hidden * feature[:, None]).sum(dim=0)
    scale = hidden.norm(dim=0) * feature.norm() if spread else torch.ones(hidden.shape[1], dtype=hidden.dtype)
    return torch.where(scale > 1e-9, products / scale.clamp(min=1e-9), 0)


def _best(r):
    unit = int(r.abs().argmax())
    return unit, r[unit].item()


@exercise("core", 10, "A unit says as much with a minus: it falls where the feature rises.")
class best_unit:
    def cases(generator):
        found = []
        for time, units, sign in ((6, 3, 1), (30, 5, -1), (50, 8, 1), (40, 6, -1)):
            feature = torch.randn(time, generator=generator, dtype=torch.float64) + 2
            hidden = torch.randn(time, units, generator=generator, dtype=torch.float64)
            hidden[:, 1] = sign * (feature - 1) * 0.2 + 0.02 * hidden[:, 1] + 0.3  # it follows the feature
            hidden[:, 2] = 5 * hidden[:, 2] + sign * feature + 4  # large values that follow it little
            hidden[:, 0] = sign * -0.25 * feature + 0.12 * hidden[:, 0] + 0.9  # the other way round, and less
            found.append((hidden, feature))
        return found

    def then(generator):  # a unit that never moves
        hidden, feature = torch.randn(20, 4, generator=generator).double(), torch.arange(20.0).double()
        hidden[:, 0], hidden[:, 3] = 0.5, -feature
        return [(hidden, feature)]

    tells = by_name("hidden feature")

    def right(hidden, feature):
        return _best(_correlations(hidden, feature))

    from_right = {
        lambda r: (r[0], abs(r[1])): "The unit is right; its correlation has a sign: below 0, it falls where the "
        "feature rises.",
        lambda r: (r[0], r[1] ** 2): "The unit is right. This is the square of its correlation.",
        lambda r: r[0]: "The unit is right. And its correlation?",
        lambda r: r[1]: "The correlation is right. Whose is it?",
        lambda r: r[::-1]: "Right numbers in another order: first the unit.",
    }

    def largest_only(hidden, feature):
        """You take the largest correlation. A unit at −0.9 follows the feature more closely than one at +0.5."""
        r = _correlations(hidden, feature)
        return int(r.argmax()), r.max().item()

    @variants(
        left_out={
            "mean": "The means are not taken away: a unit that is always on seems to follow whatever is mostly on.",
            "spread": "You do not divide by both lengths: the unit with the largest values wins.",
        }
    )
    def a_step_left_out(hidden, feature, left_out):
        return _best(_correlations(hidden, feature, mean=left_out != "mean", spread=left_out != "spread"))


def _against_others(row, letter):
    return row[letter] - (row.sum() - row[letter]) / (len(row) - 1)


def _by_chain_rule(W_xh, W_hh, b_h, W_hq, b_q, indices, target, mistake="", pick=_against_others):
    """∂ log p(target) / ∂ one-hot row of each letter, at the letter against the others, with a mistake."""
    H = [torch.zeros(1, len(W_hh), dtype=W_hh.dtype)]
    for i in indices:
        H.append(torch.tanh(W_xh[i] + H[-1] @ W_hh + b_h))
    p = torch.softmax(H[-1] @ W_hq + b_q, dim=1)
    at_outputs = torch.eye(len(b_q), dtype=p.dtype)[target] - p
    if mistake == "loss":
        at_outputs = -at_outputs
    if mistake == "share":
        at_outputs = at_outputs * p[0, target]
    if mistake == "raw":
        at_outputs = torch.eye(len(b_q), dtype=p.dtype)[target][None]
    g, found = at_outputs @ W_hq.T, []
    for t in range(len(indices), 0, -1):
        g = g if mistake == "slope" else g * (1 - H[t] ** 2)  # at the sum inside tanh
        found.append(pick((g @ W_xh.T)[0], indices[t - 1]))
        g = g @ (W_hh if mistake == "transposed" else W_hh.T)
        if mistake == "one step":
            g = g * 0
    return torch.stack(found[::-1])


@exercise("stretch", 25, "Each step back is one slope and one W_hh; each letter hears what arrives at its own step.")
class letter_gradients:
    atol = 1e-5

    def cases(generator):
        found = []
        for hidden, letters in ((2, 1), (3, 2), (4, 4), (5, 6)):
            V = 5
            shapes = ((V, hidden), (hidden, hidden), (hidden,), (hidden, V), (V,))
            params = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
            indices = torch.randint(V, (letters,), generator=generator).tolist()
            found.append((*params, indices, int(torch.randint(V, (), generator=generator))))
        return found

    def tells(*case):
        return f"For {len(case[1])} units, indices {case[5]} and target {case[6]}"

    right = _by_chain_rule

    @variants(
        mistake={
            "loss": "All signs are turned round: you have the gradient of the loss. Here it is that of the log-"
            "probability.",
            "share": "That is the gradient of the probability itself. Asked is that of its logarithm.",
            "raw": "You stop at the target's output. Softmax looks at the other outputs, too: what pushes them up "
            "pushes this one's share down.",
            "slope": "The slope of tanh is missing: 1 − H², of the state *after* that letter.",
            "transposed": "Backwards through H @ W_hh you multiply with its transpose.",
            "one step": "Only the last letter has a gradient. The earlier ones act through the states between.",
        }
    )
    def with_a_mistake(*case, mistake):
        return _by_chain_rule(*case, mistake)

    @variants(
        pick={
            lambda row, letter: row[letter]: "That is each letter's own entry alone. When another letter takes its "
            "place, that one's entry grows: subtract the mean of the others.",
            lambda row, letter: row[letter] - row.mean(): "You subtract the mean of the whole row. The letter is none "
            "of the others.",
            lambda row, letter: row[letter] - row.sum() + row[letter]: "You subtract the sum of the others: their mean "
            "is asked.",
            lambda row, letter: row.norm(): "That is the length of each letter's whole row. Take the letter's own "
            "entry, minus the mean of the others.",
        }
    )
    def other_entries(*case, pick):
        return _by_chain_rule(*case, pick=pick)

    from_right = {
        lambda r: r.flip(0): "Right numbers, last letter first. The list begins with the first letter.",
        lambda r: r.abs(): "The sizes are right. A minus says that others would serve the target better: keep it.",
    }
