"""Checks of notebook 07."""

import copy
import functools
import math
import random
from types import GeneratorType

import torch
from torch.nn import functional as F

from ..rnn import RNN, TorchRNN
from ..train import clip_gradients, train_epoch
from .answer import Wrong, agrees, as_tensor, call, compare, describe, exercise, explain_difference, fresh

NOTEBOOK = "07_training"


@exercise(
    NOTEBOOK, "warm-up", 3, "A state belongs to a place in the text: it is right for a row that reads on there only."
)
def start_state(answer) -> None:
    """start_state(H, old, new): rows that read on keep their state, the others start from zeros."""
    generator = fresh()

    def case(jumps, num_steps, hidden_size):
        """jumps: for each row how far its new piece starts from where its old one stopped; 1 reads on."""
        rows = len(jumps)
        first = 100 * torch.arange(1, rows + 1)[:, None] + torch.randint(20, (rows, 1), generator=generator)
        old = first + torch.arange(num_steps)  # (batch, time)
        new = old[:, -1:] + torch.tensor(jumps)[:, None] + torch.arange(num_steps)
        return torch.randn(rows, hidden_size, generator=generator), old, new

    # two rows that go on where the other one stopped
    old = torch.tensor([[0, 1], [10, 11]]) + torch.randint(20, (), generator=generator)
    exchanged = torch.randn(2, 3, generator=generator), old, old.flip(0) + 2

    cases = [
        case([1, 40], 2, 3),
        exchanged,
        case([0, 1, 2, -4, 1], 5, 4),
        case([1, 1, 1], 4, 2),
        case([7, -60, 300], 4, 2),
    ]

    def reads_on(old, new):
        return (new[:, 0] - old[:, -1] == 1)[:, None]  # (batch, 1)

    def follows(old, new):
        """Which row of `new` (first axis) goes on where which row of `old` stopped."""
        return new[:, :1] == old[:, -1] + 1

    mistakes = [
        (lambda H, old, new: H, "Every row keeps its state, also a row that jumps to another place in the text."),
        (lambda H, old, new: 0 * H, "Every row is reset, also a row that reads on exactly where it stopped."),
        (
            lambda H, old, new: torch.where(reads_on(old, new), 0, H),
            "The wrong way round: you reset the rows that read on, and carry the state of those that jump.",
        ),
        (
            lambda H, old, new: H * reads_on(old, new).all(),
            "All rows or none: you decide for the whole minibatch, but each row reads at its own place.",
        ),
        (
            lambda H, old, new: H * reads_on(old, new).any(),
            "All rows or none: you decide for the whole minibatch, but each row reads at its own place.",
        ),
        (
            lambda H, old, new: torch.where((new[:, 0] == old[:, -1])[:, None], H, 0),
            "A row that begins with the character at which it stopped would read that character twice: "
            "which position comes next?",
        ),
        (
            lambda H, old, new: H * follows(old, new).any(dim=1, keepdim=True),
            "A row may begin where *another* row stopped, and its own state is from elsewhere: compare each row with "
            "the same row of `old`.",
        ),
        (
            lambda H, old, new: follows(old, new).to(H.dtype) @ H,
            "You hand the state of one row on to another. Compare each row with the same row of `old`: it keeps its "
            "own state, or starts from zeros.",
        ),
    ]
    compare(answer, lambda H, old, new: torch.where(reads_on(old, new), H, 0), cases, mistakes)


class _Computed(tuple):
    """A state whose tensors were computed from others, as those that a model returns; a copy of it is, too."""

    def __new__(cls, tensors):
        return super().__new__(cls, [1 * S for S in tensors])


_Computed.__name__ = "tuple"  # so that Python's error messages call it what the text calls it


