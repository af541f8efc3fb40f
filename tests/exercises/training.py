"""Answers to the exercises of notebook 07 as students write them, the wrong ones with a pattern of their hint."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from helpers.train import train_epoch


def loop(model, batches, lr, max_norm, detach=True, retain=None):
    """An epoch with PyTorch's own clipping, and a step by way of `data`."""
    params, state, total, count = model.parameters(), None, 0.0, 0
    for X, Y in batches:
        if state is None or not batches.carries_state:
            state = model.initial_state(len(X))
        outputs, state = model(X, tuple(S.detach() for S in state) if detach else state)
        loss = F.cross_entropy(outputs.permute(1, 2, 0), Y)  # (batch, vocab, time)
        for p in params:
            p.grad = None
        loss.backward(retain_graph=retain)
        torch.nn.utils.clip_grad_norm_(params, max_norm)
        for p in params:
            p.data -= lr * p.grad
        total, count = total + loss.detach() * Y.numel(), count + Y.numel()
    return torch.exp(total / count)


WRONG = {
    "start_state": [
        (lambda H, old, new: H * (new[:, :1] == old[:, :1] + new.shape[1]), "For .* your result"),  # lengths differ
        (lambda H, old, new: H * ((new[:, :1] - old[:, -1:]).abs() == 1), "For .* your result"),
        (lambda H, old, new: (H * (new[:, :1] == old[:, -1:] + 1)).squeeze(), "For .* shape"),
        (lambda H, old, new: H.mul_(new[:, :1] == old[:, -1:] + 1), "in place"),
    ],
    "detach_state": [
        (lambda state: (state[0].detach(),), "you return 1: an LSTM"),
        (lambda state: tuple(S.detach() for S in (*state, state[0])), "as many are expected"),
        (lambda state: [S.detach() for S in state], "as a tuple"),
        (lambda state: state.detach(), "'tuple' object has no attribute 'detach'. `state` is a tuple: its tensors"),
        (lambda state: (S.detach() for S in state), "generator, not a tuple"),
        (lambda state: tuple(S.detach().numpy() for S in state), "tuple of tensors is expected"),
        (lambda state: tuple(S.detach().tanh() for S in state), "For a state of 1 tensor your result"),
        (lambda state: [S.detach_() for S in state] and state, "RuntimeError.*detach views in-place"),
    ],
    "whole_perplexity": [
        (lambda losses, counts: math.exp(np.dot(losses, counts)) ** (1 / sum(counts)), "OverflowError"),
        (lambda losses, counts: math.exp(max(losses)), "For .* your result is .* expected"),
    ],
    "one_epoch": [
        (lambda *case: loop(*case, detach=False), "RuntimeError.*second time"),
        (lambda *case: loop(*case, detach=False, retain=True), "For minibatches of 3, 3, 2 time"),
        (lambda model, batches, lr, max_norm: loop(model, batches, 2 * lr, max_norm), "For minibatches of 3, 2 time"),
        (lambda model, batches, lr, max_norm: torch.optim.SGD(model.parameters(), lr), "without `torch.optim`"),
        (train_epoch, "perplexity alone"),
    ],
}
RIGHT = {
    "start_state": [
        lambda H, old, new: [h * int(b[0] - a[-1] == 1) for h, a, b in zip(H, old, new, strict=True)],
        lambda H, old, new: H * (new[:, :1] == old[:, :1] + old.shape[1]),
    ],
    "detach_state": [lambda state: (*[S.data for S in state],), lambda state: torch.stack(state).detach().unbind()],
    "whole_perplexity": [
        lambda losses, counts: (torch.tensor(losses) * torch.tensor(counts)).sum().div(sum(counts)).exp(),  # in float32
        lambda losses, counts: np.exp(np.average(losses, weights=counts)),
    ],
    "one_epoch": [loop, lambda *case: train_epoch(*case)[0]],
}
