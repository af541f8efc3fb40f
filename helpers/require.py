"""The guards: each stops wrong input with one sentence on what was wrong, what was expected and what to do."""

import functools
import math
import numbers
from collections.abc import Callable

import torch


class TrainingDiverged(RuntimeError):
    """The loss or the gradient was no longer a finite number; the model keeps its last finite weights."""


def require(holds: object, sentence: str, error: type[Exception] = ValueError) -> None:
    """Raise `error` with the sentence unless something `holds`."""
    if not holds:
        raise error(sentence)


def require_before(guard: Callable) -> Callable[[Callable], Callable]:
    """Call `guard` with a generator's arguments at once: the generator's own body waits for the first record."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def guarded(*args, **kwargs):
            guard(*args, **kwargs)
            return function(*args, **kwargs)

        return guarded

    return decorate


def require_count(name: str, value: int, minimum: int = 1) -> None:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    require(whole, f"{name} must be a whole number, but it is {value!r}.", TypeError)
    require(value >= minimum, f"{name} must be at least {minimum}, but it is {value}.")


def require_positive(name: str, value: float, or_zero: bool = False) -> None:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    require(number, f"{name} must be a number, but it is {value!r}.", TypeError)
    fits = 0 < value < math.inf or (or_zero and value == 0)
    require(fits, f"{name} must be {'0 or ' if or_zero else ''}a positive, finite number, but it is {value}.")


def require_max_norm(max_norm: float | None) -> None:
    if max_norm is not None:
        require_positive("max_norm", max_norm)


def require_corpus(corpus: torch.Tensor, batch_size: int, num_steps: int) -> None:
    require_count("batch_size", batch_size)
    require_count("num_steps", num_steps)
    flat = isinstance(corpus, torch.Tensor) and corpus.dim() == 1 and corpus.dtype == torch.long
    require(flat, "The corpus must be a flat tensor of indices: make it with vocab.encode(text).")
    needed = batch_size * num_steps + num_steps  # Y is one longer than X, the start up to num_steps - 1 later
    require(
        len(corpus) >= needed,
        f"The text has {len(corpus)} characters, but minibatches of {batch_size} rows × {num_steps} steps "
        f"need at least {needed}: use a longer text, fewer rows or fewer steps.",
    )


def require_indices(X: torch.Tensor, vocab_size: int) -> None:
    require_count("vocab_size", vocab_size)
    fits = X.dim() == 2 and X.dtype == torch.long
    require(fits, f"X must hold int64 indices, (batch, time), but it is {X.dtype} of shape {tuple(X.shape)}.")
    require(X.numel(), "X is empty: a model needs at least one row and one time step.")
    lowest, highest = int(X.min()), int(X.max())
    require(
        0 <= lowest <= highest < vocab_size,
        f"X holds indices from {lowest} to {highest}, but the model knows {vocab_size} characters: "
        "use the vocabulary that the model was made for.",
    )


def require_state(state: tuple[torch.Tensor, ...], num_tensors: int, batch_size: int, model) -> None:
    wanted = [(batch_size, model.hidden_size)] * num_tensors
    found = [tuple(S.shape) for S in state] if isinstance(state, tuple) else type(state).__name__
    start = f"start from model.initial_state({batch_size})."
    require(found == wanted, f"The state must be a tuple of shapes {wanted}, but it is {found}: {start}")
    right = all(S.dtype == model.dtype for S in state)
    require(right, f"The state must be {model.dtype}, but it is {state[0].dtype}: {start}")


def require_prefix(prefix: str, vocab) -> None:
    require(prefix, "The prefix is empty: the network needs at least one character to start from.")
    unknown = sorted({character for character in prefix if character not in vocab.index})
    require(
        not unknown,
        f"The prefix has characters that the text never uses: {' '.join(map(repr, unknown))}. "
        f"Allowed are: {' '.join(map(repr, vocab.tokens[1:]))}. clean(prefix) leaves only those.",
    )


def require_finite(numbers: dict[str, float], lr: float) -> None:
    found = " and ".join(f"the {name} is {number:g}" for name, number in numbers.items())
    advice = f"lr = {lr:g} is too large here: try a tenth of it, or clip the gradients."
    require(all(map(math.isfinite, numbers.values())), f"Training stopped: {found}. {advice}", TrainingDiverged)


def require_training(model, batches, num_epochs: int, lr: float, max_norm: float | None = 1.0, **_) -> None:
    require_count("num_epochs", num_epochs, minimum=0)
    require_positive("lr", lr)
    require_max_norm(max_norm)
    require(
        hasattr(batches, "carries_state"),
        "The minibatches must say whether the state carries over: use SequentialBatches or RandomBatches, "
        "or give yours an attribute carries_state.",
        TypeError,
    )
    highest = int(batches.corpus.max()) if hasattr(batches, "corpus") else 0
    require(
        highest < model.vocab_size,
        f"The text has the index {highest}, but the model knows {model.vocab_size} characters: "
        "use the vocabulary that the model was made for.",
    )
