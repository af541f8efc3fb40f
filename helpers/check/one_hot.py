"""Checks of notebook 02."""

import torch
from torch.nn import functional as F

from .answer import compare, exercise, fresh

NOTEBOOK = "02_one_hot"


@exercise(NOTEBOOK, "core", 10, "The rows of the identity matrix are the one-hot vectors: to pick is to encode.")
def one_hot_by_hand(answer) -> None:
    """one_hot(X, vocab_size) without F.one_hot, time first."""
    generator = fresh()
    cases = [
        (torch.randint(0, size, shape, generator=generator), size)
        for shape, size in (((1, 2), 3), ((2, 3), 4), ((3, 5), 28))
    ]

    def right(X, vocab_size):
        return F.one_hot(X.T, vocab_size).float()

    mistakes = [
        (
            lambda X, n: F.one_hot(X, n).float(),
            "Right for batch first: did you forget to transpose `X` to (time, batch)?",
        ),
        (
            lambda X, n: F.one_hot(X.reshape(X.shape[1], X.shape[0]), n).float(),
            "The shape is right, the order is not: `reshape` cuts anew where `.T` swaps the axes.",
        ),
    ]
    compare(answer, right, cases, mistakes)
