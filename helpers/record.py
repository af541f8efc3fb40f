"""Recorded runs: the classic recipe with other learning rates, clipping, sizes and minibatches.

``python -m helpers.record --processes 2`` trains the whole GRID into helpers/recordings/, one file for each
run, in about an hour and a half. Interrupt it at any time: started again, it goes on with the runs that are
not there yet.
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
import signal
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path

import torch
from torch import nn

from .generate import generate
from .rnn import RNN, TorchRNN, init_state
from .text import RandomBatches, SequentialBatches, Vocab, clean, read_book
from .train import TrainingDiverged, clip_gradients, evaluate, mean_loss, train

FOLDER = Path(__file__).parent / "recordings"
LADDER_FILE = "ladder.json"
PREFIX, SAMPLE_CHARS = "time traveller ", 65
SAMPLE_EPOCHS = (1, 2, 5, 10, 20, 35, 50, 100, 150, 200, 300, 400, 500)

BATCHES = {
    "sequential": "sequential, state carried",
    "reset": "sequential, state reset",
    "random": "random",
}


@dataclass(frozen=True)
class Settings:
    """All that decides how a run goes."""

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

    @property
    def name(self) -> str:
        """Of the recording's file, without its ending."""
        clipping = "off" if self.max_norm is None else f"{self.max_norm:g}"
        rest = [f for f in fields(self) if f.default is not MISSING and getattr(self, f.name) != f.default]
        others = "".join(f"_{f.name}{getattr(self, f.name)}" for f in rest)
        return f"{self.batches}_h{self.hidden_size}_lr{self.lr:g}_clip{clipping}{others}"


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


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")


def make_batches(settings: Settings, corpus: torch.Tensor) -> SequentialBatches | RandomBatches:
    """The minibatches of the kind that `settings` names, over the flat indices `corpus`."""
    if settings.batches not in BATCHES:
        raise ValueError(f"batches must be one of {', '.join(BATCHES)}, but it is {settings.batches!r}.")
    sizes = settings.batch_size, settings.num_steps, settings.seed
    if settings.batches == "random":
        return RandomBatches(corpus, *sizes)
    return SequentialBatches(corpus, *sizes, carries_state=settings.batches == "sequential")


def make_model(settings: Settings, vocab_size: int, device: str | None = None) -> RNN | TorchRNN:
    """A fresh network of the kind and size that `settings` names."""
    if settings.network == "scratch":
        return RNN(vocab_size, settings.hidden_size, seed=settings.seed, device=device)
    return TorchRNN(settings.network, vocab_size, settings.hidden_size, seed=settings.seed, device=device)


def diverged_in(perplexity: list[float]) -> int | None:
    """The epoch in which a run went above 100, about four times a blind guess; None when it never did."""
    return next((epoch for epoch, value in enumerate(perplexity, 1) if not value <= 100), None)


def record_run(settings: Settings, report=lambda record: None) -> Run:
    """Train with `settings` and keep what it showed; `report` gets every epoch's Record.

    A run that diverges is no error: it ends early, and `stopped` says why.
    """
    text = clean(read_book())
    vocab = Vocab(text)
    corpus = vocab.encode(text[: 2 * settings.num_chars])
    seen, unseen = corpus[: settings.num_chars], corpus[settings.num_chars :]
    model = make_model(settings, len(vocab), device="cpu")
    run = Run(settings, {"python": platform.python_version(), "torch": torch.__version__})
    batches = make_batches(settings, seen)
    try:
        for record in train(model, batches, settings.num_epochs, settings.lr, settings.max_norm):
            run.perplexity.append(_rounded(record.perplexity))
            run.grad_norm.append(_rounded(record.grad_norm))
            if record.epoch % 10 == 0 or record.epoch in SAMPLE_EPOCHS:
                run.unseen[record.epoch] = _rounded(evaluate(model, unseen))
            if record.epoch in SAMPLE_EPOCHS:
                run.samples[record.epoch] = generate(PREFIX, SAMPLE_CHARS, model, vocab)
            report(record)
    except TrainingDiverged as error:
        run.stopped = str(error)
    return run


