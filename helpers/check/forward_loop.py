"""Checks of notebook 04."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from ..rnn import RNN, TorchRNN
from .answer import Wrong, agrees, as_tensor, call, compare, describe, exercise, explain_difference, fresh, value
from .concatenation import compare_briefly

NOTEBOOK = "04_forward_loop"

# the network of the first exercise: its sums are so large that every unit ends within 0.01 of −1 or 1
HAND_W_XH = np.array([[1, -4], [0, -1], [3, 1]])
HAND_W_HH = np.array([[-4, -2], [4, -2]])
HAND_B_H = np.array([2, -2])


def _by_hand(squash: Callable = np.tanh, W_hh=HAND_W_HH, b_h=HAND_B_H, show: Callable = np.round) -> torch.Tensor:
    """The states after a, b and c from H = 0, as `show` gives them."""
    H, states = np.zeros(2), []
    for row in HAND_W_XH:
        total = row + H @ W_hh + b_h
        H = squash(total)
        states.append(show(total if show is np.copy else H))
    return torch.as_tensor(np.array(states, dtype=float))


@exercise(NOTEBOOK, "warm-up", 3, "Each state is made of the letter and of the state before: that is all a step does.")
def three_steps(answer) -> None:
    """The states of a network of two units after a, b and c, rounded to whole numbers."""
    right = _by_hand()
    given = as_tensor(value(answer), right)
    if given.shape != right.shape:
        raise Wrong(f"Three states of two units each are asked for, [[a, a], [b, b], [c, c]], not {describe(given)}.")
    close = 0.02  # unrounded values are right too
    if agrees(given, right, close):
        return
    mistakes = [
        (_by_hand(W_hh=0 * HAND_W_HH), "The memory is missing: from the second letter on, `H @ W_hh` is not zero."),
        (
            _by_hand(W_hh=HAND_W_HH.T),
            "`W_hh` is used from the wrong side: in `H @ W_hh`, the first unit of H goes with the first row.",
        ),
        (_by_hand(b_h=0 * HAND_B_H), "The bias is missing: it is added at every step."),
        (_by_hand(squash=lambda total: total), "tanh is missing: what is handed on is the tanh of the sum."),
        (_by_hand(show=np.copy), "These are the sums. The state is their tanh, and never beyond −1 or 1."),
    ]
    for mistaken, hint in mistakes:
        if agrees(given, mistaken, close):
            raise Wrong(hint)
    wrong = [not agrees(ours, theirs, close) for ours, theirs in zip(given, right, strict=True)].index(True)
    before = "the state before it is zero" if wrong == 0 else f"the state before it is the one after {'abc'[wrong - 1]}"
    raise Wrong(f"The state after {'abc'[wrong]} is not right: its row of `W_xh` and `b_h` are added, and {before}.")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _read(model, pieces, reset=False, keep=-1, outputs_of=torch.cat):
    """Read the pieces; with `reset` each from the first state. keep: the piece whose state is returned."""
    state, outputs, states = model.initial_state(len(pieces[0])), [], []
    for X in pieces:
        read, new = model(X, state)
        state = state if reset else new
        outputs.append(read)
        states.append(new)
    return outputs_of(outputs), states[keep]


class _Counting:
    """A model that writes down how many steps each of its calls reads."""

    def __init__(self, model):
        self.model, self.steps = model, []

    def __getattr__(self, name: str):  # whatever else a model has
        return getattr(self.model, name)

    def forward(self, X, state):
        result = self.model(X, state)
        self.steps.append(X.shape[1])
        return result

    __call__ = forward


READING_MISTAKES = [
    (
        lambda model, pieces: _read(model, pieces)[::-1],
        "The two parts are swapped: the outputs come first, then the state.",
    ),
    (
        lambda model, pieces: _read(model, pieces, reset=True),
        "Every piece is read from the first state, as if nothing came before it: whose state should the next one get?",
    ),
    (
        lambda model, pieces: (_read(model, pieces)[0], model.initial_state(len(pieces[0]))),
        "The outputs are right, but the state that you return is the one before anything was read.",
    ),
    (
        lambda model, pieces: _read(model, pieces, keep=0),
        "The outputs are right, but the state that you return is the one after the first piece.",
    ),
    (
        lambda model, pieces: _read(model, pieces, keep=-2),
        "The outputs are right, but the state that you return is the one before the last piece.",
    ),
    (
        lambda model, pieces: _read(model, pieces, outputs_of=lambda outputs: outputs[-1]),
        "Only the last piece's outputs come back: keep those of all pieces.",
    ),
    (
        lambda model, pieces: _read(model, pieces, outputs_of=list),
        "The outputs are a list of pieces: join them along the time axis into one tensor.",
    ),
    (
        lambda model, pieces: _read(model, pieces[::-1]),
        "The pieces are read in the wrong order: the first comes first.",
    ),
    (
        lambda model, pieces: _read(model, pieces, outputs_of=lambda outputs: torch.cat(outputs[::-1])),
        "The outputs are joined in the wrong order: those of the first piece come first.",
    ),
]


@exercise(
    NOTEBOOK, "core", 10, "The state is all that a network knows of its past, so where a text is cut does not matter."
)
def read_in_pieces(answer) -> None:
    """read_in_pieces(model, pieces): the outputs over all pieces, and the state after the last one."""
    generator = fresh()

    def pieces(vocab_size, batch_size, *lengths):
        return [torch.randint(vocab_size, (batch_size, length), generator=generator) for length in lengths]

    def model(kind, *sizes):
        seed = int(torch.randint(1000, (), generator=generator))
        if kind == "RNN":
            return RNN(*sizes, sigma=0.7, seed=seed, device="cpu", dtype=torch.float64)
        return TorchRNN(kind, *sizes, seed=seed, device="cpu", dtype=torch.float64)

    cases = [
        (model("RNN", 3, 2), pieces(3, 1, 2, 1)),
        (model("RNN", 5, 4), pieces(5, 3, 2, 2, 2)),
        (model("LSTM", 4, 3), pieces(4, 2, 3, 1, 2)),
    ]
    counting = [_Counting(network) for network, _ in cases]
    results = [call(answer, model, parts) for model, (_, parts) in zip(counting, cases, strict=True)]
    expected = []
    for network, parts in cases:
        X = torch.cat(parts, dim=1)  # (batch, time): all pieces at once
        expected.append(network(X, network.initial_state(len(X))))
    for result in results:
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise Wrong(
                f"Two things are asked for, the outputs and the last state, but the result is {describe(result)}."
            )
    if all(map(agrees, results, expected)):
        for model, (_, parts) in zip(counting, cases, strict=True):
            if max(model.steps, default=0) > max(X.shape[1] for X in parts):
                raise Wrong(
                    f"The numbers are right, but the pieces were joined before reading: the model was called "
                    f"{_times(len(model.steps))} for {len(parts)} pieces, so all of a long text must be in memory."
                )
        return
    for mistaken, hint in READING_MISTAKES:
        if all(agrees(result, mistaken(*case)) for result, case in zip(results, cases, strict=True)):
            raise Wrong(hint)
    for (_, parts), (outputs, state), (right_outputs, right_state) in zip(cases, results, expected, strict=True):
        rows = "1 row" if len(parts[0]) == 1 else f"{len(parts[0])} rows"
        asked = f"For pieces of {' and '.join(str(X.shape[1]) for X in parts)} steps, {rows},"
        if not agrees(outputs, right_outputs):
            raise Wrong("First part, the outputs: " + explain_difference(outputs, right_outputs, asked))
        if not isinstance(state, (tuple, list)):
            raise Wrong(
                f"The second part should be the state as the model returns it, a tuple, but it is {describe(state)}."
            )
        if not agrees(state, right_state):
            raise Wrong(f"The outputs are right, but not the state. {asked} it is {describe(state)}.")


def _losses(outputs: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of each place, of the shape of Y."""
    return F.cross_entropy(outputs.flatten(0, 1), Y.flatten(), reduction="none").reshape(Y.shape)


