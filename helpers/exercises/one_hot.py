"""Checks of notebook 02."""

import torch
from torch.nn import functional as F

from .answer import Wrong, call, value
from .compare import agrees, as_tensor, describe
from .exercise import exercise, variants


def _distinct(generator, rows, steps, vocab_size):
    """Indices (rows, steps) of which no two are the same, so that each has one place only."""
    return torch.randperm(vocab_size, generator=generator)[: rows * steps].reshape(rows, steps)


@exercise("warm-up", 2, "Two tokens stand before a, and what is not in the vocabulary becomes 0, capitals too.")
class indices_of_oh_no:  # the indices of "Oh no" in the vocabulary of the course
    def right():
        return [0, 9, 1, 15, 16]

    def otherwise(result):
        return f"{describe(result)} is not right: five whole numbers are asked for, one for each character."

    def run(answer):
        given = value(answer)
        return given.tolist() if isinstance(given, torch.Tensor) else given

    @variants(
        indices={
            (16, 9, 1, 15, 16): "Nobody cleaned this text: does the vocabulary hold a capital O?",
            (1, 9, 1, 15, 16): "Nobody cleaned this text, so nothing has made a space of the capital O.",
            (9, 1, 15, 16): "A character is missing: one that is not in the vocabulary is not left out, it gets an "
            "index.",
            (0, 9, 15, 16): "The space is a token too: five characters have five indices.",
            (16, 9, 15, 16): "The space is a token too: five characters have five indices.",
            (9, 15, 16): "The space is a token too, and an unknown character is not left out: five characters, five "
            "indices.",
            (0, 9, 0, 15, 16): "The space is in the vocabulary: the book is full of it.",
        }
    )
    def other_indices(indices):
        return list(indices)

    @variants(first=(0, 1, 16), space=(0, 1, 2))
    def one_too_high(first, space):
        """Your letters are one too high: how many tokens stand before a, and what is the index of the first?"""
        return [first, 10, space, 16, 17]

    @variants(first=(0, 1, 14, 15), space=(0, 1, 2))
    def one_too_low(first, space):
        """Your letters are one too low: two tokens, not one, stand before a."""
        return [first, 8, space, 14, 15]

    @variants(first=(0, 1, 14, 27), space=(-1, 0, 1, 2, 26))
    def two_too_low(first, space):
        """Your letters are two too low: a does not have the index 0. What stands before it?"""
        return [first, 7, space, 13, 14]


@exercise("core", 10, "The rows of the identity matrix are the one-hot vectors: to pick is to encode.")
class one_hot_by_hand:  # one_hot(X, vocab_size) without F.one_hot, time first
    forbidden = {("one_hot",): "The numbers are right, but `F.one_hot` made them. Make the vectors yourself."}

    def cases(generator):
        return [(_distinct(generator, *shape, size), size) for *shape, size in ((1, 2, 3), (2, 3, 7), (3, 5, 28))]

    def then(generator):
        ends = [[0], [3]], [[0, 3, 0], [3, 0, 0]], [[0, 1, 2], [1, 2, 0]], [[0]]  # also without the highest index
        return [*((torch.tensor(X), 4) for X in ends), (torch.randint(28, (4, 40), generator=generator), 28)]

    def right(X, vocab_size):
        return F.one_hot(X.T, vocab_size).float()

    from_case = {
        lambda X, n: (X.T, n): "Right for batch first: did you forget to transpose `X` to (time, batch)?",
        lambda X, n: (X.reshape(X.T.shape).T, n): "The shape is right, the order is not: `reshape` cuts anew where "
        "`.T` swaps the axes.",
        lambda X, n: ((X - 1) % n, n): "Every 1 stands one place too low: indices count from 0, and 0 is `<unk>`.",
        lambda X, n: (X, int(X.max()) + 1): "Your vectors are as long as the largest index in `X` asks for: "
        "`vocab_size` says how long they should be.",
    }
    from_right = {
        lambda r: r.mT: "Your axes are (time, vocab, batch): the vector of a token should lie along the *last* axis.",
        lambda r: r.sum(dim=1): "You put all rows of one time step into one vector: the batch axis is gone.",
    }

    def also(answer, generator):
        made = as_tensor(call(answer, *one_hot_by_hand.parts["cases"](generator)[-1]))
        if not made.is_floating_point():
            kind = str(made.dtype).removeprefix("torch.")
            raise Wrong(
                f"The places are right, but your numbers are {kind}: `inputs @ W_xh` needs floating-point numbers, "
                "0.0 and 1.0."
            )


NOT_PICKED = "The numbers are right, but you made one-hot vectors or multiplied. Pick instead."