def save_run(run: Run, folder: Path = FOLDER) -> Path:
    """Write the run's file, all of it or nothing, and return its path."""
    content = asdict(run)
    # strict JSON has no infinity: null stands for a perplexity too large to be written
    content["unseen"] = {epoch: value if math.isfinite(value) else None for epoch, value in run.unseen.items()}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    path = folder / f"{run.settings.name}.json"
    _write(path, f"{{\n{lines}\n}}\n")
    return path


def _read_run(path: Path, settings: Settings) -> Run:
    content = json.loads(path.read_text(encoding="utf-8"))
    run = Run(**{**content, "settings": Settings(**content["settings"])})
    run.unseen = {int(epoch): math.inf if value is None else float(value) for epoch, value in run.unseen.items()}
    run.samples = {int(epoch): str(sample) for epoch, sample in run.samples.items()}
    run.perplexity, run.grad_norm = ([float(number) for number in curve] for curve in (run.perplexity, run.grad_norm))
    num_epochs = len(run.perplexity)
    whole = num_epochs == run.settings.num_epochs or (run.stopped and num_epochs < run.settings.num_epochs)
    if not whole or len(run.grad_norm) != num_epochs or run.settings != settings:
        raise ValueError
    if not set(run.samples) <= set(run.unseen) <= set(range(1, num_epochs + 1)):
        raise ValueError
    return run


def load_run(settings: Settings = CLASSIC, folder: Path = FOLDER) -> Run:
    """One recorded run; raises FileNotFoundError or ValueError when its file is missing or damaged."""
    path = folder / f"{settings.name}.json"
    if not path.is_file() and settings not in GRID:
        sizes, rates, norms = (sorted({str(getattr(s, n)) for s in GRID}) for n in ("hidden_size", "lr", "max_norm"))
        raise FileNotFoundError(
            f"{settings.name} was never recorded. Recorded are hidden_size {', '.join(sizes)}; lr {', '.join(rates)}; "
            f"max_norm {', '.join(norms)}; not all together. record_run(settings) trains any other."
        )
    if not path.is_file():
        raise FileNotFoundError(f"The recorded run {path} is missing. Run: python -m helpers.record")
    try:
        return _read_run(path, settings)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"The recorded run {path} is damaged. Delete it and run: python -m helpers.record") from None


def load_runs(folder: Path = FOLDER) -> tuple[dict[Settings, Run], list[str]]:
    """Every whole recording of GRID in `folder`, and what is wrong with each other file."""
    runs, problems = {}, []
    for settings in GRID:
        try:
            runs[settings] = load_run(settings, folder)
        except FileNotFoundError:
            problems.append(f"{settings.name}.json is missing")
        except ValueError:
            problems.append(f"{settings.name}.json is damaged")
    known = {LADDER_FILE, *(f"{settings.name}.json" for settings in GRID)}
    for path in sorted(folder.glob("[!.]*")):
        if path.name not in known and path.suffix != ".tmp":  # .tmp: a recording that is being written
            problems.append(f"{path.name} is no recording of this course")
    return runs, problems


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


def _train_plainly(model, batches, held_out, schedule) -> list[float]:
    """Stochastic gradient descent as in the course; `schedule` lists (learning rate, epochs)."""
    return [evaluate(model, held_out) for lr, num_epochs in schedule for _ in train(model, batches, num_epochs, lr)]


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


