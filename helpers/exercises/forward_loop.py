"""Checks of notebook 04."""

import math

import torch
from torch.nn import functional as F

from ..rnn import RNN, TorchRNN, param_shapes
from .answer import Wrong, call
from .compare import agrees, as_tensor, describe
from .exercise import exercise, variants


def _states(X: torch.Tensor, params: tuple, H: torch.Tensor | float = 0.0, how: str = "") -> torch.Tensor:
    """The state after each token, (time, hidden); `how` names a mistake."""
    W_xh, W_hh, b_h = params[:3]
    W_hh = {"no_memory": 0 * W_hh, "from_the_wrong_side": W_hh.T}.get(how, W_hh)
    H, states = H + torch.zeros_like(b_h), []
    for i in X:
        total = W_xh[i] + H @ W_hh + (0 if how == "no_bias" else b_h)
        H = total if how == "no_tanh" else torch.tanh(total)
        states.append(H)
    return torch.stack(states)


# the network of the first exercise: its sums are so large that every unit ends within 0.01 of −1 or 1
W_XH = torch.tensor([[1.0, -4.0], [0.0, -1.0], [3.0, 1.0]])
W_HH, B_H = torch.tensor([[-4.0, -2.0], [4.0, -2.0]]), torch.tensor([2.0, -2.0])


def _by_hand(how: str = "") -> torch.Tensor:
    return _states(torch.arange(3), (W_XH, W_HH, B_H), how=how).round()


@exercise("warm-up", 3, "Each state is made of the letter and of the state before: that is all a step does.")
class three_steps:
    atol = 0.02  # states that are not rounded are right, too

    right = _by_hand

    def otherwise(result):
        found, right = as_tensor(result), _by_hand()
        if found is None or found.shape != right.shape:
            return f"Three states of two units each are asked for, [[a, a], [b, b], [c, c]], not {describe(result)}."
        wrong = [agrees(ours, theirs, 0.02) for ours, theirs in zip(found, right, strict=True)].index(False)
        before = f"the state before it is {'the one after ' + 'abc'[wrong - 1] if wrong else 'zero'}"
        return f"The state after {'abc'[wrong]} is not right: its row of `W_xh` and `b_h` are added, and {before}."

    from_case = {
        lambda: ("no_memory",): "The memory is missing: from the second letter on, `H @ W_hh` is not zero.",
        lambda: ("from_the_wrong_side",): "`W_hh` is used from the wrong side: in `H @ W_hh`, the first unit of H goes "
        "with the first row.",
        lambda: ("no_bias",): "The bias is missing: it is added at every step.",
        lambda: ("no_tanh",): "tanh is missing: what is handed on is the tanh of the sum.",
    }

    def sums():
        """These are the sums. The state is their tanh, and never beyond −1 or 1."""
        return W_XH + torch.cat([torch.zeros(1, 2), _by_hand()[:-1]]) @ W_HH + B_H


def _read(model, pieces, outputs_of=torch.cat, keep=-1, reset=False):
    """Read the pieces; keep: the state to return, 0 for the first; with `reset` each is read from the first state."""
    outputs, states = [], [model.initial_state(len(pieces[0]))]
    for X in pieces:
        read, new = model(X, states[0 if reset else -1])
        outputs.append(read)
        states.append(new)
    return outputs_of(outputs), states[keep]


class _Counting(RNN):
    """A network that writes down how many steps each of its calls reads."""

    def forward(self, X, state):
        self.steps = [*getattr(self, "steps", []), X.shape[1]]
        return super().forward(X, state)

    __call__ = forward


def _reading(kind: str, sizes: tuple[int, int], batch_size: int, lengths: tuple[int, ...], generator) -> tuple:
    """A network and the pieces that it reads, of these lengths."""
    options = {"seed": int(torch.randint(1000, (), generator=generator)), "device": "cpu", "dtype": torch.float64}
    model = _Counting(*sizes, 0.7, **options) if kind == "RNN" else TorchRNN(kind, *sizes, **options)
    return model, [torch.randint(sizes[0], (batch_size, length), generator=generator) for length in lengths]