@exercise("core", 10, "A one-hot vector times a matrix picks; a table from which indices pick is an embedding.")
class embed:  # one_hot(X, vocab_size) @ weight.T without a product; weight is (hidden, vocab), as PyTorch stores it
    forbidden = {("one_hot",): NOT_PICKED}

    def cases(generator):  # hidden units enough for a row to be picked by mistake
        sizes = (1, 2, 3, 3), (2, 3, 7, 8), (3, 4, 12, 13)
        return [(_distinct(generator, *shape), torch.randn(h, shape[2], generator=generator)) for *shape, h in sizes]

    def then(generator):
        sizes = (2, 5, 28, 4), (1, 4, 6, 3), (4, 1, 6, 1), (1, 1, 5, 2), (5, 20, 6, 7)
        return [
            (torch.randint(vocab, (rows, steps), generator=generator), torch.randn(h, vocab, generator=generator))
            for rows, steps, vocab, h in sizes
        ]

    def right(X, weight):
        return F.one_hot(X.T, weight.shape[1]).float() @ weight.T

    from_case = {
        lambda X, weight: (X.T, weight): "Your result is batch first, (batch, time, hidden). Time should come first.",
        lambda X, weight: (X.reshape(X.T.shape).T, weight): "The shape is right, the order is not: `reshape` cuts `X` "
        "anew where `.T` swaps its axes.",
    }
    from_right = {
        lambda r: r.permute(2, 0, 1): "You pick the right numbers, but the axes are (hidden, time, batch). The hidden "
        "units belong last.",
        lambda r: r.permute(2, 1, 0): "You pick the right numbers, but the axes are (hidden, batch, time): all three "
        "are out of place.",
        lambda r: r.permute(2, 0, 1).reshape(r.shape): "The shape is right, the order is not: `reshape` cuts anew. To "
        "swap axes, use `permute` or `movedim`.",
    }

    def also(answer, generator):
        """A product meets every column of `weight`, also those of tokens that do not occur; picking does not."""
        X, weight = torch.tensor([[1, 4, 1], [2, 5, 4]]), torch.randn(8, 6, generator=generator)
        weight[:, [0, 3]] = torch.nan
        if not agrees(call(answer, X, weight), weight.T[X.T]):
            raise Wrong(NOT_PICKED)

    def rows_picked(X, weight):
        """You pick rows of `weight`, and a row of it belongs to a hidden unit. Which axis counts the tokens?"""
        return weight[X.T]

    def rows_picked_batch_first(X, weight):
        """You pick rows of `weight`, which belong to hidden units, and time does not come first."""
        return weight[X]


@exercise("stretch", 20, "Read down a column, from one minibatch to the next: there stands the text, without a gap.")
class cut_text:  # the minibatches (minibatches, time, batch) of a long text, whose rows read on without a gap
    def cases(generator):
        sizes = (7, 2, 1), (11, 2, 2), (40, 3, 4), (83, 4, 5), (24, 2, 3)
        return [(torch.randperm(length, generator=generator), B, T) for length, B, T in sizes]

    def then(generator):  # single rows, steps and minibatches, and nothing left over
        sizes = (9, 1, 4), (3, 1, 1), (7, 2, 3), (3, 3, 1), (12, 2, 3), (35, 6, 5), (1000, 7, 11)
        return [(torch.randint(28, (length,), generator=generator), B, T) for length, B, T in sizes]

    def right(corpus, B, T):
        row_length = len(corpus) // B
        columns = [[corpus[b * row_length + s] for b in range(B)] for s in range(row_length)]
        return torch.tensor([columns[k * T : (k + 1) * T] for k in range(row_length // T)])

    from_right = {
        lambda r: r.mT: "Your minibatches are (batch, time). Time should come first.",
        lambda r: r.permute(2, 0, 1).reshape(r.shape): "The text is scrambled: `reshape` cuts the rows anew, and it "
        "cannot swap axes.",
        lambda r: r.permute(2, 0, 1): "Your axes are (batch, minibatches, time): the rows are cut, but all three axes "
        "are out of place.",
        lambda r: r.flatten(0, 1): "You have the columns, (time, batch), of the whole text: now cut them into "
        "minibatches.",
    }

    @variants(
        cut={  # the text, as far as it fills minibatches, for B rows and T steps
            lambda text, B, T: text.reshape(-1, T, B): "The text runs along the batch axis: neighbours in time should "
            "be neighbours in the text.",
            lambda text, B, T: text.reshape(-1, B, T).mT: "Every minibatch is right by itself, but its rows do not "
            "read on in the next one: cut the long rows first.",
            lambda text, B, T: text.reshape(-1, B, T): "The rows do not read on in the next minibatch, and time does "
            "not come first.",
            lambda text, B, T: text.reshape(B, -1, T).permute(1, 2, 0): "Your second row starts too early: cut the "
            "text into the longest rows that fit, and only then into steps.",
        }
    )
    def short_rows(corpus, B, T, cut):
        return cut(corpus[: len(corpus) // (B * T) * B * T], B, T)
