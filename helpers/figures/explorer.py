"""The explorer: every recorded run, its curves at once, its sample texts, and runs pinned to compare with."""

import math
from collections.abc import Iterable
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import ipywidgets as w
import numpy as np
from matplotlib.axes import Axes

from .. import plot
from ..runs.files import COMMAND, FOLDER, load_runs
from ..runs.recording import Run, diverged_in
from ..runs.settings import BATCHES, CLASSIC, GRID, Settings
from .answering import AnsweringFigure, choice_of_minibatches, labelled, player

GUESS = 27.0  # perplexity of a blind guess: the letters and the space
OFF = math.inf  # a slider's value for "no clipping", for it cannot hold None
VARIED = ("batches", "hidden_size", "lr", "max_norm")  # what the recorded settings differ in


def describe(settings: Settings, names: Iterable[str] = VARIED) -> str:
    """The settings called `names` in words, such as "random, h 128, lr 1, clip off"."""
    words = {
        "batches": BATCHES[settings.batches],
        "hidden_size": f"h {settings.hidden_size}",
        "lr": f"lr {settings.lr:g}",
        "max_norm": "clip off" if settings.max_norm is None else f"clip {settings.max_norm:g}",
        "network": "from scratch" if settings.network == "scratch" else f"torch.nn.{settings.network}",
    }
    return ", ".join(words.get(name) or f"{name} {getattr(settings, name)}" for name in names)


def tell_apart(shown: list[Settings]) -> list[str]:
    """For each of the settings a legend with only what differs among them, or with all when there is one alone.

    The network and the kind of minibatches stand in lines of their own, so that a legend stays narrow.
    """
    names = [f.name for f in fields(Settings) if f.name != "num_epochs"]
    differing = [name for name in names if len({getattr(settings, name) for settings in shown}) > 1] or VARIED
    lines = [["network"], ["batches"], [name for name in names if name not in ("network", "batches")]]
    lines = [[name for name in line if name in differing] for line in lines]
    return ["\n".join(describe(settings, line) for line in lines if line) for settings in shown]


def how_it_ends(run: Run) -> str:
    """What became of a run, in one sentence."""
    if not run.perplexity:
        return run.stopped or "It has not begun."
    bad, last = diverged_in(run.perplexity), run.perplexity[-1]
    if run.stopped:
        return f"It diverged: {run.stopped}"
    if bad and last > GUESS:
        return f"It diverged: above 100 in epoch {bad}, and {last:.3g} at the end, where a blind guess has {GUESS:g}."
    jump = f"a jump above 100 in epoch {bad} and " if bad else ""
    end = f"It ends at {last:.3g} on its training text"
    if run.unseen:
        end += f" and {run.unseen[max(run.unseen)]:.3g} on unseen text"
    return f"{end}, after {jump}a best of {min(run.perplexity):.3g}."


def at_epoch(run: Run, epoch: int) -> str:
    """What a run had reached at `epoch`, and the last sample that it had written, in words."""
    if epoch > len(run.perplexity):
        return f"At epoch {epoch} there was no training any more."
    reading = f"Epoch {epoch}: training text {run.perplexity[epoch - 1]:.3g}"
    looked = max((e for e in run.unseen if e <= epoch), default=None)
    if looked is not None:
        reading += f", unseen text {run.unseen[looked]:.3g}" + (f" (epoch {looked})" if looked != epoch else "")
    sampled = max((e for e in run.samples if e <= epoch), default=None)
    return f"{reading}." if sampled is None else f"{reading}. It writes (epoch {sampled}): {run.samples[sampled]}"


def left_out(problems: list[str], most: int = 4) -> str:
    """A line about the files that are no recordings, the first few of them named; empty when there are none."""
    if not problems:
        return ""
    more = f"; and {len(problems) - most} more" if len(problems) > most else ""
    return f"\nLeft out: {'; '.join(problems[:most])}{more}. To make recordings anew: {COMMAND}"


def recordings(folder: Path) -> tuple[dict[Settings, Run], list[str]]:
    """What `load_runs` reads, kept in memory once for all explorers as long as no file changes."""
    files = [(path.name, path.lstat()) for path in sorted(folder.glob("*")) if path.suffix != ".tmp"]
    return _recordings(folder, tuple((name, file.st_mtime_ns, file.st_ctime_ns, file.st_size) for name, file in files))


@lru_cache(maxsize=1)
def _recordings(folder: Path, files: tuple) -> tuple[dict[Settings, Run], list[str]]:
    return load_runs(folder)


class Pin(NamedTuple):
    """A run in the picture, and the name and colour that it has there."""

    run: Run
    name: str
    color: str


def draw_grad_norms(ax: Axes, pins: list[Pin], max_norm: float | None) -> None:
    """Draw norms of gradients against the epoch, and the threshold if there is one."""
    for pin in pins:
        norms = np.clip(pin.run.grad_norm, 1e-3, 1e3)
        ax.plot(np.arange(1, len(norms) + 1), norms, color=pin.color, linewidth=2)
    ax.set_yscale("log")
    ax.set_yticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    ax.minorticks_off()
    if max_norm is not None:
        ax.axhline(max_norm, color=plot.GREY, linewidth=1, linestyle="--", zorder=1)
        place = {"ha": "right", "va": "bottom", "transform": ax.get_yaxis_transform()}
        ax.text(0.99, max_norm, f"clipped at {max_norm:g}", color=plot.INK, fontsize=11, **place)
    ax.set(ylim=(0.008, 120), xlabel="epoch", ylabel="norm")


