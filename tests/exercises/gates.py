"""Answers to the exercises of notebook 09 as students write them: wrong ones, each with its hint, and right ones."""

import numpy as np
import torch

from helpers.gates import GRU, LSTM, gru_step
from helpers.rnn import RNN


def with_the_chapters_step(x, h, w, b, order=(0, 1, 2)):
    x, w, b = ([values[k] for k in order] for values in (x, w, b))
    x_t, W_hh, b_h = (torch.tensor(values, dtype=torch.float64) for values in (x, w, b))
    return gru_step(x_t[None], torch.tensor([[h]], dtype=torch.float64), W_hh[None], b_h)[0, 0]


def in_numpy(x, h, w, b):
    r, z = (1 / (1 + np.exp(-(x[k] + w[k] * h + b[k]))) for k in range(2))
    return z * h + (1 - z) * np.tanh(x[2] + r * (w[2] * h + b[2]))


def counted(kind, vocab_size, hidden_size):
    model = {"RNN": RNN, "GRU": GRU, "LSTM": LSTM}[kind](vocab_size, hidden_size, device="cpu")
    return sum(p.numel() for p in model.parameters())


def of_torch(kind, vocab_size, hidden_size):
    layer = getattr(torch.nn, kind)(vocab_size, hidden_size)
    return sum(p.numel() for p in layer.parameters())


def by_table(character, table):
    return table.get(character, table["b"])


TABLE = {"a": (9, 9, 9), "b": [9, -9, 0], " ": torch.tensor([-9.0, -9.0, 0.0])}

WRONG = {
    "what_is_left": [
        ([1, 0.125, 0.2, 0.4375], "Number 3, for z = 0.5, 1 and 0.2"),
        ([50, 0.125, 0.1, 0.4375], "Number 1, for z = 1 for 50 steps"),
        ([1, 0.125, 0.1], "Four numbers are asked for"),
    ],
    "gru_unit": [
        (lambda *case: with_the_chapters_step(*case, order=(1, 0, 2)), "The gates are swapped"),
        (lambda x, h, w, b: h, r"For x = \("),
        (lambda x, h, w, b: [in_numpy(x, h, w, b)], "has the shape|expected"),
    ],
    "count_weights": [
        (of_torch, "For 'RNN', 1, 1"),
        (lambda kind, *sizes: counted("GRU", *sizes), "For 'RNN'"),
        (lambda kind, *sizes: counted(kind, *sizes) + 1, "expected"),
    ],
    "counting_sums": [
        (lambda c: by_table(c, TABLE)[:2], "three sums are asked for"),
        (lambda c: by_table(c, {**TABLE, " ": (9, -9, 0)}), "at a space the cell has to be cleared"),
        (lambda c: by_table(c, {**TABLE, "a": (9, 9, 0.5)}), "After each character of 'a'"),
    ],
}

RIGHT = {
    "what_is_left": [(1, 1 / 8, 1 / 10, 7 / 16), torch.tensor([1, 0.125, 0.1, 0.4375])],
    "gru_unit": [with_the_chapters_step, in_numpy],
    "count_weights": [counted],
    "counting_sums": [lambda c: by_table(c, TABLE)],
}
