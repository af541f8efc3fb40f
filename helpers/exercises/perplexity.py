"""Checks of notebook 08."""

import math
from statistics import fmean
from types import SimpleNamespace

import torch

from .exercise import exercise, variants


@exercise("warm-up", 2, "Only the chances of the characters that came count, and those that came often, often.")
class perplexity_of:
    atol = 1e-5  # float32 is enough

    def cases(generator):
        weights = [1, *(torch.randperm(8, generator=generator) + 2).tolist()]  # all different, the space's the smallest
        chance = {letter: weight / sum(weights) for letter, weight in zip(" abcdegAB", weights, strict=True)}
        return [(text, chance) for text in ("ab", "abbb", "cabbage", "A cab")]  # d and B never come

    def then(generator):  # so long that the product of all chances is 0 in the computer
        return [("a bad cab " * 300, {"a": 0.3, "b": 0.2, "c": 0.1, "d": 0.15, " ": 0.25})]

    def right(text, chance):
        return math.exp(-fmean(math.log(chance[character]) for character in text))

    from_case = {
        lambda text, chance: (chance, chance): "You average over the alphabet. Perplexity averages over the characters "
        "of the text, one by one.",
    }
    from_right = {
        math.log: "This is the mean loss, in nats. One step is missing from there to a perplexity.",
        lambda r: 2 ** math.log(r): "The logarithm is natural, so 2 is the wrong base to come back from it.",
        lambda r: 1 / r: "This is below 1, a sort of mean chance: look at the sign of the logarithm.",
    }

    @variants(
        mean={
            lambda p: math.prod(1 / chance for chance in p): "The logarithms are added up, not averaged: this number "
            "would grow with the length of the text.",
            lambda p: 1 / fmean(p): "You average the chances. Average their logarithms: one very small chance must "
            "weigh heavily.",
            lambda p: fmean(1 / chance for chance in p): "You average 1 / chance. Average the logarithms, and take the "
            "exponential at the end.",
        }
    )
    def other_mean(text, chance, mean):
        return mean([chance[character] for character in text])

    def expected_by_the_model(text, chance):
        """This does not look at the text: it is what the model expects. Score the characters that came."""
        return math.exp(-sum(p * math.log(p) for p in chance.values()))


def _values(generator, ranks: list[int], start: float = 3) -> list[float]:
    """Perplexities above `start` in the order that `ranks` tells; the third digit after the point shows rounding."""
    steps = torch.randint(2, 5, (max(ranks) + 1,), generator=generator).cumsum(0).tolist()
    return [round(start + steps[rank] / 10 + 0.003, 3) for rank in ranks]


def _turn(unseen: dict[int, float]) -> int:
    return min(unseen, key=unseen.get)


@exercise("core", 10, "Two texts, two lowest points, at two different moments of the same run.")
class lowest:
    def cases(generator):
        return [
            (_values(generator, ranks), dict(zip(epochs, _values(generator, unseen, start), strict=True)))
            for ranks, epochs, unseen, start in (
                ([4, 3, 1, 2], [1, 2, 3, 4], [3, 1, 2, 4], 3),
                ([9, 8, 7, 6, 5, 4, 3, 1, 2], [2, 4, 6, 8, 9], [4, 1, 2, 3, 5], 3),
                ([12, 11, 10, 8, 9, 7, 6, 5, 4, 2, 3, 3], [1, 2, 4, 7, 10, 12], [5, 3, 4, 1, 2, 6], 3),
                ([4, 3, 2, 1], [1, 2, 3, 4], [3, 4, 2, 1], 5000),  # lowest at the end, and high
                ([1, 2, 3, 2], [1, 3, 4], [1, 3, 2], 3),  # lowest at the beginning
                ([4, 3, 1, 2, 1], [2, 3, 4, 5], [1, 3, 1, 2], 3),  # equals
            )
        ]

    def right(perplexity, unseen):
        return min(perplexity), min(unseen.values()), _turn(unseen)

    from_right = {
        lambda r: (r[0], r[2], r[1]): "Right numbers in another order: the perplexity on unseen text comes before its "
        "epoch.",
        lambda r: (r[1], r[0], r[2]): "Right numbers in another order: the training text first.",
        lambda r: r[:2]: "The epoch of the lowest point on unseen text is missing.",
    }

    @variants(
        where={
            "seen seen seen": "You look at the unseen text where the *training* curve is lowest. Find the lowest point "
            "of each curve.",
            "seen unseen seen": "The perplexities are right; the epoch is that of the training curve's lowest point, "
            "not of the other's.",
            "last last last": "These are the last values. A curve may have been lower on the way.",
            "last unseen unseen": "The training perplexity is the last one. It may have been lower before: learning "
            "rate 1 has spikes.",
            "seen last last": "On unseen text you took the last epoch. Its curve may have been lower before it turned.",
            "unseen unseen unseen": "You took the training perplexity where the *unseen* curve is lowest. Find the "
            "lowest point of each curve.",
        }
    )
    def elsewhere(perplexity, unseen, where):
        seen = perplexity.index(min(perplexity)) + 1
        epochs = {"seen": seen, "unseen": _turn(unseen), "last": max(unseen)}
        first, second, third = (epochs[name] for name in where.split())
        return perplexity[first - 1], unseen[second], third

    @variants(pick=(lambda u: (min(u), _turn(u)), lambda u: (min(u), min(u)), lambda u: (u[min(u)], min(u))))
    def lowest_key(perplexity, unseen, pick):
        """`min` of a dict goes over its keys, the epochs. You want the lowest of its values."""
        return min(perplexity), *pick(unseen)

    @variants(
        first={
            0: "The epoch is a place in the list, counted from 0. The epochs are the keys of `unseen`.",
            1: "The epoch is a place in the list. The epochs are the keys of `unseen`: not every epoch was measured.",
        }
    )
    def place_in_the_list(perplexity, unseen, first):
        return min(perplexity), min(unseen.values()), list(unseen).index(_turn(unseen)) + first


