"""What several test files share: models of the four kinds with random weights, and references without helpers."""

import numpy as np
import torch
from torch import nn

from helpers.rnn import RNN, TorchRNN

KINDS = ("scratch", "RNN", "GRU", "LSTM")


def make_model(kind, vocab_size, hidden_size, seed=0, scale=0.7, dtype=torch.float64):
    """A model of any kind whose weights are all random: the small ones it starts with would hide mistakes."""
    sizes = vocab_size, hidden_size
    if kind == "scratch":
        model = RNN(*sizes, device="cpu", dtype=dtype)
    else:
        model = TorchRNN(kind, *sizes, device="cpu", dtype=dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(0, scale, generator=generator)
    return model


class Spy:
    """A model that notes every state it is given and every state it gives back."""

    def __init__(self, model):
        self.model, self.vocab_size, self.given, self.returned = model, model.vocab_size, [], []

    def parameters(self):
        return self.model.parameters()

    def initial_state(self, batch_size):
        return self.model.initial_state(batch_size)

    def __call__(self, X, state):
        outputs, new = self.model(X, state)
        self.given.append(state)
        self.returned.append(new)
        return outputs, new


def copies(tensors):
    """Their values now, untouched by what comes later."""
    return [t.detach().clone() for t in tensors]


def all_equal(tensors, others):
    """True when two lists of tensors agree bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(tensors, others, strict=True))


def largest_difference(tensors, others):
    """The largest absolute difference between two lists of tensors of the same shapes."""
    pairs = list(zip(tensors, others, strict=True))
    assert [a.shape for a, _ in pairs] == [b.shape for _, b in pairs]
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def torch_twin(params):
    """torch.nn.RNN and torch.nn.Linear in float64 with the values of our five tensors.

    torch.nn.RNN has two biases that are only ever added: ours goes into the first, the second stays zero
    and is not trained, or it would take part in the norm of the gradient and in every step.
    """
    W_xh, W_hh, b_h, W_hq, b_q = (p.detach().double() for p in params)
    layer = nn.RNN(*W_xh.shape, dtype=torch.float64)
    output = nn.Linear(*W_hq.shape, dtype=torch.float64)
    pairs = zip(twin_tensors(layer, output), (W_xh.T, W_hh.T, b_h, W_hq.T, b_q), strict=True)
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.copy_(ours)
        layer.bias_hh_l0.zero_()
    layer.bias_hh_l0.requires_grad_(False)
    return layer, output


def twin_tensors(layer, output):
    """The twin's trained tensors in the order of ours; torch stores the three matrices transposed."""
    return [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, output.weight, output.bias]


def as_ours(tensors):
    """Weights or gradients of the twin, with the matrices transposed into our shapes."""
    return [t.T if t.dim() == 2 else t for t in tensors]


def numpy_rnn(params, indices):
    """Outputs, (time, vocab), of the scratch model that reads one row of indices from a zero state, in NumPy."""
    W_xh, W_hh, b_h, W_hq, b_q = (p.detach().double().numpy() for p in params)
    H = np.zeros(len(b_h))
    outputs = []
    for i in indices:
        H = np.tanh(W_xh[int(i)] + H @ W_hh + b_h)
        outputs.append(H @ W_hq + b_q)
    return np.stack(outputs)


def numpy_log_softmax(outputs):
    """Logarithm of the softmax over the last axis, in NumPy."""
    shifted = outputs - outputs.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
