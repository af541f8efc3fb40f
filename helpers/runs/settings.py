"""All that decides how a run goes, the grid of recorded settings, and the minibatches and networks they name."""

from dataclasses import MISSING, dataclass, fields

import torch

from ..require import require, require_count, require_max_norm, require_positive
from ..rnn import RNN, TORCH_LAYERS, TorchRNN
from ..text import RandomBatches, SequentialBatches

BATCHES = {"sequential": "sequential, state carried", "reset": "sequential, state reset", "random": "random"}


@dataclass(frozen=True)
class Settings:
    """All that decides how a run goes. Raises TypeError or ValueError when one of them is impossible."""

    batches: str  # a key of BATCHES
    hidden_size: int
    lr: float
    max_norm: float | None  # None: no clipping
    num_epochs: int = 500
    num_chars: int = 10_000  # of the book's beginning; the next num_chars are the unseen text
    batch_size: int = 32
    num_steps: int = 35
    seed: int = 0
    network: str = "scratch"  # or a kind of TorchRNN

    def __post_init__(self):
        for name, known in (("batches", list(BATCHES)), ("network", ["scratch", *TORCH_LAYERS])):
            value = getattr(self, name)
            require(value in known, f"{name} must be one of {', '.join(known)}, but it is {value!r}.")
        for name in ("hidden_size", "num_epochs", "num_chars", "batch_size", "num_steps"):
            require_count(name, getattr(self, name))
        require_count("seed", self.seed, minimum=0)
        require_positive("lr", self.lr)
        require_max_norm(self.max_norm)

    @property
    def name(self) -> str:
        """Of the recording's file, without its ending."""
        clipping = "off" if self.max_norm is None else f"{self.max_norm:g}"
        rest = [f for f in fields(self) if f.default is not MISSING and getattr(self, f.name) != f.default]
        others = "".join(f"_{f.name}{getattr(self, f.name)}" for f in rest)
        return f"{self.batches}_h{self.hidden_size}_lr{self.lr:g}_clip{clipping}{others}"


CLASSIC = Settings("sequential", hidden_size=512, lr=1.0, max_norm=1.0)
# Large networks are slow to train, so the largest leaves the classic recipe in one direction at a time.
GRID = [
    Settings(batches, hidden_size, lr, max_norm)
    for hidden_size in (32, 128, 512)
    for lr in (1.0, 0.3, 3.0, 0.1, 10.0)
    for max_norm in (1.0, None, 0.1)
    for batches in BATCHES
    if hidden_size < 512 or lr == 1.0 or (max_norm == 1.0 and lr < 10)
]


def make_batches(settings: Settings, corpus: torch.Tensor) -> SequentialBatches | RandomBatches:
    """The minibatches of the kind that `settings` names, over the flat indices `corpus`."""
    kind = RandomBatches if settings.batches == "random" else SequentialBatches
    batches = kind(corpus, settings.batch_size, settings.num_steps, settings.seed)
    batches.carries_state = settings.batches == "sequential"
    return batches


def make_model(settings: Settings, vocab_size: int, device: str | None = None) -> RNN | TorchRNN:
    """A fresh network of the kind and size that `settings` names."""
    if settings.network == "scratch":
        return RNN(vocab_size, settings.hidden_size, seed=settings.seed, device=device)
    return TorchRNN(settings.network, vocab_size, settings.hidden_size, seed=settings.seed, device=device)
