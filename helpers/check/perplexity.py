"""Checks of notebook 08."""

import math
import random

import numpy as np
import torch

from .answer import Wrong, compare, exercise, fresh

NOTEBOOK = "08_perplexity"


def _draw() -> random.Random:
    return random.Random(fresh().initial_seed())


@exercise(
    NOTEBOOK, "warm-up", 2, "Only the chances of the characters that came count, and those that came often, often."
)
def perplexity_of(answer) -> None:
    """perplexity_of(text, chance): of a model that gives each character the same chance everywhere."""
    draw = _draw()
    cases = []
    for text in ("ab", "abbb", "cabbage"):
        letters = sorted({*text, "d"})  # one of them never comes
        weights = draw.sample(range(2, 20), len(letters))
        cases.append((text, {letter: w / sum(weights) for letter, w in zip(letters, weights, strict=True)}))

    def loss(text, chance):
        return -sum(math.log(chance[character]) for character in text) / len(text)

    mistakes = [
        (loss, "This is the mean loss, in nats. One step is missing from there to a perplexity."),
        (
            lambda text, chance: len(text) / sum(chance[character] for character in text),
            "You average the chances. Average their logarithms: one very small chance must weigh heavily.",
        ),
        (
            lambda text, chance: sum(1 / chance[character] for character in text) / len(text),
            "You average 1 / chance. Average the logarithms, and take the exponential at the end.",
        ),
        (
            lambda text, chance: math.exp(len(text) * loss(text, chance)),
            "The logarithms are added up, not averaged: this number would grow with the length of the text.",
        ),
        (
            lambda text, chance: math.exp(-sum(math.log(p) for p in chance.values()) / len(chance)),
            "You average over the alphabet. Perplexity averages over the characters of the text, one by one.",
        ),
        (
            lambda text, chance: math.exp(-sum(p * math.log(p) for p in chance.values())),
            "This does not look at the text: it is what the model expects. Score the characters that came.",
        ),
        (
            lambda text, chance: 2 ** loss(text, chance),
            "The logarithm is natural, so 2 is the wrong base to come back from it.",
        ),
        (
            lambda text, chance: math.exp(-loss(text, chance)),
            "This is below 1, a sort of mean chance: look at the sign of the logarithm.",
        ),
    ]
    _compare(answer, lambda text, chance: math.exp(loss(text, chance)), cases, mistakes)


def _compare(answer, right, cases, mistakes) -> None:
    """As `compare`, but the hint writes out the dicts among the arguments."""
    try:
        compare(answer, right, cases, mistakes)
    except Wrong as wrong:
        for case in cases if str(wrong).startswith("For ") else ():
            try:
                compare(answer, right, [case])
            except Wrong as first:
                (table,) = (argument for argument in case if isinstance(argument, dict))
                inside = ", ".join(f"{key!r}: {value:.3g}" for key, value in table.items())
                raise Wrong(str(first).replace("a dict", f"{{{inside}}}", 1)) from None
        raise


def _numbers(draw: random.Random, ranks: list[int]) -> list[float]:
    """Random perplexities above 1 in the order that `ranks` tells: the lowest where the rank is lowest."""
    levels, value = {}, draw.uniform(1.1, 4)
    for rank in sorted(set(ranks)):
        levels[rank] = round(value, 2)
        value += draw.uniform(0.1, 1.5)
    return [levels[rank] for rank in ranks]


