"""The live panel: training with buttons, and what it shows while it runs."""

import html
import math
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import ipywidgets as w

from .. import plot
from ..rnn import TORCH_LAYERS
from ..runs.recording import Run, diverged_in
from ..runs.settings import BATCHES, CLASSIC, Settings
from ..text import Vocab, clean, read_book
from .answering import Box, in_html, in_words, labelled, row_of
from .explorer import Explorer
from .explorer_data import VARIED, describe
from .live_run import LiveRun
from .page import Page, axis, curve

OFF = math.inf  # a choice's value for "no clipping", for it cannot hold None


def make_controls(settings: Settings) -> dict[str, w.Dropdown]:
    """A control for each of the settings that the panel lets choose; they stand at `settings`."""

    def choice(label: str, options: tuple[float, ...], value: float, width: str) -> w.Dropdown:
        options = dict.fromkeys([*options, value])  # a value of one's own becomes an option too
        pairs = [("off" if option == OFF else f"{option:g}", option) for option in options]
        return labelled(w.Dropdown, label, width, options=pairs, value=value)

    kinds = [(name, key) for key, name in BATCHES.items()]
    networks = [("RNN from scratch", "scratch"), *((f"torch.nn.{kind}", kind) for kind in TORCH_LAYERS)]
    max_norm = OFF if settings.max_norm is None else settings.max_norm
    return {
        "network": labelled(w.Dropdown, "network", "220px", options=networks, value=settings.network),
        "batches": labelled(w.Dropdown, "minibatches", "270px", options=kinds, value=settings.batches),
        "hidden_size": choice("hidden units", (32, 64, 128, 256, 512), settings.hidden_size, "170px"),
        "lr": choice("learning rate", (0.1, 0.3, 1.0, 3.0, 10.0), settings.lr, "170px"),
        "max_norm": choice("clipping", (0.1, 0.3, 1.0, 3.0, OFF), max_norm, "140px"),
        "num_epochs": choice("epochs", (20, 50, 100, 200, 500), settings.num_epochs, "140px"),
    }


