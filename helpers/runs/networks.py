"""The two networks that notebook 11 looks into, an RNN and a GRU of one size: trained, kept as a file, loaded."""

import io
import math
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import torch

from ..gates import GRU
from ..recipe import DropoutGRU, fit
from ..require import require, require_indices, require_state
from ..rnn import RNN, Recurrence, State
from ..text import RandomBatches, Vocab
from ..train import evaluate
from .files import COMMAND, FOLDER, NETWORKS_FILE
from .ladder import split_book

NETWORKS_COMMAND = f"{COMMAND} --networks"
HIDDEN_SIZE, NUM_EPOCHS, LR, DROPOUT, VECTOR_SIZE = 192, 24, 0.004, 0.2, 64
LONGEST_BIAS = 4  # a keep gate of sigmoid(4) = 0.98 keeps its unit for some 50 steps
LONGEST_SHARE = 1 / (1 + math.exp(-LONGEST_BIAS))
SETTINGS = f"""{HIDDEN_SIZE} hidden units; {NUM_EPOCHS} epochs of random minibatches, 32 rows of 100 characters;
Adam with a learning rate that rises to {LR} and falls; {VECTOR_SIZE} learned numbers a character,
multiplied into W_xh at the end; dropout {DROPOUT}; clipped at 1; the biases of the GRU's keep gates z
start between 0 and {LONGEST_BIAS}, so that some keep up to {LONGEST_SHARE:.2f} of their unit at each step"""
KINDS = {"RNN": RNN, "GRU": GRU}


class DropoutRNN(DropoutGRU):
    """The RNN with the learned vectors and the dropout of `DropoutGRU`."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        h = self.hidden_size
        E, W_xh, W_hh, _, b_h, W_hq, b_q = (p.detach() for p in self.params)
        self.params = tuple(p.clone().requires_grad_() for p in (E, W_xh[:, :h], W_hh[:, :h], b_h[:h], W_hq, b_q))

    def forward(self, X: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """X: (batch, time) indices. Returns outputs (time, batch, vocab), and the state after the last step."""
        require_indices(X, self.vocab_size)
        require_state(state, 1, len(X), self)
        E, W_xh, W_hh, b_h, W_hq, b_q = self.params
        (H,) = state
        hidden = Recurrence.apply(self.drop(E[X.T]) @ W_xh + b_h, H, W_hh)
        return self.drop(hidden) @ W_hq + b_q, (hidden[-1],)

    __call__ = forward


def spread_memories(trained: DropoutGRU, seed: int = 1) -> None:
    """Give each unit a keep gate of its own at the start: some forget at once, others keep for dozens of steps.

    Source: Tallec and Ollivier, "Can recurrent neural networks warp time?" (2018).
    """
    h, generator = trained.hidden_size, torch.Generator().manual_seed(seed)
    with torch.no_grad():
        trained.params[3][h : 2 * h].uniform_(0, LONGEST_BIAS, generator=generator)


def as_plain(trained: DropoutGRU) -> RNN:
    """The RNN or GRU that computes what `trained` does: its learned vectors times W_xh are rows of one matrix."""
    kind = "RNN" if isinstance(trained, DropoutRNN) else "GRU"
    E, W_xh, *others = (p.detach() for p in trained.params)
    plain = KINDS[kind](trained.vocab_size, trained.hidden_size, device="cpu")
    plain.params = tuple(p.clone().requires_grad_() for p in (E @ W_xh, *others))
    return plain


def make_networks(num_epochs: int = NUM_EPOCHS, hidden_size: int = HIDDEN_SIZE) -> dict[str, RNN]:
    """Train both on nine tenths of the book; prints their perplexity on the last tenth."""
    seen, held_out = split_book()
    vocab = Vocab(seen)
    networks = {}
    for kind, dropout_kind in (("RNN", DropoutRNN), ("GRU", DropoutGRU)):
        start = time.perf_counter()
        trained = dropout_kind(len(vocab), hidden_size, VECTOR_SIZE, DROPOUT)
        if kind == "GRU":
            spread_memories(trained)
        for record in fit(trained, RandomBatches(vocab.encode(seen), 32, 100), num_epochs, LR):
            print(f"{kind} epoch {record.epoch}: training perplexity {record.perplexity:.2f}", flush=True)
        networks[kind] = as_plain(trained)
        unseen, seconds = evaluate(networks[kind], vocab.encode(held_out)), time.perf_counter() - start
        print(f"{kind}: held-out perplexity {unseen:.2f} after {seconds:.0f} s", flush=True)
    return networks


def save_networks(networks: dict[str, RNN], folder: Path = FOLDER) -> Path:
    """Write the weights of both in half precision, all of the file or nothing, and return its path."""
    arrays = {
        f"{kind}_{number}": p.detach().half().numpy()
        for kind, network in networks.items()
        for number, p in enumerate(network.params)
    }
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NETWORKS_FILE
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(content.getvalue())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _understood(path: Path, vocab_size: int) -> dict[str, RNN]:
    networks = {}
    with np.load(path, allow_pickle=False) as file:  # a file of numbers: nothing in it is ever run
        arrays = {name: file[name] for name in file.files}
    for kind, make in KINDS.items():
        found = [array for name, array in arrays.items() if name.startswith(f"{kind}_")]
        network = make(vocab_size, len(found[1]), device="cpu")
        shapes = [tuple(p.shape) for p in network.params]
        require([array.shape for array in found] == shapes, "another network")
        require(all(array.dtype == np.float16 and np.isfinite(array).all() for array in found), "no numbers")
        network.params = tuple(torch.from_numpy(array).float().requires_grad_() for array in found)
        networks[kind] = network
    require(sum(len(network.params) for network in networks.values()) == len(arrays), "something else")
    return networks


def load_networks(vocab_size: int = 28, folder: Path = FOLDER) -> dict[str, RNN]:
    """The recorded RNN and GRU by name; raises FileNotFoundError, ValueError: their file is missing, damaged."""
    path = folder / NETWORKS_FILE
    try:
        return _understood(path, vocab_size)
    except FileNotFoundError:
        raise FileNotFoundError(f"The recording {path} is missing. Run: {NETWORKS_COMMAND}") from None
    except (ValueError, LookupError, OSError, EOFError, TypeError, zipfile.BadZipFile):
        raise ValueError(f"The recording {path} is damaged. Delete it and run: {NETWORKS_COMMAND}") from None
