"""Checks of notebook 06."""

import numpy as np
import torch

from .answer import Wrong, call, value
from .compare import agrees, as_tensor, describe
from .exercise import exercise, variants


@exercise(
    "warm-up",
    2,
    "A gradient longer than θ is cut to length θ and keeps its ratio of 3 to 4; a shorter one is left alone.",
)
class clipped_by_hand:
    atol = 2e-3  # two digits after the point are enough

    def right():
        return torch.tensor([[0.6, 0.8], [3, 4], [3, 4]])

    def run(answer):
        given = as_tensor(value(answer))
        if given is None or given.shape != (3, 2):
            raise Wrong(f"Three gradients of two numbers each are expected, but the answer is {describe(answer)}.")
        return given

    def otherwise(result):
        row = next(i for i in range(3) if not agrees(result[i], clipped_by_hand.right()[i], clipped_by_hand.atol))
        theta, found = (1, 5, 10)[row], describe(result[row])
        return f"At θ = {theta} it is not {found}: how long is (3, 4), and how long may it be?"

    @variants(
        rows={
            ((0.6, 0.8), (3, 4), (6, 8)): "A gradient shorter than θ is left alone: clipping never makes one longer.",
            ((1, 1), (3, 4), (3, 4)): "You clip entry by entry, which changes the direction: scale both numbers by the "
            "same factor.",
            ((3 / 7, 4 / 7), (15 / 7, 20 / 7), (3, 4)): "The length of (3, 4) is not 3 + 4: the root of the sum of the "
            "squares is meant.",
            ((0.75, 1), (3, 4), (3, 4)): "You measure the gradient by its largest entry: the root of the sum of the "
            "squares is meant.",
            ((0.6, 0.8), (0.6, 0.8), (0.6, 0.8)): "You cut to length 1 each time: θ is the length that is allowed, and "
            "here it is 1, then 5, then 10.",
            ((3, 4), (3 / 5, 4 / 5), (3 / 10, 4 / 10)): "You divide the gradient by θ: the factor is θ divided by the "
            "gradient's length, and at most 1.",
        }
    )
    def other_rows(rows):
        return torch.tensor(rows)


def _norm(gradients) -> torch.Tensor:
    return torch.cat([g.flatten() for g in gradients]).norm()


@exercise("core", 10, "All tensors are scaled by one factor, so the step becomes shorter and its direction stays.")
class clip_together:
    atol = 1e-5

    def cases(generator):
        sizes, shapes = (9, -1, 0.1, 1), ((2,), (2, 2), (3, 1, 2), ())
        drawn = [size * (1 + torch.rand(shape, generator=generator)) for size, shape in zip(sizes, shapes, strict=True)]
        long, short = [torch.tensor([3.0]), torch.tensor([4.0])], [torch.tensor([0.3]), torch.tensor([0.4])]
        return [(long, 1.0), (short, 1.0), (drawn, 2.0), (long, 6.0), (short, 0.25)]

    def then(generator):
        return [([torch.zeros(2), torch.zeros(1, 2)], 1.0)]  # no gradient, and no NaN

    def right(gradients, max_norm, norm_of=_norm):
        norm = float(norm_of(gradients))
        return [g * min(1.0, max_norm / norm if norm else 1.0) for g in gradients]

    @variants(
        norm_of={
            lambda gs: sum(g.norm() for g in gs): "You add the norms of the tensors up: their squares add up, and the "
            "root comes last.",
            lambda gs: _norm(gs) ** 2: "The sum of the squares is not the norm yet: take its root.",
            lambda gs: max(g.abs().max() for g in gs): "You measure the gradient by its largest entry: the root of the "
            "sum of all squares is meant.",
            lambda gs: max(g.norm() for g in gs): "You measure by the longest tensor alone: all of them count, as one "
            "long vector.",
            lambda gs: gs[0].norm(): "Only the first tensor's norm is taken: all of them count, as one long vector.",
            lambda gs: 0.0: "Nothing is clipped: the norm can still be greater than max_norm.",
        }
    )
    def other_norm(gradients, max_norm, norm_of):
        return clip_together.right(gradients, max_norm, norm_of)

    def each_on_its_own(gradients, max_norm):
        """Each tensor is clipped on its own, so their directions against one another change: one norm for all, one
        factor for all."""
        return [clip_together.right([g], max_norm)[0] for g in gradients]

    def entry_by_entry(gradients, max_norm):
        """The entries are cut one by one, which turns the gradient, and many of them are still long together."""
        return [g.clamp(-max_norm, max_norm) for g in gradients]

    def always_scaled(gradients, max_norm):
        """You make short gradients longer: one that is within max_norm already is left alone."""
        return [g * max_norm / _norm(gradients) for g in gradients]

    @variants(threshold=(None, 1.0))
    def length_one(gradients, max_norm, threshold):
        """Long gradients get the length 1, whatever max_norm is."""
        return clip_together.right(gradients, 1.0) if _norm(gradients) > (threshold or max_norm) else gradients


