"""A perplexity curve that grows while a loop in a cell trains."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.display import DisplayHandle, Image
from matplotlib.axes import Axes

from ..plot import BLUE, GREY, INK, RED, picture, use_perplexity_axis
from ..train import Record
from .budget import Budget


@contextmanager
def interrupts_wait() -> Iterator[list[int]]:
    """Let no interrupt break off the block; yields the list of those that came."""
    came = []
    if threading.current_thread() is not threading.main_thread():  # interrupts come to the main thread alone
        yield came
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


class LivePlot:
    """A perplexity curve that grows during training, with the sample texts below it.

    Use it as ``with LivePlot("name", num_epochs) as live:`` around the training loop and give it every
    record. It draws only as often as keeps its share of the time below `max_share`, and once more at
    the end, also when the loop is interrupted: an interrupt ends the loop quietly, and the plot says so.
    """

    clock = staticmethod(time.perf_counter)

    def __init__(
        self,
        title: str,
        num_epochs: int,
        goal: float | None = None,
        guess: float = 27.0,
        max_share: float = 0.03,
        color: str = BLUE,
    ):
        self.title, self.num_epochs, self.goal, self.guess, self.color = title, num_epochs, goal, guess, color
        self.records, self.samples, self.unseen = [], [], []
        self.note, self.finished = "", False
        self._budget, self._interrupts = Budget(max_share, self.clock), []
        self._picture, self._texts = DisplayHandle(), DisplayHandle()

    def __enter__(self) -> "LivePlot":
        self._start = self.clock()
        with interrupts_wait() as self._interrupts:  # an error in here would be raised past __exit__; add raises it
            self._draw(first=True)
        return self

    def __exit__(self, kind, error, traceback) -> bool:
        with interrupts_wait():  # a second click on stop must not break off the last picture
            interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
            if interrupted:
                self.note = "interrupted by you: the model keeps what it has learned so far"
            elif kind is not None:
                self.note = "stopped by an error, see below"
            else:
                self.note, self.finished = "finished", True
            self._draw()
        return interrupted

    def add(self, record: Record, sample: str | None = None, unseen: float | None = None) -> None:
        """Take in one epoch's record, and with it a sample text and the perplexity on unseen text if there are any."""
        self.records.append(record)
        if unseen is not None:
            self.unseen.append((record.epoch, unseen))
        if sample is not None:
            self.samples.append((record.epoch, record.perplexity, sample))
        if self._interrupts:
            raise KeyboardInterrupt
        if sample is not None or self._budget.allows():
            self._draw()

    @property
    def perplexity(self) -> float:
        """Of the last epoch; NaN before the first."""
        return self.records[-1].perplexity if self.records else float("nan")

    @property
    def seconds_drawing(self) -> float:
        return self._budget.spent

    def _status(self) -> str:
        if not self.records:
            return self.note or "the first epoch is running"
        last, passed = self.records[-1], self.clock() - self._start
        status = f"epoch {last.epoch} of {self.num_epochs}, perplexity {last.perplexity:.3g}, "
        status += f"{last.tokens_per_second:,.0f} tokens/s, {passed:.0f} s"
        left = passed / last.epoch * (self.num_epochs - last.epoch)
        return f"{status}; {self.note}" if self.note else f"{status}; at most {left:.0f} s to go"

    def draw(self, ax: Axes) -> None:
        """Draw the curves as they stand."""
        values = [perplexity for _, perplexity in self.unseen] + [record.perplexity for record in self.records]
        # what a diverged run shows beyond a million would press the rest of the picture flat
        use_perplexity_axis(ax, max([40.0, *(value for value in values if value < 1e6)]), self.guess)
        epochs = [record.epoch for record in self.records]
        ax.axhline(1, color=GREY, linewidth=1)  # always sure and right: no curve falls below
        ax.plot(epochs, [record.perplexity for record in self.records], color=self.color, label="training text")
        if self.unseen:
            ax.plot(*zip(*self.unseen, strict=True), color=RED, marker="o", label="unseen text")
        if self.goal is not None:
            ax.axhline(self.goal, color=INK, linestyle="--", linewidth=1.5)
            place = {"va": "bottom", "transform": ax.get_yaxis_transform()}
            ax.text(0.01, self.goal, f"goal: {self.goal:g}", color=INK, **place)
        ax.set_xlim(0, self.num_epochs * 1.01)
        ax.set_title(self.title)
        if self.records:
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    def _draw(self, first: bool = False) -> None:
        with self._budget.spend():
            png = picture(lambda figure: self.draw(figure.subplots()), (10, 3.6), layout="constrained")
            head = [f"{'epoch':>5}  {'perplexity':>10}  sample"] if self.samples else []
            lines = [f"{epoch:5}  {perplexity:10.2f}  {sample}" for epoch, perplexity, sample in self.samples]
            texts = {"text/plain": "\n".join([self._status(), "", *head, *lines])}
            image = Image(png, alt=f"Perplexity curve of {self.title}: {self._status()}")
            for handle, content, raw in ((self._picture, image, False), (self._texts, texts, True)):
                (handle.display if first else handle.update)(content, raw=raw)