@exercise(NOTEBOOK, "core", 10, "The numbers go on to the next minibatch; the gradient stops where it begins.")
def detach_state(answer) -> None:
    """detach_state(state): a tuple of the same numbers without their history."""
    generator = fresh()
    for num_tensors, batch_size, hidden_size in ((1, 1, 2), (2, 3, 4), (3, 2, 5)):
        leaves = [
            torch.randn(batch_size, hidden_size, generator=generator, requires_grad=True) for _ in range(num_tensors)
        ]
        state = _Computed(leaves)
        try:
            result = call(answer, state)
        except Wrong as wrong:
            if "'tuple' object has no attribute" in str(wrong):
                raise Wrong(f"{wrong}. `state` is a tuple: its tensors have a `detach`, each of them.") from None
            raise
        asked = f"For a state of {num_tensors} tensor{'s' if num_tensors > 1 else ''}"
        if isinstance(result, GeneratorType):
            raise Wrong("Round brackets around a `for` make a generator, not a tuple: write `tuple(…)`.")
        if not isinstance(result, tuple):
            raise Wrong(
                f"A model takes its state as a tuple, also when it has one tensor; yours is {describe(result)}."
            )
        if not all(isinstance(S, torch.Tensor) for S in result):
            raise Wrong(f"{asked} a tuple of tensors is expected, but the result is {describe(result)}.")
        if len(result) < num_tensors:
            raise Wrong(f"{asked} you return {len(result)}: an LSTM's state has two, and each of them has a history.")
        if len(result) > num_tensors:
            raise Wrong(f"{asked} you return {len(result)}: as many are expected as the state has.")
        if all(S.shape == T.shape and not S.any() for S, T in zip(result, state, strict=True)):
            raise Wrong("These are zeros: that is a reset. The numbers of the state must be carried on.")
        for found, expected in zip(result, state, strict=True):
            if not agrees(found, expected):
                raise Wrong(explain_difference(found, expected.detach(), f"{asked}"))
        attached = [S.grad_fn is not None for S in result]
        if all(attached):
            raise Wrong("The numbers are right, but they still know how they were computed: the history is not cut.")
        if any(attached):
            raise Wrong(f"{asked}, some still know how they were computed: the history of each must be cut.")


@exercise(NOTEBOOK, "core", 10, "Every character counts once, in whichever minibatch it stood.")
def whole_perplexity(answer) -> None:
    """whole_perplexity(losses, counts): from mean losses and numbers of characters to one perplexity."""
    draw = random.Random(fresh().initial_seed())
    cases = []
    for counts in ([1, 3], [8, 2, 5], [35, 35, 35, 12]):
        cases.append(([round(draw.uniform(0.3, 1.2) + 0.6 * i, 3) for i in range(len(counts))], counts))

    def mean(losses, counts):
        return sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)

    def plain(losses, counts):
        return sum(losses) / len(losses)

    def large(exponent):  # too large for float32, which is what a Python number would become
        return torch.tensor(exponent, dtype=torch.float64).exp()

    uneven = "This counts every minibatch alike, the short one too. Each *character* should count alike."
    powers = "You average perplexities. Perplexity is the exponential of the mean loss: average first, which numbers?"
    total = "A loss that is added up grows with the length of the text. Perplexity needs the loss of one character."
    twice = "Each loss is the mean of its minibatch already. Divided by the number of characters, it is too small."
    base = "These losses are in nats (natural logarithm), so 2 is the wrong base to come back from them."
    mistakes = [
        (lambda losses, counts: math.exp(plain(losses, counts)), uneven),
        (lambda losses, counts: plain([math.exp(loss) for loss in losses], counts), powers),
        (lambda losses, counts: mean([math.exp(loss) for loss in losses], counts), powers),
        (lambda losses, counts: large(sum(losses)), total),
        (lambda losses, counts: large(sum(counts) * mean(losses, counts)), total),
        (
            lambda losses, counts: large(sum(counts) / len(counts) * mean(losses, counts)),
            "You divide by the number of minibatches. How many characters were there?",
        ),
        (lambda losses, counts: math.exp(sum(losses) / sum(counts)), twice),
        (lambda losses, counts: sum(losses) / sum(counts), twice),
        (lambda losses, counts: 2 ** mean(losses, counts), base),
        (lambda losses, counts: 2 ** plain(losses, counts), base),
        (mean, "This is the mean loss, in nats. One step is missing from there to a perplexity."),
        (
            lambda losses, counts: math.exp(mean(losses, counts) / math.log(2)),
            "You turned the loss into bits and then took e to that power: logarithm and exponential do not match.",
        ),
    ]
    compare(answer, lambda losses, counts: math.exp(mean(losses, counts)), cases, mistakes)


