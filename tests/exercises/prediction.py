"""Answers to the exercises of notebook 05 as students write them: wrong, with a pattern of the hint, and right."""

import torch


def begins_with_zero(written):
    half = len(written) // 2
    return next((p for p in range(half + 1) if written[half - p : len(written) - p] == written[half:]), 0)


def half_rounded_up(written):
    for p in range(1, len(written) // 2 + 1):
        if all(written[i] == written[i - p] for i in range(len(written) // 2, len(written))):
            return p
    return 0


def half_sliced(written):
    start = (len(written) + 1) // 2
    same = [p for p in range(1, start + 1) if written[start - p :].startswith(written[start:])]
    return min(same, default=0)


def masked(outputs, k, dropped):
    return torch.where(outputs >= outputs.topk(k, dim=1).values[:, -1:], outputs, dropped)


def scattered(outputs, k):
    values, places = outputs.topk(k, dim=1)
    return torch.zeros_like(outputs).scatter(1, places, values.softmax(dim=1))


def row_by_row(outputs, k):
    weights = [[(x - max(row)).exp() * (x >= sorted(row)[-k]) for x in row] for row in outputs]
    return [[weight / sum(row) for weight in row] for row in weights]


WRONG = {
    "after_two_pieces": [
        (lambda a, b, m: m(b, m(a, m.initial_state(1))[1][0])[0][-1, 0], "raised ValueError in line .* tuple"),
        (lambda a, b, m: m(b, m(a, m.initial_state(1))[1])[0][-1], r"shape \(1, 4\) instead of \(4,\)"),
    ],
    "sharpen": [
        (lambda p, alpha: torch.exp(alpha * (p.log() - p.sum().log())), "do not sum to 1"),
        (lambda p, alpha: p**2 / (p**2).sum(), "For .* your result is .* expected"),
    ],
    "circle_length": [
        (begins_with_zero, "Does your loop begin with p = 0"),
        (half_rounded_up, "length of the text is odd"),
        (lambda w: w[::-1].find(w[-1], 1) if w[-1] in w[:-1] else 0, "more than once in one circle"),
        (lambda w: 7, "For .* your result is 7, expected 2"),
    ],
    "top_k_probs": [
        (lambda o, k: masked(o.exp(), k, 0.0) / masked(o.exp(), k, 0.0).sum(dim=1, keepdim=True), "holds NaN"),
        (lambda o, k: masked(o, k, 0.0).masked_fill(masked(o, k, 0.0) == 0, -torch.inf).softmax(1), "that is 0"),
        (lambda o, k: torch.softmax(masked(o, k, -100.0), dim=1), "smaller than any number"),
        (lambda o, k: torch.softmax(torch.sort(o, descending=True).values[:, :k], dim=1), "whose they are"),
        (lambda o, k: scattered(o, k).squeeze(), "shape"),
    ],
}
RIGHT = {
    "after_two_pieces": [
        lambda a, b, m: m(torch.cat((a, b), dim=1), m.initial_state(1))[0][-1, 0].tolist(),
        lambda a, b, m: m(b[:, -1:], m(torch.hstack((a, b[:, :-1])), m.initial_state(1))[1])[0].flatten(),
    ],
    "sharpen": [lambda p, a: [x**a / sum(y**a for y in p) for x in p], lambda p, a: torch.softmax(a * p.log(), 0)],
    "circle_length": [half_sliced, lambda w: torch.tensor(half_sliced(w))],
    "top_k_probs": [row_by_row, scattered],
}
