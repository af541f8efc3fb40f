"""Clipping, one epoch, training as an iterator of records, and perplexity."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from . import check_count, check_positive


@dataclass(frozen=True)
class Record:
    """What one epoch of training showed."""

    epoch: int  # from 1
    perplexity: float  # on the training text, while the weights were changing
    grad_norm: float  # before clipping, mean over the minibatches
    tokens_per_second: float


class TrainingDiverged(RuntimeError):
    """The loss or the gradient was no longer a finite number; the model keeps its last finite weights."""


def mean_loss(outputs: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats of outputs (time, batch, vocab) against the targets Y (batch, time)."""
    return F.cross_entropy(outputs.flatten(0, 1), Y.T.reshape(-1).to(outputs.device))


def clip_gradients(params: Iterable[torch.Tensor], max_norm: float | None) -> float:
    """Scale all gradients together so that their global norm is at most `max_norm`; return the norm before.

    `max_norm` None clips nothing. Raises ValueError when `max_norm` is not positive. Method: Pascanu,
    Mikolov, Bengio, "On the difficulty of training recurrent neural networks" (2013).
    """
    if max_norm is not None:
        check_positive("max_norm", max_norm)
    gradients = [p.grad for p in params if p.grad is not None]
    if not gradients:
        raise ValueError("No parameter has a gradient: call loss.backward() first.")
    norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients])))
    if max_norm is not None and max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm


def sgd_step(params: Iterable[torch.Tensor], lr: float) -> None:
    """Move every parameter against its gradient by `lr` times the gradient, in place."""
    with torch.no_grad():
        for p in params:
            if p.grad is not None:  # a tensor that took no part stays where it is
                p.sub_(p.grad, alpha=lr)


def _perplexity(mean_loss: float) -> float:
    return math.exp(mean_loss) if mean_loss < 700 else math.inf  # exp(710) is no float any more


def train_epoch(model, batches, lr: float, max_norm: float | None = 1.0) -> tuple[float, float, int]:
    """One pass over `batches`; returns the perplexity, the mean gradient norm before clipping, the tokens read.

    Raises TrainingDiverged, before the weights change, when the loss or the gradient is not finite.
    """
    params = model.parameters()
    total_loss, total_norm, num_tokens, num_batches = 0.0, 0.0, 0, 0
    state = None
    for X, Y in batches:
        if state is None or not batches.carries_state:
            state = model.initial_state(len(X))
        state = tuple(S.detach() for S in state)  # the gradient stops at the minibatch's first step
        outputs, state = model(X, state)
        loss = mean_loss(outputs, Y)
        for p in params:
            p.grad = None
        loss.backward()
        norm = clip_gradients(params, max_norm)
        if not math.isfinite(loss.item()) or not math.isfinite(norm):
            raise TrainingDiverged(
                f"Training stopped: the loss is {loss.item():g} and the gradient's norm {norm:g}. "
                f"lr = {lr:g} is too large here: try a tenth of it, or clip the gradients."
            )
        sgd_step(params, lr)
        total_loss += loss.item() * Y.numel()
        total_norm += norm
        num_tokens += Y.numel()
        num_batches += 1
    if not num_batches:
        raise ValueError("There was no minibatch to train on.")
    return _perplexity(total_loss / num_tokens), total_norm / num_batches, num_tokens


def train(model, batches, num_epochs: int, lr: float, max_norm: float | None = 1.0) -> Iterator[Record]:
    """Train for up to `num_epochs` epochs and yield a Record after each; `break` stops early.

    `batches` says itself whether the state carries over (`carries_state`). Works for any model with
    `parameters`, `initial_state` and `forward`. Wrong settings raise at once, before the first epoch.
    Raises TrainingDiverged when the loss or the perplexity is no longer finite; the records already given stay true.
    """
    check_count("num_epochs", num_epochs, minimum=0)
    check_positive("lr", lr)
    if not hasattr(batches, "carries_state"):
        raise TypeError(
            "The minibatches must say whether the state carries over: use SequentialBatches or RandomBatches, "
            "or give yours an attribute carries_state."
        )
    if max_norm is not None:
        check_positive("max_norm", max_norm)
    corpus = getattr(batches, "corpus", None)
    if corpus is not None and int(corpus.max()) >= model.vocab_size:
        raise ValueError(
            f"The text has the index {int(corpus.max())}, but the model knows {model.vocab_size} characters: "
            "use the vocabulary that the model was made for."
        )

    def epochs() -> Iterator[Record]:
        for epoch in range(1, num_epochs + 1):
            start = time.perf_counter()
            perplexity, grad_norm, num_tokens = train_epoch(model, batches, lr, max_norm)
            if math.isinf(perplexity):
                raise TrainingDiverged(
                    f"Training stopped in epoch {epoch}: the perplexity is too large to be written. "
                    f"lr = {lr:g} is too large here: try a tenth of it, or clip the gradients."
                )
            yield Record(epoch, perplexity, grad_norm, num_tokens / (time.perf_counter() - start))

    return epochs()


def evaluate(model, corpus: torch.Tensor, num_steps: int = 500) -> float:
    """Perplexity of the model on a text it reads once, from its first character to its last.

    corpus: flat indices. The state starts at zero and is carried through; `num_steps` only bounds memory.
    """
    check_count("num_steps", num_steps)
    if len(corpus) < 2:
        raise ValueError(f"Perplexity needs at least two characters, but the text has {len(corpus)}.")
    total_loss, state = 0.0, model.initial_state(1)
    with torch.no_grad():
        for start in range(0, len(corpus) - 1, num_steps):
            Y = corpus[None, start + 1 : start + 1 + num_steps]
            X = corpus[None, start : start + Y.shape[1]]
            outputs, state = model(X, state)
            total_loss += mean_loss(outputs, Y).item() * Y.numel()
    return _perplexity(total_loss / (len(corpus) - 1))
