"""Checks of notebook 06."""

import numpy as np
import torch

from .answer import Wrong, agrees, as_tensor, call, compare, describe, exercise, fresh, value

NOTEBOOK = "06_gradient_clipping"


@exercise(
    NOTEBOOK,
    "warm-up",
    2,
    "A gradient longer than θ is cut to length θ and keeps its ratio of 3 to 4; a shorter one is left alone.",
)
def clipped_by_hand(answer) -> None:
    """clipped_by_hand: the gradient (3, 4) after clipping at 1, at 5 and at 10."""
    right = torch.tensor([[0.6, 0.8], [3, 4], [3, 4]], dtype=torch.float64)
    given = as_tensor(value(answer), right)
    if given.shape != right.shape:
        raise Wrong(f"Three gradients of two numbers each are expected, but the answer is {describe(answer)}.")
    if agrees(given, right, atol=1e-3):
        return
    mistakes = [
        (
            [[0.6, 0.8], [3, 4], [6, 8]],
            "A gradient shorter than θ is left alone: clipping never makes one longer.",
        ),
        (
            [[1, 1], [3, 4], [3, 4]],
            "You clip entry by entry, which changes the direction: scale both numbers by the same factor.",
        ),
        (
            [[3 / 7, 4 / 7], [15 / 7, 20 / 7], [3, 4]],
            "The length of (3, 4) is not 3 + 4: the root of the sum of the squares is meant.",
        ),
        (
            [[0.75, 1], [3, 4], [3, 4]],
            "You measure the gradient by its largest entry: the root of the sum of the squares is meant.",
        ),
        (
            [[0.6, 0.8], [0.6, 0.8], [0.6, 0.8]],
            "You cut to length 1 each time: θ is the length that is allowed, and here it is 1, then 5, then 10.",
        ),
        (
            [[3, 4], [3 / 5, 4 / 5], [3 / 10, 4 / 10]],
            "You divide the gradient by θ: the factor is θ divided by the gradient's length, and at most 1.",
        ),
    ]
    for mistaken, hint in mistakes:
        if agrees(given, torch.tensor(mistaken, dtype=torch.float64), atol=1e-2):
            raise Wrong(hint)
    place = next(i for i in range(3) if not agrees(given[i], right[i], atol=1e-3))
    raise Wrong(
        f"At θ = {(1, 5, 10)[place]} it is not {describe(given[place])}: how long is (3, 4), and how long may it be?"
    )


def _norm(gradients) -> torch.Tensor:
    return torch.cat([g.flatten() for g in gradients]).norm()


def _scaled(gradients, factor) -> list[torch.Tensor]:
    return [factor * g for g in gradients]


def _clip(gradients, max_norm, norm_of=_norm) -> list[torch.Tensor]:
    norm = float(norm_of(gradients))
    return _scaled(gradients, min(1.0, max_norm / norm) if norm else 1.0)


@exercise(
    NOTEBOOK,
    "core",
    10,
    "All tensors are scaled by one factor, so the step becomes shorter and its direction stays.",
)
def clip_together(answer) -> None:
    """clip_together(gradients, max_norm): the gradients, their norm all taken together at most max_norm."""
    generator = fresh()

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    cases = [
        ([torch.tensor([3.0]), torch.tensor([4.0])], 1.0),
        ([torch.tensor([0.3]), torch.tensor([0.4])], 1.0),  # short
        ([8 + draw(2).abs(), draw(2, 2), 0.1 * draw(3)], 2.0),
        ([0.1 * draw(2, 2), 0.1 * draw(2)], 5.0),  # short
    ]
    mistakes = [
        (
            lambda gs, n: [_clip([g], n)[0] for g in gs],
            "Each tensor is clipped on its own, so their directions against one another change: one norm for all, one "
            "factor for all.",
        ),
        (
            lambda gs, n: [g.clamp(-n, n) for g in gs],
            "The entries are cut one by one, which turns the gradient, and many of them are still long together.",
        ),
        (
            lambda gs, n: _scaled(gs, n / _norm(gs)),
            "You make short gradients longer: one that is within max_norm already is left alone.",
        ),
        (
            lambda gs, n: _clip(gs, n, lambda gs: sum(g.norm() for g in gs)),
            "You add the norms of the tensors up: their squares add up, and the root comes last.",
        ),
        (
            lambda gs, n: _clip(gs, n, lambda gs: _norm(gs) ** 2),
            "The sum of the squares is not the norm yet: take its root.",
        ),
        (
            lambda gs, n: _clip(gs, n, lambda gs: max(g.abs().max() for g in gs)),
            "You measure the gradient by its largest entry: the root of the sum of all squares is meant.",
        ),
        (
            lambda gs, n: _clip(gs, n, lambda gs: max(g.norm() for g in gs)),
            "You measure by the longest tensor alone: all of them count, as one long vector.",
        ),
        (
            lambda gs, n: _clip(gs, n, lambda gs: _norm(gs[:1])),
            "Only the first tensor's norm is taken: all of them count, as one long vector.",
        ),
        (
            lambda gs, n: _scaled(gs, 1 / _norm(gs)) if _norm(gs) > n else gs,
            "Long gradients get the length 1, whatever max_norm is.",
        ),
        (lambda gs, n: gs, "Nothing is clipped: the norm can still be greater than max_norm."),
    ]
    compare(answer, _clip, cases, mistakes, atol=1e-5)
    compare(answer, _clip, [([torch.zeros(2), torch.zeros(1, 2)], 1.0)])  # no gradient, and no NaN


