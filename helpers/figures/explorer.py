"""The explorer: every recorded run on one map, its curves and samples under the hand, and runs pinned to compare."""

import base64
import io
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import anywidget
import traitlets
from matplotlib.figure import Figure
from PIL import Image

from .. import plot
from ..require import require
from ..runs.files import FOLDER
from ..runs.recording import Run
from ..runs.settings import CLASSIC, Settings
from .answering import FALLBACK, close_earlier
from .explorer_data import CELLS, GUESS, LAST, MEASURES, TICKS, VARIED, describe, packed, recordings

VIEW = ("epoch", "coloured", *TICKS)
MOST = len(plot.COLORS)
FULL = f"{MOST} runs are pinned already: unpin one of them first."


def cell_of(settings: Settings) -> int:
    """The number of the map's cell for `settings`; raises ValueError when the map has none."""
    require(settings in CELLS, f"{settings} is not on the map, where only {', '.join(VARIED)} vary.")
    return CELLS.index(settings)


class Pin(NamedTuple):
    """A run in the picture, and the name and colour that it has there."""

    run: Run
    name: str
    color: str


class Explorer(anywidget.AnyWidget):
    """Every recorded run on a map, its curves at once, its sample texts, and up to six runs pinned to compare.

    ladder: name and perplexity of what to compare with, as horizontal lines. pins: settings of recorded runs, or what
    `view` gave; None leaves a colour free. chosen: the settings whose run is shown. view: `epoch`, `coloured` (one of
    MEASURES), `log`, `show_training`, `show_unseen`, `show_ladder`, `show_norm`. Raises ValueError or TraitError.
    """

    # the text, not the path: anywidget would watch a file, and keep every explorer for that
    _esm = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    newest: ClassVar["Explorer"]  # where a live run is pinned whose own explorer was closed
    data = traitlets.Bytes().tag(sync=True)
    ladder = traitlets.Dict().tag(sync=True)
    slots = traitlets.List().tag(sync=True)  # the pins: the number of a cell, a live run as the page has it, or None
    cell = traitlets.Int(min=0, max=len(CELLS) - 1).tag(sync=True)  # of the map, whose run is chosen
    epoch = traitlets.Int(LAST, min=1, max=LAST).tag(sync=True)
    coloured = traitlets.Enum(list(MEASURES), next(iter(MEASURES))).tag(sync=True)
    log = traitlets.Bool(True).tag(sync=True)
    show_training = traitlets.Bool(True).tag(sync=True)
    show_unseen = traitlets.Bool(True).tag(sync=True)
    show_ladder = traitlets.Bool(False).tag(sync=True)
    show_norm = traitlets.Bool(False).tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)  # all that the hand has changed, as the page tells it
    _count: ClassVar = count()  # of live runs

    def __init__(
        self,
        ladder: dict[str, float] | None = None,
        folder: Path = FOLDER,
        pins: Iterable[Settings | Pin | None] = (),
        chosen: Settings = CLASSIC,
        **view: Any,
    ):
        require(view.keys() <= set(VIEW), f"{', '.join(view)}: a view has {', '.join(VIEW)}, and no more.", TypeError)
        self.runs, self.problems, data = recordings(folder)
        self._live: dict[int, Pin] = {}  # pinned runs that are not on the map, by the number that the page gives back
        super().__init__(data=data, ladder=ladder or {}, cell=cell_of(chosen), **view)
        slots = [cell_of(pin) if isinstance(pin, Settings) else pin and self._slot(*pin) for pin in pins]
        require(len(slots) <= MOST, FULL)
        # a lecturer's view opens without the runs whose files are gone
        self.slots = [None if isinstance(slot, int) and CELLS[slot] not in self.runs else slot for slot in slots]
        close_earlier(self)
        Explorer.newest = self

    @traitlets.observe("shown")
    def _hear(self, change) -> None:
        with self._lock_property(**change["new"]):  # not sent back: the hand may have moved on
            for name, value in change["new"].items():
                setattr(self, name, value)

    @property
    def pins(self) -> list[Pin]:
        """The pinned runs, with their names and colours."""
        found = []
        for slot, color in zip(self.slots, plot.COLORS, strict=False):
            if isinstance(slot, dict):
                found.append(self._live[slot["number"]]._replace(color=color))
            elif slot is not None:
                found.append(Pin(self.runs[CELLS[slot]], "", color))
        return found

    @property
    def view(self) -> dict[str, Any]:
        """What is shown, in words that open the same picture: `Explorer(**explorer.view)`."""
        pins = [
            self._live[slot["number"]] if isinstance(slot, dict) else None if slot is None else CELLS[slot]
            for slot in self.slots
        ]
        shown = {name: getattr(self, name) for name in VIEW}
        return {"ladder": dict(self.ladder), "pins": pins, "chosen": CELLS[self.cell], **shown}

    def pin(self, run: Run, name: str = "") -> None:
        """Keep a run in the picture, under `name` if it has one; raises ValueError when six are kept already."""
        if any(pin.run is run for pin in self.pins):
            return
        slots = self.slots if None in self.slots else [*self.slots, None]
        require(len(slots) <= MOST, FULL)
        free = slots.index(None)
        self.slots = [*slots[:free], self._slot(run, name), *slots[free + 1 :]]
        shown = {slot["number"] for slot in self.slots if isinstance(slot, dict)}
        self._live = {number: pin for number, pin in self._live.items() if number in shown}

    def _slot(self, run: Run, name: str, color: str = "") -> int | dict:
        if self.runs.get(run.settings) is run:
            return cell_of(run.settings)
        number = next(Explorer._count)
        self._live[number] = Pin(run, name, color)
        return {"number": number, **packed(run, ": ".join(filter(None, [name, describe(run.settings)])))}

    def clear(self) -> None:
        """Remove all pinned runs."""
        self.slots, self._live = [], {}

    def close(self) -> None:
        """Take the explorer from the page."""
        super().close()
        self.layout.close()

    def _draw(self, figure: Figure) -> None:
        """The same view without the map, for a page where nothing answers."""
        pins, run = self.pins, self.runs.get(CELLS[self.cell])
        own = [pin for pin in pins if pin.run is run] or [Pin(run, "", plot.INK)] if run else []
        shown = own + [pin for pin in pins if pin.run is not run]
        labels = [f"{pin.name}\n" * bool(pin.name) + describe(pin.run.settings).replace(", h", "\nh") for pin in shown]
        curves = [
            plot.Curve(label, pin.color, pin.run.perplexity, pin.run.unseen)
            for label, pin in zip(labels, shown, strict=True)
        ]
        ladder = {"guessing": GUESS, **(self.ladder if self.show_ladder else {})}
        ax = figure.subplots(gridspec_kw={"left": 0.075, "right": 0.77, "top": 0.98, "bottom": 0.16})
        switches = self.log, self.show_training, self.show_unseen
        plot.draw_runs(ax, curves, 0 if own else None, self.epoch, *switches, ladder)

    def _repr_mimebundle_(self, **arguments):
        bundle, metadata = super()._repr_mimebundle_(**arguments)
        picture = Image.open(io.BytesIO(plot.picture(self._draw, (10, 3.3)))).convert("RGB")
        png = io.BytesIO()  # of few colours, for it is stored with the notebook
        picture.quantize(method=Image.Quantize.FASTOCTREE).save(png, "PNG")
        png = base64.b64encode(png.getvalue()).decode()
        return {**bundle, "text/plain": FALLBACK, "image/png": png}, metadata