def _stopped(unseen, patience, mistake=""):
    """The epoch of the stop, and the epoch with the lowest value until then, with a mistake."""
    first, *later = unseen
    best, before, waited, stop = first, first, 0, later[-1]
    for epoch in later:
        as_low = unseen[epoch] == unseen[best]
        lower = unseen[epoch] < unseen[before if mistake == "with_the_one_before" else best]
        lower = lower or (as_low and mistake == "equal_is_lower")
        if unseen[epoch] < unseen[best] or (as_low and mistake in ("equal_is_lower", "equal_is_kept")):
            best = epoch
        waited = waited + 1 if not lower else waited if mistake == "all_added_up" else 0
        before = epoch
        if not lower and (epoch - best if mistake == "patience_in_epochs" else waited) >= patience:
            stop = epoch
            if mistake != "goes_on":
                break
    return stop, best


@exercise("core", 10, "Patience decides how much training is spent to find out that the best is over.")
class stop_early:
    def cases(generator):
        cases = [({10: 9, 20: 8, 30: 8, 40: 8.5, 50: 7}, 2)]  # the one of the text, with equal values
        never = (([3, 1, 2], 2), ([7, 6, 5, 4, 3, 2, 1], 1), ([9, 8, 5, 6, 4, 3, 7, 2], 2))
        twice = (([5, 3, 4, 1], 1), ([6, 4, 5, 2, 3, 1], 1), ([1, 3, 4, 5, 2], 2))  # for who reads on after the stop
        once = (([9, 7, 8, 4, 6, 5, 2], 2), ([9, 5, 8, 7, 4, 6, 8, 7, 3, 1, 2], 3))
        for ranks, patience in (*never, *twice, *once):
            step = 5 * int(torch.randint(1, 5, (), generator=generator))
            values = _values(generator, ranks, 5000 if ranks[0] == 1 else 3)  # also higher than any guess
            cases.append(({step * place: value for place, value in enumerate(values, start=1)}, patience))
        return cases

    right = _stopped

    from_case = {
        lambda *case: (*case, "all_added_up"): "You add up all measurements that were not lower. A new lowest value "
        "makes the patience whole again.",
        lambda *case: (*case, "with_the_one_before"): "You compare with the measurement before. Compare with the "
        "lowest so far: a curve may fall a little on its way up.",
        lambda *case: (*case, "equal_is_lower"): "An equal value is not lower: it does not make the patience whole "
        "again.",
        lambda *case: (*case, "equal_is_kept"): "An equal value is not lower: of two, the weights of the earlier epoch "
        "are kept.",
        lambda unseen, patience: (unseen, patience + 1): "You wait for one measurement too many.",
        lambda unseen, patience: (unseen, patience - 1): "You stop one measurement too soon.",
        lambda *case: (*case, "patience_in_epochs"): "You count the patience in epochs. It counts measurements: they "
        "are epochs apart.",
    }
    from_right = {
        lambda r: r[:1] * 2: "You keep the weights of the epoch of the stop. By then the network had been better "
        "before.",
        lambda r: r[::-1]: "Right numbers in another order: first the epoch of the stop.",
        lambda r: r[0]: "That is where training stops. Which epoch's weights are kept?",
        lambda r: r[1]: "That is the epoch whose weights are kept. And where does training stop?",
    }

    def lowest_of_all(unseen, patience):
        """What comes after the stop is never seen: the weights kept must come from before it."""
        return _stopped(unseen, patience)[0], _turn(unseen)

    def only_the_lowest(unseen, patience):
        """You looked at the whole curve for its lowest point. While training you cannot see what comes later."""
        return _turn(unseen), _turn(unseen)

    @variants(ends=(lambda unseen, _: max(unseen), lambda unseen, patience: _stopped(unseen, patience, "goes_on")[0]))
    def reads_on(unseen, patience, ends):
        """You read on after the stop: once patience has run out, nothing more is measured."""
        return ends(unseen, patience), _turn(unseen)

    @variants(
        both={
            0: "If patience never runs out, the weights kept are still those of the lowest measurement, not the last.",
            1: "If patience never runs out, training stops at the last measurement, not at the lowest one.",
        }
    )
    def never_runs_out(unseen, patience, both):
        stopped, goes_on = _stopped(unseen, patience), {**unseen, 10**6: 0}  # a new lowest measurement at the end
        return (stopped[both],) * 2 if _stopped(goes_on, patience)[0] == 10**6 else stopped


