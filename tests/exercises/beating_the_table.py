"""Answers to the exercises of notebook 10 as students write them, the wrong ones with a pattern of their hint."""

import math

import numpy as np
import torch


def by_torch(gradients, lr):
    w, path = torch.zeros(1, dtype=torch.float64, requires_grad=True), []
    optimizer = torch.optim.Adam([w], lr=lr)
    for gradient in gradients:
        w.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        path.append(w.item())
    return path


def scores(network, table, weights):
    mixed = [w * np.array(network) + (1 - w) * np.array(table) for w in weights]
    return [float(np.exp(-np.mean(np.log(p)))) for p in mixed]


def by_bayes(network, table):
    """The weights from all logarithms so far, added up."""
    log_p, log_q = np.log(network), np.log(table)
    before = np.cumsum(log_p - log_q) - (log_p - log_q)
    w = 1 / (1 + np.exp(-before))
    return w * np.array(network) + (1 - w) * np.array(table)


def clipped(gradients, lr):
    return [-lr * sum(math.copysign(1, g) for g in gradients[: i + 1]) for i in range(len(gradients))]


WRONG = {
    "saved": [
        (lambda old, new, n: n * (np.log2(old) + np.log2(new)), r"For 4, 2, 1 your result is 3\.0, expected 1\.0"),
        (lambda old, new, n: round(n * math.log2(old / new)), "your result is .* expected"),
    ],
    "adam_path": [
        (clipped, "your result is .* expected"),
        (lambda gradients, lr: by_torch(gradients, lr)[:-1], r"the shape \(0,\) instead of \(1,\)"),
    ],
    "best_weight": [
        (lambda p, q, weights: (0.5, scores(p, q, [0.5])[0]), r"your result is \(0\.5, .* expected"),
        (lambda p, q, weights: (weights[0], min(scores(p, q, weights))), "your result is .* expected"),
    ],
    "learned_mix": [
        (lambda p, q: [max(pair) for pair in zip(p, q, strict=True)], "your result is .* expected"),
        (lambda p, q: by_bayes(p, q)[:-1], r"the shape \(0,\) instead of \(1,\)"),
    ],
}
RIGHT = {
    "saved": [lambda old, new, n: n * (np.log2(old) - np.log2(new))],
    "adam_path": [by_torch, lambda gradients, lr: np.array(by_torch(gradients, lr), dtype=np.float32)],
    "best_weight": [lambda p, q, weights: min(zip(weights, scores(p, q, weights), strict=True), key=lambda r: r[1])],
    "learned_mix": [by_bayes, lambda p, q: torch.tensor(by_bayes(p, q))],
}
