"""What the explorer's page is sent once: every recorded run, where it stands on the map, and its colours there."""

import gzip
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np

from .. import plot
from ..runs.files import COMMAND, load_runs
from ..runs.recording import PREFIX, Run, diverged_in
from ..runs.settings import BATCHES, CLASSIC, GRID, Settings

GUESS = 27.0  # perplexity of a blind guess: the letters and the space
VARIED = ("batches", "hidden_size", "lr", "max_norm")  # what the recorded settings differ in
LAST = CLASSIC.num_epochs
SIZES, RATES = (sorted({getattr(settings, name) for settings in GRID}) for name in ("hidden_size", "lr"))
CLIPS = sorted({settings.max_norm for settings in GRID}, key=lambda norm: -(norm or math.inf))
CELLS = [  # of the map, column after column; not all are in GRID
    replace(CLASSIC, batches=batches, hidden_size=hidden_size, lr=lr, max_norm=max_norm)
    for hidden_size, lr, batches, max_norm in product(SIZES, RATES, BATCHES, CLIPS)
]
NUM_COLUMNS, NUM_ROWS = len(SIZES) * len(RATES), len(BATCHES) * len(CLIPS)
CELL, LEFT, TOP = 20, 62, 42  # lengths of the map
GROUP, BAND = len(RATES) * CELL + 8, len(CLIPS) * CELL + 24
WIDTH = LEFT + len(SIZES) * GROUP
TRACKS = ["var(--ink)", *plot.COLORS]  # the run in hand, and the pins

MEASURES: dict[str, Callable[[Run], float]] = {  # what the map can be coloured by
    "last on unseen text": lambda run: [*run.unseen.values(), math.inf][len(run.unseen) - 1],
    "best on unseen text": lambda run: min(run.unseen.values(), default=math.inf),
    "last on training text": lambda run: [*run.perplexity, math.inf][len(run.perplexity) - 1],
    "epoch of the turn": lambda run: min(run.unseen, key=run.unseen.get, default=LAST),
}
STARS = dict(zip(MEASURES, ["lowest at the end", "lowest of all", "lowest at the end", "latest"], strict=True))
TURN = "epoch of the turn"  # of the curve on unseen text, at its lowest
GOOD, WORSE = ("08457a", "e2f0f8"), ("fad8aa", "aa3c00")  # from the best to a blind guess, and beyond it

TICKS = {"log": "logarithmic", "show_training": "training text (solid)", "show_unseen": "unseen text (dotted)"}
TICKS |= {"show_ladder": "ladder", "show_norm": "gradient norm"}
SHOWN = ["slots", "cell", "epoch", "coloured", *TICKS]  # what a hand can change
LABELS = {name: name for name in ("pin", "unpin", "play", "stop", "epoch", "perplexity", "norm")}
LABELS |= {"coloured": "colour of the map:", "clear": "clear pins", "full": "six are pinned", "missing": "not recorded"}
LABELS |= {"training": "training text", "unseen": "unseen text", "writes": "its last sample", "prefix": f"{PREFIX}…"}
LABELS |= {"mouse": "Point to look, click to keep: a run, or an epoch."}
LABELS |= {"finger": "Tap to see a run or an epoch, tap a run again to keep it."}
LABELS |= {"map": "Map of the recorded runs. Arrow keys choose one, Enter pins it."}
AXES = {
    "log": {"low": 0.95, "high": 400, "log": True, "ticks": [1, 2, 5, 10, 20, 50, 100, 200]},
    "linear": {"low": 0, "high": 32, "log": False, "ticks": [0, 5, 10, 15, 20, 25, 30]},
    "norm": {"low": 0.008, "high": 120, "log": True, "ticks": [0.01, 0.1, 1, 10, 100]},
}
STEPS = {"ArrowLeft": -1, "ArrowDown": -1, "ArrowRight": 1, "ArrowUp": 1}
STEPS |= {"PageDown": -10, "PageUp": 10, "Home": -LAST, "End": LAST}


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


