"""Answers to the exercises of notebook 02 as students write them: wrong, with a pattern of the hint, and right."""

import numpy as np
import torch
from torch.nn import functional as F


def written_into_zeros(X, n):
    return [[[float(i == x) for i in range(n)] for x in step] for step in X.T.tolist()]


def rows_of(corpus, batch_size):
    return corpus[: len(corpus) // batch_size * batch_size].reshape(batch_size, -1)


def step_by_step(corpus, B, T):
    rows = rows_of(corpus, B).tolist()
    return [[[row[k + t] for row in rows] for t in range(T)] for k in range(0, len(rows[0]) - T + 1, T)]


def unfolded(corpus, B, T):
    return rows_of(corpus, B).unfold(1, T, T).permute(1, 2, 0)


RIGHT = {
    "indices_of_oh_no": [(0, 9, 1, 15, 16), torch.tensor([0, 9, 1, 15, 16]), np.array([0, 9, 1, 15, 16])],
    "one_hot_by_hand": [
        written_into_zeros,
        lambda X, n: torch.zeros(*X.T.shape, n).scatter_(2, X.T[..., None], 1.0),
        lambda X, n: (X.T[:, :, None] == torch.arange(n)).double(),
    ],
    "embed": [
        lambda X, weight: [[weight[:, X[b, t]] for b in range(len(X))] for t in range(X.shape[1])],
        lambda X, weight: F.embedding(X.T, weight.T),
        lambda X, weight: torch.take(weight, weight.shape[1] * torch.arange(len(weight)) + X.T[..., None]),
    ],
    "cut_text": [step_by_step, unfolded, lambda *three: list(unfolded(*three))],
}
WRONG = {
    "indices_of_oh_no": [
        (torch.tensor([0, 7, 26, 13, 14]), "two too low"),
        ([1, 2, 3, 4, 5], "is not right"),
        ([[0, 9, 1, 15, 16]], "five whole numbers"),
    ],
    "one_hot_by_hand": [
        (lambda X, n: torch.eye(n)[X], "forget to transpose"),
        (lambda X, n: torch.eye(n)[X.T - 1], "one place too low"),
        (lambda X, n: F.one_hot(X.T, n), "`F.one_hot` made them"),
        (lambda X, n: torch.eye(n, dtype=torch.int64)[X.T], "your numbers are int64"),
        (lambda X, n: X.T[:, :, None] == torch.arange(n), "your numbers are bool"),
        (lambda X, n: torch.eye(n).int()[X.T].tolist(), "your numbers are int64"),
        (lambda X, n: 2 * torch.eye(n)[X.T], "For .* your result is .* expected"),
        (lambda X, n: torch.eye(max(map(max, X.tolist())) + 1)[X.T], "as the largest index in `X` asks for"),
        (lambda X, n: torch.eye(n)[X.T].squeeze(1), r"the shape \(2, \d\) instead of \(2, 1, \d\)"),
        (lambda X, n: torch.eye(n)[X.T] * (X.T > 0)[..., None], "For .* your result is .* expected"),
    ],
    "embed": [
        (lambda X, weight: F.embedding(X, weight.T), "batch first"),
        (lambda X, weight: F.one_hot(X.T, weight.shape[1]).float() @ weight.T, "multiplied"),
        (lambda X, weight: (torch.eye(weight.shape[1])[X.T][..., None] * weight.T).sum(2), "multiplied"),
        (lambda X, weight: np.eye(weight.shape[1])[X.T.numpy()] @ weight.T.numpy(), "multiplied"),
        (lambda X, weight: weight.T[X.T].squeeze(), "the shape"),
        (lambda X, weight: weight.T[X.T] + 1, "For .* your result is .* expected"),
    ],
    "cut_text": [
        (lambda *three: torch.stack([piece.T for piece in unfolded(*three)]), r"minibatches are \(batch, time\)"),
        (lambda corpus, B, T: rows_of(corpus, B).T, "For .* shape"),
        (lambda *three: unfolded(*three).squeeze(), "the shape"),
        (lambda corpus, B, T: list(rows_of(corpus, B).T.split(T)), "is expected, but your result is"),
    ],
}
