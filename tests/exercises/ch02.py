"""Wrong answers to the exercises of notebook 02, each with a pattern that the check's hint must match."""

import torch
from torch.nn import functional as F


def columns_reshaped(X, weight):
    return weight[:, X.T].reshape(X.shape[1], X.shape[0], -1)


def rows_of(corpus, batch_size):
    return corpus[: len(corpus) // batch_size * batch_size].reshape(batch_size, -1)


def batch_first(corpus, batch_size, num_steps):
    rows = rows_of(corpus, batch_size)
    return torch.stack([rows[:, i : i + num_steps] for i in range(0, rows.shape[1] - num_steps + 1, num_steps)])


def scrambled(corpus, batch_size, num_steps):
    rows = rows_of(corpus, batch_size)
    return rows[:, : rows.shape[1] // num_steps * num_steps].reshape(-1, num_steps, batch_size)


def only_reshaped(corpus, batch_size, num_steps):
    end = len(corpus) // (batch_size * num_steps) * batch_size * num_steps
    return corpus[:end].reshape(-1, num_steps, batch_size)


def short_pieces(corpus, batch_size, num_steps):
    end = len(corpus) // (batch_size * num_steps) * batch_size * num_steps
    return corpus[:end].reshape(-1, batch_size, num_steps).transpose(1, 2)


def rows_too_short(corpus, batch_size, num_steps):
    n = len(corpus) // (batch_size * num_steps)
    return corpus[: n * batch_size * num_steps].reshape(batch_size, n, num_steps).permute(1, 2, 0)


def cut_but_not_turned(corpus, batch_size, num_steps):
    rows = rows_of(corpus, batch_size)
    return rows[:, : rows.shape[1] // num_steps * num_steps].reshape(batch_size, -1, num_steps)


def with_the_rest(corpus, batch_size, num_steps):
    return list(rows_of(corpus, batch_size).T.split(num_steps))


WRONG = {
    "indices_of_oh_no": [
        ([16, 9, 1, 15, 16], "Nobody cleaned"),
        ([0, 8, 0, 14, 15], "one too low"),
        ([0, 10, 1, 16, 17], "one too high"),
        ([1, 9, 1, 15, 16], "made a space of the capital"),
        (torch.tensor([0, 7, 26, 13, 14]), "two too low"),
        ([0, 9, 15, 16], "space is a token"),
        ([9, 1, 15, 16], "not left out"),
        ([1, 2, 3, 4, 5], "The answer is not"),
    ],
    "one_hot_by_hand": [
        (lambda X, n: F.one_hot(X, n).float(), "forget to transpose"),
        (lambda X, n: torch.eye(n)[X], "forget to transpose"),
        (lambda X, n: torch.eye(n)[X.reshape(X.shape[1], X.shape[0])], "`reshape` cuts anew"),
        (lambda X, n: torch.eye(n)[X.T].transpose(1, 2), "along the \\*last\\* axis"),
        (lambda X, n: torch.eye(n)[X.T - 1], "one place too low"),
        (lambda X, n: F.one_hot(X.T, n), "`F.one_hot` made them"),
        (lambda X, n: torch.eye(n, dtype=torch.int64)[X.T], "your numbers are int64"),
        (lambda X, n: X.T[:, :, None] == torch.arange(n), "your numbers are bool"),
        (lambda X, n: torch.eye(n).int()[X.T].tolist(), "your numbers are int64"),
        (lambda X, n: 2 * torch.eye(n)[X.T], "For .* your result is .* expected"),
    ],
    "embed": [
        (lambda X, weight: weight.T[X], "batch first"),
        (lambda X, weight: weight[X.T], "belongs to a hidden unit"),
        (lambda X, weight: weight[:, X.T], r"axes are \(hidden, time, batch\)"),
        (columns_reshaped, "the order is not"),
        (lambda X, weight: F.one_hot(X.T, weight.shape[1]).float() @ weight.T, "multiplied"),
        (lambda X, weight: torch.eye(weight.shape[1])[X.T] @ weight.T, "multiplied"),
        (lambda X, weight: weight.T[X.T] + 1, "For .* your result is .* expected"),
    ],
    "cut_text": [
        (batch_first, r"minibatches are \(batch, time\)"),
        (scrambled, "text is scrambled"),
        (only_reshaped, "along the batch axis"),
        (short_pieces, "do not read on"),
        (rows_too_short, "second row starts too early"),
        (cut_but_not_turned, r"Your axes are \(batch, minibatches, time\)"),
        (lambda corpus, B, T: rows_of(corpus, B).T, "For .* shape"),
        (with_the_rest, "is expected, but the result is"),
    ],
}