class _Minibatches:
    """Minibatches of random characters that say whether the state carries over; the last one is shorter."""

    def __init__(self, carries_state: bool, steps: list[int], vocab_size: int, generator: torch.Generator):
        rows = torch.randint(vocab_size, (2, sum(steps) + 1), generator=generator)
        self.carries_state = carries_state
        ends = [sum(steps[: i + 1]) for i in range(len(steps))]
        self.pairs = [
            (rows[:, end - n : end], rows[:, end - n + 1 : end + 1]) for end, n in zip(ends, steps, strict=True)
        ]
        if not carries_state:
            self.pairs.insert(0, self.pairs.pop(-2))  # in another order, the short one still the last

    def __iter__(self):
        return iter([(X.clone(), Y.clone()) for X, Y in self.pairs])


def _epoch(model, batches, lr, max_norm, state_is="right", fix="right", clip="right", weigh="right", scored="before"):
    """One epoch of training, with room for mistakes."""
    params, state, losses, counts = model.parameters(), None, [], []
    for X, Y in batches:
        carries = {"right": batches.carries_state, "carried": True, "reset": False}[state_is]
        first_state = tuple(S.detach() for S in state) if state and carries else model.initial_state(len(X))
        outputs, state = model(X, first_state)
        targets = Y.reshape(-1) if fix == "mixed" else Y.T.reshape(-1)
        loss = F.cross_entropy(outputs.flatten(0, 1), targets, reduction="sum" if fix == "summed" else "mean")
        if fix != "added":
            for p in params:
                p.grad = None
        loss.backward()
        if clip == "each":
            for p in params:
                clip_gradients([p], max_norm)
        elif clip == "always":
            norm = clip_gradients(params, None)
            for p in params:
                p.grad *= max_norm / norm
        else:
            clip_gradients(params, None if clip == "none" else max_norm)
        with torch.no_grad():
            for p in params:
                p -= {"still": 0, "uphill": -lr}.get(fix, lr) * p.grad
        if scored in ("after", "after, state too"):
            with torch.no_grad():
                outputs, later = model(X, first_state)
                loss = F.cross_entropy(outputs.flatten(0, 1), targets)
            state = later if scored == "after, state too" else state
        losses.append(loss.item())
        counts.append(Y.numel())
    if scored == "at the end":
        return _epoch(model, batches, 0.0, max_norm)
    weighted = sum(loss * count for loss, count in zip(losses, counts, strict=True))
    plain, count = sum(losses) / len(losses), sum(counts)
    return {
        "right": lambda: _exp(weighted / count),
        "plain": lambda: _exp(plain),
        "loss": lambda: weighted / count,
        "plain loss": lambda: plain,
        "sums": lambda: _exp(sum(losses) / count),
        "perplexities": lambda: sum(_exp(loss) for loss in losses) / len(losses),
        "weighted perplexities": lambda: sum(n * _exp(loss) for loss, n in zip(losses, counts, strict=True)) / count,
    }[weigh]()


def _exp(number: float) -> float:
    return math.exp(number) if number < 700 else math.inf


_SUMMED = "The mean cross-entropy is asked, not the sum: your gradient is longer by a factor, the number of characters."
_AFTER = "Your perplexity is measured after the step. Each character is to be scored before the step of its minibatch."
_POWERS = "The parameters are right, but you average perplexities. It is the loss that is averaged over the characters."
_EPOCH_MISTAKES = [
    (
        {"state_is": "carried"},
        "Minibatches with `carries_state = False` do not continue one another, yet the state is carried on in yours.",
    ),
    (
        {"state_is": "reset"},
        "Minibatches with `carries_state = True` continue one another, yet each of yours starts from a fresh state.",
    ),
    (
        {"fix": "added"},
        "From the second minibatch on the gradient is too large: `backward` adds to what is in `p.grad` already.",
    ),
    ({"clip": "none"}, "The step is taken with the unclipped gradient: clip after `backward` and before the step."),
    (
        {"clip": "each"},
        "You clip each tensor by its own norm, which turns the step. `max_norm` bounds the norm of all together.",
    ),
    ({"clip": "always"}, "You scale every gradient to the norm `max_norm`, also one that is shorter: keep that one."),
    (
        {"fix": "mixed"},
        "The outputs have time first, `Y` has batch first: bring them into one order before flattening.",
    ),
    ({"fix": "still"}, "The parameters do not move: where is the step?"),
    ({"fix": "uphill"}, "The step goes up, along the gradient: the loss grows."),
    (
        {"weigh": "plain"},
        "The parameters are right. In the perplexity the short minibatch counts as much as the long ones: "
        "each character should count alike.",
    ),
    ({"weigh": "loss"}, "The parameters are right, but this is the mean loss and not yet the perplexity."),
    ({"weigh": "plain loss"}, "The parameters are right, but this is a mean loss and not yet the perplexity."),
    *(({"fix": "summed", "weigh": weigh}, _SUMMED) for weigh in ("sums", "right", "plain")),
    *(({"scored": scored}, _AFTER) for scored in ("after", "after, state too", "at the end")),
    *(({"weigh": weigh}, _POWERS) for weigh in ("perplexities", "weighted perplexities")),
]


