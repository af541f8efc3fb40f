"""Wrong answers to the exercises of notebook 07, each with a pattern that the check's hint must match."""

import math

import torch
from torch.nn import functional as F

from helpers.train import clip_gradients, mean_loss, train_epoch


def always_carried(model, batches, lr, max_norm):
    batches.carries_state = True
    return train_epoch(model, batches, lr, max_norm)[0]


def always_reset(model, batches, lr, max_norm):
    batches.carries_state = False
    return train_epoch(model, batches, lr, max_norm)[0]


def loop(
    model,
    batches,
    lr,
    max_norm,
    detach=True,
    forget=True,
    clip="before",
    order="time first",
    weigh=True,
    scored="before",
    reduction="mean",
):
    """An epoch as students write it, with room for mistakes."""
    state, losses, counts = None, [], []
    for X, Y in batches:
        if state is None or not batches.carries_state:
            state = model.initial_state(len(X))
        start = tuple(S.detach() for S in state) if detach else state
        outputs, state = model(X, start)
        targets = Y.T if order == "time first" else Y
        loss = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction=reduction)
        if forget:
            for p in model.parameters():
                p.grad = None
        loss.backward()
        if clip == "each":
            for p in model.parameters():
                clip_gradients([p], max_norm)
        elif clip == "always":
            norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
            for p in model.parameters():
                p.grad *= max_norm / norm
        elif clip == "before":
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        for p in model.parameters():
            p.data -= lr * p.grad
        if clip == "after":
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        if scored != "before":
            outputs, later = model(X, start)
            state = later if scored == "after, state too" else state
            loss = mean_loss(outputs, Y)
        losses.append(loss.item())
        counts.append(Y.numel() if weigh else 1)
    if weigh == "sums":
        return math.exp(sum(losses) / sum(counts))
    if weigh == "perplexities":
        return sum(map(math.exp, losses)) / len(losses)
    if weigh == "weighted perplexities":
        return sum(math.exp(loss) * n for loss, n in zip(losses, counts, strict=True)) / sum(counts)
    return math.exp(sum(loss * n for loss, n in zip(losses, counts, strict=True)) / sum(counts))


def changed(**mistake):
    return lambda model, batches, lr, max_norm: loop(model, batches, lr, max_norm, **mistake)


def with_an_optimizer(model, batches, lr, max_norm):
    return torch.optim.SGD(model.parameters(), lr)


def only_measured(model, batches, lr, max_norm):
    total, count, state = 0.0, 0, None
    for X, Y in batches:
        if state is None or not batches.carries_state:
            state = model.initial_state(len(X))
        outputs, state = model(X, state)
        total, count = total + mean_loss(outputs, Y).item() * Y.numel(), count + Y.numel()
    return math.exp(total / count)


def measured_at_the_end(model, batches, lr, max_norm):
    loop(model, batches, lr, max_norm)
    return only_measured(model, batches, lr, max_norm)


def state_of_another_row(H, old, new):
    result = torch.zeros_like(H)
    for i, first in enumerate(new[:, 0]):
        for j, last in enumerate(old[:, -1]):
            if first == last + 1:
                result[i] = H[j]
    return result


def only_the_first(state):
    return (state[0].detach(), *state[1:])


def in_place_reset(H, old, new):
    H[new[:, 0] != old[:, -1] + 1] = 0
    return H