def diverged(run: Run) -> bool:
    """Whether a run ended early or far above guessing, after it had been above 100."""
    return bool(run.stopped or (diverged_in(run.perplexity) and run.perplexity[-1] > GUESS))


def how_it_ends(run: Run) -> str:
    """What became of a run, in one sentence."""
    if not run.perplexity:
        return run.stopped or "It has not begun."
    bad, last = diverged_in(run.perplexity), run.perplexity[-1]
    if run.stopped:
        return f"It diverged: {run.stopped}"
    if diverged(run):
        before = f"after a best of {min(run.perplexity[: bad - 1]):.3g}, " if bad > 1 else ""
        return (
            f"It diverged: {before}above 100 in epoch {bad}, and {last:.3g} at the end, "
            f"where a blind guess has {GUESS:g}."
        )
    jump = f"a jump above 100 in epoch {bad} and " if bad else ""
    end = f"It ends at {last:.3g} on its training text, after {jump}a best of {min(run.perplexity):.3g}"
    if run.unseen:
        turn = MEASURES[TURN](run)
        end += f"; at {run.unseen[max(run.unseen)]:.3g} on unseen text, after a best of {run.unseen[turn]:.3g} "
        end += f"in epoch {turn}"
    return f"{end}."


def left_out(problems: list[str], most: int = 4) -> str:
    """A line about the files that are no recordings, the first few of them named; empty when there are none."""
    if not problems:
        return ""
    more = f"; and {len(problems) - most} more" if len(problems) > most else ""
    return f"Left out: {'; '.join(problems[:most])}{more}. To make recordings anew: {COMMAND}"


def steps(values: Iterable[float]) -> list[int]:
    """Numbers, to three digits, as steps between their places in the row …, 9.99, 10.0, 10.1, …

    The row has 900 places for each power of ten, and 0 and infinity at its ends: small whole numbers, easy to compress.
    """
    values = np.fromiter(values, dtype=float)
    inside = np.clip(values, 1e-300, 1e300)
    exponents = np.floor(np.log10(inside))
    places = 900 * (exponents + 400) + np.rint(inside / 10.0**exponents * 100) - 100
    places = np.where(values == 0, 0, np.where(np.isfinite(values), places, 900 * 799))
    return np.diff(places, prepend=0).astype(int).tolist()


def packed(run: Run, name: str) -> dict:
    """A run as the page is sent it."""
    return {
        "name": name,
        "end": how_it_ends(run),
        "clip": run.settings.max_norm,
        "training": steps(run.perplexity),
        "norm": steps(run.grad_norm),
        "looked": list(run.unseen),
        "unseen": steps(run.unseen.values()),
        "sampled": list(run.samples),
        "samples": [str(sample).removeprefix(PREFIX) for sample in run.samples.values()],
    }


def place(index: int) -> tuple[int, int]:
    """Where the corner of a cell is on the map."""
    column, row = divmod(index, NUM_ROWS)
    return LEFT + column * CELL + column // len(RATES) * 8, TOP + row * CELL + row // len(CLIPS) * 24


def make_cell(index: int, run: Run | None) -> dict:
    """A cell of the map: its run, its place, and the cells that the arrow keys lead to."""
    settings, (column, row) = CELLS[index], divmod(index, NUM_ROWS)
    cell = packed(run or Run(settings, {}), describe(settings))
    if run is None:
        cell["end"] = "This setting was not recorded" + (", or its file was left out." if settings in GRID else ".")
    x, y = place(index)
    ways = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, -1), "ArrowDown": (0, 1)}
    ends = {way: (column + across, row + down) for way, (across, down) in ways.items()}
    inside = {way: i * NUM_ROWS + j for way, (i, j) in ends.items() if 0 <= i < NUM_COLUMNS and 0 <= j < NUM_ROWS}
    return cell | {
        "missing": run is None,
        "cross": "×" if run and diverged(run) else "",
        "x": x,
        "y": y,
        "next": inside,
    }