@exercise(NOTEBOOK, "core", 10, "Two texts, two lowest points, at two different moments of the same run.")
def lowest(answer) -> None:
    """lowest(perplexity, unseen): the lowest of both curves, and the epoch of the second."""
    draw = _draw()
    cases = []
    for ranks, epochs, unseen_ranks in (
        ([4, 3, 1, 2], [1, 2, 3, 4], [3, 1, 2, 4]),
        ([9, 8, 7, 6, 5, 4, 3, 1, 2], [2, 4, 6, 8, 9], [3, 1, 2, 4, 5]),
        ([12, 11, 10, 8, 9, 7, 6, 5, 4, 2, 3, 3], [1, 2, 5, 10, 12], [5, 3, 1, 2, 4]),
    ):
        unseen = [value + 2 for value in _numbers(draw, unseen_ranks)]
        cases.append((_numbers(draw, ranks), dict(zip(epochs, unseen, strict=True))))

    def turn(unseen):
        return min(unseen, key=unseen.get)

    def bottom(perplexity):
        return perplexity.index(min(perplexity)) + 1

    keys = "`min` of a dict goes over its keys, the epochs. You want the lowest of its values."
    mistakes = [
        (
            lambda p, u: (min(p), u[bottom(p)], bottom(p)),
            "You look at the unseen text where the *training* curve is lowest. Find the lowest point of each curve.",
        ),
        (
            lambda p, u: (min(p), min(u.values()), bottom(p)),
            "The perplexities are right; the epoch is that of the training curve's lowest point, not of the other's.",
        ),
        (
            lambda p, u: (p[-1], u[max(u)], max(u)),
            "These are the last values. A curve may have been lower on the way.",
        ),
        (
            lambda p, u: (p[-1], min(u.values()), turn(u)),
            "The training perplexity is the last one. It may have been lower before: learning rate 1 has spikes.",
        ),
        (
            lambda p, u: (min(p), u[max(u)], max(u)),
            "On unseen text you took the last epoch. Its curve may have been lower before it turned.",
        ),
        (
            lambda p, u: (min(p), u[min(u)], min(u)),
            keys,
        ),
        (lambda p, u: (min(p), min(u), turn(u)), keys),
        (lambda p, u: (min(p), min(u), min(u)), keys),
        (
            lambda p, u: (min(p), turn(u), min(u.values())),
            "Right numbers in another order: the perplexity on unseen text comes before its epoch.",
        ),
        (
            lambda p, u: (p[turn(u) - 1], u[turn(u)], turn(u)),
            "You took the training perplexity where the *unseen* curve is lowest. Find the lowest point of each curve.",
        ),
        (
            lambda p, u: (min(p), min(u.values()), list(u).index(turn(u))),
            "The epoch is a place in the list, counted from 0. The epochs are the keys of `unseen`.",
        ),
        (
            lambda p, u: (min(p), min(u.values()), list(u).index(turn(u)) + 1),
            "The epoch is a place in the list. The epochs are the keys of `unseen`: not every epoch was measured.",
        ),
        (lambda p, u: (min(u.values()), min(p), turn(u)), "Right numbers in another order: the training text first."),
        (lambda p, u: (min(p), min(u.values())), "The epoch of the lowest point on unseen text is missing."),
    ]
    _compare(answer, lambda p, u: (min(p), min(u.values()), turn(u)), cases, mistakes)


def _stopped(unseen, patience, forget=True, against="best", late=0, by_epoch=False, equal="not lower"):
    """(epoch of the stop, epoch with the lowest value until then), with room for mistakes."""
    best = before = None
    bad = 0
    for epoch in sorted(unseen):
        lower = best is None or unseen[epoch] < unseen[best if against == "best" else before]
        as_low = best is not None and unseen[epoch] == unseen[best]
        lower = lower or (as_low and equal == "lower")
        if best is None or unseen[epoch] < unseen[best] or (as_low and equal != "not lower"):
            best = epoch
        bad = (0 if forget else bad) if lower else bad + 1
        waited = epoch - best if by_epoch else bad
        if not lower and waited >= patience + late:
            return epoch, best
        before = epoch
    return max(unseen), best


