"""Figures that answer the hand: controls, a picture, and its reading in words; the explorer; the live panel.

A figure here is a function of plain values that draws (most are in plot.py) and a thin layer that calls
it whenever a control moves. Only the last position of a drag is drawn, in place of the picture before.
"""

import html
import io
import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import ipywidgets as w
import numpy as np
import torch
from matplotlib.figure import Figure

from . import plot
from .generate import check_prefix, generate, next_char_probs, warm_up
from .record import (
    BATCHES,
    CLASSIC,
    FOLDER,
    GRID,
    PREFIX,
    SAMPLE_CHARS,
    Run,
    Settings,
    diverged_in,
    load_runs,
    make_batches,
    make_model,
)
from .rnn import TORCH_LAYERS, forward_hoisted, init_params, init_state
from .text import RandomBatches, SequentialBatches, Vocab, clean, read_book
from .train import TrainingDiverged, evaluate, mean_loss, train

FALLBACK = "A figure with controls: run this cell in JupyterLab to use it."


def picture_of(draw: Callable[..., str], size: tuple[float, float], **values) -> tuple[bytes, str]:
    """The PNG that `draw(figure, **values)` makes, and the reading in words that it returns."""
    with plot.DRAWING:
        figure = Figure(figsize=size, layout="none")  # a layout engine would take longer than all the rest
        reading = draw(figure, **values)
        png = io.BytesIO()
        figure.savefig(png, format="png", pil_kwargs={"compress_level": 1})
    return png.getvalue(), reading


def in_html(text: str, style: str = "") -> str:
    """`text` for an HTML widget, its line ends kept."""
    return f'<div style="line-height: 1.45; white-space: pre-wrap; {style}">{html.escape(text)}</div>'


ERROR_STYLE = f"border-left: 4px solid {plot.RED}; padding: 0.5em 0.8em; margin: 0.5em 0"


class Box(w.VBox):
    """Rows of controls above a picture; a page without widgets shows a sentence in its place."""

    def _repr_mimebundle_(self, **arguments):
        bundle = super()._repr_mimebundle_(**arguments)
        bundle["text/plain"] = FALLBACK
        return bundle


def _row(controls: Iterable[w.Widget]) -> w.HBox:
    return w.HBox(list(controls), layout=w.Layout(flex_flow="row wrap", align_items="center"))


class AnsweringFigure(Box):
    """A picture that is drawn anew whenever one of its controls moves, with its reading in words below.

    draw(figure, **values) draws on an empty matplotlib figure from the values of the controls and
    returns the reading. When it raises, the message takes the picture's place.
    """

    def __init__(
        self,
        draw: Callable[..., str],
        controls: dict[str, w.Widget],
        size: tuple[float, float] = (10, 3.8),
        rows: Iterable[Iterable[w.Widget]] | None = None,
    ):
        self.draw_figure, self.size, self.controls = draw, size, controls
        self._threads, self._answering = torch.get_num_threads(), threading.Lock()
        self.picture = w.Image(format="png", layout=w.Layout(width="100%", max_width=f"{100 * size[0]:.0f}px"))
        self.reading = w.HTML()
        rows = [controls.values()] if rows is None else rows
        super().__init__([*map(_row, rows), self.picture, self.reading])
        for control in controls.values():
            control.observe(self.answer, "value")
        self.answer()

    def answer(self, change=None) -> None:
        """Draw and say what the controls now ask for."""
        torch.set_num_threads(self._threads)  # a callback may come in a thread that does not know it
        with self._answering:  # else an older answer could come after a newer one
            values = {name: control.value for name, control in self.controls.items()}
            try:
                png, reading = picture_of(self.draw_figure, self.size, **values)
            except Exception as error:  # whatever went wrong is said in the picture's place, for the reader to see
                self.picture.layout.display = "none"
                self.reading.value = in_html(_in_words(error), ERROR_STYLE)
                return
            self.picture.value = png
            self.picture.layout.display = None
            self.reading.value = in_html(reading)


def _in_words(error: Exception) -> str:
    expected = isinstance(error, (ValueError, TypeError, RuntimeError, OSError)) and str(error)
    return str(error) if expected else f"{type(error).__name__}: {error}"


def _labelled(control_class, label: str, width: str = "310px", **options):
    return control_class(description=label, style={"description_width": "initial"}, layout={"width": width}, **options)


def _kinds_of_minibatches() -> w.ToggleButtons:
    kinds = [(name, key) for key, name in BATCHES.items()]
    return w.ToggleButtons(
        description="minibatches", options=kinds, style={"description_width": "initial", "button_width": "195px"}
    )


def _cut_short(text: str, limit: int) -> tuple[str, str]:
    """`text`, cut after `limit` characters, and a sentence about it when it was."""
    if len(text) <= limit:
        return text, ""
    return text[:limit], f"The text has {len(text):,} characters; only the first {limit} are used. "