def make_map() -> str:
    """The map as SVG: its lettering, its cells without colours, and a frame for each shown run."""
    bottom, middle = TOP + len(BATCHES) * BAND - 24, LEFT + len(SIZES) * GROUP / 2
    texts = [(LEFT + i * GROUP + len(RATES) * CELL / 2, 16, "", f"{size} units") for i, size in enumerate(SIZES)]
    for i, (j, rate) in product(range(len(SIZES)), enumerate(RATES)):
        texts.append((LEFT + i * GROUP + (j + 0.5) * CELL, bottom + 14, "small", f"{rate:g}"))
    texts.append((middle, bottom + 31, "", "learning rate"))
    for i, kind in enumerate(BATCHES.values()):
        texts.append((LEFT, TOP + i * BAND - 5, "start", kind))
        for j, norm in enumerate(CLIPS):
            words = "clip off" if norm is None else f"clip {norm:g}"
            texts.append((LEFT - 5, TOP + i * BAND + (j + 0.7) * CELL, "small end", words))
    drawn = [f'<text x="{x}" y="{y}" class="{style}">{words}</text>' for x, y, style, words in texts]
    for index in range(len(CELLS)):
        x, y = place(index)
        drawn.append(f'<rect class="cell" data-cell="{index}" x="{x + 0.5}" y="{y + 0.5}" width="19" height="19"/>')
        drawn.append(f'<text class="mark" x="{x + 10}" y="{y + 15}"></text>')
    for number, color in enumerate(TRACKS):
        edge = f'<rect x="-1" y="-1" width="{CELL + 2}" height="{CELL + 2}"/>'
        drawn.append(f'<g class="frame" style="--color: {color}">{edge * 2}<text class="mark" x="4" y="9">')
        drawn.append(f"{number or ''}</text></g>")
    attributes = f'viewBox="0 0 {WIDTH} {bottom + 38}" tabindex="0" role="application" aria-label="{LABELS["map"]}"'
    return f'<svg class="map" {attributes}>{"".join(drawn)}</svg>'


def make_page() -> str:
    """The page as HTML, to be filled: controls, map, curves, table, reading. No word of a recording is in it."""
    options = "".join(f"<option>{label}</option>" for label in MEASURES)
    buttons = "".join(f'<button class="{name}">{LABELS[name]}</button>' for name in ("pin", "clear", "play"))
    ticks = "".join(f'<label><input type="checkbox" name="{name}"> {label}</label>' for name, label in TICKS.items())
    curves = "".join(f'<path class="curve {kind}"/>' for kind in ("", "dotted", "", "limit"))
    dot = '<g class="dot {}"><circle r="7"/><text y="3.5">{}</text></g>'
    tracks, rows = [], []
    for number, color in enumerate(TRACKS):
        dots = dot.format("", number or "") + dot.format("open", number or "")
        tracks.append(f'<g class="track" style="--color: {color}">{curves}{dots}</g>')
        button = f"<button>{number} ✕</button>" if number else "<button disabled>&nbsp;</button>"
        words = "".join(f'<td class="words {kind}"></td>' for kind in ("name", "", "", "writes"))
        rows.append(f'<tr class="row" style="--color: {color}"><td>{button}</td>{words}</tr>')
    heads = "".join(f'<th class="{kind}"></th>' for kind in ("", "name", "", "", "writes"))
    slider = f'tabindex="0" role="slider" aria-label="{LABELS["epoch"]}" aria-valuemin="1" aria-valuemax="{LAST}"'
    layers = f'<g class="under"></g><path class="line upright"/>{"".join(tracks)}<g class="over"></g>'
    hints = "".join(f'<p class="hint {hand}">{LABELS[hand]}</p>' for hand in ("mouse", "finger"))
    style = Path(__file__).with_name("explorer.css").read_text(encoding="utf-8")
    return f"""<style>{style}</style><div class="explorer">
<div class="bar"><label>{LABELS["coloured"]} <select>{options}</select></label>{buttons}{ticks}</div>
<div class="pictures"><div>{make_map()}<p class="legend"></p>{hints}</div>
<svg class="plot" {slider}>{layers}</svg></div>
<table><tbody><tr>{heads}</tr>{"".join(rows[1:] + rows[:1])}</tbody></table>
<p class="reading"></p><p class="problems"></p><div class="spoken" aria-live="polite"></div></div>"""


