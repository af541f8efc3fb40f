"""The character-level RNN from scratch, and torch.nn's RNN, GRU and LSTM behind the same interface.

A model has `parameters()`, `initial_state(batch_size)` and `forward(X, state)`; a state is always a
tuple, because an LSTM's has two tensors. Training and generation need nothing else.
"""

import os

import torch
from torch import nn
from torch.nn import functional as F

from .require import require, require_count, require_indices, require_positive, require_state

DEVICE_VARIABLE = "RNN_COURSE_DEVICE"

Params = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
State = tuple[torch.Tensor, ...]


def choose_device(name: str | None = None) -> torch.device:
    """The device called `name`, or else the one named in RNN_COURSE_DEVICE, or else CUDA, MPS, CPU.

    Raises ValueError when the machine does not have the device asked for.
    """
    name = name or os.environ.get(DEVICE_VARIABLE) or None  # set to nothing counts as unset
    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return torch.device(next(kind for kind in usable if usable[kind]))
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or not usable.get(device.type, False):
        here = ", ".join(kind for kind in usable if usable[kind])
        raise ValueError(f"This machine has no device {str(name)!r}; it has: {here}.")
    return device


def one_hot(X: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """One-hot vectors of the indices X, with time first.

    X: (batch, time), int64. Returns (time, batch, vocab), float32, with a single 1 in each row.
    Raises ValueError when an index is not in the vocabulary.
    """
    require_indices(X, vocab_size)
    return F.one_hot(X.T, vocab_size).float()


def param_shapes(vocab_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of the five tensors that the model learns."""
    require_count("vocab_size", vocab_size)
    require_count("hidden_size", hidden_size)
    V, h = vocab_size, hidden_size
    return {"W_xh": (V, h), "W_hh": (h, h), "b_h": (h,), "W_hq": (h, V), "b_q": (V,)}


def init_params(
    vocab_size: int, hidden_size: int, sigma: float = 0.01, seed: int = 0, dtype: torch.dtype = torch.float32
) -> Params:
    """The five tensors to learn: weights drawn from a normal distribution of standard deviation `sigma`, biases zero.

    Drawn on the CPU, so that a seed means the same weights on every device.
    """
    require_count("vocab_size", vocab_size)
    require_count("hidden_size", hidden_size)
    require_positive("sigma", sigma, or_zero=True)
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype) * sigma

    W_xh, W_hh = normal(vocab_size, hidden_size), normal(hidden_size, hidden_size)
    W_hq = normal(hidden_size, vocab_size)
    b_h, b_q = torch.zeros(hidden_size, dtype=dtype), torch.zeros(vocab_size, dtype=dtype)
    return tuple(p.requires_grad_() for p in (W_xh, W_hh, b_h, W_hq, b_q))


def init_state(batch_size: int, hidden_size: int, dtype: torch.dtype = torch.float32) -> State:
    """The hidden state before the first character: a tuple with one tensor of zeros, (batch, hidden)."""
    require_count("batch_size", batch_size)
    require_count("hidden_size", hidden_size)
    return (torch.zeros(batch_size, hidden_size, dtype=dtype),)


def rnn_step(X_t: torch.Tensor, H: torch.Tensor, params: Params) -> tuple[torch.Tensor, torch.Tensor]:
    """One time step: X_t (batch, vocab) one-hot, H (batch, hidden) → outputs (batch, vocab), new H."""
    W_xh, W_hh, b_h, W_hq, b_q = params
    H = torch.tanh(X_t @ W_xh + H @ W_hh + b_h)
    return H @ W_hq + b_q, H


def forward_loop(inputs: torch.Tensor, state: State, params: Params) -> tuple[torch.Tensor, State]:
    """The network over all time steps, both products inside the loop, as the textbooks print it.

    inputs: (time, batch, vocab). Returns outputs (time, batch, vocab), and the state after the last step.
    """
    (H,) = state
    outputs = []
    for X_t in inputs:
        O_t, H = rnn_step(X_t, H, params)
        outputs.append(O_t)
    return torch.stack(outputs), (H,)


class Recurrence(torch.autograd.Function):
    """H_t = tanh(x_t + H_{t-1} W_hh) for all steps, with its gradient written by hand.

    Autograd would add up the gradient of W_hh one time step after another. That sum of products is
    one product of the concatenated steps, so here it is done once, after the loop.
    """

    @staticmethod
    def forward(ctx, inputs: torch.Tensor, H: torch.Tensor, W_hh: torch.Tensor) -> torch.Tensor:
        """inputs: (time, batch, hidden), H: (batch, hidden). Returns all states, (time, batch, hidden)."""
        hidden = torch.empty_like(inputs)
        for t, x_t in enumerate(inputs):
            H_before = H if t == 0 else hidden[t - 1]
            torch.addmm(x_t, H_before, W_hh, out=hidden[t]).tanh_()  # x_t + H_before @ W_hh in one call
        ctx.save_for_backward(hidden, H, W_hh)
        return hidden

    @staticmethod
    def backward(ctx, grad_hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        hidden, H, W_hh = ctx.saved_tensors
        delta = 1 - hidden**2  # the slope of tanh; becomes the gradient of the inputs
        delta[-1] *= grad_hidden[-1]
        for t in range(len(delta) - 2, -1, -1):
            delta[t] *= torch.addmm(grad_hidden[t], delta[t + 1], W_hh.T)
        H_before = torch.cat([H[None], hidden[:-1]])
        grad_W_hh = H_before.flatten(0, 1).T @ delta.flatten(0, 1)  # one product over time and batch
        return delta, delta[0] @ W_hh.T, grad_W_hh


def forward_hoisted(X: torch.Tensor, state: State, params: Params) -> tuple[torch.Tensor, State]:
    """The same network with everything that does not wait for H moved out of the loop.

    A one-hot row times W_xh is a row of W_xh, so the input product is a look-up; the output product
    is done once for all steps. X: (batch, time). Returns as `forward_loop`.
    """
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,) = state
    hidden = Recurrence.apply(F.embedding(X.T, W_xh + b_h), H, W_hh)
    return hidden @ W_hq + b_q, (hidden[-1],)


class RNN:
    """A character-level RNN language model from scratch: five tensors and a loop."""

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        sigma: float = 0.01,
        seed: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.device, self.dtype = choose_device(device), dtype
        self.params = tuple(p.detach().to(self.device).requires_grad_() for p in self.draw(sigma, seed))

    def draw(self, sigma: float, seed: int) -> Params:
        """The first values of the parameters."""
        return init_params(self.vocab_size, self.hidden_size, sigma, seed, self.dtype)

    def parameters(self) -> list[torch.Tensor]:
        return list(self.params)

    def load(self, params: Params) -> None:
        """Copy the values of all tensors into the model; raises ValueError, before any copy, when a shape is wrong."""
        wanted, found = ([tuple(p.shape) for p in tensors] for tensors in (self.params, params))
        require(found == wanted, f"The weights need the shapes {wanted}, in this order, not {found}.")
        with torch.no_grad():
            for mine, new in zip(self.params, params, strict=True):
                mine.copy_(new)

    def initial_state(self, batch_size: int) -> State:
        (H,) = init_state(batch_size, self.hidden_size, self.dtype)
        return (H.to(self.device),)

    def forward(self, X: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """X: (batch, time) indices. Returns outputs (time, batch, vocab), and the state after the last step."""
        require_indices(X, self.vocab_size)
        require_state(state, 1, len(X), self)
        return forward_hoisted(X.to(self.device), state, self.params)

    __call__ = forward


TORCH_LAYERS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


class TorchRNN:
    """torch.nn.RNN, GRU or LSTM with an output layer, behind the interface of `RNN`."""

    def __init__(
        self,
        kind: str,
        vocab_size: int,
        hidden_size: int,
        seed: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        require(kind in TORCH_LAYERS, f"kind must be one of {', '.join(TORCH_LAYERS)}, but it is {kind!r}.")
        require_count("vocab_size", vocab_size)
        require_count("hidden_size", hidden_size)
        self.kind, self.vocab_size, self.hidden_size = kind, vocab_size, hidden_size
        self.device, self.dtype = choose_device(device), dtype
        with torch.random.fork_rng(devices=[]):  # torch.nn draws from the global generator: leave it as it was
            torch.default_generator.manual_seed(seed)
            self.layer = TORCH_LAYERS[kind](vocab_size, hidden_size).to(self.device, dtype)
            self.output = nn.Linear(hidden_size, vocab_size).to(self.device, dtype)

    def parameters(self) -> list[torch.Tensor]:
        return [*self.layer.parameters(), *self.output.parameters()]

    def initial_state(self, batch_size: int) -> State:
        (H,) = init_state(batch_size, self.hidden_size, self.dtype)
        return tuple(S.to(self.device) for S in ((H, H.clone()) if self.kind == "LSTM" else (H,)))

    def forward(self, X: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """X: (batch, time) indices. Returns outputs (time, batch, vocab), and the state after the last step."""
        inputs = one_hot(X, self.vocab_size).to(self.device, self.dtype)
        require_state(state, 2 if self.kind == "LSTM" else 1, len(X), self)
        layered = tuple(S[None] for S in state)  # torch.nn counts layers first: (1, batch, hidden)
        hidden, new = self.layer(inputs, layered if self.kind == "LSTM" else layered[0])
        new = new if self.kind == "LSTM" else (new,)
        return self.output(hidden), tuple(S[0] for S in new)

    __call__ = forward