def explore_concatenation(X, H, W_xh, W_hh) -> AnsweringFigure:
    """Notebook 01: [X, H] · [W_xh; W_hh], cut anywhere into two products. Small whole numbers are easiest to read."""
    joined, weights = torch.cat([X, H], dim=1), torch.cat([W_xh, W_hh], dim=0)
    n, (batch, hidden) = joined.shape[1], (joined.shape[0], weights.shape[1])

    def draw(figure, cut, row, column):
        ax = figure.add_axes((0, 0, 1, 1))
        left, right = plot.draw_cut(ax, joined, weights, cut, row, column)
        return (
            f"Cut after {cut} of {n} columns: row {row}, column {column} is {left:g} (blue) + {right:g} (orange) "
            f"= {left + right:g}. Move the cut: the two parts change, the sum does not."
        )

    controls = {
        "cut": _labelled(w.IntSlider, "cut after column", value=X.shape[1], min=0, max=n),
        "row": _labelled(w.IntSlider, "row", "220px", value=1, min=0, max=batch - 1),
        "column": _labelled(w.IntSlider, "column", "240px", value=2, min=0, max=hidden - 1),
    }
    return AnsweringFigure(draw, controls, size=(10, 3.2))


def explore_one_hot(vocab: Vocab, text: str = "Café, time!", limit: int = 16) -> AnsweringFigure:
    """Notebook 02: any text as one-hot vectors, unknown characters marked."""

    def draw(figure, text, cleaned):
        if cleaned:
            text = clean(text)
        if not text:
            raise ValueError("Type a text: without a character there is no row to draw.")
        text, notice = _cut_short(text, limit)
        indices = vocab.encode(text)
        rows = torch.nn.functional.one_hot(indices, len(vocab))
        ax = figure.add_axes((0.06, 0.14, 0.93, 0.84))
        plot.draw_one_hot(ax, rows, text, ["?", *vocab.tokens[1:]])
        unknown = [t for t, i in enumerate(indices) if i == 0]
        for t in unknown:
            ax.plot([0], [t], marker="s", markersize=9, color=plot.RED)
            ax.get_yticklabels()[t].set(color=plot.RED, fontweight="bold")
        ax.set(xlabel="token", ylabel="time")
        reading = f"{notice}Indices: {' '.join(str(int(i)) for i in indices)}. "
        if unknown:
            names = " ".join(dict.fromkeys(text[t] for t in unknown))
            return f"{reading}Not in the vocabulary, so index 0, in red: {names}"
        return f"{reading}All characters are in the vocabulary."

    controls = {
        "text": _labelled(w.Text, "your text", "420px", value=text),
        "cleaned": w.Checkbox(value=False, description="clean it first", indent=False, layout={"width": "160px"}),
    }
    return AnsweringFigure(draw, controls, size=(10, 3.8))


def explore_start(X: torch.Tensor, Y: torch.Tensor, vocab_size: int) -> AnsweringFigure:
    """Notebook 03: the scale of the initial weights against the hidden units and the first loss on (X, Y)."""
    sigmas = [round(10 ** (k / 4), 4) for k in range(-12, 2)]
    sizes = (32, 128, 512)

    @cache
    def first(sigma: float, hidden_size: int) -> tuple[np.ndarray, float]:
        params = init_params(vocab_size, hidden_size, sigma)
        with torch.no_grad():
            outputs, (H,) = forward_hoisted(X, init_state(len(X), hidden_size), params)
            return H.flatten().numpy(), mean_loss(outputs, Y).item()

    for hidden_size in sizes:  # in advance, so that no control has to wait
        for sigma in sigmas:
            first(sigma, hidden_size)

    def draw(figure, sigma, hidden_size):
        hidden, loss = first(sigma, hidden_size)
        losses = [first(s, hidden_size)[1] for s in sigmas]
        plot.draw_start(figure, hidden, sigmas, losses, sigma, vocab_size)
        saturated = float(np.mean(np.abs(hidden) > 0.99))
        return (
            f"sigma {sigma:.3g}, {hidden_size} units: the spread of the hidden state after {X.shape[1]} steps is "
            f"{hidden.std():.2g}; {saturated:.0%} of the units are saturated (beyond ±0.99). "
            f"First loss {loss:.2f}, a blind guess {math.log(vocab_size):.2f}."
        )

    controls = {
        "sigma": _labelled(
            w.SelectionSlider, "sigma", "420px", options=[(f"{s:.3g}", s) for s in sigmas], value=sigmas[4]
        ),
        "hidden_size": _labelled(w.SelectionSlider, "hidden units", "320px", options=sizes, value=512),
    }
    return AnsweringFigure(draw, controls, size=(10, 3.5))