@exercise(NOTEBOOK, "core", 10, "Patience decides how much training is spent to find out that the best is over.")
def stop_early(answer) -> None:
    """stop_early(unseen, patience): where training stops, and which epoch's weights are kept."""
    draw = _draw()
    cases = []
    for ranks, patience in (
        ([5, 3, 4, 1], 1),
        ([9, 7, 8, 4, 6, 5, 2], 2),
        ([9, 8, 5, 6, 4, 3, 7, 2], 2),
        ([9, 7, 6, 4, 2], 2),
        ([9, 5, 8, 7, 4, 6, 8, 7, 3, 1, 2], 3),
    ):
        step = draw.choice([5, 10, 20])
        values = _numbers(draw, ranks)
        cases.append(({step * (i + 1): value for i, value in enumerate(values)}, patience))
    cases.insert(1, ({10: 9, 20: 8, 30: 8, 40: 8.5, 50: 7}, 2))  # the one of the text, with equal values

    def changed(**mistake):
        return lambda unseen, patience: _stopped(unseen, patience, **mistake)

    def lowest_of_all(unseen, patience):
        return min(unseen, key=unseen.get)

    mistakes = [
        (
            changed(forget=False),
            "You add up all measurements that were not lower. A new lowest value makes the patience whole again.",
        ),
        (
            changed(against="before"),
            "You compare with the measurement before. Compare with the lowest so far: a curve may fall a little on "
            "its way up.",
        ),
        (changed(equal="lower"), "An equal value is not lower: it does not make the patience whole again."),
        (changed(equal="kept"), "An equal value is not lower: of two, the weights of the earlier epoch are kept."),
        (changed(late=1), "You wait for one measurement too many."),
        (changed(late=-1), "You stop one measurement too soon."),
        (changed(by_epoch=True), "You count the patience in epochs. It counts measurements: they are epochs apart."),
        (
            lambda u, n: (_stopped(u, n)[0], lowest_of_all(u, n)),
            "What comes after the stop is never seen: the weights kept must come from before it.",
        ),
        (
            lambda u, n: (lowest_of_all(u, n), lowest_of_all(u, n)),
            "You looked at the whole curve for its lowest point. While training you cannot see what comes later.",
        ),
        (
            lambda u, n: (_stopped(u, n)[0],) * 2,
            "You keep the weights of the epoch of the stop. By then the network had been better before.",
        ),
        (lambda u, n: _stopped(u, n)[::-1], "Right numbers in another order: first the epoch of the stop."),
        (lambda u, n: _stopped(u, n)[0], "That is where training stops. Which epoch's weights are kept?"),
        (lambda u, n: _stopped(u, n)[1], "That is the epoch whose weights are kept. And where does training stop?"),
    ]
    _compare(answer, _stopped, cases, mistakes)


