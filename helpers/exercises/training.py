"""Checks of notebook 07."""

import functools
import math
from statistics import fmean
from types import GeneratorType

import torch

from ..rnn import RNN, TorchRNN
from ..train import as_perplexity, clip_gradients, mean_loss, sgd_step, train_epoch
from .answer import Wrong, call
from .compare import agrees, as_tensor, describe, explain_difference
from .exercise import exercise, variants


def _pieces(generator, jumps: list[int], old_steps: int, new_steps: int, hidden_size: int) -> tuple:
    """H, old and new; jumps: for each row how far its new piece starts from where its old one stopped, 1 reads on."""
    first = 1000 * torch.arange(1, len(jumps) + 1)[:, None] + torch.randint(20, (len(jumps), 1), generator=generator)
    old = first + torch.arange(old_steps)  # (batch, time)
    new = old[:, -1:] + torch.tensor(jumps)[:, None] + torch.arange(new_steps)
    return torch.randn(len(jumps), hidden_size, generator=generator), old, new


@exercise("warm-up", 3, "A state belongs to a place in the text: it is right for a row that reads on there only.")
class start_state:
    def cases(generator):
        exchanged = torch.tensor([[0, 1], [10, 11]]) + torch.randint(20, (), generator=generator)
        return [
            _pieces(generator, [1, 40], 2, 2, 3),
            (torch.randn(2, 3, generator=generator), exchanged, exchanged.flip(0) + 2),  # each where the other stopped
            _pieces(generator, [0, 1, 2, -1, -4, 1], 5, 5, 4),
            _pieces(generator, [1, 1, 1], 4, 4, 2),
            _pieces(generator, [7, -60, 300], 4, 4, 2),
        ]

    def then(generator):  # other lengths, as many rows as hidden units, one row
        rows = [1, 5, 1, -1, 3]
        shapes = ((rows, 2, 4, 2), (rows, 4, 2, 2), (rows, 3, 1, 5), ([1], 1, 3, 2), ([2], 1, 3, 2))
        return [_pieces(generator, *shape) for shape in shapes]

    def right(H, old, new):
        return torch.where(new[:, :1] == old[:, -1:] + 1, H, 0)  # (batch, 1) decides for whole rows

    @variants(
        kept={
            lambda old, new: True: "Every row keeps its state, also a row that jumps to another place in the text.",
            lambda old, new: False: "Every row is reset, also a row that reads on exactly where it stopped.",
            lambda old, new: new[:, :1] != old[:, -1:] + 1: "The wrong way round: you reset the rows that read on, and "
            "carry the state of those that jump.",
            lambda old, new: new[:, :1] == old[:, -1:]: "A row that begins with the character at which it stopped "
            "would read that character twice: which position comes next?",
            lambda old, new: torch.isin(new[:, :1], old[:, -1] + 1): "A row may begin where *another* row stopped, and "
            "its own state is from elsewhere: compare each row with the same row of `old`.",
        }
    )
    def other_rows(H, old, new, kept):
        return H * kept(old, new)

    @variants(decide=(torch.all, torch.any))
    def all_or_none(H, old, new, decide):
        """All rows or none: you decide for the whole minibatch, but each row reads at its own place."""
        return H * decide(new[:, 0] == old[:, -1] + 1)

    def state_of_another_row(H, old, new):
        """You hand the state of one row on to another. Compare each row with the same row of `old`: it keeps its own
        state, or starts from zeros."""
        return (new[:, :1] == old[:, -1] + 1).to(H.dtype) @ H


class Tuple(tuple):  # this name stands in Python's error messages
    """A state whose tensors are views of computed ones, as those that a model returns; a copy of it is one, too."""

    def __new__(cls, tensors):
        return super().__new__(cls, [(1 * S[None])[-1] for S in tensors])

    def __getattr__(self, name):
        tensors = "`state` is a tuple: its tensors have a `detach`, each of them."
        raise AttributeError(f"'tuple' object has no attribute '{name}'. {tensors}")