def explore_steps(model, vocab: Vocab, text: str = "the time traveller", limit: int = 24) -> AnsweringFigure:
    """Notebook 04: the model at one time step after another: character read, hidden state, next characters."""

    def read(text: str):
        hidden, outputs, state = [], [], model.initial_state(1)
        with torch.no_grad():
            for i in vocab.encode(text):
                output, state = model(i.reshape(1, 1), state)
                outputs.append(output[0, 0].cpu())
                hidden.append(state[0][0].cpu())
        return torch.stack(hidden), outputs

    def draw(figure, text, step):
        check_prefix(text, vocab)
        text, notice = _cut_short(text, limit)
        beyond = f"The text has only {len(text)} characters. " if step > len(text) else ""
        step = min(step, len(text))
        hidden, outputs = read(text)
        probs = next_char_probs(outputs[step - 1])
        plot.draw_step(figure, hidden, text, probs, vocab.tokens, step)
        best = int(probs.argmax())
        character, guess = plot.name_characters([text[step - 1], vocab.tokens[best]])
        follows = f", and “{plot.name_characters(text[step])[0]}” follows" if step < len(text) else ""
        return (
            f"{notice}{beyond}Step {step}: reads “{character}”, then guesses “{guess}” with probability "
            f"{probs[best]:.2f}{follows}."
        )

    step = _labelled(w.IntSlider, "step", "330px", value=4, min=1, max=limit)
    controls = {"text": _labelled(w.Text, "text to read", "330px", value=text), "step": step}
    play = w.Play(value=4, min=1, max=limit, interval=500)
    w.jslink((play, "value"), (step, "value"))
    figure = AnsweringFigure(draw, controls, (10, 3.8), rows=[[controls["text"], step, play]])

    def follow(change) -> None:
        play.max = step.max = max(1, min(len(change["new"]), limit))

    controls["text"].observe(follow, "value")
    follow({"new": text})
    return figure


def explore_prediction(model, vocab: Vocab, prefix: str = "the time machine", limit: int = 200) -> AnsweringFigure:
    """Notebook 05: any prefix, temperature and length: the next character, and the text, with and without warm-up."""

    def draw(figure, prefix, temperature, num_chars, seed):
        check_prefix(prefix, vocab)
        cut = (
            f"The prefix has {len(prefix):,} characters; only the last {limit} are read. "
            if len(prefix) > limit
            else ""
        )
        prefix = prefix[-limit:]
        probs = [next_char_probs(warm_up(read, model, vocab)[0], temperature) for read in (prefix, prefix[-1])]
        plot.draw_warm_up(figure.add_axes((0.08, 0.1, 0.91, 0.86)), *probs, vocab.tokens, prefix)
        warm, cold = (
            generate(read, num_chars, model, vocab, temperature, seed)[len(read) :] for read in (prefix, prefix[-1])
        )
        return f"{cut}After reading it all:  {warm}\nAfter “{plot.name_characters(prefix[-1])[0]}” alone:  {cold}"

    controls = {
        "prefix": _labelled(w.Text, "prefix", "330px", value=prefix),
        "temperature": _labelled(w.FloatSlider, "temperature", "300px", value=0.5, min=0, max=3, step=0.1),
        "num_chars": _labelled(w.IntSlider, "characters to write", "320px", value=60, min=0, max=120, step=10),
        "seed": _labelled(w.IntSlider, "draw number", "280px", value=0, min=0, max=20),
    }
    rows = [list(controls.values())[:2], list(controls.values())[2:]]
    return AnsweringFigure(draw, controls, (10, 3.1), rows)