def curves_of(live: LiveRun) -> dict:
    """What the page draws of the run as it stands."""
    total, guess = live.settings.num_epochs, len(live.vocab) - 1  # <unk> never comes
    seen = dict(enumerate(live.run.perplexity, 1))
    return {
        "kind": "curves",
        "name": "Perplexity of the live run. The arrow keys go from epoch to epoch.",
        "title": describe(live.settings, ("network", *VARIED)),
        "x": axis(0, 1.02 * total, {total * k // 5 for k in range(6)}, "epoch"),
        "y": axis(0.95, 400, (1, 2, 5, 10, 20, 50, 100, 200), "perplexity", log=True),
        "legend": [["training text", plot.BLUE, "line"], ["unseen text", plot.BLUE, "line dotted"]],
        "lines": [[guess, f"guessing: {guess}"]],
        "series": [curve("training text", seen, plot.BLUE), curve("unseen text", live.run.unseen, plot.BLUE, "dotted")],
        "point": "epoch {x}: {values}",
    }


def say(live: LiveRun) -> list[str]:
    """Where the run stands, in a few words each."""
    words, perplexity, total = [live.phase], live.run.perplexity, live.settings.num_epochs
    if live.epoch:
        words.append(f"epoch {live.epoch} of {total}, perplexity {perplexity[-1]:.3g}")
        words.append(f"{live.speed:,.0f} tokens/s, {live.seconds:.0f} s")
        if live.is_on:
            words.append(f"{live.seconds / live.epoch * (total - live.epoch):.0f} s to go")
        bad = diverged_in(perplexity)
        if bad and perplexity[-1] > len(live.vocab) - 1:
            words.append(f"diverged: above 100 in epoch {bad}")
    return [*words, live.note]


class LivePanel(Box):
    """Train with buttons: Start, Pause, Resume, Stop, Reset; the curve, a sample and the numbers while it runs.

    Training runs in a thread beside the page and the other cells. Whole epochs make the curve, `run`; `model` is
    usable at any time until the panel is closed. A kernel has one live run at a time: a second panel stops the first.
    With an `explorer`, a run can be pinned there, or in the newest one when it was closed.
    """

    _all: ClassVar["weakref.WeakSet[LivePanel]"] = weakref.WeakSet()
    _one_at_a_time: ClassVar = threading.RLock()
    _live: LiveRun | None = None  # until there is one

    def __init__(self, settings: Settings = CLASSIC, text: str | None = None, explorer: Explorer | None = None):
        text = clean(read_book()) if text is None else text
        self.vocab, self.explorer, self._defaults = Vocab(text), explorer, settings
        self._corpus = self.vocab.encode(text[: 2 * settings.num_chars])
        self._showing, self._trouble, self._notice, self._num_pinned = threading.RLock(), "", "", 0
        self.controls, self.buttons = make_controls(settings), {}
        for act in [self.start, self.pause, self.resume, self.stop, self.reset, *([self.pin] if explorer else [])]:
            button = w.Button(description=act.__name__.capitalize(), layout={"width": "90px"})
            button.on_click(lambda button, act=act: self._press(act))
            self.buttons[act.__name__] = button
        self.curves, self.status, self.sample = Page(), w.HTML(), w.HTML()
        self._renew()
        rows = [row_of(self.controls.values()), row_of(self.buttons.values())]
        super().__init__([*rows, self.status, self.curves, self.sample])
        self._claim()  # last, so that only a whole panel is ever asked to stop

    @property
    def run(self) -> Run:
        """What the run has shown so far."""
        return self._live.run

    @property
    def model(self):
        """The network of the run, usable at any time; None once the panel is closed."""
        return self._live.model

    @property
    def phase(self) -> str:
        """Of the run: ready, running, paused, stopped, finished, diverged or failed."""
        return self._live.phase

    def start(self) -> None:
        """Begin a run with a fresh model and the settings of the controls; while one is on, nothing happens."""
        with LivePanel._one_at_a_time:
            if self._live.is_on:
                return
            self._claim()
            try:
                self._renew()
                self._live.start()
            except Exception as error:
                self._live.phase, self._live.note = "failed", in_words(error)
            self._show(self._live)

    def pause(self) -> None:
        """Hold the run before its next minibatch."""
        self._live.gate.pause()

    def resume(self) -> None:
        """Let a paused run go on."""
        self._live.gate.resume()

    def stop(self) -> None:
        """End the run; the model keeps what it has learned, the curve its whole epochs."""
        self._live.gate.stop()
        self.wait(timeout=10)

    def reset(self) -> None:
        """End the run if there is one, forget it, and make a fresh model."""
        with LivePanel._one_at_a_time:
            self.stop()  # should its thread still live, it has lost its panel and ends at its next question
            self._renew()

    def wait(self, timeout: float | None = None) -> None:
        """Wait in the notebook until the run has ended, for at most `timeout` seconds."""
        self._live.wait(timeout)

    def pin(self) -> None:
        """Keep the run, as it stands, among the explorer's curves; raises ValueError before its first epoch."""
        run, epoch = self.run, self._live.epoch
        if not epoch:
            raise ValueError("there is no whole epoch to pin yet")
        if self.explorer.comm is None:  # closed, because its cell ran again
            self.explorer = Explorer.newest
        self._num_pinned += 1
        run = replace(run, perplexity=run.perplexity[:epoch], grad_norm=run.grad_norm[:epoch])
        run.unseen, run.samples = dict(run.unseen), dict(run.samples)
        self.explorer.pin(run, f"live {self._num_pinned}")

    def close(self) -> None:
        """End the run, and take the panel from the page and what it holds from memory, for the kernel keeps outputs."""
        if self._live is not None:
            self._live.gate.stop()
            self._live.model = self._live.corpus = self._corpus = None
        super().close()
        self.controls, self.buttons, self.children = {}, {}, ()

    def _claim(self) -> None:
        with LivePanel._one_at_a_time:
            for other in [panel for panel in LivePanel._all if panel is not self]:
                other.stop()
            LivePanel._all.add(self)

    def _renew(self) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        values["max_norm"] = None if values["max_norm"] == OFF else values["max_norm"]
        self._live = LiveRun(replace(self._defaults, **values), self.vocab, self._corpus, self._show)
        self._show(self._live, picture=True)

    def _press(self, act: Callable[[], None]) -> None:
        self._notice = ""
        try:
            act()
        except Exception as error:  # an error in a callback would be seen by nobody
            self._notice = in_words(error)
        self._show(self._live)

    def _show(self, live: LiveRun, picture: bool = False) -> None:
        """Say where the run stands, and leave only those buttons that do something now."""
        answer = self._draw(live) if picture else None
        with self._showing:  # else an older answer could come after a newer one
            if live is not self._live:  # a run that was reset has nothing to say any more
                return
            phase, *rest = filter(None, [*say(live), self._trouble, self._notice])
            self.status.value = "; ".join([f"<b>{phase}</b>", *map(html.escape, rest)])
            self.sample.value = in_html(live.words) if live.words else ""
            self.curves.answer = answer or self.curves.answer
            waits = live.phase == "paused"
            usable = {"start": not live.is_on, "pause": live.is_on and not waits, "resume": waits, "stop": live.is_on}
            usable |= {"reset": live.phase != "ready", "pin": live.epoch > 0}
            for name, button in self.buttons.items():
                button.disabled = not usable[name]
            for control in self.controls.values():
                control.disabled = live.is_on

    def _draw(self, live: LiveRun) -> dict | None:
        self._trouble = ""
        try:
            return {"drawings": [curves_of(live)], "asked": []}
        except Exception as error:  # a run goes on without its picture
            self._trouble = f"no picture: {in_words(error)}"
            return None
