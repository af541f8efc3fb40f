"""The ladder: three networks trained on nine tenths of the book and scored on the last tenth."""

import time

from ..recipe import DropoutGRU, fit
from ..rnn import RNN, TorchRNN
from ..text import SequentialBatches, Vocab, clean, read_book
from ..train import evaluate, train
from .recording import rounded

LADDER_EPOCHS = 30
_PLAIN = "256 hidden units, gradient descent with lr 2, then 0.5, then 0.1"
RUNGS = {  # name: what it is
    "RNN from scratch": _PLAIN,
    "GRU": _PLAIN,
    "GRU, Adam, dropout": "256 hidden units, Adam with a one-cycle learning rate, dropout 0.3",
}


def split_book(num_parts: int = 10) -> tuple[str, str]:
    """The clean book without its last `num_parts`-th, and that last part, which the ladder holds out."""
    text = clean(read_book())
    cut = len(text) - len(text) // num_parts
    return text[:cut], text[cut:]


def _train_plainly(model, batches, held_out, num_epochs) -> list[float]:
    """Stochastic gradient descent as in the course, with a learning rate that falls twice."""
    fall = [(2.0, 2 * num_epochs // 3), (0.5, num_epochs // 6), (0.1, num_epochs // 6)]
    return [evaluate(model, held_out) for lr, epochs in fall for _ in train(model, batches, epochs, lr)]


def _train_better(model, batches, held_out, num_epochs) -> list[float]:
    """The recipe of notebook 10."""
    return [evaluate(model, held_out) for _ in fit(model, batches, num_epochs, lr=0.004)]


def make_ladder(num_epochs: int = LADDER_EPOCHS) -> dict[str, dict]:
    """Train the RUNGS: for each, what it is, the seconds it took, and its held-out perplexity by epoch."""
    seen_text, unseen_text = split_book()
    vocab = Vocab(seen_text + unseen_text)
    corpus, held_out = vocab.encode(seen_text), vocab.encode(unseen_text)
    size = len(vocab)
    models = RNN(size, 256, device="cpu"), TorchRNN("GRU", size, 256, device="cpu"), DropoutGRU(size)
    ladder = {}
    for (name, what), model, learn in zip(
        RUNGS.items(), models, (_train_plainly, _train_plainly, _train_better), strict=True
    ):
        start = time.perf_counter()
        curve = [rounded(value) for value in learn(model, SequentialBatches(corpus, 32, 64), held_out, num_epochs)]
        ladder[name] = {"settings": what, "seconds": round(time.perf_counter() - start), "held_out": curve}
        print(f"{name}: held-out perplexity {curve[-1]} after {len(curve)} epochs", flush=True)
    return ladder
