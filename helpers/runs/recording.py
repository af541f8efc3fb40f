"""A recording: what one training with given settings showed, kept by epoch."""

import platform
from dataclasses import dataclass, field

import torch

from ..generate import generate
from ..require import TrainingDiverged
from ..text import Vocab, clean, read_book
from ..train import evaluate, train
from .settings import Settings, make_batches, make_model

PREFIX, SAMPLE_CHARS = "time traveller ", 65
SAMPLE_EPOCHS = (1, 2, 5, 10, 20, 35, 50, 100, 150, 200, 300, 400, 500)


@dataclass
class Run:
    """What training with `settings` showed. The lists hold one number for each epoch, the dicts are by epoch."""

    settings: Settings
    versions: dict[str, str]
    perplexity: list[float] = field(default_factory=list)  # on the training text, while the weights were changing
    grad_norm: list[float] = field(default_factory=list)  # before clipping, mean over the minibatches
    unseen: dict[int, float] = field(default_factory=dict)  # perplexity on the text after the training text
    samples: dict[int, str] = field(default_factory=dict)
    stopped: str = ""  # why training could not go on to the last epoch


def rounded(number: float) -> float:
    """To the four digits that a recording keeps."""
    return float(f"{number:.4g}")


def diverged_in(perplexity: list[float]) -> int | None:
    """The epoch in which a run went above 100, about four times a blind guess; None when it never did."""
    return next((epoch for epoch, value in enumerate(perplexity, 1) if not value <= 100), None)


def make_run(settings: Settings, aloud: bool = False) -> Run:
    """Train with `settings` and keep what it showed; `aloud` prints a line every 100 epochs.

    A run that diverges is no error: it ends early, and `stopped` says why.
    """
    text = clean(read_book())
    vocab = Vocab(text)
    corpus = vocab.encode(text[: 2 * settings.num_chars])
    seen_text, unseen_text = corpus[: settings.num_chars], corpus[settings.num_chars :]
    model = make_model(settings, len(vocab), device="cpu")
    run = Run(settings, {"python": platform.python_version(), "torch": torch.__version__})
    batches = make_batches(settings, seen_text)
    try:
        for record in train(model, batches, settings.num_epochs, settings.lr, settings.max_norm):
            run.perplexity.append(rounded(record.perplexity))
            run.grad_norm.append(rounded(record.grad_norm))
            if record.epoch % 10 == 0 or record.epoch in SAMPLE_EPOCHS:
                run.unseen[record.epoch] = rounded(evaluate(model, unseen_text))
            if record.epoch in SAMPLE_EPOCHS:
                run.samples[record.epoch] = generate(PREFIX, SAMPLE_CHARS, model, vocab)
            if aloud and record.epoch % 100 == 0:
                now = f"epoch {record.epoch}, perplexity {record.perplexity:.4g}"
                print(f"    {settings.name}: {now}, {record.tokens_per_second:,.0f} tokens/s", flush=True)
    except TrainingDiverged as error:
        run.stopped = str(error)
    return run
