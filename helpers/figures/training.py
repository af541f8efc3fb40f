"""Notebook 07: where minibatches read, and where their state comes from."""

from functools import cache, lru_cache
from itertools import product

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ..plot import GREEN, RED, draw_minibatches
from ..runs.settings import BATCHES
from ..text import RandomBatches, SequentialBatches
from .page import PageFigure, axis, choice, pack, slider

MOST = {"batch_size": 6, "num_steps": 8, "epoch": 10, "chosen": 9}


def epochs_of(kind: str, batch_size: int, num_steps: int, length: int) -> list[list[list[int]]]:
    """For each epoch and minibatch the position at which each row begins to read."""
    make = RandomBatches if kind == "random" else SequentialBatches
    batches = make(torch.arange(length), batch_size, num_steps, seed=0)
    return [[X[:, 0].tolist() for X, _ in batches] for _ in range(MOST["epoch"])]  # each pass has another offset


@cache
def shades(count: int) -> list[str]:
    """A colour for each minibatch, as in `draw_minibatches`."""
    return [to_hex(color) for color in colormaps["viridis"](np.linspace(0.1, 0.65, count))]


def reading(kind: str, num_steps: int, epoch: int, starts: list[list[int]], length: int) -> dict:
    """What the page draws and says of one epoch, whose minibatches' rows begin at `starts`."""
    last, frames = len(starts) - 1, []
    for asked in range(min(last + 1, MOST["chosen"]) + 1):
        chosen = min(asked, last)
        carried = kind == "sequential" and chosen > 0
        places = ", ".join(f"{start}–{start + num_steps - 1}" for start in starts[chosen])
        only = f"This epoch has only {last + 1} minibatches. " if asked > chosen else ""
        if carried:
            state = f"Each row goes on where it stopped, so the state of minibatch {chosen - 1} is carried on (H)."
        else:
            why = ": it is the first of its epoch" if chosen == 0 else ", whatever was read before"
            state = f"The state starts from zero (0){why}."
        badge = {"text": "H", "color": GREEN} if carried else {"text": "0", "color": RED}
        words = f"{only}Epoch {epoch}, minibatch {chosen} of 0 to {last}: reads {places}. {state}"
        frames.append({"words": words, "drawings": [{"lit": chosen, "badge": badge}]})
    rows = len(starts[0])
    drawing = {
        "kind": "grid",
        "name": "Where each row reads. The arrow keys go from box to box.",
        "high": 14,
        "x": axis(-1.5, length, range(0, length + 1, 10), "position in the text"),
        "y": axis(rows - 0.4, -0.6, {row: f"row {row}" for row in range(rows)}),
        "starts": starts,
        "wide": num_steps,
        "palette": shades(last + 1),
        "point": "minibatch {n}, row {row}: {value} to {last}",
    }
    return {"drawings": [drawing], "frames": frames}


@lru_cache(maxsize=1)
def all_readings(length: int) -> bytes:
    """Every answer of the figure, packed."""
    sizes = product(*(range(low, MOST[name] + 1) for name, low in (("batch_size", 1), ("num_steps", 2))))
    answers = []
    for batch_size, num_steps in sizes:
        for kind in BATCHES:
            epochs = epochs_of(kind, batch_size, num_steps, length)
            for epoch, starts in enumerate(epochs, 1):
                answers.append(([kind, batch_size, num_steps, epoch], reading(kind, num_steps, epoch, starts, length)))
    return pack(answers)


def explore_minibatches(length: int = 60) -> PageFigure:
    """Where each row of each minibatch reads, and where its state comes from."""

    def answer(kind: str, batch_size: int, num_steps: int, epoch: int) -> dict:
        starts = epochs_of(kind, batch_size, num_steps, length)[epoch - 1]
        return reading(kind, num_steps, epoch, starts, length)

    def preview(figure: Figure) -> None:
        draw_minibatches(figure.subplots(), [X for X, _ in SequentialBatches(torch.arange(length), 3, 5)])

    controls = {
        "kind": choice("minibatches", BATCHES, "sequential"),
        "batch_size": slider("rows", 3, 1, MOST["batch_size"]),
        "num_steps": slider("time steps", 5, 2, MOST["num_steps"]),
        "epoch": slider("epoch", 1, 1, MOST["epoch"]),
        "chosen": slider("minibatch", 1, 0, MOST["chosen"], chooses=True),
    }
    return PageFigure(answer, controls, all_readings(length), preview)