@exercise("core", 10, "The numbers go on to the next minibatch; the gradient stops where it begins.")
class detach_state:
    def cases(generator):
        shapes = ((1, 1, 2), (2, 3, 4), (3, 2, 5), (2, 1, 1))  # tensors, batch, hidden
        return [(Tuple(torch.randn(shape, generator=generator, requires_grad=True)),) for shape in shapes]

    def run(answer, state):
        result = call(answer, state)
        if isinstance(result, GeneratorType):
            raise Wrong("Round brackets around a `for` make a generator, not a tuple: write `tuple(…)`.")
        if not isinstance(result, tuple):
            shown = describe(result)
            raise Wrong(f"A model takes its state as a tuple, also when it has one tensor; yours is {shown}.")
        if not all(isinstance(S, torch.Tensor) for S in result):
            raise Wrong(f"A tuple of tensors is expected, but the result is {describe(result)}.")
        return [(S.detach(), S.grad_fn is not None) for S in result]  # numbers, and whether they have a history

    def otherwise(result, state):
        asked = f"For a state of {len(state)} tensor{'s' * (len(state) > 1)}"
        if len(result) != len(state):
            few = "an LSTM's state has two, and each of them has a history."
            why = few if len(result) < len(state) else "as many are expected as the state has."
            return f"{asked} you return {len(result)}: {why}"
        for (found, _), expected in zip(result, state, strict=True):
            if not agrees(found, expected.detach()):
                return explain_difference(found, expected.detach(), asked)
        return detach_state.hint("some_detached")

    def right(state):
        return tuple(S.detach() for S in state)

    def history_kept(state):
        """The numbers are right, but they still know how they were computed: the history is not cut."""
        return state

    def some_detached(state):
        """Some still know how they were computed: the history of each must be cut."""
        return state[0].detach(), *state[1:]

    def reset(state):
        """These are zeros: that is a reset. The numbers of the state must be carried on."""
        return tuple(torch.zeros_like(S) for S in state)


@exercise("core", 10, "Every character counts once, in whichever minibatch it stood.")
class whole_perplexity:
    atol = 1e-5  # float32 is enough

    def cases(generator):
        drawn = (torch.rand(4, generator=generator) / 2 + torch.tensor([0.4, 1.0, 1.6, 2.2])).tolist()
        losses = [round(loss, 3) for loss in drawn]  # each above the one before, so that no two ways of averaging agree
        return [(losses[: len(counts)], counts) for counts in ([1, 3], [8, 2, 5], [35, 35, 35, 12])]

    def then(generator):  # so long that e to the power of the sum is too large for a float
        return [([3.2, 2.9, 2.75, 3.4], [1120, 1120, 1120, 32])]

    def right(losses, counts):
        return math.exp(fmean(losses, counts))

    def unweighted(losses, counts):
        """This counts every minibatch alike, the short one too. Each *character* should count alike."""
        return math.exp(fmean(losses))

    @variants(weighted=(True, False))
    def mean_of_perplexities(losses, counts, weighted):
        """You average perplexities. Perplexity is the exponential of the mean loss: average first, which numbers?"""
        return fmean(map(as_perplexity, losses), counts if weighted else None)

    @variants(weighted=(True, False))
    def added_up(losses, counts, weighted):
        """A loss that is added up grows with the length of the text. Perplexity needs the loss of one character."""
        return as_perplexity(fmean(losses, counts) * sum(counts) if weighted else sum(losses))

    def per_minibatch(losses, counts):
        """You divide by the number of minibatches. How many characters were there?"""
        return as_perplexity(fmean(losses, counts) * sum(counts) / len(counts))

    @variants(last=(as_perplexity, float))
    def divided_twice(losses, counts, last):
        """Each loss is the mean of its minibatch already. Divided by the number of characters, it is too small."""
        return last(sum(losses) / sum(counts))

    @variants(
        weighted=(True, False),
        last={
            float: "This is the mean loss, in nats. One step is missing from there to a perplexity.",
            lambda loss: 2**loss: "These losses are in nats (natural logarithm), so 2 is the wrong base to come back "
            "from them.",
            lambda loss: math.exp(loss / math.log(2)): "You turned the loss into bits and then took e to that power: "
            "logarithm and exponential do not match.",
        },
    )
    def wrong_end(losses, counts, weighted, last):
        return last(fmean(losses, counts if weighted else None))


class _Minibatches:
    """Minibatches of random characters that say whether the state carries over; the last one is shorter."""

    def __init__(self, carries_state: bool, batch_size: int, steps: list[int]):
        generator = torch.Generator().manual_seed(len(steps))
        self.carries_state = carries_state
        self.pairs = [torch.randint(5, (2, batch_size, n), generator=generator) for n in steps]

    def __iter__(self):
        return iter([(X, Y) for X, Y in self.pairs])


def _epoch(model, batches, lr, max_norm, mistake="", score=whole_perplexity.right):
    """One epoch of training with a mistake."""
    params, state, losses, counts = model.parameters(), None, [], []
    carries = {"state_carried": True, "state_reset": False}.get(mistake, batches.carries_state)
    for X, Y in batches:
        start = tuple(S.detach() for S in state) if state and carries else model.initial_state(len(X))
        outputs, state = model(X, start)
        targets = Y.reshape(Y.shape[1], len(Y)).T if mistake == "mixed" else Y
        loss = mean_loss(outputs, targets) * (Y.numel() if mistake == "summed" else 1)
        for p in params if mistake != "gradients_added" else ():
            p.grad = None
        loss.backward()
        for group in [[p] for p in params] if mistake == "clipped_each" else [params]:
            norm = clip_gradients(group, None if mistake in ("not_clipped", "lengthened") else max_norm)
        sgd_step(params, {"uphill": -lr, "no_step": 0, "lengthened": lr * max_norm / norm}.get(mistake, lr))
        if mistake in ("scored_after", "state_after"):
            with torch.no_grad():
                outputs, later = model(X, start)
                loss = mean_loss(outputs, Y)
            state = later if mistake == "state_after" else state
        losses, counts = [*losses, loss.item()], [*counts, Y.numel()]
    return score(losses, counts) if mistake != "scored_at_the_end" else _epoch(model, batches, 0.0, max_norm)