@exercise(
    "core", 15, "With clipping no step is longer than lr · θ, so a single steep place cannot throw the weights away."
)
class descend:
    atol = 1e-5

    def cases(generator):
        def loss(params):
            return sum((p**2).sum() for p in params) + params[0].sum() * params[-1].sum()

        def draw(size, *shape):
            return size * (1 + torch.rand(shape, generator=generator, dtype=torch.float64))

        one_tensor = [([draw(3, 2)], 0.1, 1.0, 3), ([draw(3, 2)], 0.1, None, 3), ([draw(0.05, 2)], 0.1, 1.0, 4)]
        two_tensors = [([draw(1, 2), draw(1, 2, 3)], 0.05, 2.0, 5), ([draw(0.01, 2), draw(0.02, 3)], 0.2, 0.1, 2)]
        return [(loss, *case) for case in (*one_tensor, *two_tensors, ([draw(1, 2)], 0.1, 20.0, 2))]

    def right(loss, params, lr, max_norm, num_steps, clip=clip_together.right, keep=0.0):
        losses, gradients = [], [torch.zeros_like(p) for p in params]
        for _ in range(num_steps):
            params = [p.detach().requires_grad_() for p in params]
            losses.append(loss(params))
            gradients = [n + keep * g for n, g in zip(torch.autograd.grad(losses[-1], params), gradients, strict=True)]
            gradients = gradients if max_norm is None else clip(gradients, max_norm)
            params = [p - lr * g for p, g in zip(params, gradients, strict=True)]
        return torch.stack(losses).tolist()

    from_case = {
        lambda loss, params, lr, max_norm, n: (loss, params, lr, None, n): "These are the losses without clipping, "
        "whatever max_norm is: clip between the gradient and the step.",
        lambda *case: (*case, clip_together.right, 1.0): "The gradients of all steps add up: `backward()` adds to "
        "`p.grad`, so set it to None before each.",
        lambda loss, params, lr, max_norm, n: (loss, params, lr, None, n, None, 1.0): "The gradients of all steps add "
        "up, since `backward()` adds to `p.grad`; and nothing is clipped.",
        lambda loss, params, lr, max_norm, n: (loss, params, lr, max_norm and max_norm / lr, n): "You clip the step, "
        "lr times the gradient, at max_norm: it is the gradient that is clipped.",
        lambda loss, params, lr, max_norm, n: (loss, params, lr, max_norm and 1.0, n): "Your threshold is 1, whatever "
        "max_norm is.",
        lambda loss, params, lr, max_norm, n: (loss, params, -lr, max_norm, n): "The loss goes up: step *against* the "
        "gradient.",
        lambda loss, params, lr, max_norm, n: (loss, params, 0.0, max_norm, n): "The loss stays what it was: the "
        "weights do not move.",
        lambda *case: (*case, lambda gs, n: [clip_together.right([g], n)[0] for g in gs]): "Each tensor's gradient is "
        "clipped on its own: one norm for all of them.",
        lambda *case: (*case, lambda gs, n: [g.clamp(-n, n) for g in gs]): "The gradient is cut entry by entry: scale "
        "it as a whole.",
        lambda *case: (*case, lambda gs, n: [g * n / _norm(gs) for g in gs]): "Short gradients are made longer: those "
        "within max_norm are left alone.",
    }

    def measured_after(*case):
        """These are the losses after each step: they are asked before."""
        return descend.right(*case[:-1], case[-1] + 1)[1:]


def _relu(H, W, b):
    """A step: the next state and its Jacobian, how its unit j depends on unit i of the state before."""
    return np.maximum(H @ W + b, 0), W * (H @ W + b > 0)