@exercise("core", 10, "The state is all that a network knows of its past, so where a text is cut does not matter.")
class read_in_pieces:
    def cases(generator):
        choices = ("RNN", (3, 2), 1, (2, 1)), ("RNN", (5, 4), 3, (2, 2, 2)), ("LSTM", (4, 3), 2, (3, 1, 2))
        edges = ("GRU", (4, 3), 2, (3,)), ("LSTM", (3, 1), 1, (1, 1, 1, 1))
        return [_reading(*choice, generator) for choice in (*choices, *edges)]

    right = _read

    def tells(model, pieces):
        rows = "1 row" if len(pieces[0]) == 1 else f"{len(pieces[0])} rows"
        return f"For pieces of {' and '.join(str(X.shape[1]) for X in pieces)} steps, {rows},"

    def also(answer, generator):
        model, pieces = _reading("RNN", (5, 4), 2, (3, 3, 2), generator)
        outputs, _ = call(answer, model, pieces)
        if not isinstance(outputs, torch.Tensor):
            raise Wrong(f"The outputs should be one tensor, but they are a {type(outputs).__name__}: join its parts.")
        if max(model.steps) > 3:
            times = "once" if len(model.steps) == 1 else f"{len(model.steps)} times"
            raise Wrong(f"{read_in_pieces.hint('joined')} The model was called {times} for 3 pieces.")

    from_case = {
        lambda model, pieces: (model, pieces[::-1]): "The pieces are read in the wrong order: the first comes first.",
        lambda *case: (*case, list): "The outputs are a list of pieces: join them along the time axis into one tensor.",
        lambda *case: (*case, lambda outputs: outputs[-1]): "Only the last piece's outputs come back: keep those of "
        "all pieces.",
        lambda *case: (*case, lambda outputs: torch.cat(outputs[::-1])): "The outputs are joined in the wrong order: "
        "those of the first piece come first.",
        lambda *case: (*case, torch.cat, 0): "The outputs are right, but the state that you return is the one before "
        "anything was read.",
        lambda *case: (*case, torch.cat, 1): "The outputs are right, but the state that you return is the one after "
        "the first piece.",
        lambda *case: (*case, torch.cat, -2): "The outputs are right, but the state that you return is the one before "
        "the last piece.",
        lambda *case: (*case, torch.cat, -1, True): "Every piece is read from the first state, as if nothing came "
        "before it: whose state should the next one get?",
    }
    from_right = {lambda r: r[::-1]: "The two parts are swapped: the outputs come first, then the state."}

    def joined(model, pieces):
        """The numbers are right, but the pieces were joined before reading, so all of a long text must be in memory."""
        return model(torch.cat(pieces, dim=1), model.initial_state(len(pieces[0])))

    @variants(count=(1, 2))
    def state_unpacked(model, pieces, count):
        """The second part should be the state as the model returns it, a tuple, but it is a tensor."""
        outputs, state = _read(model, pieces)
        return outputs, *state[:count]