def _descend(loss, params, lr, max_norm, num_steps, clip=_clip, keep=0.0, limit=None, up=False, after=False):
    """Losses on the way down; the options are the mistakes that can be made."""
    params, losses, gradients = list(params), [], None
    for _ in range(num_steps):
        params = [p.detach().requires_grad_() for p in params]
        value_here = loss(params)
        new = list(torch.autograd.grad(value_here, params))
        gradients = new if gradients is None else [n + keep * g for n, g in zip(new, gradients, strict=True)]
        if max_norm is not None:
            gradients = clip(gradients, max_norm)
        step = _scaled(gradients, -lr if up else lr)
        if limit and max_norm is not None:
            step = limit(step, max_norm)
        params = [p.detach() - s for p, s in zip(params, step, strict=True)]
        losses.append(loss(params) if after else value_here.detach())
    return torch.stack(losses)


def _as_it_is(gradients, max_norm):
    return gradients


@exercise(
    NOTEBOOK,
    "core",
    15,
    "With clipping no step is longer than lr · θ, so a single steep place cannot throw the weights away.",
)
def descend(answer) -> None:
    """descend(loss, params, lr, max_norm, num_steps): gradient descent with and without clipping."""
    generator = fresh()

    def draw(*shape):
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    def square(params):
        return (params[0] ** 2).sum()

    def steep(params):
        v, W = params
        return 5 * (v @ W - 1).square().sum() + (v**2).sum()

    cases = [
        (square, [3 + draw(2)], 0.1, 1.0, 3),
        (square, [3 + draw(2)], 0.1, None, 3),
        (square, [0.1 * draw(2)], 0.1, 1.0, 4),  # short gradients
        (steep, [draw(2) + 1, 1 + draw(2, 3)], 0.05, 2.0, 5),
    ]

    def apart(gradients, max_norm):
        return [_clip([g], max_norm)[0] for g in gradients]

    def entries(gradients, max_norm):
        return [g.clamp(-max_norm, max_norm) for g in gradients]

    def always(gradients, max_norm):
        return _scaled(gradients, max_norm / _norm(gradients))

    mistakes = [
        (
            lambda *a: _descend(*a, clip=_as_it_is),
            "These are the losses without clipping, whatever max_norm is: clip between the gradient and the step.",
        ),
        (
            lambda *a: _descend(*a, keep=1.0),
            "The gradients of all steps add up: `backward()` adds to `p.grad`, so set it to None before each.",
        ),
        (
            lambda *a: _descend(*a, keep=1.0, clip=_as_it_is),
            "The gradients of all steps add up, since `backward()` adds to `p.grad`; and nothing is clipped.",
        ),
        (lambda *a: _descend(*a, after=True), "These are the losses after each step: they are asked before."),
        (
            lambda *a: _descend(*a, clip=_as_it_is, limit=_clip),
            "You clip the step, lr times the gradient, at max_norm: it is the gradient that is clipped.",
        ),
        (
            lambda *a: _descend(*a, clip=apart),
            "Each tensor's gradient is clipped on its own: one norm for all of them.",
        ),
        (lambda *a: _descend(*a, clip=entries), "The gradient is cut entry by entry: scale it as a whole."),
        (
            lambda *a: _descend(*a, clip=always),
            "Short gradients are made longer: those within max_norm are left alone.",
        ),
        (lambda *a: _descend(*a, up=True), "The loss goes up: step *against* the gradient."),
        (
            lambda *a: _descend(*a)[:1].expand(a[-1]),
            "The loss stays what it was: the weights do not move.",
        ),
    ]
    compare(answer, _descend, cases, mistakes, atol=1e-5)


def _through_time(
    W_hh, b_h, H_0, num_steps, step=None, output=None, last_only=False, squared=False, sizes=(np.linalg.norm,) * 2
):
    """Norms of the states and of their gradients, in float64 and with the chain rule by hand; options: the mistakes."""
    W, b, H = (t.double().numpy() for t in (W_hh, b_h, H_0))
    step = step or (lambda H: (np.maximum(H @ W + b, 0), W * (H @ W + b > 0)))
    states, gradients = [], []
    product = np.eye(len(W))  # product[i, j]: how unit j of H depends on unit i of H_0
    for _ in range(num_steps):
        H, jacobian = step(H)
        product = jacobian if last_only else product @ jacobian
        seen = np.ones(len(W)) if output is None else output(H[0]) if callable(output) else output
        states.append(sizes[0](H))
        gradients.append(sizes[1](product @ seen))
    norms = torch.tensor(np.array([states, gradients]))
    return norms**2 if squared else norms