@exercise(
    NOTEBOOK,
    "core",
    10,
    "Each guess met its own character. PyTorch compares any two lists of one length, so the order is yours to watch.",
)
def loss_by_step(answer) -> None:
    """loss_by_step(outputs, Y), both batch first: the mean loss over the rows for every time step."""
    generator = fresh()
    cases = [
        (
            torch.randn(batch, time, vocab, generator=generator, dtype=torch.float64),
            torch.randint(vocab, (batch, time), generator=generator),
        )
        for batch, time, vocab in ((1, 2, 3), (2, 3, 4), (4, 4, 5), (3, 7, 5))
    ]

    def right(outputs, Y):
        probabilities = outputs.softmax(dim=2).gather(2, Y[:, :, None])[:, :, 0]  # (batch, time)
        return -probabilities.log().mean(dim=0)

    habit = (
        "The guesses are in the order of the batch, the characters in the order of time (`Y.T`): each guess is "
        "compared with a character of another place, and PyTorch cannot know."
    )
    half = (
        "Only the outputs have changed places: `Y` is still batch first, "
        "so each guess meets a character of another place."
    )
    mistakes = [
        (lambda out, Y: _losses(out.reshape(*out.shape[1::-1], -1), Y.T).mean(dim=1), habit),
        (lambda out, Y: _losses(out.reshape(*out.shape[1::-1], -1), Y.T).reshape(Y.shape).mean(dim=0), habit),
        (lambda out, Y: _losses(out.transpose(0, 1), Y.reshape(Y.T.shape)).mean(dim=1), half),
        (
            lambda out, Y: _losses(out, Y).mean(dim=1),
            "This is one loss for each row: average over the rows, not over the time.",
        ),
        (
            lambda out, Y: _losses(out, Y).reshape(Y.T.shape).mean(dim=1),
            "The loss of each place is right; their order is not (time, batch), and `reshape` does not change it.",
        ),
        (
            lambda out, Y: _losses(out, Y).mean(),
            "This is one loss for everything: one number for each time step is asked for.",
        ),
        (
            lambda out, Y: _losses(out, Y).sum(dim=0),
            "You add up the rows: take their mean, or a larger minibatch looks worse.",
        ),
        (lambda out, Y: _losses(out, Y), "This is one loss for each place: average over the rows."),
        (
            lambda out, Y: _losses(out, Y).mean(dim=0).exp(),
            "This is the perplexity of each step; the loss is asked for.",
        ),
        (
            lambda out, Y: _losses(out, Y).mean(dim=0) / np.log(2),
            "This is the loss in bits: the text asks for nats, from the natural logarithm.",
        ),
        (
            lambda out, Y: _losses(out.softmax(dim=2), Y).mean(dim=0),
            "The outputs went through softmax twice: `F.cross_entropy` does it itself.",
        ),
    ]
    compare(answer, right, cases, mistakes)