def explore_gradient(X: torch.Tensor, Y: torch.Tensor, vocab_size: int, hidden_size: int = 64) -> AnsweringFigure:
    """Notebook 06: sequence length, spectral radius of W_hh and threshold against the gradient's norm.

    X, Y: (batch, time), at least 100 time steps.
    """
    lengths = [1, 2, 5, 10, 20, 50, 100]
    radii = [0.3, 0.5, 0.7, 0.9, 1.0, 1.1, 1.3, 1.5, 2.0, 2.5]
    thresholds = [0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0]

    @cache
    def norms(radius: float) -> tuple[list[float], list[float]]:
        params = init_params(vocab_size, hidden_size, dtype=torch.float64)
        with torch.no_grad():
            params[1].mul_(radius / torch.linalg.eigvals(params[1]).abs().max())
        of_weights, of_memory = [], []
        for length in lengths:
            (H,) = init_state(len(X), hidden_size, dtype=torch.float64)
            H.requires_grad_()
            outputs, _ = forward_hoisted(X[:, :length], (H,), params)
            gradients = torch.autograd.grad(mean_loss(outputs, Y[:, :length]), params, retain_graph=True)
            of_weights.append(torch.cat([g.flatten() for g in gradients]).norm().item())
            last = mean_loss(outputs[-1:], Y[:, length - 1 : length])
            of_memory.append(torch.autograd.grad(last, H)[0].norm().item())
        return of_weights, of_memory

    for radius in radii:  # in advance, so that no control has to wait
        norms(radius)

    def draw(figure, length, radius, max_norm):
        of_weights, of_memory = norms(radius)
        plot.draw_norms(figure.add_axes((0.09, 0.16, 0.55, 0.8)), lengths, of_weights, of_memory, length, max_norm)
        norm, memory = of_weights[lengths.index(length)], of_memory[lengths.index(length)]
        acts = f"clipping cuts it to {max_norm:g}" if norm > max_norm else "clipping leaves it alone"
        return (
            f"{length} steps, radius {radius:g}: the gradient of all weights has the norm {norm:.2g}, and {acts}. "
            f"The last loss depends on the state {length} steps back with a gradient of {memory:.1e}."
        )

    controls = {
        "length": _labelled(w.SelectionSlider, "time steps", "300px", options=lengths, value=50),
        "radius": _labelled(w.SelectionSlider, "radius of W_hh", "320px", options=radii, value=2.0),
        "max_norm": _labelled(
            w.SelectionSlider, "threshold θ", "300px", options=[(f"{t:g}", t) for t in thresholds], value=1.0
        ),
    }
    return AnsweringFigure(draw, controls, size=(10, 3.6))


def explore_minibatches(length: int = 60) -> AnsweringFigure:
    """Notebook 07: where each row of each minibatch reads, and where its state comes from."""

    def draw(figure, kind, batch_size, num_steps, epoch, chosen):
        make = RandomBatches if kind == "random" else SequentialBatches
        batches = make(torch.arange(length), batch_size, num_steps, seed=0)
        batches.carries_state = kind == "sequential"
        for _ in range(epoch):
            minibatches = [X for X, _ in batches]  # each pass is another epoch, with another offset
        asked, chosen = chosen, min(chosen, len(minibatches) - 1)
        ax = figure.add_axes((0.08, 0.17, 0.89, 0.82))
        plot.draw_reading(ax, minibatches, chosen, batches.carries_state, length)
        places = ", ".join(f"{int(row[0])}–{int(row[-1])}" for row in minibatches[chosen])
        only = f"This epoch has only {len(minibatches)} minibatches. " if asked > chosen else ""
        if batches.carries_state and chosen > 0:
            state = f"Each row goes on where it stopped, so the state of minibatch {chosen - 1} is carried on (H)."
        else:
            state = "The state starts from zero (0)" + (
                ": it is the first of its epoch." if chosen == 0 else ", whatever was read before."
            )
        return f"{only}Epoch {epoch}, minibatch {chosen} of 0 to {len(minibatches) - 1}: reads {places}. {state}"

    controls = {
        "kind": _kinds_of_minibatches(),
        "batch_size": _labelled(w.IntSlider, "rows", "230px", value=3, min=1, max=6),
        "num_steps": _labelled(w.IntSlider, "time steps", "250px", value=5, min=2, max=8),
        "epoch": _labelled(w.IntSlider, "epoch", "220px", value=1, min=1, max=10),
        "chosen": _labelled(w.IntSlider, "minibatch", "240px", value=1, min=0, max=9),
    }
    rows = [[controls["kind"]], list(controls.values())[1:]]
    return AnsweringFigure(draw, controls, (10, 3.2), rows)


GUESS = 27.0  # perplexity of a blind guess: the letters and the space
OFF = math.inf  # a slider's value for "no clipping", for it cannot hold None
COLORS = [plot.BLUE, plot.ORANGE, plot.GREEN, plot.RED, plot.PURPLE, plot.SKY]