def _mixed(W_hh, b_h, H, num_steps) -> bool:
    """Whether at every step some units are open and others closed: otherwise mistakes could not be seen."""
    for _ in range(num_steps):
        H = torch.relu(H @ W_hh + b_h)
        if (H > 0).all() or (H == 0).all():
            return False
    return True


def _plain(number) -> float:
    return float(number.detach() if isinstance(number, torch.Tensor) else number)


def _two_rows(result):
    """Two lists of numbers, or of tensors of one number, as one tensor; anything else as it is."""
    if isinstance(result, (tuple, list)) and len(result) == 2 and all(isinstance(row, (tuple, list)) for row in result):
        try:
            return torch.tensor([[_plain(number) for number in row] for row in result], dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):  # no numbers, or lists of different lengths
            pass
    return result


@exercise(
    NOTEBOOK,
    "stretch",
    25,
    "A ReLU that is open lets everything through: without the ceiling of tanh, the state itself can explode, and "
    "no clipping of gradients reaches it.",
)
def relu_norms(answer) -> None:
    """relu_norms(W_hh, b_h, H_0, num_steps): norms of the states and of their gradients through time, with ReLU."""
    generator = fresh()

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    cases = []
    for hidden_size, num_steps in ((2, 2), (3, 3), (6, 4)):
        case = draw(hidden_size, hidden_size), draw(hidden_size), draw(1, hidden_size), num_steps
        while not _mixed(*case):
            case = draw(hidden_size, hidden_size), draw(hidden_size), draw(1, hidden_size), num_steps
        cases.append(case)

    def wrong(**options):
        return lambda *a: _through_time(*a, **options)

    def with_tanh(W, b, H, n):
        def step(H):
            H = np.tanh(H @ W.numpy() + b.numpy())
            return H, W.numpy() * (1 - H**2)

        return _through_time(W, b, H, n, step=step)

    def open_always(W, b, H, n):
        return _through_time(W, b, H, n, step=lambda H: (H @ W.numpy() + b.numpy(), W.numpy()))

    def too_early(W, b, H, n):
        return _through_time(
            W, b, H, n, step=lambda H: (np.maximum(H, 0) @ W.numpy() + b.numpy(), (H > 0).T * W.numpy())
        )

    def no_bias(W, b, H, n):
        return _through_time(W, torch.zeros_like(b), H, n)

    def from_the_start(W, b, H, n, gradients=True, num_states=None):
        """The numbers for H_0, H_1, … in the place of those for H_1, H_2, …"""
        later = _through_time(W, b, H, n)
        first = torch.tensor([[H.norm().item()], [len(W) ** 0.5]], dtype=torch.float64)
        both = torch.cat([first, later], dim=1)[:, : num_states or n]
        return both if gradients else torch.stack([both[0], later[1]])

    h_0_first = "Your list begins with H_0, the state before the first step: the first one asked for is H_1."
    add_up = "You add the entries up in place of taking the norm: the root of the sum of their squares."
    norm = np.linalg.norm
    mistakes = [
        (with_tanh, "This is the network with tanh: put the ReLU in its place."),
        (open_always, "There is no ReLU in your network: negative numbers must become 0 at each step."),
        (too_early, "The ReLU comes too early: it is applied to the sum H W_hh + b_h, not to the old state before it."),
        (no_bias, "b_h is missing."),
        (
            wrong(last_only=True),
            "The states are right. Your gradient goes back one step only, but it is asked for the state at the start, "
            "H_0.",
        ),
        (
            lambda W, b, H, n: _through_time(W, b, H, n, output=np.eye(len(W))[0]),
            "The states are right. Your gradient is that of the first unit alone: sum over all units.",
        ),
        (
            lambda W, b, H, n: _through_time(W, b, H, n, output=np.ones(len(W)) / len(W)),
            "The states are right. Your gradient is that of the mean of the units: their sum is asked.",
        ),
        (
            wrong(output=lambda H: H / norm(H)),
            "The states are right. Your gradient is that of the state's *norm*: the sum of its units is asked.",
        ),
        (from_the_start, h_0_first),
        (lambda *a: from_the_start(*a, gradients=False), h_0_first),
        (lambda *a: from_the_start(*a, num_states=a[-1] + 1), h_0_first),
        (wrong(sizes=(np.sum, norm)), f"The gradients are right. In the states: {add_up[0].lower()}{add_up[1:]}"),
        (wrong(sizes=(norm, np.sum)), f"The states are right. In the gradients: {add_up[0].lower()}{add_up[1:]}"),
        (wrong(sizes=(np.sum, np.sum)), add_up),
        (wrong(squared=True), "These are the squares of the norms: take the root."),
        (lambda *a: _through_time(*a).flip(0), "The norms of the states come first, those of the gradients second."),
        (lambda *a: _through_time(*a).T, "Your result is turned: its shape must be (2, num_steps)."),
    ]
    results = iter([_two_rows(call(answer, *case)) for case in cases])
    compare(lambda *case: next(results), _through_time, cases, mistakes, atol=1e-5)