@exercise(
    NOTEBOOK, "stretch", 25, "The counts have N votes and the shorter context has k, so that every row adds up to 1."
)
def bigrams(answer) -> None:
    """bigrams(text, symbols): the table of P(next | last), smoothed by Witten and Bell."""
    draw = _draw()

    def text_of(symbols, length):
        weights = [1 + 3 * draw.random() for _ in symbols]
        return "".join(draw.choices(symbols, weights, k=length))

    all_occur = [(f"{first}{text_of(first, 7)}{first}", "".join(sorted(first))) for first in ("ba", "cab")]
    all_occur.append((f"the tea {text_of('eht a', 40)} the", " aeht"))
    all_occur.append((f"aaa{text_of('ba ', 9)}b ab", "ba "))  # symbols in another order, and a triple
    some_missing = [("abac", "abc"), ("abba", "abcd"), (f"{text_of('ab', 9)}c", "abcd")]

    def pair_count(text, pair):
        return sum(pair == text[i : i + 2] for i in range(len(text)))

    def tables(text, symbols, count=pair_count, part=slice(None), equal=None):
        pairs = np.array([[count(text, a + b) for b in symbols] for a in symbols])
        single = np.array([text[part].count(b) for b in symbols])
        size = len(symbols)
        kinds, total = (pairs > 0).sum(1, keepdims=True), pairs.sum(1, keepdims=True)
        shorter = (single + (single > 0).sum() / (equal or size)) / (single.sum() + (single > 0).sum())
        return pairs, total, kinds, single, size, shorter

    def table(formula, **mistake):
        def made(text, symbols):
            pairs, total, kinds, single, size, shorter = tables(text, symbols, **mistake)
            with np.errstate(all="ignore"):
                smoothed = formula(pairs, total, kinds, single, size, shorter)
                smoothed = np.where(total == 0, np.broadcast_to(shorter, pairs.shape), smoothed)
            return torch.from_numpy(np.broadcast_to(smoothed, pairs.shape).astype(float))

        return made

    def smoothed(c, N, k, single, V, shorter):
        return (c + k * shorter) / (N + k)

    right = table(smoothed)

    def follows_counted(text, symbols):
        """With the pairs of `str.count`, but the right N."""
        N = tables(text, symbols)[1]
        return table(lambda c, _, *rest: smoothed(c, N, *rest), count=str.count)(text, symbols)

    overlap = "`str.count` skips pairs that overlap: 'aaa' holds 'aa' twice, and it counts one."
    wrong_k = "The shorter context's weight is wrong: k is the number of *different* characters seen after this one."
    mistakes = [
        (
            table(lambda c, N, k, single, V, shorter: c / N),
            "These are the bare counts. A pair that never occurred gets 0: when it comes, perplexity is infinite.",
        ),
        (
            table(lambda c, N, k, single, V, shorter: (c + 1) / (N + V)),
            "You add one to each count. So every new pair gets the same chance; the shorter context knows better.",
        ),
        (
            table(lambda c, N, k, single, V, shorter: (c + 1 / V) / (N + 1)),
            "You share out equal chances with weight 1. The shorter context has k votes, and they are not equal.",
        ),
        (table(lambda c, N, k, single, V, shorter: (c + V * shorter) / (N + V)), wrong_k),
        (table(lambda c, N, k, single, V, shorter: (c + shorter) / (N + 1)), wrong_k),
        (table(lambda c, N, k, single, V, shorter: (c + N * shorter) / (2 * N)), wrong_k),
        (
            table(lambda c, N, k, single, V, shorter: (c + shorter) / (N + k)),
            "The rows do not add up to 1: the shorter context has k votes below the line, and above it?",
        ),
        (
            table(lambda c, N, k, single, V, shorter: (c + k * shorter) / N),
            "The rows add up to more than 1: the k votes of the shorter context are missing below the line.",
        ),
        (
            table(lambda c, N, k, single, V, shorter: (c + k / V) / (N + k)),
            "The shorter context of one character is no character: how frequent each is, not equal chances.",
        ),
        (
            table(lambda c, N, k, single, V, shorter: (c + k * single / single.sum()) / (N + k)),
            "The frequencies of the single characters must be smoothed too: they borrow from equal chances.",
        ),
        (
            table(lambda c, N, k, single, V, shorter: (c + k * shorter) / (single[:, None] + k)),
            "N counts how often a character was *followed* by one. The last character of the text is not.",
        ),
        (
            lambda text, symbols: right(text, "".join(sorted(symbols))),
            "Your rows and columns are in sorted order: row i belongs to `symbols[i]`, in the order given.",
        ),
        (table(smoothed, count=str.count), overlap),
        (follows_counted, overlap),
        (
            table(smoothed, equal=27),
            "Equal chances are 1 / 27 in yours, but there are V symbols here: how many is that?",
        ),
        *(
            (table(smoothed, part=part), "The single characters are counted in the *whole* text: you leave one out.")
            for part in (slice(-1), slice(1, None))
        ),
        (
            lambda text, symbols: right(text, symbols).T,
            "Rows and columns are swapped: row i belongs to the character before, column j to the one after it.",
        ),
    ]
    for cases in (all_occur, some_missing):  # first without a row that has no counts at all
        compare(answer, right, cases, mistakes)
