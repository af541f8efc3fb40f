"""Answers to the exercises of notebook 11 as students write them, the wrong ones with a pattern of their hint."""

import math

import numpy as np
import torch


def near(curve, share=0.01):
    lowest = min(curve.values())
    return [k for k in curve if curve[k] / lowest - 1 <= share]


def gains(few, many):
    return np.log2(np.array(many) / np.array(few))


def against_others(g, X):
    return (g * X).sum(1) - (g * (1 - X)).sum(1) / (X.shape[1] - 1)


def autograd(W_xh, W_hh, b_h, W_hq, b_q, indices, target, of=lambda log_p: log_p, pick=against_others):
    X = torch.eye(len(W_xh), dtype=W_xh.dtype)[indices].requires_grad_()
    H = torch.zeros(1, len(W_hh), dtype=W_hh.dtype)
    for x in X:
        H = torch.tanh(x @ W_xh + H @ W_hh + b_h)
    log_p = torch.log_softmax(H @ W_hq + b_q, dim=1)[0, target]
    (g,) = torch.autograd.grad(of(log_p), X)
    return pick(g, X).detach()


def replaced(W_xh, W_hh, b_h, W_hq, b_q, indices, target, share=1e-5):
    """What is lost, per share, as a small share of each letter goes to all others alike, or is gained as it grows."""

    def log_p(X):
        H = torch.zeros(1, len(W_hh), dtype=W_hh.dtype)
        for x in X:
            H = torch.tanh(x @ W_xh + H @ W_hh + b_h)
        return torch.log_softmax(H @ W_hq + b_q, dim=1)[0, target]

    X, found = torch.eye(len(W_xh), dtype=W_xh.dtype)[indices], []
    for place in range(len(X)):
        step = torch.zeros_like(X)
        step[place] = X[place] - (1 - X[place]) / (len(W_xh) - 1)
        found.append((log_p(X + share * step) - log_p(X - share * step)) / (2 * share))
    return torch.stack(found)


def correlations(hidden, feature):
    return torch.corrcoef(torch.cat([feature[None], hidden.T]))[0, 1:].nan_to_num()


WRONG = {
    "flat_from": [
        (lambda curve: min(curve, key=curve.get), "lowest value itself"),
        (lambda curve: max(near(curve)), "which is the smallest|Which is the smallest"),
        (lambda curve: min(near(curve, 0.5)), r"For \{.* your result is"),
    ],
    "helped_most": [
        (lambda few, many, most: gains(few, many).argsort()[::-1][:most].tolist(), "How many bits"),
        (
            lambda few, many, most: np.subtract(many, few).argsort()[::-1][:most].tolist(),
            "come back|Part 1",
        ),
        (lambda few, many, most: (list(range(most)), gains(few, many)[:most].tolist()), "Part 1 of 2"),
    ],
    "best_unit": [
        (lambda hidden, feature: int(correlations(hidden, feature).abs().argmax()), "And its correlation"),
        (lambda hidden, feature: (int(hidden.abs().mean(0).argmax()), 1.0), "expected"),
    ],
    "letter_gradients": [
        (lambda *case: autograd(*case, of=lambda log_p: -log_p), "gradient of the loss"),
        (lambda *case: autograd(*case, of=torch.exp), "probability itself"),
        (lambda *case: autograd(*case, pick=lambda g, X: (g * X).sum(1)), "own entry alone"),
        (lambda *case: autograd(*case, pick=lambda g, X: (g * X).sum(1) - g.mean(1)), "mean of the whole row"),
        (lambda *case: autograd(*case, pick=lambda g, X: (g * X).sum(1) - (g * (1 - X)).sum(1)), "their mean"),
        (lambda *case: autograd(*case, pick=lambda g, X: g.norm(dim=1)), "whole row"),
        (lambda *case: autograd(*case, pick=lambda g, X: g), "has the shape"),
    ],
}
RIGHT = {
    "flat_from": [lambda curve: next(k for k in sorted(curve) if k in near(curve))],
    "helped_most": [
        lambda few, many, most: (
            (best := sorted(range(len(few)), key=lambda i: few[i] / many[i])[:most]),
            [math.log2(many[i]) - math.log2(few[i]) for i in best],
        ),
        lambda few, many, most: [
            (order := gains(few, many).argsort()[::-1][:most]).tolist(),
            gains(few, many)[order].tolist(),
        ],
    ],
    "best_unit": [
        lambda hidden, feature: max(enumerate(correlations(hidden, feature).tolist()), key=lambda pair: abs(pair[1])),
    ],
    "letter_gradients": [autograd, lambda *case: autograd(*case).tolist(), replaced],
}
