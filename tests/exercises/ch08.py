"""Wrong answers to the exercises of notebook 08, each with a pattern that the check's hint must match."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np


def mean_loss(text, chance):
    return -sum(math.log(chance[character]) for character in text) / len(text)


def bottom(perplexity):
    return perplexity.index(min(perplexity)) + 1


def turn(unseen):
    return min(unseen, key=unseen.get)


def stop(unseen, patience, forget=True, against_best=True, late=0):
    epochs = list(unseen)
    best, bad = epochs[0], 0
    for before, epoch in pairwise(epochs):
        if unseen[epoch] < unseen[best if against_best else before]:
            bad = 0 if forget else bad
        else:
            bad += 1
        best = epoch if unseen[epoch] < unseen[best] else best
        if bad == patience + late:
            return epoch, best
    return epochs[-1], best


def equal_is_lower(unseen, patience):
    best, bad = next(iter(unseen)), 0
    for epoch, value in unseen.items():
        best, bad = (epoch, 0) if value <= unseen[best] else (best, bad + 1)
        if bad == patience:
            break
    return epoch, best


def last_of_equals(unseen, patience):
    end, best = stop(unseen, patience)
    return end, max(epoch for epoch in unseen if epoch <= end and unseen[epoch] == unseen[best])


def in_epochs(unseen, patience):
    best = next(iter(unseen))
    for epoch, value in unseen.items():
        if value < unseen[best]:
            best = epoch
        elif epoch - best >= patience:
            return epoch, best
    return epoch, best


def pair_table(text, symbols, formula, size=None, singles=None, count=None):
    """formula(count of the pair, N, k, P(second) without context, number of symbols) for every pair."""
    single, size = Counter(singles or text), size or len(symbols)
    shorter = {s: (single[s] + len(single) / size) / (single.total() + len(single)) for s in symbols}
    rows = []
    for a in symbols:
        after = Counter(second for first, second in pairwise(text) if first == a)
        N = after.total()
        if count:
            after = Counter({b: count(text, a + b) for b in symbols if a + b in text})
            N = after.total() if count is str.count else N
        rows.append([formula(after[b], N, len(after), shorter[b], size) for b in symbols])
    return rows


def smoothed(c, N, k, p, V):
    return (c + k * p) / (N + k) if N else p


def table(formula):
    return lambda text, symbols: pair_table(text, symbols, formula)


def right_table(text, symbols):
    return pair_table(text, symbols, smoothed)


def frequencies_unsmoothed(text, symbols):
    rows = right_table(text, symbols)
    for i, a in enumerate(symbols):
        after = Counter(second for first, second in pairwise(text) if first == a)
        N, k = after.total(), len(after)
        rows[i] = [(after[b] + k * text.count(b) / len(text)) / (N + k) if N else 0 for b in symbols]
    return rows


def last_one_counted(text, symbols):
    rows = []
    for i, a in enumerate(symbols):
        after = Counter(second for first, second in pairwise(text) if first == a)
        N, k = after.total(), len(after)
        rows.append([p * (N + k) / (text.count(a) + k) if k else p for p in right_table(text, symbols)[i]])
    return rows


WRONG = {
    "perplexity_of": [
        (mean_loss, "mean loss"),
        (lambda text, chance: 1 / (sum(chance[c] for c in text) / len(text)), "You average the chances"),
        (lambda text, chance: sum(1 / chance[c] for c in text) / len(text), "You average 1 / chance"),
        (lambda text, chance: 1 / math.prod(chance[c] for c in text), "added up, not averaged"),
        (lambda text, chance: math.exp(-sum(map(math.log, chance.values())) / len(chance)), "over the alphabet"),
        (lambda text, chance: math.exp(-sum(p * math.log(p) for p in chance.values())), "does not look at the text"),
        (lambda text, chance: 2 ** mean_loss(text, chance), "wrong base"),
        (lambda text, chance: math.exp(-mean_loss(text, chance)), "below 1"),
        (lambda text, chance: mean_loss(text, chance) + 1, r"For 'ab', \{'a': .* your result is .* expected"),
    ],
    "lowest": [
        (lambda p, u: (min(p), u[bottom(p)], bottom(p)), r"where the \*training\* curve is lowest"),
        (lambda p, u: (p[-1], u[max(u)], max(u)), "last values"),
        (lambda p, u: (min(p), u[max(u)], max(u)), "took the last epoch"),
        (lambda p, u: (p[-1], min(u.values()), turn(u)), "is the last one"),
        (lambda p, u: (min(p), u[min(u)], min(u)), "goes over its keys"),
        (lambda p, u: (min(p), min(u.values()), bottom(p)), "the epoch is that of the training curve"),
        (lambda p, u: (min(p), min(u.values()), np.argmin(list(u.values()))), "counted from 0"),
        (lambda p, u: (min(p), min(u.values()), np.argmin(list(u.values())) + 1), "place in the list"),
        (lambda p, u: (p[turn(u) - 1], u[turn(u)], turn(u)), r"where the \*unseen\* curve is lowest"),
        (lambda p, u: [min(p), min(u.values())], "is missing"),
        (lambda p, u: (min(p), min(u), turn(u)), "goes over its keys"),
        (lambda p, u: (min(p), min(u), min(u)), "goes over its keys"),
        (lambda p, u: (min(p), turn(u), min(u.values())), "comes before its epoch"),
        (lambda p, u: (max(p), max(u.values()), 1), r"For \[.*\], \{1: .* your result is .* expected"),
    ],
    "stop_early": [
        (lambda u, n: stop(u, n, forget=False), "makes the patience whole again"),
        (lambda u, n: stop(u, n, against_best=False), "lowest so far"),
        (lambda u, n: stop(u, n, late=1), "one measurement too many"),
        (lambda u, n: (stop(u, n)[0],) * 2, "keep the weights of the epoch of the stop"),
        (lambda u, n: (turn(u), turn(u)), "cannot see what comes later"),
        (lambda u, n: (stop(u, n)[0], turn(u)), "What comes after the stop"),
        (in_epochs, "patience in epochs"),
        (equal_is_lower, "An equal value is not lower"),
        (last_of_equals, "weights of the earlier epoch"),
        (lambda u, n: stop(u, n)[::-1], "another order"),
        (lambda u, n: stop(u, n)[0], "Which epoch's weights"),
        (lambda u, n: stop(u, n)[1], "where does training stop"),
        (lambda u, n: (max(u), max(u)), r"For \{.*\}, 1 your result is .* expected"),
    ],
    "bigrams": [
        (table(lambda c, N, k, p, V: c / N if N else 0), "bare counts"),
        (table(lambda c, N, k, p, V: c / N), "bare counts|ZeroDivisionError"),
        (table(lambda c, N, k, p, V: (c + 1) / (N + V)), "add one to each count"),
        (table(lambda c, N, k, p, V: (c + V * p) / (N + V)), "shorter context's weight"),
        (table(lambda c, N, k, p, V: (c + p) / (N + 1)), "shorter context's weight"),
        (table(lambda c, N, k, p, V: (c + p) / (N + k) if N else p), "do not add up to 1"),
        (table(lambda c, N, k, p, V: (c + k / V) / (N + k) if N else 1 / V), "how frequent each is"),
        (frequencies_unsmoothed, "smoothed too"),
        (lambda text, symbols: np.array(right_table(text, symbols)).T, "Rows and columns are swapped"),
        (last_one_counted, "last character of the text"),
        (lambda text, symbols: right_table(text, sorted(symbols)), "in sorted order"),
        (lambda text, symbols: pair_table(text, symbols, smoothed, count=str.count), "skips pairs"),
        (lambda text, symbols: pair_table(text, symbols, smoothed, count=lambda t, p: t.count(p)), "skips pairs"),
        (lambda text, symbols: pair_table(text, symbols, smoothed, size=27), "1 / 27"),
        (lambda text, symbols: pair_table(text, symbols, smoothed, singles=text[:-1]), "leave one out"),
        (lambda text, symbols: pair_table(text, symbols, smoothed, singles=text[1:]), "leave one out"),
        (table(lambda c, N, k, p, V: (c + k * p) / (N + k)), "ZeroDivisionError"),
        (table(lambda c, N, k, p, V: (c + k * p) / (N + k) if N else 1 / V), "For .* expected"),
        (table(lambda c, N, k, p, V: p), "For .* entry|For .* your result"),
    ],
}
