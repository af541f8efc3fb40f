"""Checks of notebook 02."""

import torch
from torch.nn import functional as F

from .answer import Wrong, as_tensor, call, compare, compare_value, exercise, fresh, value
from .concatenation import PRODUCTS, torch_calls

NOTEBOOK = "02_one_hot"


@exercise(
    NOTEBOOK, "warm-up", 2, "Two tokens stand before a, and what is not in the vocabulary becomes 0, capitals too."
)
def indices_of_oh_no(answer) -> None:
    """The indices of "Oh no" in the vocabulary of the course."""
    expected = [0, 9, 1, 15, 16]
    mistakes = [
        ([16, 9, 1, 15, 16], "Nobody cleaned this text: does the vocabulary hold a capital O?"),
        ([1, 9, 1, 15, 16], "Nobody cleaned this text, so nothing has made a space of the capital O."),
        (
            [9, 1, 15, 16],
            "A character is missing: one that is not in the vocabulary is not left out, it gets an index.",
        ),
        ([0, 9, 15, 16], "The space is a token too: five characters have five indices."),
        (
            [9, 15, 16],
            "The space is a token too, and an unknown character is not left out: five characters, five indices.",
        ),
        ([16, 9, 15, 16], "The space is a token too: five characters have five indices."),
        ([0, 9, 0, 15, 16], "The space is in the vocabulary: the book is full of it."),
    ]
    given = value(answer)
    if isinstance(given, (list, tuple, torch.Tensor)):
        found = as_tensor(given, torch.tensor(expected))
        for shift, hint in (
            (-1, "Your letters are one too high: how many tokens stand before a, and what is the index of the first?"),
            (1, "Your letters are one too low: two tokens, not one, stand before a."),
            (2, "Your letters are two too low: a does not have the index 0. What stands before it?"),
        ):
            if found.shape == (5,) and found[[1, 3, 4]].tolist() == [9 - shift, 15 - shift, 16 - shift]:
                raise Wrong(hint)
    compare_value(answer, expected, mistakes)


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
        (
            lambda X, n: right(X, n).transpose(1, 2),
            "Your axes are (time, vocab, batch): the vector of a token should lie along the *last* axis.",
        ),
        (
            lambda X, n: right((X - 1) % n, n),
            "Every 1 stands one place too low: indices count from 0, and 0 is `<unk>`.",
        ),
        (
            lambda X, n: right(X, n).sum(dim=1),
            "You put all rows of one time step into one vector: the batch axis is gone.",
        ),
    ]
    compare(answer, right, cases, mistakes)
    if "one_hot" in torch_calls(answer, *cases[-1]):
        raise Wrong("The numbers are right, but `F.one_hot` made them. Make the vectors yourself.")
    made = as_tensor(call(answer, *cases[-1]), right(*cases[-1]))
    if not made.is_floating_point():
        kind = str(made.dtype).removeprefix("torch.")
        raise Wrong(
            f"The places are right, but your numbers are {kind}: `inputs @ W_xh` needs floating-point numbers, "
            "0.0 and 1.0."
        )