def describe(settings: Settings, names: Iterable[str] = ("batches", "hidden_size", "lr", "max_norm")) -> str:
    """The settings called `names` in words, such as "random, h 128, lr 1, clip off"."""
    words = {
        "batches": BATCHES.get(settings.batches, settings.batches),
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
    differing = [name for name in names if len({getattr(settings, name) for settings in shown}) > 1]
    differing = differing or ["batches", "hidden_size", "lr", "max_norm"]
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


class Explorer(AnsweringFigure):
    """Notebook 08: every recorded run, its curves at once, its sample texts, and runs pinned to compare with.

    ladder: name and perplexity of what to compare with, as horizontal lines.
    """

    MOST_PINS = 5

    def __init__(self, ladder: dict[str, float] | None = None, folder: Path = FOLDER):
        self.runs, self.problems = load_runs(folder)
        self.ladder, self.pins = ladder or {}, []

        def slider(label, name, width):
            values = sorted({OFF if getattr(s, name) is None else getattr(s, name) for s in GRID})
            options = [("off" if value == OFF else f"{value:g}", value) for value in values]
            return _labelled(w.SelectionSlider, label, width, options=options, value=getattr(CLASSIC, name))

        def tick(label, width, value):
            return w.Checkbox(value=value, description=label, indent=False, layout={"width": width})

        last = CLASSIC.num_epochs
        c = {
            "batches": _kinds_of_minibatches(),
            "hidden_size": slider("hidden units", "hidden_size", "270px"),
            "lr": slider("learning rate", "lr", "290px"),
            "max_norm": slider("clipping", "max_norm", "250px"),
            "log": tick("logarithmic", "115px", True),
            "training": tick("training text (solid)", "170px", True),
            "unseen": tick("unseen text (dotted)", "170px", True),
            "show_ladder": tick("ladder", "80px", False),
            "show_norm": tick("gradient norm", "130px", False),
            "epoch": _labelled(w.IntSlider, "epoch", "420px", value=last, min=1, max=last),
        }
        self.pin_button = w.Button(description="pin", layout={"width": "70px"})
        self.clear_button = w.Button(description="clear", layout={"width": "70px"})
        self.pin_button.on_click(lambda button: self._pin_current())
        self.clear_button.on_click(lambda button: self.clear())
        play = w.Play(value=last, min=1, max=last, interval=60)  # at the end, so that it starts from the beginning
        w.jslink((play, "value"), (c["epoch"], "value"))
        rows = [
            [c["batches"]],
            [c["hidden_size"], c["lr"], c["max_norm"]],
            [c[name] for name in ("log", "training", "unseen", "show_ladder", "show_norm")]
            + [self.pin_button, self.clear_button],
            [c["epoch"], play],
        ]
        super().__init__(self._draw, c, (10, 3.3), rows)

    def pin(self, run: Run, name: str = "") -> None:
        """Keep a run in the picture, under `name` if it has one; a sixth pin replaces the first."""
        if not any(pinned is run for pinned, _, _ in self.pins):
            kept = self.pins[-self.MOST_PINS + 1 :] if len(self.pins) == self.MOST_PINS else self.pins
            taken = {color for _, _, color in kept}
            color = next(color for color in COLORS[1:] if color not in taken)  # a pin keeps its colour
            self.pins = [*kept, (run, name, color)]
        self.answer()

    def clear(self) -> None:
        """Remove all pinned runs."""
        self.pins = []
        self.answer()

    def _settings(self, batches, hidden_size, lr, max_norm) -> Settings:
        max_norm = None if max_norm == OFF else max_norm
        return replace(CLASSIC, batches=batches, hidden_size=hidden_size, lr=lr, max_norm=max_norm)

    def _pin_current(self) -> None:
        names = ("batches", "hidden_size", "lr", "max_norm")
        run = self.runs.get(self._settings(**{name: self.controls[name].value for name in names}))
        if run is not None:
            self.pin(run)

    def _draw(self, figure, epoch, log, training, unseen, show_ladder, show_norm, **chosen) -> str:
        settings = self._settings(**chosen)
        current = self.runs.get(settings)
        shown = [(current, "", COLORS[0])] if current is not None else []
        shown += [pin for pin in self.pins if pin[0] is not current]
        labels = tell_apart([run.settings for run, _, _ in shown])
        curves = [
            (f"{name}: {label}" if name else label, color, run.perplexity, run.unseen)
            for label, (run, name, color) in zip(labels, shown, strict=True)
        ]
        frame = {"left": 0.075, "right": 0.77, "top": 0.98, "bottom": 0.16}
        if show_norm:
            figure.set_size_inches(10, 4.4)
            rows = {"height_ratios": [2.4, 1], "hspace": 0.12}
            ax, below = figure.subplots(2, 1, sharex=True, gridspec_kw={**frame, **rows})
        else:
            ax = figure.subplots(gridspec_kw=frame)
        ladder = {"guessing": GUESS, **(self.ladder if show_ladder else {})}
        thick = 0 if current is not None else None
        plot.draw_runs(ax, curves, thick, epoch, log, training, unseen, ladder)
        if current is None:
            ax.text(0.5, 0.5, "not recorded", ha="center", transform=ax.transAxes, color=plot.GREY, fontsize=20)
        if show_norm:
            ax.set_xlabel("")
            plot.draw_grad_norms(below, [(color, run.grad_norm) for run, _, color in shown], settings.max_norm)
        left_out = "\n" + _some(self.problems) if self.problems else ""
        pinned = f" {len(self.pins)} pinned." if self.pins else ""  # the chosen run itself has no second curve
        if current is None:
            return f"{describe(settings)}: this setting was not recorded, or its file was left out.{pinned}{left_out}"
        return f"{describe(settings)}. {how_it_ends(current)}{pinned}\n{_at_epoch(current, epoch)}{left_out}"


def _some(problems: list[str], most: int = 4) -> str:
    more = f"; and {len(problems) - most} more" if len(problems) > most else ""
    return f"Left out: {'; '.join(problems[:most])}{more}. To make recordings anew: python -m helpers.record"


def _at_epoch(run: Run, epoch: int) -> str:
    if epoch > len(run.perplexity):
        return f"At epoch {epoch} there was no training any more."
    reading = f"Epoch {epoch}: training text {run.perplexity[epoch - 1]:.3g}"
    looked = max((e for e in run.unseen if e <= epoch), default=None)
    if looked is not None:
        reading += f", unseen text {run.unseen[looked]:.3g}" + (f" (epoch {looked})" if looked != epoch else "")
    sampled = [e for e in run.samples if e <= epoch]
    return f"{reading}. It writes (epoch {max(sampled)}): {run.samples[max(sampled)]}" if sampled else f"{reading}."


# What a live run does beside training: the share of the time that it may take, and as if how many seconds had
# passed already, so that the first picture need not wait.
SHARES = {"draw": 0.03, "sample": 0.02, "unseen": 0.03}
HEAD_START = {"draw": 3.0, "sample": 3.0, "unseen": 0.0}


class Stopped(Exception):
    """Raised inside a live run to end it."""


class _LiveRun:
    """One run of the panel, from Start to its end: it trains in a thread and keeps what it shows to itself.

    The model that is trained and scored asks `gate` before every forward pass, so that a run pauses and stops at once.
    """

    def __init__(self, settings: Settings, model):
        self.model, self.run = model, Run(settings, {})
        self.vocab_size, self.parameters, self.initial_state = model.vocab_size, model.parameters, model.initial_state
        self.stop, self.go, self.thread = threading.Event(), threading.Event(), None
        self.seconds, self.speed, self.paused = 0.0, 0.0, 0.0  # of training, tokens per second, in pauses
        self.spent, self.cost = dict.fromkeys(SHARES, 0.0), dict.fromkeys(SHARES, 0.0)  # in all, and the last time
        self.go.set()

    def __call__(self, X, state):
        self.gate()
        return self.model(X, state)

    def gate(self) -> None:
        """Wait here while the run is paused, and end it when it was stopped."""
        if not self.go.is_set():
            self.when_paused(True)
            start = time.perf_counter()
            self.go.wait()
            self.paused += time.perf_counter() - start
            if not self.stop.is_set():
                self.when_paused(False)
        if self.stop.is_set():
            raise Stopped

    def when_paused(self, paused: bool) -> None:
        """Replaced by the panel that shows the run."""

    def alive(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def may(self, act: str) -> bool:
        """Whether drawing, a sample or a score still fits into its share of the time."""
        return self.spent[act] + self.cost[act] <= SHARES[act] * (self.seconds + HEAD_START[act])

    def timed(self, act: str, work: Callable[[], None]) -> None:
        """Do `work` and book what it cost, without a pause that came between."""
        start, paused = time.perf_counter(), self.paused
        work()
        self.cost[act] = time.perf_counter() - start - (self.paused - paused)
        self.spent[act] += self.cost[act]


class LivePanel(Box):
    """Train with buttons: Start, Pause, Resume, Stop, Reset; the curve, a sample and the numbers while it runs.

    Training runs in a thread beside the page and the other cells. Whole epochs make the curve, `run`;
    `model` is usable at any time. A kernel has one live run at a time: a second panel stops the first.
    With an `explorer`, a run can be pinned there.
    """

    _newest = None  # the panel that was made or started last
    _one_at_a_time = threading.RLock()

    def __init__(self, settings: Settings = CLASSIC, text: str | None = None, explorer: Explorer | None = None):
        text = clean(read_book()) if text is None else text
        self.vocab, self.explorer, self._defaults = Vocab(text), explorer, settings
        self._corpus = self.vocab.encode(text[: 2 * settings.num_chars])
        self._lock, self._threads, self._num_pinned = threading.RLock(), torch.get_num_threads(), 0
        self.state, self._job = "ready", None

        def choice(label, options, value, width):
            options = dict.fromkeys([*options, value])  # a value of one's own becomes an option too
            pairs = [("off" if o == OFF else f"{o:g}", o) for o in options]
            return _labelled(w.Dropdown, label, width, options=pairs, value=value)

        kinds = [(name, key) for key, name in BATCHES.items()]
        networks = [("RNN from scratch", "scratch"), *((f"torch.nn.{kind}", kind) for kind in TORCH_LAYERS)]
        max_norm = OFF if settings.max_norm is None else settings.max_norm
        self.controls = {
            "network": _labelled(w.Dropdown, "network", "220px", options=networks, value=settings.network),
            "batches": _labelled(w.Dropdown, "minibatches", "270px", options=kinds, value=settings.batches),
            "hidden_size": choice("hidden units", (32, 64, 128, 256, 512), settings.hidden_size, "170px"),
            "lr": choice("learning rate", (0.1, 0.3, 1.0, 3.0, 10.0), settings.lr, "170px"),
            "max_norm": choice("clipping", (0.1, 0.3, 1.0, 3.0, OFF), max_norm, "140px"),
            "num_epochs": choice("epochs", (20, 50, 100, 200, 500), settings.num_epochs, "140px"),
        }
        acts = [self.start, self.pause, self.resume, self.stop, self.reset, *([self.pin] if explorer else [])]
        self.buttons = {}
        for act in acts:
            button = w.Button(description=act.__name__.capitalize(), layout={"width": "90px"})
            button.on_click(lambda button, act=act: self._press(act))
            self.buttons[act.__name__] = button
        self.picture = w.Image(format="png", layout=w.Layout(width="100%", max_width="1000px"))
        self.status, self.sample = w.HTML(), w.HTML()
        super().__init__(
            [_row(self.controls.values()), _row(self.buttons.values()), self.status, self.picture, self.sample]
        )
        self._claim()
        self._clear()

    @property
    def run(self) -> Run:
        """What the run has shown so far."""
        return self._job.run

    @property
    def model(self):
        """The network of the run, usable at any time."""
        return self._job.model

    # The buttons -----------------------------------------------------------------------------------------

    def _press(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # an error in a callback would be seen by nobody
            self._show(self._job, "failed", _in_words(error))

    def start(self) -> None:
        """Begin a run with a fresh model and the settings of the controls; while one is on, nothing happens."""
        with LivePanel._one_at_a_time, self._lock:
            if self.state in ("running", "paused"):
                return
            if self._job.alive():  # it has said that it ended, and is about to
                self._job.thread.join(timeout=10)
            self._claim()
            self._clear()
            job, settings = self._job, self._job.run.settings
            try:
                batches = make_batches(settings, self._corpus[: settings.num_chars])
                epochs = train(job, batches, settings.num_epochs, settings.lr, settings.max_norm)
            except Exception as error:
                self._show(job, "failed", _in_words(error))
                return
            job.when_paused = lambda paused: self._when_paused(job, paused)
            self._show(job, "running", "the first epoch is running")
            job.thread = threading.Thread(target=self._work, args=(job, epochs), daemon=True)
            job.thread.start()

    def pause(self) -> None:
        """Hold the run before its next forward pass."""
        with self._lock:
            if self.state == "running":
                self._job.go.clear()

    def resume(self) -> None:
        """Let a paused run go on."""
        self._job.go.set()

    def stop(self) -> None:
        """End the run; the model keeps what it has learned, the curve its whole epochs."""
        job = self._job
        job.stop.set()
        job.go.set()
        if job.alive() and job.thread is not threading.current_thread():
            job.thread.join(timeout=10)

    def reset(self) -> None:
        """End the run if there is one, forget it, and make a fresh model."""
        with LivePanel._one_at_a_time:
            self.stop()
            with self._lock:
                self._clear()  # should the thread still live, it has lost its panel and ends at its next step

    def pin(self) -> None:
        """Keep the run, as it stands, among the explorer's curves."""
        run = self.run
        num_epochs = min(len(run.perplexity), len(run.grad_norm))
        if not num_epochs:
            self._show(self._job, self.state, "there is no whole epoch to pin yet")
            return
        self._num_pinned += 1
        run = replace(run, perplexity=run.perplexity[:num_epochs], grad_norm=run.grad_norm[:num_epochs])
        run.unseen, run.samples = dict(run.unseen), dict(run.samples)
        self.explorer.pin(run, f"live {self._num_pinned}")

    def wait(self, timeout: float | None = None) -> None:
        """Wait in the notebook until the run has ended, for at most `timeout` seconds."""
        if self._job.thread is not None:
            self._job.thread.join(timeout)

    # Inside ----------------------------------------------------------------------------------------------

    def _claim(self) -> None:
        with LivePanel._one_at_a_time:
            other, LivePanel._newest = LivePanel._newest, self
            if other is not None and other is not self:
                other.stop()

    def _clear(self) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        values["max_norm"] = None if values["max_norm"] == OFF else values["max_norm"]
        settings = replace(self._defaults, **values)
        self._job = _LiveRun(settings, make_model(settings, len(self.vocab)))
        self.sample.value = ""
        self._show(self._job, "ready", "press Start")
        self._draw(self._job)

    def _when_paused(self, job: _LiveRun, paused: bool) -> None:
        self._show(job, "paused" if paused else "running", "press Resume to go on, or Stop" if paused else "")

    def _work(self, job: _LiveRun, epochs) -> None:
        state, note, run = "finished", "", job.run
        torch.set_num_threads(self._threads)  # a new thread does not know it, and two would only fight for the cores
        try:
            next_status, start = 0.0, time.perf_counter()
            for record in epochs:
                active = max(time.perf_counter() - start - job.paused, 1e-9)
                job.speed = record.tokens_per_second * (active + job.paused) / active  # without its pauses
                job.seconds += active
                run.perplexity.append(record.perplexity)
                run.grad_norm.append(record.grad_norm)
                if record.epoch == 1:
                    job.cost["unseen"] = 2 * active  # a guess: unseen text is read one character at a time
                for act, work in (("sample", self._write), ("unseen", self._score), ("draw", self._draw)):
                    if job.may(act):
                        job.timed(act, lambda work=work: work(job))
                if time.perf_counter() >= next_status:
                    self._show(job, "running", "")
                    next_status = time.perf_counter() + 0.2
                start, job.paused = time.perf_counter(), 0.0
            self._write(job)
            self._score(job)
        except Stopped:
            state, note = "stopped", "the model keeps what it has learned"
        except TrainingDiverged as error:
            state, note, run.stopped = "diverged", str(error), str(error)
        except Exception as error:
            state, note = "failed", _in_words(error)
        try:
            if state == "stopped" and run.perplexity:  # the weights are those of the middle of an epoch
                self._say(job, f"It writes now: {self._sample(job.model)}")
            self._draw(job)
        except Exception as error:
            note = f"{note} {_in_words(error)}"
        self._show(job, state, note)

    def _sample(self, model) -> str:
        prefix = PREFIX if all(c in self.vocab.index for c in PREFIX) else self.vocab.tokens[1]
        return generate(prefix, SAMPLE_CHARS, model, self.vocab)

    def _write(self, job: _LiveRun) -> None:
        epoch = len(job.run.perplexity)
        if epoch:
            job.run.samples[epoch] = self._sample(job)
            self._say(job, f"It writes (epoch {epoch}): {job.run.samples[epoch]}")

    def _score(self, job: _LiveRun) -> None:
        run, num_chars = job.run, job.run.settings.num_chars
        if run.perplexity and len(self._corpus) >= num_chars + 2:
            run.unseen[len(run.perplexity)] = evaluate(job, self._corpus[num_chars:])

    def _draw(self, job: _LiveRun) -> None:
        run = job.run

        def draw(figure) -> str:
            ax = figure.subplots(gridspec_kw={"left": 0.075, "right": 0.77, "top": 0.98, "bottom": 0.17})
            network, batches = describe(run.settings, ["network"]), describe(run.settings, ["batches"])
            label = f"{network}\n{batches}\n{describe(run.settings, ('hidden_size', 'lr', 'max_norm'))}"
            curves = [(label, COLORS[0], run.perplexity, run.unseen)]
            ladder = {"guessing": len(self.vocab) - 1}  # <unk> never comes
            plot.draw_runs(ax, curves, 0, len(run.perplexity), ladder=ladder, num_epochs=run.settings.num_epochs)
            return ""

        png, _ = picture_of(draw, (10, 3.1))
        if job is self._job:
            self.picture.value = png

    def _say(self, job: _LiveRun, text: str) -> None:
        if job is self._job:
            self.sample.value = in_html(text)

    def _show(self, job: _LiveRun, state: str, note: str) -> None:
        """Say where the run stands, and leave only those buttons that do something now."""
        if job is not self._job:  # a run that was reset has nothing to say any more
            return
        run, busy = job.run, state in ("running", "paused")
        words = [f"<b>{state}</b>"]
        if run.perplexity:
            epoch, total = len(run.perplexity), run.settings.num_epochs
            words.append(f"epoch {epoch} of {total}, perplexity {run.perplexity[-1]:.3g}")
            words.append(f"{job.speed:,.0f} tokens/s, {job.seconds:.0f} s")
            if busy:
                words.append(f"{job.seconds / epoch * (total - epoch):.0f} s to go")
        bad = diverged_in(run.perplexity)
        if bad and run.perplexity[-1] > len(self.vocab) - 1:
            words.append(f"diverged: above 100 in epoch {bad}")
        if note:
            words.append(html.escape(note))
        usable = {
            "start": not busy,
            "pause": state == "running",
            "resume": state == "paused",
            "stop": busy,
            "reset": state != "ready",
            "pin": bool(run.perplexity),
        }
        for name, button in self.buttons.items():
            button.disabled = not usable[name]
        for control in self.controls.values():
            control.disabled = busy
        self.status.value = "; ".join(words)
        self.state = state