def _smoothed(t):
    return (t.c + t.k * t.shorter) / (t.N + t.k)


def _table(text, symbols, formula=_smoothed, count=None, singles=slice(None), equal=None) -> torch.Tensor:
    """P(next | last) by a formula of c, N and k of the pairs, the counts of the single characters, V and `shorter`."""
    count = count or (lambda text, pair: sum(text.startswith(pair, i) for i in range(len(text))))
    c = torch.tensor([[count(text, a + b) for b in symbols] for a in symbols], dtype=torch.float64)
    single = torch.tensor([text[singles].count(symbol) for symbol in symbols], dtype=torch.float64)
    V, different = len(symbols), (single > 0).sum()
    shorter = (single + different / (equal or V)) / (single.sum() + different)
    N, k = c.sum(1, keepdim=True), (c > 0).sum(1, keepdim=True)
    made = formula(SimpleNamespace(c=c, N=N, k=k, single=single, V=V, shorter=shorter))
    return torch.where(N == 0, shorter, made)


@exercise("stretch", 25, "The counts have N votes and the shorter context has k, so that every row adds up to 1.")
class bigrams:
    def cases(generator):  # the same every time: in each text each mistake makes a difference that is known
        tea = "the tea that the heat ate at that tea the"
        return [("babbabaaba", "ab"), ("cabbacabcac", "abc"), (tea, " aeht"), ("aaa Ab b aAba Aa", "bA a")]

    def then(generator):  # characters that nothing follows, and some that never come
        return [("abac", "abc"), ("abba", "abcd"), ("ababbaabbc", "abcd")]

    right = _table

    @variants(
        formula={
            lambda t: t.c / t.N: "These are the bare counts. A pair that never occurred gets 0: when it comes, "
            "perplexity is infinite.",
            lambda t: (t.c + 1) / (t.N + t.V): "You add one to each count. So every new pair gets the same chance; the "
            "shorter context knows better.",
            lambda t: (t.c + 1 / t.V) / (t.N + 1): "You share out equal chances with weight 1. The shorter context has "
            "k votes, and they are not equal.",
            lambda t: (t.c + t.shorter) / (t.N + t.k): "The rows do not add up to 1: the shorter context has k votes "
            "below the line, and above it?",
            lambda t: (t.c + t.k * t.shorter) / t.N: "The rows add up to more than 1: the k votes of the shorter "
            "context are missing below the line.",
            lambda t: (t.c + t.k / t.V) / (t.N + t.k): "The shorter context of one character is no character: how "
            "frequent each is, not equal chances.",
            lambda t: (t.c + t.k * t.single / t.single.sum()) / (t.N + t.k): "The frequencies of the single characters "
            "must be smoothed too: they borrow from equal chances.",
            lambda t: (t.c + t.k * t.shorter) / (t.single[:, None] + t.k): "N counts how often a character was "
            "*followed* by one. The last character of the text is not.",
        }
    )
    def other_formula(text, symbols, formula):
        return _table(text, symbols, formula)

    @variants(weight=(lambda t: t.V, lambda t: 1, lambda t: t.N))
    def other_weight(text, symbols, weight):
        """The shorter context's weight is wrong: k is the number of *different* characters seen after this one."""
        return _table(text, symbols, lambda t: (t.c + weight(t) * t.shorter) / (t.N + weight(t)))

    @variants(own=(False, True))
    def pairs_skipped(text, symbols, own):
        """`str.count` skips pairs that overlap: 'aaa' holds 'aa' twice, and it counts one."""
        N = torch.tensor([[text[:-1].count(symbol)] for symbol in symbols])
        return _table(text, symbols, lambda t: (t.c + t.k * t.shorter) / ((N if own else t.N) + t.k), count=str.count)

    def equal_chances_of_the_course(text, symbols):
        """Equal chances are 1 / 27 in yours, but there are V symbols here: how many is that?"""
        return _table(text, symbols, equal=27)

    @variants(singles=(slice(-1), slice(1, None)))
    def one_left_out(text, symbols, singles):
        """The single characters are counted in the *whole* text: you leave one out."""
        return _table(text, symbols, singles=singles)

    def sorted_symbols(text, symbols):
        """Your rows and columns are in sorted order: row i belongs to `symbols[i]`, in the order given."""
        return _table(text, "".join(sorted(symbols)))

    def transposed(text, symbols):
        """Rows and columns are swapped: row i belongs to the character before, column j to the one after it."""
        return _table(text, symbols).T
