"""The better recipe: learned vectors, dropout, Adam, a learning rate that rises and falls once.

Training is an iterator of records as in `train`, and the network has the interface of `RNN`.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator

import torch

from .gates import GRU, gru_step
from .require import (
    require,
    require_before,
    require_count,
    require_finite,
    require_indices,
    require_state,
    require_training,
)
from .rnn import State
from .text import Vocab
from .train import Record, as_perplexity, clip_gradients, mean_loss


class DropoutGRU(GRU):
    """A GRU that reads learned vectors in place of one-hot rows, and that learns with units blanked at random."""

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int = 256,
        vector_size: int = 64,
        dropout: float = 0.3,
        sigma: float = 0.05,
        seed: int = 0,
    ):
        require(0 <= dropout < 1, f"dropout must be at least 0 and below 1, but it is {dropout}.")
        require_count("vector_size", vector_size)
        super().__init__(vocab_size, hidden_size, sigma, seed, device="cpu")
        self.dropout, self.training = dropout, False
        self.generator = torch.Generator().manual_seed(seed)
        E = torch.randn(vocab_size, vector_size, generator=self.generator)
        W_xh = torch.randn(vector_size, 3 * hidden_size, generator=self.generator) * sigma
        self.params = (E.requires_grad_(), W_xh.requires_grad_(), *self.params[1:])

    def drop(self, values: torch.Tensor) -> torch.Tensor:
        """Blank a share `dropout` of the values while training, and enlarge the others so that the mean stays."""
        if not self.training or not self.dropout:
            return values
        kept = torch.rand(values.shape, generator=self.generator) >= self.dropout
        return values * kept / (1 - self.dropout)

    def forward(self, X: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """X: (batch, time) indices. Returns outputs (time, batch, vocab), and the state after the last step."""
        require_indices(X, self.vocab_size)
        require_state(state, 1, len(X), self)
        E, W_xh, W_hh, b_x, b_h, W_hq, b_q = self.params
        (H,), hidden = state, []
        for x_t in self.drop(E[X.T]) @ W_xh + b_x:  # the vectors' product: (time, batch, 3 · hidden)
            H = gru_step(x_t, H, W_hh, b_h)
            hidden.append(H)
        return self.drop(torch.stack(hidden)) @ W_hq + b_q, (H,)

    __call__ = forward


class Adam:
    """Steps of a size of its own for each weight, from the recent mean of its gradient and of the gradient's square.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization" (2015).
    """

    def __init__(self, params: Iterable[torch.Tensor]):
        self.params, self.steps = list(params), 0
        self.means = [torch.zeros_like(p) for p in self.params]
        self.squares = [torch.zeros_like(p) for p in self.params]

    def step(self, lr: float) -> None:
        self.steps += 1
        with torch.no_grad():
            for p, mean, square in zip(self.params, self.means, self.squares, strict=True):
                mean += 0.1 * (p.grad - mean)
                square += 0.001 * (p.grad**2 - square)
                m, s = mean / (1 - 0.9**self.steps), square / (1 - 0.999**self.steps)  # they began at zero
                p -= lr * m / (s.sqrt() + 1e-8)


def one_cycle(done: float) -> float:
    """The learning rate as a share of its highest, when the share `done` of the training lies behind.

    It rises over the first third and falls to zero. Source: Smith and Topin, "Super-convergence" (2018).
    """
    rise = 0.3
    return done / rise if done < rise else (1 + math.cos(math.pi * (done - rise) / (1 - rise))) / 2


@require_before(require_training)
def fit(
    model,
    batches,
    num_epochs: int,
    lr: float,
    max_norm: float | None = 1.0,
    schedule: Callable[[float], float] = one_cycle,
    method: type = Adam,
) -> Iterator[Record]:
    """Train with `lr` times `schedule(done)`, and yield a Record after each epoch; `break` stops early.

    Raises at once for wrong settings, and TrainingDiverged, before the weights change, as `train` does.
    """
    optimizer = method(model.parameters())
    for epoch in range(1, num_epochs + 1):
        start, total_loss, norms, num_tokens = time.perf_counter(), 0.0, [], 0
        state, minibatches = None, list(batches)
        model.training = True
        try:
            for i, (X, Y) in enumerate(minibatches):
                if state is None or not batches.carries_state:
                    state = model.initial_state(len(X))
                outputs, state = model(X, tuple(S.detach() for S in state))
                loss = mean_loss(outputs, Y)
                for p in model.parameters():
                    p.grad = None
                loss.backward()
                norms.append(clip_gradients(model.parameters(), max_norm))
                require_finite({"loss": loss.item(), "gradient's norm": norms[-1]}, lr)
                optimizer.step(lr * schedule((epoch - 1 + i / len(minibatches)) / num_epochs))
                total_loss, num_tokens = total_loss + loss.item() * Y.numel(), num_tokens + Y.numel()
        finally:
            model.training = False  # also when it is interrupted: whoever asks it then gets all units
        seconds = time.perf_counter() - start
        yield Record(epoch, as_perplexity(total_loss / num_tokens), sum(norms) / len(norms), num_tokens / seconds)


def read_with_network(text: str, model, vocab: Vocab, num_steps: int = 500) -> torch.Tensor:
    """The network's shares before each character of `text` but the first: (len(text) - 1, vocab), float64.

    It reads the text once, from a zero state; `<unk>`, index 0, gets no share.
    """
    require(len(text) > 1, f"Shares need at least two characters, but the text has {len(text)}.")
    X, state, found = vocab.encode(text[:-1])[None], model.initial_state(1), []
    with torch.no_grad():
        for piece in X.split(num_steps, dim=1):
            outputs, state = model(piece, state)
            found.append(outputs[:, 0].double())
    outputs = torch.cat(found)
    outputs[:, 0] = -torch.inf
    return torch.softmax(outputs, dim=1)
