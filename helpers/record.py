"""Record the classic run once, so that notebook 00 can show its result without the wait.

``python -m helpers.record`` trains it afresh (about 3 minutes) and replaces helpers/recordings/.
"""

import json
import os
import platform
from pathlib import Path

import torch

from .generate import generate
from .rnn import RNN
from .text import SequentialBatches, Vocab, clean, read_book
from .train import evaluate, train

RECORDING = Path(__file__).parent / "recordings" / "classic_sequential.json"
SETTINGS = {
    "num_chars": 10_000,
    "hidden_size": 512,
    "batch_size": 32,
    "num_steps": 35,
    "lr": 1.0,
    "max_norm": 1.0,
    "num_epochs": 500,
    "seed": 0,
}
LOOK_AT = (1, 2, 5, 10, 20, 50, 80, 100, 120, 150, 200, 250, 300, 350, 400, 450, 500)


def record_run(settings: dict, look_at: tuple[int, ...] = LOOK_AT) -> dict:
    """Train with `settings` and return the curve, and unseen text and samples at the epochs in `look_at`.

    Unseen text is the `num_chars` characters after the training text. Keys: settings, versions,
    perplexity and grad_norm (one number an epoch), unseen and samples (by epoch).
    """
    text = clean(read_book())
    vocab = Vocab(text)
    corpus = vocab.encode(text)
    num_chars, seed = settings["num_chars"], settings["seed"]
    model = RNN(len(vocab), settings["hidden_size"], seed=seed, device="cpu")
    batches = SequentialBatches(corpus[:num_chars], settings["batch_size"], settings["num_steps"], seed=seed)
    run = {
        "settings": settings,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "perplexity": [],
        "grad_norm": [],
        "unseen": {},
        "samples": {},
    }
    for record in train(model, batches, settings["num_epochs"], settings["lr"], settings["max_norm"]):
        run["perplexity"].append(round(record.perplexity, 3))
        run["grad_norm"].append(round(record.grad_norm, 3))
        if record.epoch in look_at:
            unseen = evaluate(model, corpus[num_chars : 2 * num_chars])
            run["unseen"][str(record.epoch)] = round(unseen, 2)
            run["samples"][str(record.epoch)] = generate("time traveller ", 50, model, vocab)
            print(f"epoch {record.epoch}: perplexity {record.perplexity:.2f}, unseen text {unseen:.2f}", flush=True)
    return run


def load_recording(path: Path = RECORDING) -> dict:
    """The recorded classic run; raises FileNotFoundError or ValueError when it is missing or damaged."""
    if not path.is_file():
        raise FileNotFoundError(f"The recorded run {path} is missing. Run: python -m helpers.record")
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        if len(run["perplexity"]) != run["settings"]["num_epochs"]:
            raise KeyError("epochs")
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"The recorded run {path} is damaged. Run: python -m helpers.record") from None
    return run


def main() -> None:
    run = record_run(SETTINGS)
    RECORDING.parent.mkdir(exist_ok=True)
    unfinished = RECORDING.with_suffix(".tmp")
    unfinished.write_text(json.dumps(run, indent=1), encoding="utf-8")
    os.replace(unfinished, RECORDING)  # in one move, so that no half-written file is ever read


if __name__ == "__main__":
    main()