def _states(X: torch.Tensor, params: tuple, H=None, squash: Callable = np.tanh) -> np.ndarray:
    """The state after each token, (time, hidden)."""
    W_xh, W_hh, b_h = (p.numpy() for p in params[:3])
    H, states = np.zeros(len(W_hh)) if H is None else H, []
    for i in X.tolist():
        H = squash(W_xh[i] + H @ W_hh + b_h)
        states.append(H)
    return np.array(states)


@exercise(
    NOTEBOOK,
    "stretch",
    25,
    "What was read is multiplied by W_hh again and again: small weights let it fade, large ones keep or stir it.",
)
def remembered(answer) -> None:
    """remembered(first, second, params): the distance of the two states over time, as a share of the first."""
    generator = fresh()
    cases = []
    for vocab_size, hidden_size, num_steps in ((3, 2, 2), (4, 3, 5), (6, 8, 12)):
        V, h = vocab_size, hidden_size
        shapes = ((V, h), (h, h), (h,), (h, V), (V,))
        params = tuple(torch.randn(shape, generator=generator, dtype=torch.float64) * 0.6 for shape in shapes)
        first = torch.randint(vocab_size, (num_steps,), generator=generator)
        second = first.clone()
        second[0] = (first[0] + 1) % vocab_size
        cases.append((first, second, params))

    def differences(first, second, params, squash=np.tanh):
        return _states(first, params, squash=squash) - _states(second, params, squash=squash)

    def distances(first, second, params, squash=np.tanh):
        return torch.as_tensor(np.linalg.norm(differences(first, second, params, squash), axis=1))

    def right(*case):
        return distances(*case) / distances(*case)[0]

    def stepwise(*case):
        d = distances(*case)
        return torch.cat([torch.ones(1), d[1:] / d[:-1]])

    def of_outputs(first, second, params):
        d = torch.as_tensor(np.linalg.norm(differences(first, second, params) @ params[3].numpy(), axis=1))
        return d / d[0]

    def one_after_the_other(first, second, params):
        one = _states(first, params)
        d = torch.as_tensor(np.linalg.norm(one - _states(second, params, one[-1]), axis=1))
        return d / d[0]

    def without_memory(first, second, params):
        W_xh, _, b_h = (p.numpy() for p in params[:3])
        d = torch.as_tensor(np.linalg.norm(np.tanh(W_xh[first] + b_h) - np.tanh(W_xh[second] + b_h), axis=1))
        return d / d[0]

    def without_bias(first, second, params):
        W_xh, W_hh, b_h, *rest = params
        return right(first, second, (W_xh, W_hh, 0 * b_h, *rest))

    def from_the_wrong_side(first, second, params):
        W_xh, W_hh, *rest = params
        return right(first, second, (W_xh, W_hh.T, *rest))

    def without_tanh(*case):
        d = distances(*case, squash=lambda total: total)
        return d / d[0]

    def asked(first, second, params):
        return f"For the texts {describe(first)} and {describe(second)} and {len(params[1])} hidden units,"

    def of_sums(first, second, params):
        d = torch.as_tensor(np.abs(differences(first, second, params)).sum(axis=1))
        return d / d[0]

    mistakes = [
        (distances, "These are the distances themselves: divide them by the one after the first letter."),
        (stepwise, "You divide by the distance one step before; the one after the first letter is asked for."),
        (lambda *case: distances(*case)[1:] / distances(*case)[:-1], "You divide by the distance one step before."),
        (lambda *case: right(*case)[1:], "The ratio of the first step is missing: it is 1."),
        (lambda *case: 1 / right(*case), "The ratio is upside down."),
        (lambda *case: right(*case) ** 2, "These are the squares: the distance is the root of the sum of squares."),
        (of_sums, "You add up the absolute differences: the distance is the root of the sum of squares."),
        (of_outputs, "These are the distances of the outputs. The states are asked for."),
        (one_after_the_other, "The second text starts from where the first ended: each is read from a state of zeros."),
        (without_memory, "The state before is not used: then nothing can be remembered."),
        (without_bias, "The bias `b_h` is missing: it is added at every step, and the tanh bends the sum with it."),
        (
            from_the_wrong_side,
            "`W_hh` is used from the wrong side. It is square, so its transpose fits too, and no error tells you.",
        ),
        (without_tanh, "tanh is missing: the state that is handed on is the tanh of the sum."),
    ]
    compare_briefly(answer, right, cases, mistakes, asked)
