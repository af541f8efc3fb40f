"""Answers to the exercises of notebook 04 as students write them: wrong ones, each with its hint, and right ones."""

import math

import numpy as np
import torch
from torch.nn import functional as F


def by_character(model, pieces, of=lambda outputs, state: [outputs, state]):
    outputs, state = [], model.initial_state(len(pieces[0]))
    for column in (column for X in pieces for column in X.split(1, dim=1)):
        new, state = model.forward(column, state)
        outputs += list(new)
    return of(torch.stack(outputs), state)


def joined(model, pieces):
    return model(torch.cat(pieces, dim=1), model.initial_state(len(pieces[0])))


def by_place(outputs, Y, log_probs=lambda outputs: outputs.log_softmax(dim=-1)):
    batch, time = Y.shape
    found = log_probs(outputs)
    return [-sum(found[b, t, Y[b, t]].item() for b in range(batch)) / batch for t in range(time)]


def at_once(first, second, params, dtype=torch.float64, divided=lambda d: d / d[0]):
    W_xh, W_hh, b_h = (p.to(dtype) for p in params[:3])
    H, d = torch.zeros(2, len(W_hh), dtype=dtype), []
    for pair in torch.stack([first, second], dim=1):
        H = torch.tanh(W_xh[pair] + H @ W_hh + b_h)
        d.append(math.dist(*H.tolist()))
    return divided(np.array(d))


WRONG = {
    "three_steps": [
        ([[1, -1], [-1, -1], [-1, 1]], "after c is not right.* the one after b"),
        ([[1, 1], [-1, -1], [1, 1]], "after a is not right.* is zero"),
        ([1, -1, -1, -1, 1, 1], "Three states of two units"),
    ],
    "read_in_pieces": [
        (lambda *case: by_character(*case, lambda outputs, state: (list(outputs), state)), "should be one tensor"),
        (joined, "the pieces were joined.* The model was called once for 3 pieces"),
        (lambda model, pieces: joined(model, pieces)[0], "a pair should come back"),
        (lambda model, pieces: (model(pieces[0], model.initial_state(1)), 1), "raised ValueError"),
        (lambda *_: (torch.zeros(2, 1, 3), ()), r"1 of 2: for pieces of 2 and 1 steps, 1 row, .*\(2, 1, 3\) inst"),
    ],
    "loss_by_step": [
        (lambda outputs, Y: by_place(outputs, Y, lambda o: o - o.exp().sum(2, keepdim=True).log()), "−∞|NaN|expected"),
        (lambda outputs, Y: torch.tensor(by_place(outputs, Y)).squeeze(), r"the shape \(\) instead of \(1,\)"),
        (lambda outputs, Y: torch.zeros(Y.shape[1]), "expected"),
    ],
    "remembered": [
        (lambda *case: at_once(*case, divided=lambda d: d / d.max()), "and 20 hidden units|the texts"),
        (lambda *case: at_once(*case, torch.float32), "lost in rounding"),
        (lambda *case: at_once(*case, divided=lambda d: (d / d[0]).squeeze()), r"the shape \(\) instead of \(1,\)"),
        (lambda *case: at_once(*case) + 1, r"❌ For the texts \[., .\] and \[., .\] and 2 hidden units, your"),
        (lambda *case: at_once(*case)[-1], "has the shape"),
    ],
}

RIGHT = {
    "three_steps": [torch.tensor([[0.995, -1], [-1, -0.995], [1, 0.995]]), ((1, -1), (-1.0, -1), np.array([1, 1]))],
    "read_in_pieces": [by_character, torch.no_grad()(by_character)],
    "loss_by_step": [by_place, lambda outputs, Y: F.cross_entropy(outputs.mT, Y, reduction="none").mean(0)],
    "remembered": [at_once, lambda *case: at_once(*case).tolist()],
}
