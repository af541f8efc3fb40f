"""Answers to the exercises of notebook 08 as students write them, the wrong ones with a pattern of their hint."""

import math
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from statistics import geometric_mean

import numpy as np


def turn(unseen):
    return min(unseen, key=unseen.get)


def stop(unseen, patience, lowest=math.inf, best=None, leave=True, never=None):
    waited = 0
    for epoch in unseen:
        waited += 1
        if unseen[epoch] < lowest:
            lowest, best, waited = unseen[epoch], epoch, 0
        if waited == patience and leave:
            return epoch, best
    return (never(unseen), never(unseen)) if never else (epoch, best)


def votes(seen, symbols, shorter):
    counts, N, k = Counter(seen), len(seen), len(set(seen))
    return [Fraction(counts[s] + k * p, N + k) if N else p for s, p in zip(symbols, shorter, strict=True)]


def table(text, symbols):
    shorter = votes(text, symbols, [Fraction(1, len(symbols))] * len(symbols))
    return [votes([b for a, b in pairwise(text) if a == first], symbols, shorter) for first in symbols]


WRONG = {
    "perplexity_of": [
        (lambda text, chance: math.prod(chance[c] for c in text) ** (-1 / len(text)), "ZeroDivisionError"),
        (lambda text, chance: 1 / geometric_mean(chance[c] for c in text.lower()), "For 'A cab'"),
        (lambda text, chance: 1 / geometric_mean(chance[c] for c in text if c != " "), "For 'A cab'"),
        (lambda text, chance: 1 + geometric_mean(chance[c] for c in text), r"For 'ab', {' ': .* your result is .* exp"),
    ],
    "lowest": [
        (lambda p, u: (next(a for a, b in pairwise([*p, 99]) if a < b), u[turn(u)], turn(u)), r"For \[.*\], {1: "),
        (lambda p, u: (min(p), u[turn(u)], max(u, key=lambda e: (-u[e], e))), "your result is .* expected"),
        (lambda p, u: (round(min(p), 2), u[turn(u)], turn(u)), r"your result is \((\d\.\d+), .* expected \(\1\d"),
    ],
    "stop_early": [
        (lambda u, n: stop(u, n, lowest=27, best=0), "your result is .* expected"),
        (lambda u, n: stop(u, n, leave=False), "read on after the stop"),
        (lambda u, n: stop(u, n, never=max), "never runs out, the weights kept"),
        (lambda u, n: stop(u, n, never=turn), "never runs out, training stops"),
    ],
    "bigrams": [
        (lambda text, symbols: table(text.lower(), symbols), "For 'aaa Ab"),
        (lambda text, symbols: [[text.count(a + b) / text.count(a) for b in symbols] for a in symbols], "For .* your"),
    ],
}
RIGHT = {
    "perplexity_of": [
        lambda text, chance: geometric_mean(1 / chance[c] for c in text),
        lambda text, chance: np.exp(-np.mean(np.log([chance[c] for c in text], dtype=np.float32))),
    ],
    "lowest": [
        lambda p, u: [sorted(p)[0], *min((value, epoch) for epoch, value in u.items())],
        lambda p, u: np.array([np.min(p), np.min(list(u.values())), turn(u)]),
    ],
    "stop_early": [stop, lambda u, n: np.array(stop(u, n, lowest=10**9))],
    "bigrams": [table, lambda text, symbols: np.array(table(text, symbols), dtype=np.float32)],
}
