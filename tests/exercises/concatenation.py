"""Answers to the exercises of notebook 01 as students write them: wrong, with a pattern of the hint, and right."""

import numpy as np
import torch
from torch.nn import functional as F


def largest(A, B):
    return max(A.abs().max(), B.abs().max())


def entry_by_entry(A, B, t):
    a, b = A.flatten().tolist(), B.flatten().tolist()
    return all(abs(x - y) <= t * max(map(abs, a + b)) for x, y in zip(a, b, strict=True))


def loss(X, H, W_xh, W_hh):
    return torch.tanh(X @ W_xh + H @ W_hh).square().mean()


def gradients(X, H, W_xh, W_hh, rule=lambda A: 2 * (A - A**3) / len(A) / A.shape[1]):
    G = rule(torch.tanh(X @ W_xh + H @ W_hh))
    return [torch.einsum("bi,bj->ij", left, G) for left in (X, H)]


RIGHT = {
    "cut_anywhere": [
        lambda XH, W, c: [F.linear(XH[:, :c], W[:c].T), torch.einsum("bn,nh->bh", XH[:, c:], W[c:])],
        lambda XH, W, c: tuple(x @ w for x, w in zip(XH.tensor_split([c], 1), W.tensor_split([c]), strict=True)),
    ],
    "equal_within": [
        entry_by_entry,
        lambda A, B, t: torch.allclose(A, B, rtol=0, atol=float(t * largest(A, B))),
        lambda A, B, t: np.abs(A.numpy() - B.numpy()).max() <= t * max(abs(A.numpy()).max(), abs(B.numpy()).max()),
    ],
    "join_three": [
        lambda X, H, Z, A, B, C: F.linear(torch.hstack([Z, X, H]), torch.vstack([C, A, B]).T),
        lambda *six: (torch.cat(six[:3], 1)[:, :, None] * torch.cat(six[3:])).sum(1),
    ],
    "gradient_blocks": [gradients, lambda *four: gradients(*map(torch.Tensor.double, four))],
}
WRONG = {
    "cut_anywhere": [
        (lambda XH, W, c: (XH[:c] @ W, XH[c:] @ W), "or .* your result"),
        (lambda XH, W, c: torch.stack([XH[:, :c] @ W[:c], XH[:, c:] @ W[c:]]), "a pair should come back"),
    ],
    "equal_within": [
        (lambda A, B, t: (A - B).square().mean().sqrt() <= t * largest(A, B), "You judge the mean"),
        (lambda A, B, t: (A - B).abs() <= t * A.abs().max(), "one answer for each entry"),
        (lambda A, B, t: int((A - B).abs().max() <= t * largest(A, B)), "True or False is expected"),
        (lambda A, B, t: np.allclose(A, B, atol=float(t * largest(A, B))), "a tolerance of its own"),
        (lambda A, B, t: torch.equal(A, B) or (A - B).abs().max() < t * largest(A, B), "0.25 your result is False"),
        (lambda A, B, t: (A - B).abs().max() <= t * max(A.abs().max(), B.max()), "of 1, 2 and −5 here"),
        (lambda A, B, t: ((A - B).abs() <= t * torch.maximum(A.abs(), B.abs()).amax(0)).all(), "is False"),
        (lambda A, B, t: (A - B).abs().max() <= 2 * t * largest(A, B), "is True, expected False"),
        (lambda A, B, t: ((A - B) ** 2).max() <= (t * largest(A, B)) ** 2, "is True, expected False"),
        (lambda A, B, t: True, "For .* your result is True, expected False"),
    ],
    "join_three": [
        (lambda X, H, Z, A, B, C: torch.cat([X, H, Z], 1) @ torch.cat([C, B, A]), "stand in another order"),
        (lambda X, H, Z, A, B, C: X @ A + H @ B + Z @ C, "makes 3 matrix products"),
        (lambda *six: sum((six[i][:, :, None] * six[i + 3]).sum(1) for i in range(3)), "makes 3 matrix products"),
        (lambda *six: sum(six[i].numpy() @ six[i + 3].numpy() for i in range(3)), "no product of PyTorch"),
        (lambda X, H, Z, A, B, C: torch.cat([X, H, Z]), r"For X \(2, 3\).* the shape \(6, 3\) instead|For \[\["),
        (lambda X, H, Z, A, B, C: X @ A.T + H @ B + Z @ C, r"^❌ For X \(2, 3\), H \(2, 3\), Z [^\[]* your result is"),
    ],
    "gradient_blocks": [
        (lambda *four: gradients(*four, lambda A: 2 * A * (1 - A**2) / len(A)), "divide by the number of rows"),
        (lambda *four: gradients(*four, lambda A: 3 * A * (1 - A**2) / A.numel()), "or .* your result is .* expected"),
        (torch.func.grad(loss, argnums=(2, 3)), "autograd found them"),
        (lambda X, H, *weights: torch.autograd.functional.jacobian(lambda *W: loss(X, H, *W), weights), "autograd"),
        (lambda X, H, W_xh, W_hh: (X @ torch.tanh(X @ W_xh + H @ W_hh), H), "or .* your result|raised RuntimeError"),
    ],
}