def _through_time(W_hh, b_h, H_0, num_steps, step=_relu, seen=np.ones_like, last_only=False) -> torch.Tensor:
    """The states and the gradients of what is seen of them, (2, time, hidden), by the chain rule, in float64."""
    (W, b, H), product = (t.double().numpy() for t in (W_hh, b_h, H_0)), np.eye(len(W_hh))
    rows = []
    for _ in range(num_steps):
        H, jacobian = step(H, W, b)
        product = jacobian if last_only else product @ jacobian
        rows.append((H[0], product @ seen(H[0])))
    return torch.tensor(np.array(rows)).transpose(0, 1)


@exercise(
    "stretch",
    25,
    "A ReLU that is open lets everything through: without the ceiling of tanh, the state itself can explode, and no "
    "clipping of gradients reaches it.",
)
class relu_norms:
    atol = 1e-5

    def cases(generator):
        cases = []
        while len(cases) < 4:
            h, num_steps = ((2, 2), (3, 3), (6, 4), (3, 1))[len(cases)]
            drawn = [torch.randn(s, generator=generator, dtype=torch.float64) for s in ((h, h), (h,), (1, h))]
            num_open = (_through_time(*drawn, num_steps)[0] > 0).sum(dim=1)
            if min(2, h - 1) <= num_open.min() <= num_open.max() < h:  # open and closed units: no mistake can hide
                cases.append((*drawn, num_steps))
        return cases

    def run(answer, *case):
        try:
            return torch.tensor([[float(as_tensor(number)) for number in row] for row in call(answer, *case)])
        except (TypeError, ValueError, RuntimeError):  # no numbers, or lists of different lengths
            raise Wrong(f"Two lists of {case[-1]} numbers each are expected: norms of states, of gradients.") from None

    def right(*case):
        return _through_time(*case).norm(dim=2)

    from_case = {
        lambda *case: (*case, lambda H, W, b: (np.tanh(H @ W + b), W / np.cosh(H @ W + b) ** 2)): "This is the network "
        "with tanh: put the ReLU in its place.",
        lambda *case: (*case, lambda H, W, b: (H @ W + b, W)): "There is no ReLU in your network: negative numbers "
        "must become 0 at each step.",
        lambda *case: (*case, lambda H, W, b: (np.maximum(H, 0) @ W + b, (H > 0).T * W)): "The ReLU comes too early: "
        "it is applied to the sum H W_hh + b_h, not to the old state before it.",
        lambda W_hh, b_h, H_0, num_steps: (W_hh, 0 * b_h, H_0, num_steps): "b_h is missing.",
        lambda *case: (*case, _relu, np.ones_like, True): "The states are right. Your gradient goes back one step "
        "only, but it is asked for the state at the start, H_0.",
        lambda *case: (*case, _relu, lambda H: np.eye(len(H))[0]): "The states are right. Your gradient is that of the "
        "first unit alone: sum over all units.",
        lambda *case: (*case, _relu, lambda H: np.full_like(H, 1 / len(H))): "The states are right. Your gradient is "
        "that of the mean of the units: their sum is asked.",
        lambda *case: (*case, _relu, lambda H: H / np.linalg.norm(H)): "The states are right. Your gradient is that of "
        "the state's *norm*: the sum of its units is asked.",
    }
    from_right = {
        torch.square: "These are the squares of the norms: take the root.",
        lambda r: r.flip(0): "The norms of the states come first, those of the gradients second.",
        lambda r: r.T: "Your result is turned: its shape must be (2, num_steps).",
    }

    @variants(form=(0, 1, 2))
    def start_too_early(W_hh, b_h, H_0, num_steps, form):
        """Your list begins with H_0, the state before the first step: the first one asked for is H_1."""
        later, first = relu_norms.right(W_hh, b_h, H_0, num_steps), torch.stack([H_0, torch.ones_like(H_0)]).norm(dim=2)
        longer = torch.cat([first, later], dim=1)
        return (longer[:, :-1], torch.stack([longer[0, :-1], later[1]]), longer)[form]

    def states_summed(*case):
        """The gradients are right. In the states: you add the entries up in place of taking the norm: the root of the
        sum of their squares."""
        return torch.stack([_through_time(*case)[0].sum(dim=1), relu_norms.right(*case)[1]])

    def gradients_summed(*case):
        """The states are right. In the gradients: you add the entries up in place of taking the norm: the root of the
        sum of their squares."""
        return torch.stack([relu_norms.right(*case)[0], _through_time(*case)[1].sum(dim=1)])

    def both_summed(*case):
        """You add the entries up in place of taking the norm: the root of the sum of their squares."""
        return _through_time(*case).sum(dim=2)
