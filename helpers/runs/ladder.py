"""The ladder: three networks trained on nine tenths of the book and scored on the last tenth."""

import time

import torch
from torch import nn

from ..rnn import RNN, TorchRNN, init_state
from ..text import SequentialBatches, Vocab, clean, read_book
from ..train import clip_gradients, evaluate, mean_loss, train
from .recording import rounded

LADDER_EPOCHS = 30
_PLAIN = "256 hidden units, gradient descent with lr 2, then 0.5, then 0.1"
RUNGS = {  # name: what it is
    "RNN from scratch": _PLAIN,
    "GRU": _PLAIN,
    "GRU, AdamW, dropout": "256 hidden units, AdamW with a one-cycle learning rate, dropout 0.3",
}


class RegularisedGRU(nn.Module):
    """A GRU with the usual cures for memorising: small input vectors and dropout. Same interface as `RNN`."""

    def __init__(self, vocab_size: int, hidden_size: int = 256, embedding_size: int = 64, dropout: float = 0.3):
        super().__init__()
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.layer = nn.GRU(embedding_size, hidden_size)
        self.dropout, self.output = nn.Dropout(dropout), nn.Linear(hidden_size, vocab_size)

    def initial_state(self, batch_size: int) -> tuple[torch.Tensor]:
        return init_state(batch_size, self.hidden_size)

    def forward(self, X: torch.Tensor, state: tuple[torch.Tensor]) -> tuple[torch.Tensor, tuple[torch.Tensor]]:
        """X: (batch, time) indices. Returns outputs (time, batch, vocab), and the state after the last step."""
        hidden, H = self.layer(self.dropout(self.embedding(X.T)), state[0][None])
        return self.output(self.dropout(hidden)), (H[0],)


def split_book(num_parts: int = 10) -> tuple[str, str]:
    """The clean book without its last `num_parts`-th, and that last part, which the ladder holds out."""
    text = clean(read_book())
    cut = len(text) - len(text) // num_parts
    return text[:cut], text[cut:]


def _train_plainly(model, batches, held_out, num_epochs) -> list[float]:
    """Stochastic gradient descent as in the course, with a learning rate that falls twice."""
    fall = [(2.0, 2 * num_epochs // 3), (0.5, num_epochs // 6), (0.1, num_epochs // 6)]
    return [evaluate(model, held_out) for lr, epochs in fall for _ in train(model, batches, epochs, lr)]


def _train_with_adam(model, batches, held_out, num_epochs, lr=0.004) -> list[float]:
    """AdamW with a learning rate that rises and falls once (Smith, "Super-convergence", 2018)."""
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    steps = num_epochs * sum(1 for _ in batches) + num_epochs  # the number of minibatches depends on the offset
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    curve = []
    for _ in range(num_epochs):
        model.train()
        state = model.initial_state(batches.batch_size)
        for X, Y in batches:
            outputs, state = model(X, tuple(S.detach() for S in state))
            optimizer.zero_grad()
            mean_loss(outputs, Y).backward()
            clip_gradients(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        curve.append(evaluate(model, held_out))
    return curve


def make_ladder(num_epochs: int = LADDER_EPOCHS) -> dict[str, dict]:
    """Train the RUNGS: for each, what it is, the seconds it took, and its held-out perplexity by epoch."""
    seen_text, unseen_text = split_book()
    vocab = Vocab(seen_text + unseen_text)
    corpus, held_out = vocab.encode(seen_text), vocab.encode(unseen_text)
    torch.manual_seed(0)  # dropout and torch.nn draw from the global generator
    size = len(vocab)
    models = RNN(size, 256, device="cpu"), TorchRNN("GRU", size, 256, device="cpu"), RegularisedGRU(size)
    ladder = {}
    for (name, what), model, fit in zip(
        RUNGS.items(), models, (_train_plainly, _train_plainly, _train_with_adam), strict=True
    ):
        start = time.perf_counter()
        curve = [rounded(value) for value in fit(model, SequentialBatches(corpus, 32, 64), held_out, num_epochs)]
        ladder[name] = {"settings": what, "seconds": round(time.perf_counter() - start), "held_out": curve}
        print(f"{name}: held-out perplexity {curve[-1]} after {len(curve)} epochs", flush=True)
    return ladder