def _losses(outputs: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of each place, of the shape of Y."""
    return F.cross_entropy(outputs.flatten(0, 1), Y.flatten(), reduction="none").reshape(Y.shape)


@exercise(
    "core",
    10,
    "Each guess met its own character. PyTorch compares any two lists of one length, so the order is yours to watch.",
)
class loss_by_step:
    def cases(generator):
        sizes = ((1, 2, 3), (2, 3, 4), (4, 4, 5), (3, 7, 5), (3, 1, 4), (1, 1, 3))
        outputs = [torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes]
        drawn = [(out, torch.randint(out.shape[2], out.shape[:2], generator=generator)) for out in outputs]
        far = 1000.0 + 1000 * torch.rand(2, 3, 4, generator=generator).argsort(dim=2)
        return [*drawn, (far, far.argmin(dim=2))]

    def right(outputs, Y):
        return -outputs.log_softmax(dim=2).gather(2, Y[:, :, None])[:, :, 0].mean(dim=0)

    from_case = {
        lambda outputs, Y: (outputs.softmax(dim=2), Y): "The outputs went through softmax twice: `F.cross_entropy` "
        "does it itself.",
    }
    from_right = {
        torch.exp: "This is the perplexity of each step; the loss is asked for.",
        lambda r: r / math.log(2): "This is the loss in bits: the text asks for nats, from the natural logarithm.",
    }

    @variants(
        mean={
            lambda losses: losses.mean(dim=1): "This is one loss for each row: average over the rows, not over the "
            "time.",
            torch.mean: "This is one loss for everything: one number for each time step is asked for.",
            torch.clone: "This is one loss for each place: average over the rows.",
            lambda losses: losses.sum(dim=0): "You add up the rows: take their mean, or a larger minibatch looks "
            "worse.",
            lambda losses: losses.reshape(losses.T.shape).mean(dim=1): "The loss of each place is right; their order "
            "is not (time, batch), and `reshape` does not change it.",
        }
    )
    def other_mean(outputs, Y, mean):
        return mean(_losses(outputs, Y))

    @variants(cut_as_Y=(False, True))
    def habit_of_the_chapter(outputs, Y, cut_as_Y):
        """The guesses are in the order of the batch, the characters in the order of time (`Y.T`): each guess is
        compared with a character of another place, and PyTorch cannot know."""
        losses = _losses(outputs.reshape(*Y.T.shape, -1), Y.T)
        return losses.reshape(Y.shape).mean(dim=0) if cut_as_Y else losses.mean(dim=1)

    def half_turned(outputs, Y):
        """Only the outputs have changed places: `Y` is still batch first, so each guess meets a character of another
        place."""
        return _losses(outputs.transpose(0, 1), Y.reshape(Y.T.shape)).mean(dim=1)

    def rounded_to_zero(outputs, Y):
        """Where the outputs are far apart, a probability is rounded to 0, and its logarithm is −∞: `F.cross_entropy`
        never makes the probability itself."""
        return -outputs.softmax(dim=2).log().gather(2, Y[:, :, None])[:, :, 0].mean(dim=0)


def _apart(first, second, params, how: str = "") -> torch.Tensor:
    """The difference of the two states at each step, (time, hidden)."""
    return _states(first, params, how=how) - _states(second, params, how=how)


def _ratio(apart: torch.Tensor, power: int = 2) -> torch.Tensor:
    return apart.norm(power, dim=1) / apart[0].norm(power)


def _texts(vocab_size: int, hidden_size: int, num_steps: int, sigma: float, memory: float, generator) -> tuple:
    """Two texts and a network, its weights and biases drawn with the standard deviation `sigma`, W_hh with `memory`."""
    shapes = param_shapes(vocab_size, hidden_size).values()
    W_xh, W_hh, *rest = (torch.randn(shape, generator=generator, dtype=torch.float64) * sigma for shape in shapes)
    first = torch.randint(vocab_size, (num_steps,), generator=generator)
    second = torch.cat([(first[:1] + 1) % vocab_size, first[1:]])
    return first, second, (W_xh, W_hh * memory / sigma, *rest)


@exercise(
    "stretch",
    25,
    "What was read is multiplied by W_hh again and again: small weights let it fade, large ones keep or stir it.",
)
class remembered:
    def cases(generator):
        sizes = (3, 2, 2, 0.6, 0.6), (4, 3, 5, 0.6, 0.6), (6, 8, 12, 0.6, 0.4), (3, 4, 1, 1, 1), (4, 1, 3, 0.6, 0.6)
        return [_texts(*size, generator) for size in (*sizes, (5, 20, 6, 0.03, 0.5))]  # the last one's distances grow

    def right(*case):
        return _ratio(_apart(*case))

    def tells(first, second, params):
        return f"For the texts {describe(first)} and {describe(second)} and {len(params[1])} hidden units,"

    def also(answer, generator):
        case = _texts(6, 16, 13, 0.3, 0.03, generator)  # fades to about a hundred-billionth
        if not agrees(as_tensor(call(answer, *case)) / remembered.right(*case), torch.ones(13), 1e-3):
            raise Wrong(remembered.hint("in_float32"))

    from_case = {
        lambda *case: (*case, "no_memory"): "The state before is not used: then nothing can be remembered.",
        lambda *case: (*case, "no_bias"): "The bias `b_h` is missing: it is added at every step, and the tanh bends "
        "the sum with it.",
        lambda *case: (*case, "from_the_wrong_side"): "`W_hh` is used from the wrong side. It is square, so its "
        "transpose fits too, and no error tells you.",
        lambda *case: (*case, "no_tanh"): "tanh is missing: the state that is handed on is the tanh of the sum.",
    }
    from_right = {
        lambda r: torch.cat([r[:1], r[1:] / r[:-1]]): "You divide by the distance one step before; the one after the "
        "first letter is asked for.",
        lambda r: r[1:] / r[:-1]: "You divide by the distance one step before.",
        lambda r: r[1:]: "The ratio of the first step is missing: it is 1.",
        torch.reciprocal: "The ratio is upside down.",
        torch.square: "These are the squares: the distance is the root of the sum of squares.",
    }

    def not_divided(*case):
        """These are the distances themselves: divide them by the one after the first letter."""
        return _apart(*case).norm(dim=1)

    def absolute(*case):
        """You add up the absolute differences: the distance is the root of the sum of squares."""
        return _ratio(_apart(*case), power=1)

    def of_outputs(first, second, params):
        """These are the distances of the outputs. The states are asked for."""
        return _ratio(_apart(first, second, params) @ params[3])

    def one_after_the_other(first, second, params):
        """The second text starts from where the first ended: each is read from a state of zeros."""
        states = _states(first, params)
        return _ratio(states - _states(second, params, states[-1]))

    def in_float32(first, second, params):
        """The large ratios are right, the tiny ones are lost in rounding: stay in `float64`, the type of `params`."""
        return remembered.right(first, second, [p.float() for p in params])