class Explorer(AnsweringFigure):
    """Notebook 08: every recorded run, its curves at once, its sample texts, and runs pinned to compare with.

    ladder: name and perplexity of what to compare with, as horizontal lines.
    """

    MOST_PINS = 5
    newest: ClassVar["Explorer"]  # where a live run is pinned whose own explorer was closed

    def __init__(self, ladder: dict[str, float] | None = None, folder: Path = FOLDER):
        self.runs, self.problems = recordings(folder)
        self.ladder, self.pins = ladder or {}, []
        c = self._make_controls()
        self.pin_button = w.Button(description="pin", layout={"width": "70px"})
        self.clear_button = w.Button(description="clear", layout={"width": "70px"})
        self.pin_button.on_click(lambda button: self._pin_chosen())
        self.clear_button.on_click(lambda button: self.clear())
        ticks = [c[name] for name in ("log", "show_training", "show_unseen", "show_ladder", "show_norm")]
        rows = [
            [c["batches"]],
            [c["hidden_size"], c["lr"], c["max_norm"]],
            [*ticks, self.pin_button, self.clear_button],
            [c["epoch"], player(c["epoch"], interval=60)],  # at the end, so that it starts from the beginning
        ]
        super().__init__(self._draw, c, (10, 3.3), rows)
        Explorer.newest = self

    @staticmethod
    def _make_controls() -> dict[str, w.Widget]:
        def slider(label: str, name: str, width: str) -> w.SelectionSlider:
            values = sorted({OFF if getattr(s, name) is None else getattr(s, name) for s in GRID})
            options = [("off" if value == OFF else f"{value:g}", value) for value in values]
            return labelled(w.SelectionSlider, label, width, options=options, value=getattr(CLASSIC, name))

        def tick(label: str, width: str, value: bool) -> w.Checkbox:
            return w.Checkbox(value=value, description=label, indent=False, layout={"width": width})

        last = CLASSIC.num_epochs
        return {
            "batches": choice_of_minibatches(),
            "hidden_size": slider("hidden units", "hidden_size", "270px"),
            "lr": slider("learning rate", "lr", "290px"),
            "max_norm": slider("clipping", "max_norm", "250px"),
            "log": tick("logarithmic", "115px", True),
            "show_training": tick("training text (solid)", "170px", True),
            "show_unseen": tick("unseen text (dotted)", "170px", True),
            "show_ladder": tick("ladder", "80px", False),
            "show_norm": tick("gradient norm", "130px", False),
            "epoch": labelled(w.IntSlider, "epoch", "420px", value=last, min=1, max=last),
        }

    def pin(self, run: Run, name: str = "") -> None:
        """Keep a run in the picture, under `name` if it has one; a sixth pin replaces the first."""
        if not any(pin.run is run for pin in self.pins):
            kept = self.pins[-self.MOST_PINS + 1 :] if len(self.pins) == self.MOST_PINS else self.pins
            taken = {pin.color for pin in kept}
            color = next(color for color in plot.COLORS[1:] if color not in taken)  # a pin keeps its colour
            self.pins = [*kept, Pin(run, name, color)]
        self.answer()

    def clear(self) -> None:
        """Remove all pinned runs."""
        self.pins = []
        self.answer()

    def _pin_chosen(self) -> None:
        run = self.runs.get(self._chosen(**{name: self.controls[name].value for name in VARIED}))
        if run is not None:
            self.pin(run)

    @staticmethod
    def _chosen(max_norm: float, **others) -> Settings:
        return replace(CLASSIC, max_norm=None if max_norm == OFF else max_norm, **others)

    def _draw(self, figure, epoch, log, show_training, show_unseen, show_ladder, show_norm, **chosen) -> str:
        settings = self._chosen(**chosen)
        current = self.runs.get(settings)
        shown = [Pin(current, "", plot.COLORS[0])] if current is not None else []
        shown += [pin for pin in self.pins if pin.run is not current]  # the chosen run itself has no second curve
        curves = [
            plot.Curve(f"{pin.name}: {label}" if pin.name else label, pin.color, pin.run.perplexity, pin.run.unseen)
            for label, pin in zip(tell_apart([pin.run.settings for pin in shown]), shown, strict=True)
        ]
        frame = {"left": 0.075, "right": 0.77, "top": 0.98, "bottom": 0.16}
        if show_norm:
            figure.set_size_inches(10, 4.4)
            heights = {"height_ratios": [2.4, 1], "hspace": 0.12}
            ax, below = figure.subplots(2, 1, sharex=True, gridspec_kw={**frame, **heights})
        else:
            ax = figure.subplots(gridspec_kw=frame)
        ladder = {"guessing": GUESS, **(self.ladder if show_ladder else {})}
        thick = 0 if current is not None else None
        plot.draw_runs(ax, curves, thick, epoch, log, show_training, show_unseen, ladder)
        if current is None:
            ax.text(0.5, 0.5, "not recorded", ha="center", transform=ax.transAxes, color=plot.GREY, fontsize=20)
        if show_norm:
            ax.set_xlabel("")
            draw_grad_norms(below, shown, settings.max_norm)
        pinned = f" {len(self.pins)} pinned." if self.pins else ""
        if current is None:
            said = f"{describe(settings)}: this setting was not recorded, or its file was left out.{pinned}"
        else:
            said = f"{describe(settings)}. {how_it_ends(current)}{pinned}\n{at_epoch(current, epoch)}"
        return said + left_out(self.problems)
