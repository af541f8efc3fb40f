"""Gated networks from scratch, the GRU and the LSTM, behind the interface of `RNN`.

Their weights have the order of torch.nn's: one block of `hidden` columns for each gate, side by side.
"""

import torch

from .require import require_count, require_indices, require_positive, require_state
from .rnn import RNN, State

GateParams = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def init_gates(
    vocab_size: int, hidden_size: int, blocks: int, sigma: float = 0.01, seed: int = 0, dtype=torch.float32
) -> GateParams:
    """W_xh, W_hh, b_x, b_h, W_hq, b_q of a network with `blocks` blocks of columns; biases start at zero.

    Shapes: (vocab, blocks · hidden), (hidden, blocks · hidden), two of (blocks · hidden,), (hidden, vocab), (vocab,).
    """
    require_count("vocab_size", vocab_size)
    require_count("hidden_size", hidden_size)
    require_positive("sigma", sigma, or_zero=True)
    generator = torch.Generator().manual_seed(seed)
    wide = blocks * hidden_size
    W_xh, W_hh, W_hq = (
        torch.randn(shape, generator=generator, dtype=dtype) * sigma
        for shape in ((vocab_size, wide), (hidden_size, wide), (hidden_size, vocab_size))
    )
    b_x, b_h, b_q = (torch.zeros(size, dtype=dtype) for size in (wide, wide, vocab_size))
    return tuple(p.requires_grad_() for p in (W_xh, W_hh, b_x, b_h, W_hq, b_q))


def gru_step(x_t: torch.Tensor, H: torch.Tensor, W_hh: torch.Tensor, b_h: torch.Tensor) -> torch.Tensor:
    """One step of a GRU: x_t (batch, 3 · hidden), the input's part of all blocks; H (batch, hidden) → new H.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014), in the form of torch.nn.GRU.
    """
    x_r, x_z, x_c = x_t.chunk(3, dim=1)
    h_r, h_z, h_c = (H @ W_hh + b_h).chunk(3, dim=1)
    r = torch.sigmoid(x_r + h_r)
    z = torch.sigmoid(x_z + h_z)
    candidate = torch.tanh(x_c + r * h_c)
    return z * H + (1 - z) * candidate


def lstm_step(x_t: torch.Tensor, H: torch.Tensor, C: torch.Tensor, W_hh: torch.Tensor, b_h: torch.Tensor) -> State:
    """One step of an LSTM: x_t (batch, 4 · hidden), H and the cell C (batch, hidden) → new H, new C.

    Source: Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers et al. (2000).
    """
    i, f, candidate, o = (x_t + H @ W_hh + b_h).chunk(4, dim=1)
    C = torch.sigmoid(f) * C + torch.sigmoid(i) * torch.tanh(candidate)
    return torch.sigmoid(o) * torch.tanh(C), C


class GRU(RNN):
    """A character-level GRU language model from scratch: the RNN with three blocks in place of one."""

    blocks = 3

    def draw(self, sigma: float, seed: int) -> GateParams:
        return init_gates(self.vocab_size, self.hidden_size, self.blocks, sigma, seed, self.dtype)

    def forward(self, X: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """X: (batch, time) indices. Returns outputs (time, batch, vocab), and the state after the last step."""
        require_indices(X, self.vocab_size)
        require_state(state, 1, len(X), self)
        W_xh, W_hh, b_x, b_h, W_hq, b_q = self.params
        (H,), hidden = state, []
        for x_t in (W_xh + b_x)[X.T]:
            H = gru_step(x_t, H, W_hh, b_h)
            hidden.append(H)
        return torch.stack(hidden) @ W_hq + b_q, (H,)

    __call__ = forward


class LSTM(GRU):
    """A character-level LSTM language model from scratch: four blocks, and a second tensor in its state."""

    blocks = 4

    def initial_state(self, batch_size: int) -> State:
        return (*super().initial_state(batch_size), *super().initial_state(batch_size))  # H and the cell C

    def forward(self, X: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """X: (batch, time) indices. Returns outputs (time, batch, vocab), and the state after the last step."""
        require_indices(X, self.vocab_size)
        require_state(state, 2, len(X), self)
        W_xh, W_hh, b_x, b_h, W_hq, b_q = self.params
        (H, C), hidden = state, []
        for x_t in (W_xh + b_x)[X.T]:
            H, C = lstm_step(x_t, H, C, W_hh, b_h)
            hidden.append(H)
        return torch.stack(hidden) @ W_hq + b_q, (H, C)

    __call__ = forward
