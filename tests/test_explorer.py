"""The explorer sends the page what the recordings hold, keeps pins, opens a view again, tells what it leaves out."""

import base64
import gzip
import io
import itertools
import json
import math
import shutil
from dataclasses import replace
from decimal import Decimal

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from traitlets import TraitError

matplotlib.use("Agg")

from helpers import plot
from helpers.figures.explorer import Explorer
from helpers.figures.explorer_data import CELLS, LABELS, MEASURES, describe, how_it_ends, steps
from helpers.runs.files import FOLDER
from helpers.runs.recording import PREFIX, Run
from helpers.runs.settings import BATCHES, CLASSIC, GRID

LIVE = Run(replace(CLASSIC, lr=2.0, num_epochs=3), {}, [20.0, 15.0, 12.0], [1.0] * 3, {3: 13.0}, {3: PREFIX + "<b>"})


def numbers(sent: list[int]) -> list[float]:
    """What the page makes of `steps`: the row of numbers with three digits, counted from 1e-400."""
    places = itertools.accumulate(sent)
    return [float(Decimal(place % 900 + 100).scaleb(place // 900 - 402)) for place in places]


def unpacked(explorer: Explorer) -> dict:
    return json.loads(gzip.decompress(explorer.data))


@pytest.fixture(scope="module")
def whole() -> Explorer:
    return Explorer({"table": 6.1})


@given(st.lists(st.floats(min_value=1e-290, max_value=1e290) | st.sampled_from([0.0, math.inf]), min_size=1))
def test_numbers_travel_with_three_digits(values):
    for value, come in zip(values, numbers(steps(values)), strict=True):
        assert come == value if value in (0.0, math.inf) else come == pytest.approx(value, rel=0.00501)


def test_the_page_is_sent_every_recording_once_and_it_is_small(whole):
    sent = unpacked(whole)["cells"]
    assert len(whole.data) <= 150_000 and len(whole.runs) == len(GRID) and not whole.problems
    for settings, cell in zip(CELLS, sent, strict=True):
        assert cell["missing"] is (settings not in GRID) and cell["name"] == describe(settings)
        if settings not in GRID:
            continue
        run = whole.runs[settings]
        assert numbers(cell["training"]) == pytest.approx(run.perplexity, rel=0.00501)
        assert numbers(cell["norm"]) == pytest.approx(run.grad_norm, rel=0.00501)
        unseen = dict(zip(cell["looked"], numbers(cell["unseen"]), strict=True))
        assert unseen == pytest.approx(run.unseen, rel=0.00501)
        assert dict(zip(cell["sampled"], (PREFIX + sample for sample in cell["samples"]), strict=True)) == run.samples
        lost = bool(run.stopped) or (max(run.perplexity) > 100 and run.perplexity[-1] > 27)
        assert (cell["cross"] != "") is lost is ("It diverged" in cell["end"])


def test_cells_stand_apart_and_arrow_keys_lead_from_each_to_its_neighbours(whole):
    sent = unpacked(whole)["cells"]
    assert len({(cell["x"] // 20, cell["y"]) for cell in sent}) == len(CELLS)
    back = {"ArrowLeft": "ArrowRight", "ArrowUp": "ArrowDown"}
    for number, cell in enumerate(sent):
        for key, other in back.items():
            if key in cell["next"]:
                there = sent[cell["next"][key]]
                assert there["next"][other] == number
                assert (there["x"] < cell["x"]) is (key == "ArrowLeft") and (there["y"] < cell["y"]) is (
                    key == "ArrowUp"
                )
    assert sum(len(cell["next"]) for cell in sent) == 2 * (14 * 9 + 15 * 8)


def test_the_map_marks_the_best_and_its_colours_keep_the_order(whole):
    for measure in unpacked(whole)["measures"]:
        values = {number: MEASURES[measure["label"]](whole.runs[CELLS[number]]) for number in map(CELLS.index, GRID)}
        best = max(values.values()) if "turn" in measure["label"] else min(values.values())
        assert measure["best"] == sorted(number for number, value in values.items() if value == best)
        good = sorted((value, int(measure["colors"][n][1:3], 16)) for n, value in values.items() if value <= 27)
        reds = [red for _, red in good]  # the redder, the paler
        assert reds == sorted(reds, reverse="turn" in measure["label"]) and reds[0] != reds[-1]
    labels = [measure["label"] for measure in unpacked(whole)["measures"]]
    assert labels[0] == whole.coloured == "last on unseen text" and len(labels) == 4
    lowest = min(whole.runs.values(), key=lambda run: min(run.unseen.values()))
    assert CELLS.index(lowest.settings) in unpacked(whole)["measures"][1]["best"]


def test_pins_keep_their_colours_and_are_six_at_most():
    explorer = Explorer(pins=[GRID[0], None, GRID[50]])
    assert [(pin.run.settings, pin.color) for pin in explorer.pins] == [(GRID[0], plot.BLUE), (GRID[50], plot.GREEN)]
    explorer.pin(LIVE, "live 1")
    explorer.pin(LIVE, "again")  # it is there
    assert [(pin.name, pin.color) for pin in explorer.pins][1] == ("live 1", plot.ORANGE) and len(explorer.pins) == 3
    assert explorer.slots[1]["name"] == f"live 1: {describe(LIVE.settings)}"
    assert numbers(explorer.slots[1]["training"]) == LIVE.perplexity
    for settings in GRID[1:4]:
        explorer.pin(explorer.runs[settings])
    with pytest.raises(ValueError, match="6 runs"):
        explorer.pin(explorer.runs[GRID[10]])
    with pytest.raises(ValueError, match="6 runs"):
        Explorer(pins=GRID[:7])
    explorer.slots = [slot for slot in explorer.slots if isinstance(slot, int)]  # as the page does
    assert "live 1" not in [pin.name for pin in explorer.pins]
    explorer.clear()
    assert explorer.pins == []


@given(st.lists(st.sampled_from([*GRID, None]), max_size=6), st.sampled_from(CELLS), st.integers(1, 500), st.booleans())
def test_a_view_opens_again(pins, chosen, epoch, log):
    explorer = Explorer({"table": 6.1}, pins=pins, chosen=chosen, epoch=epoch, coloured="best on unseen text", log=log)
    explorer.show_norm = not explorer.show_norm
    view = explorer.view
    assert (view["pins"], view["chosen"], view["epoch"], view["log"]) == (pins, chosen, epoch, log)
    again = Explorer(**view)
    assert again.view == view and again.get_state(["slots", "cell", "ladder"]) == explorer.get_state(
        ["slots", "cell", "ladder"]
    )
    again.pin(LIVE, "live") if None in pins or len(pins) < 6 else None
    assert [pin[:2] for pin in Explorer(**again.view).pins] == [pin[:2] for pin in again.pins]


def test_what_the_hand_changed_in_the_page_is_the_view():
    explorer, number = Explorer(), CELLS.index(replace(CLASSIC, hidden_size=32))
    explorer.set_state({"shown": {"epoch": 7, "log": False, "cell": number, "slots": [number]}})
    view = explorer.view
    assert (view["epoch"], view["log"], view["chosen"]) == (7, False, CELLS[number]) and view["pins"] == [CELLS[number]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"epoch": 501},
        {"epoch": "1"},
        {"coloured": "pink"},
        {"colour": 1},
        {"chosen": LIVE.settings},
        {"pins": [LIVE.settings]},
    ],
)
def test_what_cannot_be_shown_stops_at_the_door(wrong):
    newest = Explorer()
    with pytest.raises((ValueError, TypeError, TraitError)):
        Explorer(**wrong)
    assert Explorer.newest is newest


def test_a_page_without_widgets_gets_a_small_picture_of_the_same_view():
    def picture(explorer: Explorer) -> bytes:
        return base64.b64decode(explorer._repr_mimebundle_()[0]["image/png"])

    explorer = Explorer(pins=GRID[:6], epoch=77)
    assert picture(explorer).startswith(b"\x89PNG") and len(picture(explorer)) <= 60_000
    assert picture(explorer) == picture(Explorer(**explorer.view)) != picture(Explorer(pins=GRID[:6], epoch=78))
    figure = Figure()
    explorer._draw(figure)
    colors = {line.get_color() for line in figure.axes[0].get_legend().get_lines()}
    assert colors == {plot.INK, *plot.COLORS}
    drawn = [list(line.get_ydata()) for line in figure.axes[0].get_lines()]
    assert all(explorer.runs[settings].perplexity in drawn for settings in [CLASSIC, GRID[1]])
    pixels = np.asarray(Image.open(io.BytesIO(picture(explorer))).convert("RGB")).reshape(-1, 3).astype(int)
    for color in (plot.INK, *plot.COLORS):
        assert np.abs(pixels - list(bytes.fromhex(color[1:]))).sum(axis=1).min() < 8, f"{color} is another colour now"
    missing = Explorer(chosen=replace(CLASSIC, lr=10.0))
    assert picture(missing).startswith(b"\x89PNG")


def test_words_of_a_run():
    run = Run(CLASSIC, {}, [20.0, 2.0], [1.0, 1.0], {1: 25.0, 2: 30.0})
    ends = "It ends at 2 on its training text, after a best of 2; at 30 on unseen text, after a best of 25 in epoch 1."
    assert how_it_ends(run) == ends
    assert "jump above 100 in epoch 2" in how_it_ends(replace(run, perplexity=[20.0, 200.0, 3.0]))
    assert "It diverged: above 100 in epoch 1" in how_it_ends(replace(run, perplexity=[200.0, 300.0]))
    assert "after a best of 2, above 100 in epoch 2" in how_it_ends(replace(run, perplexity=[2.0, 300.0]))
    assert how_it_ends(replace(run, stopped="the loss is nan")) == "It diverged: the loss is nan"
    assert how_it_ends(Run(CLASSIC, {})) == "It has not begun."
    kinds = {describe(replace(CLASSIC, batches=kind)) for kind in BATCHES}
    assert kinds == {f"{name}, h 512, lr 1, clip 1" for name in BATCHES.values()}


@pytest.mark.parametrize("content", ["{", "[" * 200_000, '{"perplexity": [1' + "0" * 400 + "]}"])
def test_a_recording_that_cannot_be_read_is_named_and_the_others_are_shown(tmp_path, content):
    for settings in (GRID[0], CLASSIC):
        shutil.copy(FOLDER / f"{settings.name}.json", tmp_path)
    damaged = tmp_path / f"{GRID[0].name}.json"
    damaged.write_text(content)
    explorer = Explorer(folder=tmp_path, pins=[GRID[0], CLASSIC])
    sent = unpacked(explorer)
    assert set(explorer.runs) == {CLASSIC} and [pin.run.settings for pin in explorer.pins] == [CLASSIC]
    assert f"Left out: {damaged.name} is damaged" in sent["problems"]
    assert f"and {len(GRID) - 1 - 4} more" in sent["problems"]
    assert "its file was left out" in sent["cells"][CELLS.index(GRID[0])]["end"]
    assert [number for number, cell in enumerate(sent["cells"]) if not cell["missing"]] == [CELLS.index(CLASSIC)]
    shutil.copy(FOLDER / damaged.name, tmp_path)
    assert set(Explorer(folder=tmp_path).runs) == {GRID[0], CLASSIC}, "a repaired file is not read again"


def test_a_folder_without_recordings_and_runs_that_ended_at_once(tmp_path):
    explorer = Explorer(folder=tmp_path)
    assert all(cell["missing"] for cell in unpacked(explorer)["cells"]) and explorer._repr_mimebundle_()
    content = {"versions": {}, "perplexity": [], "grad_norm": [], "unseen": {}, "samples": {}, "stopped": "<b>"}
    content["settings"] = CLASSIC.__dict__
    (tmp_path / f"{CLASSIC.name}.json").write_text(json.dumps(content))
    cell = unpacked(Explorer(folder=tmp_path))["cells"][CELLS.index(CLASSIC)]
    assert (cell["end"], cell["cross"], cell["training"], cell["missing"]) == ("<b>", "×", [], False)


def test_no_word_of_a_recording_is_in_the_markup(whole):
    page = unpacked(whole)["page"]
    assert all(f">{LABELS[name]}<" in page for name in ("pin", "clear", "play"))
    assert "traveller" not in page and page.count('class="cell"') == len(CELLS)


def test_explorers_share_their_recordings():
    assert Explorer().runs is Explorer().runs and Explorer().data is Explorer().data
