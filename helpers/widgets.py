"""Figures that answer the hand: controls, a picture, and its reading in words; the explorer; the live panel.

A figure here is a function of plain values that draws (most are in plot.py) and a thin layer that calls
it whenever a control moves. Only the last position of a drag is drawn, in place of the picture before.
"""

import html
import io
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from functools import cache, lru_cache
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

# Widget callbacks may run in a thread beside the cells, and matplotlib draws safely in one thread at a time.
DRAWING = threading.Lock()
FALLBACK = "A figure with controls: run this cell in JupyterLab to use it."


def picture_of(draw: Callable[..., str], size: tuple[float, float], **values) -> tuple[bytes, str]:
    """The PNG that `draw(figure, **values)` makes, and the reading in words that it returns."""
    with DRAWING:
        figure = Figure(figsize=size, layout="none")  # a layout engine would take longer than all the rest
        reading = draw(figure, **values)
        png = io.BytesIO()
        figure.savefig(png, format="png", pil_kwargs={"compress_level": 1})
    return png.getvalue(), reading


def in_html(text: str, style: str = "") -> str:
    """`text` for an HTML widget, its line ends kept."""
    return f'<div style="line-height: 1.45; white-space: pre-wrap; {style}">{html.escape(text)}</div>'


ERROR_STYLE = f"border-left: 4px solid {plot.RED}; padding: 0.5em 0.8em; margin: 0.5em 0"


class AnsweringFigure(w.VBox):
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
        self._threads = torch.get_num_threads()
        self.picture = w.Image(format="png", layout=w.Layout(width="100%", max_width=f"{100 * size[0]:.0f}px"))
        self.reading = w.HTML()
        rows = [list(controls.values())] if rows is None else rows
        wrap = w.Layout(flex_flow="row wrap", align_items="center")
        super().__init__([*(w.HBox(list(row), layout=wrap) for row in rows), self.picture, self.reading])
        for control in controls.values():
            control.observe(self.answer, "value")
        self.answer()

    def answer(self, change=None) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        torch.set_num_threads(self._threads)  # a callback may come in a thread that does not know it
        try:
            png, reading = picture_of(self.draw_figure, self.size, **values)
        except Exception as error:  # whatever went wrong is said in the picture's place, for the reader to see
            self.picture.layout.display = "none"
            self.reading.value = in_html(_in_words(error), ERROR_STYLE)
            return
        self.picture.value = png
        self.picture.layout.display = None
        self.reading.value = in_html(reading)

    def _repr_mimebundle_(self, **arguments):
        bundle = super()._repr_mimebundle_(**arguments)
        bundle["text/plain"] = FALLBACK  # what a page without widgets shows
        return bundle


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

    @lru_cache(maxsize=8)
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
        ax = figure.add_axes((0.08, 0.17, 0.91, 0.82))
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
    """For each of the settings, in words, only what differs among them; all of it when there is nothing to compare."""
    names = [f.name for f in fields(Settings) if f.name != "num_epochs"]
    differing = [name for name in names if len({getattr(settings, name) for settings in shown}) > 1]
    return [describe(settings, differing) if differing else describe(settings) for settings in shown]