def mix(ends: tuple[str, str], share: float) -> str:
    """The colour that lies at `share` of the way between two."""
    pairs = zip(*map(bytes.fromhex, ends), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def make_measure(label: str, runs: dict[Settings, Run]) -> dict:
    """What the map shows of one measure: each cell's colour and words, which is best, and what the colours mean."""
    values = {i: MEASURES[label](runs[settings]) for i, settings in enumerate(CELLS) if settings in runs}
    turn = label == TURN
    best = (max if turn else min)(values.values(), default=1.0)
    marked = [i for i, value in values.items() if value == best]

    def color(value: float) -> str:
        if turn:
            return mix(GOOD, 1 - value / LAST)
        if value <= GUESS:
            return mix(GOOD, math.log(value / best) / math.log(GUESS / best) if best < GUESS else 1.0)
        return mix(WORSE, min(1.0, math.log10(value / GUESS)))

    low, high = (1, LAST) if turn else (best, GUESS)
    shades = [low + (high - low) * i / 7 if turn else low * (high / low) ** (i / 7) for i in range(8)]
    legend = f"{low:.3g} " + "".join(f'<i style="background: {color(shade)}"> </i>' for shade in shades) + f" {high:g}"
    if not turn:
        legend += f', a blind guess   <i style="background: {mix(WORSE, 0.5)}"> </i> worse'
    star = STARS[label] + (f" ({len(marked)} runs)" if len(marked) > 1 else "")
    legend += f"\n★ {star}   × diverged   dashed: not recorded"
    return {
        "label": label,
        "colors": [color(values[i]) if i in values else "" for i in range(len(CELLS))],
        "texts": [f"{values[i]:.3g}" if i in values else "–" for i in range(len(CELLS))],
        "best": marked,
        "legend": legend,
    }


def pack(runs: dict[Settings, Run], problems: list[str]) -> bytes:
    """All that does not change in the explorer's page, as compressed JSON."""
    content = {
        "page": make_page(),
        "cells": [make_cell(index, runs.get(settings)) for index, settings in enumerate(CELLS)],
        "measures": [make_measure(label, runs) for label in MEASURES],
        "problems": left_out(problems),
    }
    content |= {"colors": plot.COLORS, "guess": {"guessing": GUESS}, "last": LAST, "width": WIDTH}
    content |= {"axes": AXES, "steps": STEPS, "labels": LABELS, "view": SHOWN}
    return gzip.compress(json.dumps(content, separators=(",", ":")).encode(), compresslevel=5, mtime=0)


def recordings(folder: Path) -> tuple[dict[Settings, Run], list[str], bytes]:
    """What `load_runs` reads, and it packed, kept in memory once for all explorers as long as no file changes."""
    files = [(path.name, path.lstat()) for path in sorted(folder.glob("*")) if path.suffix != ".tmp"]
    return _recordings(folder, tuple((name, file.st_mtime_ns, file.st_ctime_ns, file.st_size) for name, file in files))


@lru_cache(maxsize=1)
def _recordings(folder: Path, files: tuple) -> tuple[dict[Settings, Run], list[str], bytes]:
    runs, problems = load_runs(folder)
    return runs, problems, pack(runs, problems)