def record_ladder(num_epochs: int = 30) -> dict[str, dict]:
    """Networks trained on nine tenths of the book: for each, what it is and its held-out perplexity by epoch."""
    seen, unseen = split_book()
    vocab = Vocab(seen + unseen)
    corpus, held_out = vocab.encode(seen), vocab.encode(unseen)
    ladder = {}
    fall = [(2.0, 2 * num_epochs // 3), (0.5, num_epochs // 6), (0.1, num_epochs // 6)]
    plain = "256 hidden units, gradient descent with lr 2, then 0.5, then 0.1"
    torch.manual_seed(0)  # dropout and torch.nn draw from the global generator
    for name, text, model, fit in [
        ("RNN from scratch", plain, RNN(len(vocab), 256, device="cpu"), lambda *a: _train_plainly(*a, fall)),
        ("GRU", plain, TorchRNN("GRU", len(vocab), 256, device="cpu"), lambda *a: _train_plainly(*a, fall)),
        (
            "GRU, AdamW, dropout",
            "256 hidden units, AdamW with a one-cycle learning rate, dropout 0.3",
            RegularisedGRU(len(vocab)),
            lambda *a: _train_with_adam(*a, num_epochs),
        ),
    ]:
        start = time.perf_counter()
        curve = [_rounded(value) for value in fit(model, SequentialBatches(corpus, 32, 64), held_out)]
        ladder[name] = {"settings": text, "seconds": round(time.perf_counter() - start), "held_out": curve}
        print(f"{name}: held-out perplexity {curve[-1]} after {len(curve)} epochs", flush=True)
    return ladder


def load_ladder(folder: Path = FOLDER) -> dict[str, dict]:
    """What `record_ladder` returned when it was recorded; raises FileNotFoundError or ValueError as load_run."""
    path = folder / LADDER_FILE
    if not path.is_file():
        raise FileNotFoundError(f"The recorded ladder {path} is missing. Run: python -m helpers.record --ladder")
    try:
        ladder = json.loads(path.read_text(encoding="utf-8"))
        if not ladder or not all(
            rung["held_out"] and all(map(math.isfinite, rung["held_out"])) for rung in ladder.values()
        ):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"The recorded ladder {path} is damaged. Run: python -m helpers.record --ladder") from None
    return ladder


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        unfinished.write_text(content, encoding="utf-8")
        os.replace(unfinished, path)  # in one move, so that no half-written file is ever read
    finally:
        unfinished.unlink(missing_ok=True)


def _record_and_save(settings: Settings, folder: Path) -> tuple[Settings, Run, float]:
    start = time.perf_counter()

    def report(record) -> None:
        if record.epoch % 100 == 0:
            speed = f"{record.tokens_per_second:,.0f} tokens/s"
            print(f"    {settings.name}: epoch {record.epoch}, perplexity {record.perplexity:.4g}, {speed}", flush=True)

    run = record_run(settings, report)
    save_run(run, folder)
    return settings, run, time.perf_counter() - start


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.record", description="Train and record the grid of runs.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files go (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="runs at a time, one thread each (default: 1)")
    parser.add_argument("--only", default="", help="only runs whose name contains this, such as h32 or lr0.1_")
    parser.add_argument("--ladder", action="store_true", help="the networks of the ladder (10 minutes) instead")
    options = parser.parse_args(arguments)
    if options.ladder:
        _write(options.folder / LADDER_FILE, json.dumps(record_ladder(), indent=1) + "\n")
        return
    if options.processes < 1:
        parser.error(f"--processes must be at least 1, but it is {options.processes}")
    if not any(options.only in settings.name for settings in GRID):
        parser.error(f"no run of the grid has {options.only!r} in its name, such as {GRID[0].name}")
    missing = []
    for settings in GRID:
        try:
            load_run(settings, options.folder)
        except (FileNotFoundError, ValueError):  # a damaged file is recorded again
            if options.only in settings.name:
                missing.append(settings)
    print(f"{len(GRID)} runs in the grid, {len(missing)} to record now", flush=True)
    try:
        _record_all(missing, options.folder, options.processes)
    except KeyboardInterrupt:
        raise SystemExit("Interrupted. Start it again to go on with the runs that are not there yet.") from None


def _record_all(missing: list[Settings], folder: Path, processes: int) -> None:
    context = multiprocessing.get_context("spawn")  # a forked torch may hang
    # an interrupt reaches the workers too; they leave it to this process, which ends them
    pool = ProcessPoolExecutor(processes, context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        jobs = [pool.submit(_record_and_save, settings, folder) for settings in missing]
        for number, job in enumerate(as_completed(jobs), 1):
            settings, run, seconds = job.result()
            end = run.stopped or f"perplexity {run.perplexity[-1]:.4g}, unseen text {run.unseen[max(run.unseen)]:.4g}"
            print(f"{number}/{len(missing)} {settings.name}: {end} ({seconds:.0f} s)", flush=True)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


if __name__ == "__main__":
    main()