def how_it_ends(run: Run) -> str:
    """What became of a run, in one sentence."""
    if not run.perplexity:
        return run.stopped or "It has not begun."
    bad, last = diverged_in(run.perplexity), run.perplexity[-1]
    if run.stopped:
        return f"It diverged: {run.stopped}"
    if bad and last > 27:
        return f"It diverged: above 100 in epoch {bad}, and {last:.3g} at the end, where a blind guess has 27."
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
        self.ladder, self.pins, self.notice = ladder or {}, [], ""

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
        if (run, name) not in self.pins:
            self.pins = [*self.pins, (run, name)][-self.MOST_PINS :]
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
        pins = [(run, name) for run, name in self.pins if run is not current]
        shown = [(current, "")] * (current is not None) + pins
        labels = tell_apart([run.settings for run, _ in shown])
        labels = [f"{name}: {label}" if name else label for label, (_, name) in zip(labels, shown, strict=True)]
        if len(shown) > 1 and current is not None:
            labels[0] += " (chosen)"
        colors = [COLORS[0]] * (current is not None) + COLORS[1 : len(pins) + 1]
        curves = [
            (label.replace(", ", "\n"), color, run.perplexity, run.unseen)
            for label, color, (run, _) in zip(labels, colors, shown, strict=True)
        ]
        frame = {"left": 0.075, "right": 0.77, "top": 0.98, "bottom": 0.16}
        if show_norm:
            figure.set_size_inches(10, 4.4)
            ax, below = figure.subplots(
                2, 1, sharex=True, gridspec_kw={**frame, "height_ratios": [2.4, 1], "hspace": 0.12}
            )
        else:
            ax = figure.subplots(gridspec_kw=frame)
        ladder = {"guessing": 27.0, **(self.ladder if show_ladder else {})}
        plot.draw_runs(ax, curves, epoch if current is not None else None, log, training, unseen, ladder)
        if show_norm:
            ax.set_xlabel("")
            plot.draw_grad_norms(below, [(color, run.grad_norm) for color, (run, _) in zip(colors, shown, strict=True)])
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
    looked = [e for e in run.unseen if e <= epoch]
    if looked:
        reading += f", unseen text {run.unseen[max(looked)]:.3g}"
    sampled = [e for e in run.samples if e <= epoch]
    return f"{reading}. It writes (epoch {max(sampled)}): {run.samples[max(sampled)]}" if sampled else f"{reading}."


# What a live run does beside training: the share of the time that it may take, and as if how many seconds had
# passed already, so that the first picture need not wait.
SHARES = {"draw": 0.03, "sample": 0.02, "unseen": 0.03}
HEAD_START = {"draw": 3.0, "sample": 3.0, "unseen": 0.0}


class Stopped(Exception):
    """Raised inside a live run to end it."""


class _Gated:
    """A model that asks before every forward pass whether to go on, so that a run pauses and stops at once."""

    def __init__(self, model, gate: Callable[[], None]):
        self._model, self._gate = model, gate
        self.vocab_size, self.parameters, self.initial_state = model.vocab_size, model.parameters, model.initial_state

    def __call__(self, X, state):
        self._gate()
        return self._model(X, state)