@exercise(
    NOTEBOOK, "stretch", 25, "That is the loop that learns a book: any model, either kind of minibatch, any length."
)
def one_epoch(answer) -> None:
    """one_epoch(model, batches, lr, max_norm): trains the model and returns the perplexity."""
    if "optim" in getattr(getattr(answer, "__code__", None), "co_names", ()):  # its first use loads for seconds
        raise Wrong("Take the step yourself: the exercise is to be solved without `torch.optim`.")
    generator, seed = fresh(), fresh().initial_seed() % 1000
    scratch = functools.partial(RNN, 5, 4, sigma=1.0, seed=seed, device="cpu", dtype=torch.float64)
    lstm = functools.partial(TorchRNN, "LSTM", 5, 4, seed=seed, device="cpu", dtype=torch.float64)
    cases = [
        (scratch, _Minibatches(False, [3, 2], 5, generator), 0.5, 100.0),
        (scratch, _Minibatches(True, [3, 3, 2], 5, generator), 1.0, 0.2),
        (scratch, _Minibatches(False, [4, 4, 4, 2], 5, generator), 2.0, 0.1),
        (lstm, _Minibatches(True, [3, 3, 1], 5, generator), 1.0, 0.05),
    ]

    def outcome(train, make, batches, lr, max_norm):
        model = make()
        perplexity = train(model, copy.copy(batches), lr, max_norm)
        return perplexity, [p.detach() for p in model.parameters()]

    found = []
    for case in cases:
        perplexity, params = outcome(functools.partial(call, answer), *case)
        if isinstance(perplexity, tuple):
            raise Wrong(f"Return the perplexity alone, as one number; yours is {describe(perplexity)}.")
        number = as_tensor(perplexity, torch.tensor(0.0))
        if number.shape != () or number.is_complex():
            raise Wrong(f"Return the perplexity, one number; yours is {describe(perplexity)}.")
        found.append((number, params))
    expected = [outcome(lambda *rest: train_epoch(*rest)[0], *case) for case in cases]
    right = [_same_outcome(f, e) for f, e in zip(found, expected, strict=True)]
    if all(right):
        return
    for mistake, hint in _EPOCH_MISTAKES:
        mistaken = functools.partial(_epoch, **mistake)
        if all(_same_outcome(f, outcome(mistaken, *case)) for f, case in zip(found, cases, strict=True)):
            raise Wrong(hint)
    first = right.index(False)
    _, batches, lr, max_norm = cases[first]
    lengths = ", ".join(str(X.shape[1]) for X, _ in batches)
    asked = (
        f"For minibatches of {lengths} time steps with carries_state = {batches.carries_state}, "
        f"lr = {lr:g} and max_norm = {max_norm:g}"
    )
    (number, _), (perplexity, _) = found[first], expected[first]
    if agrees(number, torch.tensor(perplexity, dtype=torch.float64)):
        raise Wrong(f"{asked} the perplexity is right, but the parameters after the epoch are not.")
    raise Wrong(f"{asked} your result is {describe(number.item())}, expected {describe(perplexity)}.")


def _same_outcome(found, expected) -> bool:
    (number, params), (perplexity, wanted) = found, expected
    return agrees(number, torch.tensor(perplexity, dtype=torch.float64)) and all(
        agrees(p, w) for p, w in zip(params, wanted, strict=True)
    )
