"""Wrong answers to the exercises of notebook 01, each with a pattern that the check's hint must match."""

import torch


def joined(X, H, W_xh, W_hh):
    XH = torch.cat([X, H], dim=1)
    return XH, torch.tanh(XH @ torch.cat([W_xh, W_hh]))


def swapped_blocks(X, H, W_xh, W_hh):
    XH, A = joined(X, H, W_xh, W_hh)
    grad = XH.T @ (2 * A * (1 - A**2) / A.numel())
    return grad[X.shape[1] :], grad[: X.shape[1]]


def transposed(X, H, W_xh, W_hh):
    _, A = joined(X, H, W_xh, W_hh)
    G = 2 * A * (1 - A**2) / A.numel()
    return G.T @ X, G.T @ H


def no_slope(X, H, W_xh, W_hh):
    XH, A = joined(X, H, W_xh, W_hh)
    return (XH.T @ (2 * A / A.numel())).split([X.shape[1], H.shape[1]])


def mean_of_rows(X, H, W_xh, W_hh):
    _, A = joined(X, H, W_xh, W_hh)
    G = 2 * A * (1 - A**2) / len(A)
    return X.T @ G, H.T @ G


def uncut(X, H, W_xh, W_hh):
    XH, A = joined(X, H, W_xh, W_hh)
    return XH.T @ (2 * A * (1 - A**2) / A.numel())


def automatic(X, H, W_xh, W_hh):
    W_xh, W_hh = W_xh.clone().requires_grad_(), W_hh.clone().requires_grad_()
    torch.tanh(X @ W_xh + H @ W_hh).square().mean().backward()
    return W_xh.grad, W_hh.grad


def not_transposed(X, H, W_xh, W_hh):
    _, A = joined(X, H, W_xh, W_hh)
    return X @ A, H @ A


WRONG = {
    "cut_anywhere": [
        (lambda XH, W, c: XH[:, :c] @ W[:c] + XH[:, c:] @ W[c:], "This is the sum"),
        (lambda XH, W, c: (XH[:, :c] @ W[:c], XH[:, c + 1 :] @ W[c + 1 :]), "in neither part"),
        (lambda XH, W, c: (XH[:, c:] @ W[c:], XH[:, :c] @ W[:c]), "the other one comes first"),
        (lambda XH, W, c: (XH @ W[:, :c], XH @ W[:, c:]), "between two columns"),
        (lambda XH, W, c: (XH[:, : c - 1] @ W[: c - 1], XH[:, c - 1 :] @ W[c - 1 :]), "too early"),
        (lambda XH, W, c: (XH @ W, 0 * (XH @ W)), "For .* your result is .* expected"),
        (lambda XH, W, c: (XH[:c] @ W, XH[c:] @ W), "For .* your result is .* expected"),
    ],
    "equal_within": [
        (lambda A, B, tolerance: torch.equal(A, B), "bit for bit"),
        (lambda A, B, tolerance: (A == B).all(), "bit for bit"),
        (lambda A, B, tolerance: (A - B).max() <= tolerance * A.abs().max(), "without its sign"),
        (lambda A, B, tolerance: (A - B).abs().mean() <= tolerance * A.abs().max(), "hides among many"),
        (lambda A, B, tolerance: abs((A - B).mean()) <= tolerance * A.abs().max(), "cancel one another"),
        (lambda A, B, tolerance: (A - B).abs().max() <= tolerance, "whatever the size"),
        (lambda A, B, tolerance: torch.allclose(A, B, rtol=tolerance, atol=0), "carries \\*their\\* rounding"),
        (lambda A, B, tolerance: ((A - B).abs() <= tolerance * B.max()).all(), "all are negative"),
        (lambda A, B, tolerance: (A - B).abs().max() / A.abs().max() <= tolerance, "Two tensors of zeros"),
        (lambda A, B, tolerance: (A - B).abs() <= tolerance * A.abs().max(), "one answer for each entry"),
        (lambda A, B, tolerance: True, "For .* your result is True, expected False"),
    ],
    "join_three": [
        (lambda X, H, Z, A, B, C: torch.cat([H, X, Z], 1) @ torch.cat([A, B, C]), "stand in another order"),
        (lambda X, H, Z, A, B, C: torch.cat([X, H, Z], 1) @ torch.cat([C, B, A]), "stand in another order"),
        (lambda X, H, Z, A, B, C: torch.cat([X, H, Z], 1) @ torch.cat([B, C, A]), "stand in another order"),
        (lambda X, H, Z, A, B, C: (X + H + Z) @ (A + B + C), "then `X` meets `W_hh` too"),
        (lambda X, H, Z, A, B, C: torch.cat([X, H], 1) @ torch.cat([A, B]), "`Z`, is missing"),
        (lambda X, H, Z, A, B, C: X @ A + H @ B + Z @ C, "makes 3 matrix products"),
        (lambda X, H, Z, A, B, C: torch.cat([X, H, Z]) @ torch.cat([A, B, C]), "raised RuntimeError"),
        (lambda X, H, Z, A, B, C: torch.cat([X, H, Z]) @ torch.cat([A, B, C], 1), "Which axis"),
    ],
    "gradient_blocks": [
        (swapped_blocks, "but swapped"),
        (transposed, "has the shape of its matrix"),
        (no_slope, "tanh is missing"),
        (mean_of_rows, "divide by the number of rows"),
        (uncut, "still has to be cut"),
        (automatic, "autograd found them"),
        (lambda X, H, W_xh, W_hh: (0 * W_xh, 0 * W_hh), "For .* your result is .* expected"),
        (not_transposed, "For .* your result is|raised RuntimeError"),
    ],
}