@exercise(
    NOTEBOOK, "core", 10, "A one-hot vector times a matrix picks; a table from which indices pick is an embedding."
)
def embed(answer) -> None:
    """one_hot(X, vocab_size) @ weight.T without a product; weight is (hidden, vocab), as PyTorch stores it."""
    generator = fresh()

    def case(rows, steps, vocab_size, hidden_size):
        X = torch.randint(vocab_size, (rows, steps), generator=generator)
        return X, torch.randn(hidden_size, vocab_size, generator=generator)

    def right(X, weight):
        return F.one_hot(X.T, weight.shape[1]).float() @ weight.T

    mistakes = [
        (lambda X, w: w.T[X], "Your result is batch first, (batch, time, hidden). Time should come first."),
        (
            lambda X, w: w[X.T],
            "You pick rows of `weight`, and a row of it belongs to a hidden unit. Which axis counts the tokens?",
        ),
        (lambda X, w: w[X], "You pick rows of `weight`, which belong to hidden units, and time does not come first."),
        (
            lambda X, w: w[:, X.T],
            "You pick the right numbers, but the axes are (hidden, time, batch). The hidden units belong last.",
        ),
        (
            lambda X, w: w[:, X],
            "You pick the right numbers, but the axes are (hidden, batch, time): all three are out of place.",
        ),
        (
            lambda X, w: w[:, X.T].reshape(X.shape[1], X.shape[0], len(w)),
            "The shape is right, the order is not: `reshape` cuts anew. To swap axes, use `permute` or `movedim`.",
        ),
        (
            lambda X, w: w.T[X.reshape(X.shape[1], X.shape[0])],
            "The shape is right, the order is not: `reshape` cuts `X` anew where `.T` swaps its axes.",
        ),
    ]
    cases = [
        case(1, 2, 3, 3),
        case(2, 3, 4, 5),
        case(3, 4, 4, 6),
    ]  # hidden units enough for a row to be picked by mistake
    compare(answer, right, cases, mistakes)
    compare(answer, right, [case(2, 5, 28, 4)])
    names = set(torch_calls(answer, *cases[-1]))
    if names & PRODUCTS or "one_hot" in names:
        raise Wrong("The numbers are right, but you made one-hot vectors or multiplied. Pick instead.")


@exercise(
    NOTEBOOK, "stretch", 20, "Read down a column, from one minibatch to the next: there stands the text, without a gap."
)
def cut_text(answer) -> None:
    """The minibatches (minibatches, time, batch) of a long text, whose rows read on without a gap."""
    generator = fresh()
    sizes = ((7, 2, 1), (11, 2, 2), (40, 3, 4), (83, 4, 5), (24, 2, 3))
    cases = [(torch.randint(1, 28, (length,), generator=generator), B, T) for length, B, T in sizes]

    def right(corpus, B, T):
        row_length = len(corpus) // B
        columns = [[corpus[b * row_length + s] for b in range(B)] for s in range(row_length)]
        return torch.tensor([columns[k * T : (k + 1) * T] for k in range(row_length // T)])

    def rows(corpus, B):
        return corpus[: len(corpus) // B * B].reshape(B, -1)

    def whole(corpus, B, T):
        return corpus[: len(corpus) // (B * T) * B * T]

    def short_rows(corpus, B, T):
        n = len(corpus) // B // T
        return corpus[: B * n * T].reshape(B, n, T).permute(1, 2, 0)

    mistakes = [
        (
            lambda corpus, B, T: right(corpus, B, T).transpose(1, 2),
            "Your minibatches are (batch, time). Time should come first.",
        ),
        (
            lambda corpus, B, T: rows(corpus, B)[:, : len(corpus) // B // T * T].reshape(-1, T, B),
            "The text is scrambled: `reshape` cuts the rows anew, and it cannot swap axes.",
        ),
        (
            lambda corpus, B, T: whole(corpus, B, T).reshape(-1, T, B),
            "The text runs along the batch axis: neighbours in time should be neighbours in the text.",
        ),
        (
            lambda corpus, B, T: whole(corpus, B, T).reshape(-1, B, T).transpose(1, 2),
            "Every minibatch is right by itself, but its rows do not read on in the next one: cut the long rows first.",
        ),
        (
            lambda corpus, B, T: whole(corpus, B, T).reshape(-1, B, T),
            "The rows do not read on in the next minibatch, and time does not come first.",
        ),
        (
            short_rows,
            "Your second row starts too early: cut the text into the longest rows that fit, and only then into steps.",
        ),
        (
            lambda corpus, B, T: rows(corpus, B)[:, : len(corpus) // B // T * T].reshape(B, -1, T),
            "Your axes are (batch, minibatches, time): the rows are cut, but all three axes are out of place.",
        ),
        (
            lambda corpus, B, T: rows(corpus, B)[:, : len(corpus) // B // T * T].T,
            "You have the columns, (time, batch), of the whole text: now cut them into minibatches.",
        ),
    ]
    compare(answer, right, cases, mistakes)
