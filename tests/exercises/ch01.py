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


def with_gradient_of_sums(rule):
    def answer(X, H, W_xh, W_hh):
        S = X @ W_xh + H @ W_hh
        G = rule(S, torch.tanh(S))
        return X.T @ G, H.T @ G

    return answer


def largest(A, B):
    return max(A.abs().max(), B.abs().max())


def right_but(A, B, tolerance):
    """Right, but for one entry that is far off among many."""
    return equal(A, B, tolerance) or (int(((A - B).abs() > tolerance * largest(A, B)).sum()) == 1 and len(A) >= 10)


def equal(A, B, tolerance, factor=1):
    return bool(((A - B).abs() <= factor * tolerance * largest(A, B)).all())


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
        (lambda A, B, t: ((A.abs() - B.abs()).abs() <= t * largest(A, B)).all(), "then 5 and −5 are equal"),
        (lambda A, B, t: (A - B).abs().max() <= t * max(A.max().abs(), B.max().abs()), "of 1, 2 and −5 here"),
        (lambda A, B, t: (A - B).abs().max() <= t * A.max().abs(), "of 1, 2 and −5 here"),
        (lambda A, B, t: (A - B).abs().max() <= t * A.abs().max(), "stand in `B`"),
        (lambda A, B, t: (A - B).abs().max() <= t * B.abs().max(), "stand in `A`"),
        (lambda A, B, t: (A - B).abs().max() <= t * (A.abs().max() + B.abs().max()), "add the largest numbers"),
        (lambda A, B, t: equal(A, B, t, 2), r"your result is True, expected False"),
        (lambda A, B, t: equal(A, B, t, 10), r"your result is True, expected False"),
        (lambda A, B, t: equal(A, B, t, 0.5), r"your result is False, expected True"),
        (lambda A, B, t: (A - B).norm() <= t * max(A.norm(), B.norm()), "compare whole tensors"),
        (lambda A, B, t: (A - B).norm() <= t * A.norm(), "compare whole tensors"),
        (lambda A, B, t: (A - B).square().mean().sqrt() <= t * largest(A, B), "You judge the mean"),
        (lambda A, B, t: (A - B).abs().max() / largest(A, B) <= t, "Two tensors of zeros"),
        (lambda A, B, t: (A - B).abs().mean() <= t * A.abs().mean(), "compare whole tensors"),
        (lambda A, B, t: (A - B).abs().max() <= t * A.abs().mean(), "by the mean size of the numbers"),
        (right_but, "One entry that is far off passes"),
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
        (lambda X, H, Z, A, B, C: torch.cat([X, H, Z]), r"For X \(2, 3\).* the shape \(6, 3\) instead|For \[\["),
        (lambda X, H, Z, A, B, C: X @ A.T + H @ B + Z @ C, r"^❌ For X \(2, 3\), H \(2, 3\), Z [^\[]* your result is"),
    ],
    "gradient_blocks": [
        (swapped_blocks, "but swapped"),
        (transposed, "has the shape of its matrix"),
        (no_slope, "tanh is missing"),
        (mean_of_rows, "divide by the number of rows"),
        (with_gradient_of_sums(lambda S, A: 2 * A * (1 - A**2) / A.shape[1]), "divide by the number of hidden units"),
        (with_gradient_of_sums(lambda S, A: (1 - A**2) / A.numel()), "but not that of the square"),
        (with_gradient_of_sums(lambda S, A: A**2 * (1 - A**2) / A.numel()), "where its slope belongs"),
        (with_gradient_of_sums(lambda S, A: 2 * S * (1 - A**2) / A.numel()), "what is squared is the tanh"),
        (with_gradient_of_sums(lambda S, A: 3 * A * (1 - A**2) / A.numel()), "For .* your result is .* expected"),
        (uncut, "still has to be cut"),
        (automatic, "autograd found them"),
        (lambda X, H, W_xh, W_hh: (0 * W_xh, 0 * W_hh), "For .* your result is .* expected"),
        (not_transposed, "For .* your result is|raised RuntimeError"),
    ],
}
