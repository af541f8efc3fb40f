"""Wrong answers to the exercises of notebook 04, each with a pattern that the check's hint must match."""

import torch
from torch.nn import functional as F


def reset(model, pieces):
    first = model.initial_state(len(pieces[0]))
    read = [model(X, first) for X in pieces]
    return torch.cat([outputs for outputs, _ in read]), read[-1][1]


def last_outputs(model, pieces):
    state = model.initial_state(len(pieces[0]))
    for X in pieces:
        outputs, state = model(X, state)
    return outputs, state


def untouched_state(model, pieces):
    state = first = model.initial_state(len(pieces[0]))
    kept = []
    for X in pieces:
        outputs, state = model(X, state)
        kept.append(outputs)
    return torch.cat(kept), first


def late_state(model, pieces):
    state, kept = model.initial_state(len(pieces[0])), []
    for X in pieces:
        before = state
        outputs, state = model(X, state)
        kept.append(outputs)
    return torch.cat(kept), before


def one_tensor(model, pieces):
    outputs, (H,) = model(torch.cat(pieces, dim=1), model.initial_state(len(pieces[0])))
    return outputs, H


def no_tuple(model, pieces):
    outputs, state = model(torch.cat(pieces, dim=1), model.initial_state(len(pieces[0])))
    return outputs, state[0]


def joined(model, pieces):
    return model(torch.cat(pieces, dim=1), model.initial_state(len(pieces[0])))


def listed(model, pieces):
    state, kept = model.initial_state(len(pieces[0])), []
    for X in pieces:
        outputs, state = model(X, state)
        kept.append(outputs)
    return kept, state


def copied_from_the_chapter(outputs, Y):
    losses = F.cross_entropy(outputs.flatten(0, 1), Y.T.flatten(), reduction="none")
    return losses.reshape(Y.T.shape).mean(dim=1)


def copied_and_cut_differently(outputs, Y):
    losses = F.cross_entropy(outputs.flatten(0, 1), Y.T.flatten(), reduction="none")
    return losses.reshape(Y.shape).mean(dim=0)


def half_turned(outputs, Y):
    losses = F.cross_entropy(outputs.transpose(0, 1).flatten(0, 1), Y.flatten(), reduction="none")
    return losses.reshape(Y.shape[1], Y.shape[0]).mean(dim=1)


def reshaped(outputs, Y):
    losses = F.cross_entropy(outputs.flatten(0, 1), Y.flatten(), reduction="none")
    return losses.reshape(Y.shape[1], Y.shape[0]).mean(dim=1)


def by_row(outputs, Y):
    return F.cross_entropy(outputs.transpose(1, 2), Y, reduction="none").mean(dim=1)


def distances(first, second, params, of_outputs=False, carry=False, squash=torch.tanh):
    W_xh, W_hh, b_h, W_hq, _ = params
    A = B = torch.zeros(1, len(W_hh), dtype=W_hh.dtype)
    found = []
    for i in first:
        A = squash(W_xh[i] + A @ W_hh + b_h)
        found.append(A)
    if carry:
        B = A
    for t, i in enumerate(second):
        B = squash(W_xh[i] + B @ W_hh + b_h)
        found[t] = found[t] - B
    return torch.stack([(d @ W_hq if of_outputs else d).norm() for d in found])


def ratio(d):
    return d / d[0]


WRONG = {
    "three_steps": [
        ([[1, -1], [1, -1], [1, -1]], "The memory is missing"),
        ([[1, -1], [0, 1], [1, -1]], "from the wrong side"),
        ([[1, -1], [-1, 0], [1, 1]], "The bias is missing"),
        ([[3, -6], [-6, -3], [5, 3]], "These are the sums"),
        ([[3, -6], [-34, 3], [153, 61]], "tanh is missing"),
        ([[1, -1], [-1, -1], [-1, 1]], "after c is not right.* the one after b"),
        ([[1, 1], [-1, -1], [1, 1]], "after a is not right.* is zero"),
        ([1, -1, -1, -1, 1, 1], "Three states of two units"),
    ],
    "read_in_pieces": [
        (reset, "as if nothing came before it"),
        (last_outputs, "Only the last piece's outputs"),
        (untouched_state, "before anything was read"),
        (late_state, "before the last piece"),
        (listed, "join them along the time axis"),
        (no_tuple, "the state as the model returns it, a tuple"),
        (one_tensor, "ValueError"),
        (joined, "the model was called once for [23] pieces"),
        (lambda model, pieces: joined(model, pieces)[::-1], "The two parts are swapped"),
        (lambda model, pieces: (torch.zeros(4, 1, 3), ()), "For pieces of 2 and 1 steps, 1 row, "),
        (lambda model, pieces: reset(model, pieces)[0], "Two things are asked for"),
        (lambda model, pieces: (model(pieces[0], model.initial_state(1)), 1), "ValueError"),
        (
            lambda model, pieces: (torch.zeros(2, 1, 3), ()),
            r"First part, the outputs: .*\(2, 1, 3\) instead of \(3, 1, 3\)",
        ),
    ],
    "loss_by_step": [
        (copied_from_the_chapter, "PyTorch cannot know"),
        (copied_and_cut_differently, "PyTorch cannot know"),
        (half_turned, "`Y` is still batch first"),
        (reshaped, "`reshape` does not change"),
        (by_row, "one loss for each row"),
        (lambda outputs, Y: F.cross_entropy(outputs.flatten(0, 1), Y.flatten()), "one loss for everything"),
        (
            lambda outputs, Y: F.cross_entropy(outputs.mT, Y, reduction="none").mean(0) / torch.tensor(2.0).log(),
            "loss in bits",
        ),
        (lambda outputs, Y: torch.zeros(Y.shape[1]), "expected"),
    ],
    "remembered": [
        (distances, "These are the distances themselves"),
        (lambda *case: ratio(distances(*case, of_outputs=True)), "distances of the outputs"),
        (lambda *case: ratio(distances(*case, carry=True)), "starts from where the first ended"),
        (lambda *case: distances(*case)[1:] / distances(*case)[:-1], "one step before"),
        (lambda *case: ratio(distances(*case)) ** 2, "These are the squares"),
        (lambda a, b, p: ratio(distances(a, b, (p[0], p[1], 0 * p[2], p[3], p[4]))), "bias `b_h` is missing"),
        (lambda a, b, p: ratio(distances(a, b, (p[0], p[1].T, *p[2:]))), "from the wrong side"),
        (lambda *case: ratio(distances(*case, squash=lambda total: total)), "tanh is missing"),
        (lambda *case: ratio(distances(*case)) + 1, r"❌ For the texts \[., .\] and \[., .\] and 2 hidden units, your"),
        (lambda *case: ratio(distances(*case))[-1], "has the shape"),
    ],
}
