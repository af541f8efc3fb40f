"""Clipping, one epoch, training as an iterator of records, and perplexity."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from .require import require, require_before, require_count, require_finite, require_max_norm, require_training


@dataclass(frozen=True)
class Record:
    """What one epoch of training showed."""

    epoch: int  # from 1
    perplexity: float  # on the training text, while the weights were changing
    grad_norm: float  # before clipping, mean over the minibatches
    tokens_per_second: float


def mean_loss(outputs: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats of outputs (time, batch, vocab) against the targets Y (batch, time)."""
    return F.cross_entropy(outputs.flatten(0, 1), Y.T.flatten().to(outputs.device))


def as_perplexity(loss: float) -> float:
    """The perplexity of a mean loss in nats; infinity where it is too large for a float."""
    return math.exp(loss) if loss < 700 else math.inf


def clip_gradients(params: Iterable[torch.Tensor], max_norm: float | None) -> float:
    """Scale all gradients together so that their global norm is at most `max_norm`; return the norm before.

    `max_norm` None clips nothing. Raises ValueError when `max_norm` is not positive. Method: Pascanu,
    Mikolov, Bengio, "On the difficulty of training recurrent neural networks" (2013).
    """
    require_max_norm(max_norm)
    gradients = [p.grad for p in params if p.grad is not None]
    require(gradients, "No parameter has a gradient: call loss.backward() first.")
    norm = torch.sqrt(sum((g**2).sum() for g in gradients)).item()
    if max_norm is not None and norm > max_norm:
        for g in gradients:
            g *= max_norm / norm
    return norm


def sgd_step(params: Iterable[torch.Tensor], lr: float) -> None:
    """Move every parameter that has a gradient against it, by `lr` times the gradient, in place."""
    with torch.no_grad():
        for p in params:
            if p.grad is not None:
                p -= lr * p.grad


def train_epoch(model, batches, lr: float, max_norm: float | None = 1.0) -> tuple[float, float, int]:
    """One pass over `batches`; returns the perplexity, the mean gradient norm before clipping, the tokens read.

    Raises TrainingDiverged, before the weights change, when the loss or the gradient is not finite.
    """
    params = model.parameters()
    total_loss, norms, num_tokens, state = 0.0, [], 0, None
    for X, Y in batches:
        if state is None or not batches.carries_state:
            state = model.initial_state(len(X))
        state = tuple(S.detach() for S in state)  # the gradient stops at the minibatch's first step
        outputs, state = model(X, state)
        loss = mean_loss(outputs, Y)
        for p in params:
            p.grad = None
        loss.backward()
        norms.append(clip_gradients(params, max_norm))
        require_finite({"loss": loss.item(), "gradient's norm": norms[-1]}, lr)
        sgd_step(params, lr)
        total_loss += loss.item() * Y.numel()
        num_tokens += Y.numel()
    require(num_tokens, "There was no minibatch to train on.")
    return as_perplexity(total_loss / num_tokens), sum(norms) / len(norms), num_tokens


@require_before(require_training)
def train(model, batches, num_epochs: int, lr: float, max_norm: float | None = 1.0) -> Iterator[Record]:
    """Train for up to `num_epochs` epochs and yield a Record after each; `break` stops early.

    `batches` says itself whether the state carries over (`carries_state`). Works for any model with
    `parameters`, `initial_state` and `forward`. Wrong settings raise at once, before the first epoch.
    Raises TrainingDiverged when the loss or the perplexity is no longer finite; the records already given stay true.
    """
    for epoch in range(1, num_epochs + 1):
        start = time.perf_counter()
        perplexity, grad_norm, num_tokens = train_epoch(model, batches, lr, max_norm)
        require_finite({f"perplexity of epoch {epoch}": perplexity}, lr)
        yield Record(epoch, perplexity, grad_norm, num_tokens / (time.perf_counter() - start))


def evaluate(model, corpus: torch.Tensor, num_steps: int = 500) -> float:
    """Perplexity of the model on a text it reads once, from its first character to its last.

    corpus: flat indices. The state starts at zero and is carried through; `num_steps` only bounds memory.
    """
    require_count("num_steps", num_steps)
    require(len(corpus) > 1, f"Perplexity needs at least two characters, but the text has {len(corpus)}.")
    total_loss, state = 0.0, model.initial_state(1)
    with torch.no_grad():
        for t in range(0, len(corpus) - 1, num_steps):
            Y = corpus[None, t + 1 : t + 1 + num_steps]
            X = corpus[None, t : t + Y.shape[1]]
            outputs, state = model(X, state)
            total_loss += mean_loss(outputs, Y).item() * Y.numel()
    return as_perplexity(total_loss / (len(corpus) - 1))
