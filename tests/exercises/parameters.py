"""Answers to the exercises of notebook 03 as students write them: wrong ones, each with its hint, and right ones."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import torch

from helpers.rnn import TorchRNN, init_params

LAST, ALL = ["W_hq", "b_q"], ["W_xh", "W_hh", "b_h", "W_hq", "b_q"]


def chances(known, new):
    return np.array([known.count(character) / len(known) for character in new])


def by_counter(known, new):
    counts, loss = Counter(known), 0
    for character, times in Counter(new).items():
        loss -= times / len(new) * math.log(counts[character] / len(known))
    return torch.tensor(loss).exp()


WRONG = {
    "count_parameters": [
        (lambda V, h: sum(p.numel() for p in TorchRNN("RNN", V, h).parameters()), "`b_h` is counted twice"),
        (lambda V, h: h * (V + h + V) + h + h, "To what is `b_q` added"),
        (lambda V, h: (V + h) ** 2, "For 3, 2 your result is 25, expected 21"),
    ],
    "zero_output_weights": [
        ((("b_q",), []), "everything is zero"),
        ((["W_hh", "W_hq", "b_q"], ALL), "What does a matrix of zeros let through"),
        ((LAST, ["W_xh", "W_hh", "b_h"]), "whether anything on its way is zero"),
        (["W_hq", "b_q"], "Two lists are asked for, one for each step.* 'W_hq'"),
        (("b_q", "W_hq"), "Two lists are asked for, one for each step.* 'b_q'"),
        ((LAST, "W_xh, W_hh, b_h, W_hq, b_q"), "Two lists are asked for, one for each step"),
        ((["W_hq", "b_x"], []), "no tensor called 'b_x'"),
    ],
    "frequency_perplexity": [
        (lambda known, new: len(new) / sum(chances(known, new)), "average the probabilities"),
        (lambda known, new: np.exp(-np.log2(chances(known, new)).mean()), "in bits, and `exp` undoes `log`"),
        (lambda known, new: math.prod(chances(known, new)) ** (1 / len(new)), "A sign is lost"),
        (lambda known, new: 26.0, "For 'aab', 'ab' your result is 26.0, expected 2.121"),
        (lambda known, new: float(math.prod(chances(known, new))) ** (-1 / len(new)), "ZeroDivisionError"),
        (lambda known, new: torch.tensor(1 / chances(known, new)).prod() ** (1 / len(new)), "the product becomes 0"),
        (lambda known, new: math.exp(-sum(np.log(chances(known, new)))) ** (1 / len(new)), "OverflowError"),
        (lambda known, new: by_counter(known.lower(), new.lower()), "For .* your result is"),
        (lambda known, new: by_counter(known, new.rstrip()), "For .* your result is"),
    ],
    "moderate_start": [
        (lambda hidden_size: 1 / math.sqrt(hidden_size + 28), "too small. It changes with the size as it should, or"),
        (lambda hidden_size: {32: 0.26, 128: 0.13, 512: 0.066}[hidden_size], "KeyError"),
        (lambda hidden_size: -1, "must be 0 or more"),
        (lambda hidden_size: torch.tensor([0.1, 0.2]), "a finite number"),
    ],
}

RIGHT = {
    "count_parameters": [
        lambda V, h: sum(p.numel() for p in init_params(V, h)),
        lambda V, h: float((2 * V + h + 1) * h + V),
    ],
    "zero_output_weights": [[("b_q", "W_hq"), set(ALL)], (LAST, ALL[::-1])],
    "frequency_perplexity": [by_counter, lambda known, new: 2 ** -np.log2(chances(known, new)).mean()],
    "moderate_start": [lambda h: torch.tensor(2.0 / h).sqrt(), lambda h: Fraction(3, 2) * Fraction(1 / math.sqrt(h))],
}
