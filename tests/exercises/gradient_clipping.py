"""Answers to the exercises of notebook 06 as students write them: wrong, with a pattern of the hint, and right."""

from fractions import Fraction

import torch
from torch.nn.utils import clip_grad_norm_


def scaled(gradients, max_norm, is_long):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    return [g * max_norm / norm if is_long(norm) else g for g in gradients]


def divided(gradients, max_norm):
    too_long = float(torch.cat([g.reshape(-1) for g in gradients]).norm()) / max_norm
    return tuple(g / max(1.0, too_long) for g in gradients)


def going_down(limit=clip_grad_norm_, zero=True, optimizer=None):
    def descend(loss, params, lr, max_norm, num_steps):
        params, losses = [p.clone().requires_grad_() for p in params], []
        step = optimizer(params, lr=lr).step if optimizer else lambda: [p.data.sub_(lr * p.grad) for p in params]
        for _ in range(num_steps):
            for p in params if zero else []:
                p.grad = None
            losses.append(loss(params))
            losses[-1].backward()
            if max_norm is not None:
                limit(params, max_norm)
            step()
        return losses

    return descend


def through_time(W_hh, b_h, H_0, num_steps):
    H, norms = H_0.requires_grad_(), []
    for _ in range(num_steps):
        H = torch.relu(H @ W_hh + b_h)
        H.sum().backward(retain_graph=True)
        norms.append((H.norm(dim=1).detach(), H_0.grad.norm()))
        H_0.grad = None
    return list(zip(*norms, strict=True))


WRONG = {
    "clipped_by_hand": [
        ([(0.43, 0.57), (2.14, 2.86), (3, 4)], r"not 3 \+ 4"),
        ([(0.6, 0.8), (3, 4), (3, 5)], r"At θ = 10 it is not \[3.0, 5.0\]"),
        ([0.6, 0.8, 3, 4, 3, 4], "Three gradients of two numbers"),
    ],
    "clip_together": [
        (lambda gs, n: scaled(gs, n, lambda norm: not 0 < norm < n), r"for \[\[0.0, 0.0\], .* NaN"),
        (lambda gs, n: scaled(gs, n, lambda norm: norm > 1), "for .*, 6.0 your result is .* expected"),
    ],
    "descend": [
        (going_down(limit=lambda ps, n: clip_grad_norm_(ps, 1.0)), "threshold is 1"),
        (going_down(zero=False), "set it to None"),
    ],
    "relu_norms": [
        (lambda *case: [n for row in through_time(*case) for n in row], "Two lists of 2 numbers each"),
        (lambda *case: torch.tensor(through_time(*case)).T, r"must be \(2, num_steps\)"),
    ],
}
RIGHT = {
    "clipped_by_hand": [[(Fraction(3, 5), Fraction(4, 5)), (3, 4), (3, 4)], torch.tensor([[0.6, 0.8], [3, 4], [3, 4]])],
    "clip_together": [lambda gs, n: scaled(gs, n, lambda norm: norm > n), divided],
    "descend": [going_down(), going_down(optimizer=torch.optim.SGD)],
    "relu_norms": [through_time, lambda *case: torch.tensor(through_time(*case))],
}