class LivePanel(w.VBox):
    """Train with buttons: Start, Pause, Resume, Stop, Reset; the curve, a sample and the numbers while it runs.

    Training runs in a thread beside the page and the other cells. Whole epochs make the curve, `run`;
    `model` is usable at any time. A kernel has one live run at a time: a second panel stops the first.
    With an `explorer`, a run can be pinned there.
    """

    _latest = None  # a weak reference to the panel that was made or started last

    def __init__(self, settings: Settings = CLASSIC, text: str | None = None, explorer: Explorer | None = None):
        text = clean(read_book()) if text is None else text
        self.vocab, self.explorer, self._defaults = Vocab(text), explorer, settings
        self._corpus = self.vocab.encode(text[: 2 * settings.num_chars])
        self._lock, self._stop, self._go = threading.RLock(), threading.Event(), threading.Event()
        self._thread, self._threads = None, torch.get_num_threads()

        def choice(label, options, value, width):
            options = dict.fromkeys([*options, value])  # a value of one's own becomes an option too
            pairs = [("off" if o == OFF else o if isinstance(o, str) else f"{o:g}", o) for o in options]
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
        self.buttons = {}
        acts = [self.start, self.pause, self.resume, self.stop, self.reset, *([self.pin] if explorer else [])]
        for act in acts:
            button = w.Button(description=act.__name__.capitalize(), layout={"width": "90px"})
            button.on_click(lambda button, act=act: act())
            self.buttons[act.__name__] = button
        self.picture = w.Image(format="png", layout=w.Layout(width="100%", max_width="1000px"))
        self.status, self.sample = w.HTML(), w.HTML()
        wrap = w.Layout(flex_flow="row wrap", align_items="center")
        super().__init__(
            [
                w.HBox(list(self.controls.values()), layout=wrap),
                w.HBox(list(self.buttons.values()), layout=wrap),
                self.status,
                self.picture,
                self.sample,
            ]
        )
        self._claim()
        self._clear()

    def _repr_mimebundle_(self, **arguments):
        bundle = super()._repr_mimebundle_(**arguments)
        bundle["text/plain"] = FALLBACK
        return bundle

    # The buttons -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a run with a fresh model and the settings of the controls; while one is on, nothing happens."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._claim()
            self._clear()
            try:
                batches = make_batches(self.run.settings, self._corpus[: self.run.settings.num_chars])
                epochs = train(
                    _Gated(self.model, self._gate),
                    batches,
                    self.run.settings.num_epochs,
                    self.run.settings.lr,
                    self.run.settings.max_norm,
                )
            except Exception as error:
                self._show("failed", _in_words(error))
                return
            self._stop.clear()
            self._go.set()
            self._show("running", "the first epoch is running")
            self._thread = threading.Thread(target=self._work, args=(epochs,), daemon=True)
            self._thread.start()

    def pause(self) -> None:
        """Hold the run before its next forward pass."""
        with self._lock:
            if self.state == "running":
                self._go.clear()

    def resume(self) -> None:
        """Let a paused run go on."""
        with self._lock:
            if self.state in ("running", "paused"):
                self._go.set()

    def stop(self) -> None:
        """End the run; the model keeps what it has learned, the curve its whole epochs."""
        with self._lock:
            thread = self._thread
            self._stop.set()
            self._go.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=10)

    def reset(self) -> None:
        """End the run if there is one, forget it, and make a fresh model."""
        self.stop()
        with self._lock:
            self._clear()

    def pin(self) -> None:
        """Keep the run as it stands among the explorer's curves."""
        with self._lock:
            if not self.run.perplexity:
                self._show(self.state, "there is no whole epoch to pin yet")
                return
            run = replace(self.run, perplexity=list(self.run.perplexity), grad_norm=list(self.run.grad_norm))
            run.unseen, run.samples = dict(self.run.unseen), dict(self.run.samples)
        self.explorer.pin(run, "live")

    def wait(self, timeout: float | None = None) -> None:
        """Wait in the notebook until the run has ended, for at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    # Inside ----------------------------------------------------------------------------------------------

    def _claim(self) -> None:
        other = LivePanel._latest and LivePanel._latest()
        if other is not None and other is not self:
            other.stop()
        LivePanel._latest = weakref.ref(self)

    def _chosen(self) -> Settings:
        values = {name: control.value for name, control in self.controls.items()}
        values["max_norm"] = None if values["max_norm"] == OFF else values["max_norm"]
        return replace(self._defaults, **values)

    def _clear(self) -> None:
        settings = self._chosen()
        self.run, self.model = Run(settings, {}), make_model(settings, len(self.vocab))
        self._seconds, self._speed, self._paused = 0.0, 0.0, 0.0
        self._next_status = 0.0
        self._spent = dict.fromkeys(SHARES, 0.0)
        self._cost = dict.fromkeys(SHARES, 0.0)  # in seconds, the last time; at first a guess
        self.sample.value = ""
        self._show("ready", "press Start")
        self._draw()

    def _gate(self) -> None:
        """Wait here while the run is paused, and end it when it was stopped."""
        if not self._go.is_set():
            self._show("paused", "press Resume to go on, or Stop")
            start = time.perf_counter()
            self._go.wait()
            self._paused += time.perf_counter() - start
            if not self._stop.is_set():
                self._show("running", "")
        if self._stop.is_set():
            raise Stopped

    def _work(self, epochs) -> None:
        state, note = "finished", ""
        torch.set_num_threads(self._threads)  # a new thread does not know it, and two would only fight for the cores
        try:
            start = time.perf_counter()
            for record in epochs:
                self._take(record, time.perf_counter() - start)
                start, self._paused = time.perf_counter(), 0.0
            self._write_sample(_Gated(self.model, self._gate))
            self._score_unseen(_Gated(self.model, self._gate))
        except Stopped:
            state, note = "stopped", "the model keeps what it has learned"
        except TrainingDiverged as error:
            state, note, self.run.stopped = "diverged", str(error), str(error)
        except Exception as error:
            state, note = "failed", _in_words(error)
        try:
            if state == "stopped" and self.run.perplexity:
                self._write_sample(self.model)
            self._draw()
        except Exception as error:
            note = f"{note} {_in_words(error)}"
        self._show(state, note)

    def _take(self, record, seconds: float) -> None:
        active = max(seconds - self._paused, 1e-9)
        self._seconds += active
        self._speed = record.tokens_per_second * seconds / active  # of the epoch without its pauses
        self.run.perplexity.append(record.perplexity)
        self.run.grad_norm.append(record.grad_norm)
        if len(self.run.perplexity) == 1:
            self._cost["unseen"] = 2 * active  # about so long does it take to read unseen text, one character at a time
        gated = _Gated(self.model, self._gate)
        acts = {
            "sample": lambda: self._write_sample(gated),
            "unseen": lambda: self._score_unseen(gated),
            "draw": self._draw,
        }
        for name, act in acts.items():
            budget = SHARES[name] * (self._seconds + HEAD_START[name])
            if self._spent[name] + self._cost[name] <= budget:
                start = time.perf_counter()
                act()
                self._cost[name] = time.perf_counter() - start
                self._spent[name] += self._cost[name]
        if time.perf_counter() >= self._next_status:
            self._show("running", "")
            self._next_status = time.perf_counter() + 0.2

    def _score_unseen(self, model) -> None:
        num_chars = self.run.settings.num_chars
        if self.run.perplexity and len(self._corpus) >= num_chars + 2:
            self.run.unseen[len(self.run.perplexity)] = evaluate(model, self._corpus[num_chars:])

    def _write_sample(self, model) -> None:
        prefix = PREFIX if all(c in self.vocab.index for c in PREFIX) else self.vocab.tokens[1]
        epoch, sample = len(self.run.perplexity), generate(prefix, SAMPLE_CHARS, model, self.vocab)
        self.run.samples[epoch] = sample
        self.sample.value = in_html(f"It writes (epoch {epoch}): {sample}")

    def _draw(self) -> None:
        settings, run = self.run.settings, self.run

        def draw(figure) -> str:
            ax = figure.subplots(gridspec_kw={"left": 0.075, "right": 0.77, "top": 0.98, "bottom": 0.17})
            label = describe(settings, ("network", "batches", "hidden_size", "lr", "max_norm")).replace(", ", "\n")
            curves = [(label, COLORS[0], run.perplexity, run.unseen)]
            epoch = len(run.perplexity) or None
            plot.draw_runs(ax, curves, epoch, ladder={"guessing": 27.0}, num_epochs=settings.num_epochs)
            return ""

        self.picture.value, _ = picture_of(draw, (10, 3.1))

    def _show(self, state: str, note: str) -> None:
        """Say where the run stands, and leave only those buttons that do something now."""
        self.state = state
        busy = state in ("running", "paused")
        words = [f"<b>{state}</b>"]
        if self.run.perplexity:
            epoch, total = len(self.run.perplexity), self.run.settings.num_epochs
            words.append(f"epoch {epoch} of {total}, perplexity {self.run.perplexity[-1]:.3g}")
            words.append(f"{self._speed:,.0f} tokens/s, {self._seconds:.0f} s")
            if busy:
                words.append(f"{self._seconds / epoch * (total - epoch):.0f} s to go")
        if note:
            words.append(html.escape(note))
        self.status.value = "; ".join(words)
        usable = {
            "start": not busy,
            "pause": state == "running",
            "resume": state == "paused",
            "stop": busy,
            "reset": state != "ready",
            "pin": not busy,
        }
        for name, button in self.buttons.items():
            button.disabled = not usable[name]
        for control in self.controls.values():
            control.disabled = busy
