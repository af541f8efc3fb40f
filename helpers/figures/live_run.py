"""One run of the live panel: it trains in a thread of its own, and draws, writes and scores beside that."""

import threading
import weakref
from collections.abc import Callable, Iterator

import torch

from ..generate import generate
from ..require import TrainingDiverged
from ..runs.recording import PREFIX, SAMPLE_CHARS, Run
from ..runs.settings import Settings, make_batches, make_model
from ..text import Vocab
from ..train import Record, as_perplexity, mean_loss, train
from .answering import in_words
from .budget import Budget
from .gate import Gate, GatedBatches, Stopped

SHARES = {"sample": 0.008, "unseen": 0.014, "draw": 0.003}  # of the time, for each act beside training
PIECE = 500  # characters of unseen text between two questions at the gate
ROWS, RUN_UP = 25, 60  # of unseen text, read side by side to be fast; what each row reads first, for its state


class LiveRun:
    """One run, from Start to its end; `phase`, `note`, `words` and the numbers say how it stands.

    corpus: indices of the training text and, from `settings.num_chars` on, of the unseen text.
    show(live, picture) is a method to call when there is something new to see; its object is not kept alive.
    """

    def __init__(self, settings: Settings, vocab: Vocab, corpus: torch.Tensor, show: Callable[["LiveRun", bool], None]):
        self.settings, self.vocab, self.corpus, self._show = settings, vocab, corpus, weakref.WeakMethod(show)
        self.model, self.run, self.thread = make_model(settings, len(vocab)), Run(settings, {}), None
        self.phase, self.note, self.words = "ready", "press Start", ""
        self.seconds, self.speed = 0.0, 0.0  # of training; tokens a second
        self.gate = Gate(self._when_waiting)
        self.budgets = {act: Budget(share, self.gate.clock) for act, share in SHARES.items()}

    @property
    def is_on(self) -> bool:
        return self.phase in ("running", "paused")

    @property
    def epoch(self) -> int:
        """The last whole one."""
        return len(self.run.perplexity)

    def start(self) -> None:
        """Begin to train; settings that do not work raise here."""
        s, model, corpus = self.settings, self.model, self.corpus
        batches = GatedBatches(make_batches(s, corpus[: s.num_chars]), self.gate)
        epochs = train(model, batches, s.num_epochs, s.lr, s.max_norm)
        acts = {
            "sample": lambda: self._write(model),
            "unseen": lambda: self._score(model, corpus[s.num_chars :], ROWS, RUN_UP),
            "draw": lambda: self.tell(picture=True),
        }
        last = [acts["sample"], lambda: self._score(model, corpus[s.num_chars :])]
        work = (epochs, acts, last, model, torch.get_num_threads())
        self.thread = threading.Thread(target=self._work, args=work, daemon=True)
        self.phase, self.note = "running", "the first epoch is running"
        self.thread.start()

    def wait(self, timeout: float | None = None) -> None:
        """Until the run has ended, for at most `timeout` seconds."""
        if self.thread not in (None, threading.current_thread()):
            self.thread.join(timeout)

    def tell(self, picture: bool = False) -> None:
        show = self._show()
        if show is not None:
            show(self, picture)

    def _when_waiting(self, waits: bool) -> None:
        self.phase, self.note = ("paused", "press Resume to go on, or Stop") if waits else ("running", "")
        self.tell()

    def _work(self, epochs: Iterator[Record], acts: dict, last: list, model, num_threads: int) -> None:
        torch.set_num_threads(num_threads)  # a new thread does not know it, and two would only fight for the cores
        phase, note = "finished", ""
        try:
            self._train(epochs, acts)
            for act in last:
                act()
        except Stopped:
            phase, note = "stopped", "the model keeps what it has learned"
        except TrainingDiverged as error:
            phase, note, self.run.stopped = "diverged", str(error), str(error)
        except Exception as error:
            phase, note = "failed", in_words(error)
        try:
            if phase == "stopped" and self.epoch:  # the weights are those of the middle of an epoch
                self.words = f"It writes now: {self._text_of(model)}"
        except Exception as error:
            note = f"{note} {in_words(error)}"
        self.phase, self.note = phase, note
        self.tell(picture=True)

    def _train(self, epochs: Iterator[Record], acts: dict[str, Callable[[], None]]) -> None:
        clock, next_look = self.gate.clock, 0.0
        start, waited = clock(), self.gate.seconds_waiting
        for record in epochs:
            seconds, pause = max(clock() - start, 1e-9), self.gate.seconds_waiting - waited
            self.seconds += seconds
            self.speed = record.tokens_per_second * (seconds + pause) / seconds  # without its pauses
            self.run.grad_norm.append(record.grad_norm)
            self.run.perplexity.append(record.perplexity)
            self.note = ""
            for name, act in acts.items():
                if self.budgets[name].allows():
                    with self.budgets[name].spend():
                        act()
            if clock() >= next_look:
                self.tell()
                next_look = clock() + 0.2
            start, waited = clock(), self.gate.seconds_waiting

    def _text_of(self, model) -> str:
        prefix = PREFIX if all(c in self.vocab.index for c in PREFIX) else self.vocab.tokens[1]
        return generate(prefix, SAMPLE_CHARS, model, self.vocab)

    def _write(self, model) -> None:
        self.gate.ask()
        self.run.samples[self.epoch] = self._text_of(model)
        self.words = f"It writes (epoch {self.epoch}): {self.run.samples[self.epoch]}"

    def _score(self, model, text: torch.Tensor, rows: int = 1, run_up: int = 0) -> None:
        """Perplexity on unseen text as `train.evaluate` computes it, in pieces, so that pause and stop act at once.

        In several rows, each of which begins `run_up` characters early, it is nearly the same.
        """
        length, steps = (len(text) - 1 - run_up) // rows, PIECE // rows
        if length < 1:
            return
        windows = text.unfold(0, run_up + length + 1, length)[:rows]  # (rows, characters)
        loss, state = 0.0, model.initial_state(rows)
        with torch.no_grad():
            for t in range(0, run_up + length, steps):
                self.gate.ask()
                Y = windows[:, t + 1 : t + 1 + steps]
                outputs, state = model(windows[:, t : t + Y.shape[1]], state)
                if t >= run_up:
                    loss += mean_loss(outputs, Y).item() * Y.numel()
        self.run.unseen[self.epoch] = as_perplexity(loss / (rows * length))