@exercise("stretch", 25, "That is the loop that learns a book: any model, either kind of minibatch, any length.")
class one_epoch:
    atol = 1e-5  # torch's own clipping divides by the norm + 0.000001

    def cases(generator):  # the same every time, so that luck has no part in which gradients are clipped
        scratch = functools.partial(RNN, 5, 4, sigma=1.0, device="cpu", dtype=torch.float64)
        lstm = functools.partial(TorchRNN, "LSTM", 5, 4, device="cpu", dtype=torch.float64)
        return [
            (scratch, False, 2, [3, 2], 0.5, 100.0),
            (scratch, True, 3, [3, 3, 2], 1.0, 0.2),
            (scratch, False, 2, [4, 4, 4, 2], 2.0, 0.1),
            (lstm, True, 1, [3, 3, 1], 1.0, 0.05),
        ]

    def run(answer, make, carries_state, batch_size, steps, lr, max_norm):
        if "optim" in getattr(getattr(answer, "__code__", None), "co_names", ()):
            raise Wrong("Take the step yourself: the exercise is to be solved without `torch.optim`.")
        model = make()
        result = call(answer, model, _Minibatches(carries_state, batch_size, steps), lr, max_norm)
        perplexity = as_tensor(result)
        if perplexity is None or perplexity.shape != ():
            raise Wrong(f"Return the perplexity alone, as one number; yours is {describe(result)}.")
        return perplexity, [p.detach() for p in model.parameters()]

    def otherwise(result, *case):
        _, carries_state, _, steps, lr, max_norm = case
        asked = f"For minibatches of {', '.join(map(str, steps))} time steps with carries_state = {carries_state}, "
        asked += f"lr = {lr:g} and max_norm = {max_norm:g}"
        expected, _ = one_epoch.run(one_epoch.right, *case)
        if agrees(result[0], expected, one_epoch.atol):
            return f"{asked} the perplexity is right, but the parameters after the epoch are not."
        return explain_difference(result[0], expected, asked)

    def right(*case):
        return train_epoch(*case)[0]

    @variants(
        mistake={
            "state_carried": "Minibatches with `carries_state = False` do not continue one another, yet the state is "
            "carried on in yours.",
            "state_reset": "Minibatches with `carries_state = True` continue one another, yet each of yours starts "
            "from a fresh state.",
            "gradients_added": "From the second minibatch on the gradient is too large: `backward` adds to what is in "
            "`p.grad` already.",
            "not_clipped": "The step is taken with the unclipped gradient: clip after `backward` and before the step.",
            "clipped_each": "You clip each tensor by its own norm, which turns the step. `max_norm` bounds the norm of "
            "all together.",
            "lengthened": "You scale every gradient to the norm `max_norm`, also one that is shorter: keep that one.",
            "mixed": "The outputs have time first, `Y` has batch first: bring them into one order before flattening.",
            "no_step": "The parameters do not move: where is the step?",
            "uphill": "The step goes up, along the gradient: the loss grows.",
        }
    )
    def in_the_loop(*case, mistake):
        return _epoch(*case, mistake)

    def unweighted(*case):
        """The parameters are right. In the perplexity the short minibatch counts as much as the long ones: each
        character should count alike."""
        return _epoch(*case, score=lambda losses, counts: as_perplexity(fmean(losses)))

    @variants(
        weighted=(True, False),
        of={
            float: "The parameters are right, but this is a mean loss and not yet the perplexity.",
            as_perplexity: "The parameters are right, but you average perplexities. It is the loss that is averaged "
            "over the characters.",
        },
    )
    def wrong_mean(*case, weighted, of):
        return _epoch(*case, score=lambda losses, counts: fmean(map(of, losses), counts if weighted else None))

    def summed(*case):
        "The mean cross-entropy is asked, not the sum: your gradient is longer by a factor, the number of characters."
        return _epoch(*case, "summed", score=lambda sums, counts: math.exp(sum(sums) / sum(counts)))

    @variants(when=("scored_after", "state_after", "scored_at_the_end"))
    def scored_after(*case, when):
        "Your perplexity is measured after the step. Each character is to be scored before the step of its minibatch."
        return _epoch(*case, when)