WRONG = {
    "start_state": [
        (lambda H, old, new: H, "Every row keeps its state"),
        (lambda H, old, new: torch.zeros_like(H), "Every row is reset"),
        (lambda H, old, new: H if (new[:, 0] == old[:, -1] + 1).all() else torch.zeros_like(H), "All rows or none"),
        (lambda H, old, new: H * (new[:, :1] == old[:, -1:]), "read that character twice"),
        (lambda H, old, new: H * (new[:, :1] != old[:, -1:] + 1), "wrong way round"),
        (in_place_reset, "in place"),
        (lambda H, old, new: H * torch.isin(new[:, :1], old[:, -1] + 1), r"where \*another\* row stopped"),
        (state_of_another_row, "one row on to another"),
        (lambda H, old, new: H * (new[:, :1] > old[:, -1:]), "For .* your result"),
    ],
    "detach_state": [
        (lambda state: state, "history is not cut"),
        (lambda state: tuple(S.clone() for S in state), "history is not cut"),
        (only_the_first, "history of each must be cut"),
        (lambda state: (state[0].detach(),), "you return 1: an LSTM"),
        (lambda state: tuple(torch.zeros_like(S) for S in state), "These are zeros: that is a reset"),
        (lambda state: [S.detach() for S in state], "as a tuple"),
        (lambda state: state.detach(), "'tuple' object has no attribute 'detach'. `state` is a tuple: its tensors"),
        (lambda state: state[0].detach(), "as a tuple"),
        (lambda state: (S.detach() for S in state), "generator, not a tuple"),
        (lambda state: tuple(S.detach().numpy() for S in state), "a tuple of tensors is expected"),
        (lambda state: tuple(S.requires_grad_(False) for S in state), "RuntimeError"),
        (lambda state: tuple(S.detach().tanh() for S in state), "For a state of 1 tensor your result"),
        (lambda state: (*(S.detach() for S in state), None), "a tuple of tensors is expected"),
    ],
    "whole_perplexity": [
        (lambda losses, counts: math.exp(sum(losses) / len(losses)), "counts every minibatch alike"),
        (lambda losses, counts: sum(map(math.exp, losses)) / len(losses), "You average perplexities"),
        (
            lambda losses, counts: sum(math.exp(a) * n for a, n in zip(losses, counts, strict=True)) / sum(counts),
            "You average perplexities",
        ),
        (lambda losses, counts: math.exp(sum(losses)), "added up"),
        (lambda losses, counts: math.exp(sum(a * n for a, n in zip(losses, counts, strict=True))), "added up"),
        (
            lambda losses, counts: math.exp(sum(a * n for a, n in zip(losses, counts, strict=True)) / len(counts)),
            "How many characters",
        ),
        (
            lambda losses, counts: 2 ** (sum(a * n for a, n in zip(losses, counts, strict=True)) / sum(counts)),
            "nats",
        ),
        (lambda losses, counts: sum(a * n for a, n in zip(losses, counts, strict=True)) / sum(counts), "mean loss"),
        (lambda losses, counts: math.exp(sum(losses) / sum(counts)), "mean of its minibatch already"),
        (lambda losses, counts: sum(losses) / sum(counts), "mean of its minibatch already"),
        (lambda losses, counts: math.exp(max(losses)), "For .* your result is .* expected"),
    ],
    "one_epoch": [
        (always_carried, "carries_state = False"),
        (always_reset, "carries_state = True"),
        (changed(forget=False), "backward. adds"),
        (changed(clip="after"), "unclipped"),
        (changed(clip="no"), "unclipped"),
        (changed(clip="each"), "norm of all together"),
        (changed(clip="always"), "keep that one"),
        (changed(order="batch first"), "batch first"),
        (changed(weigh=False), "short minibatch"),
        (changed(detach=False), "RuntimeError.*second time"),
        (changed(weigh="perplexities"), "average perplexities"),
        (changed(weigh="weighted perplexities"), "average perplexities"),
        (changed(reduction="sum", weigh="sums"), "not the sum"),
        (changed(scored="after"), "measured after the step"),
        (changed(scored="after, state too"), "measured after the step"),
        (measured_at_the_end, "measured after the step"),
        (only_measured, "do not move"),
        (with_an_optimizer, "without `torch.optim`"),
        (train_epoch, "perplexity alone"),
        (lambda *rest: math.log(loop(*rest)), "mean loss"),
        (lambda model, batches, lr, max_norm: loop(model, batches, 2 * lr, max_norm), "For minibatches of 3, 2 time"),
        (lambda *rest: loop(*rest) and loop(*rest), "For minibatches of 3, 2 time"),
    ],
}
