"""The explorer says and draws what the recordings hold, keeps pins apart, and tells what it leaves out."""

import re
import shutil
from dataclasses import replace

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

matplotlib.use("Agg")

from helpers import plot
from helpers.figures.explorer import OFF, Explorer, describe, how_it_ends, tell_apart
from helpers.runs.files import FOLDER
from helpers.runs.recording import Run, diverged_in
from helpers.runs.settings import BATCHES, CLASSIC, GRID, Settings


def words(widget) -> str:
    return re.sub(r"<[^>]*>", "", widget.value)


@pytest.fixture(scope="module")
def whole():
    return Explorer({"table": 6.1})


@pytest.fixture
def explorer(whole):
    yield whole
    whole.clear()
    for name, value in (("show_norm", False), ("epoch", CLASSIC.num_epochs)):
        whole.controls[name].value = value


def choose(explorer, chosen: Settings) -> None:
    for name in ("batches", "hidden_size", "lr", "max_norm"):
        value = getattr(chosen, name)
        explorer.controls[name].value = OFF if value is None else value


def drawn(explorer) -> Figure:
    """The explorer's figure as it stands."""
    figure = Figure(figsize=explorer.size, layout="none")
    explorer.draw_figure(figure, **{name: control.value for name, control in explorer.controls.items()})
    FigureCanvasAgg(figure).draw()
    return figure


def test_a_recorded_run_says_its_numbers(explorer):
    for chosen in GRID[::4]:
        choose(explorer, chosen)
        run, said = explorer.runs[chosen], words(explorer.reading)
        assert said.startswith(describe(chosen))
        assert f"Epoch 500: training text {run.perplexity[-1]:.3g}, unseen text {run.unseen[500]:.3g}" in said
        assert run.samples[500] in said
        assert ("It diverged" in said) is (diverged_in(run.perplexity) is not None and run.perplexity[-1] > 27)
    choose(explorer, replace(CLASSIC, lr=10.0))
    assert "not recorded" in words(explorer.reading) and explorer.picture.layout.display is None


def test_at_each_epoch_it_shows_the_last_sample_before(explorer):
    choose(explorer, CLASSIC)
    run = explorer.runs[CLASSIC]
    for epoch, sampled in ((1, 1), (4, 2), (99, 50), (100, 100), (499, 400)):
        explorer.controls["epoch"].value = epoch
        said, looked = words(explorer.reading), max(e for e in run.unseen if e <= epoch)
        assert f"(epoch {sampled}): {run.samples[sampled]}" in said
        assert f"training text {run.perplexity[epoch - 1]:.3g}" in said
        where = "" if looked == epoch else f" (epoch {looked})"
        assert f"unseen text {run.unseen[looked]:.3g}{where}. " in said


def test_switches_and_the_epoch_reach_the_picture(explorer):
    choose(explorer, CLASSIC)
    run, c = explorer.runs[CLASSIC], explorer.controls
    c["epoch"].value = 100

    def shows():
        ax = drawn(explorer).axes[0]
        lines = [list(line.get_ydata()) for line in ax.get_lines()]
        marks = [list(line.get_xdata()) for line in ax.get_lines() if len(line.get_xdata()) == 1]
        curves = [run.perplexity in lines, list(run.unseen.values()) in lines, [6.1, 6.1] in lines]
        return [ax.get_yscale() == "log", *curves], marks

    assert shows() == ([True, True, True, False], [[100], [100]])
    for place, name in enumerate(("log", "show_training", "show_unseen", "show_ladder")):
        expected = [True, True, True, False]
        expected[place] = c[name].value = not c[name].value
        assert shows()[0] == expected, name
        c[name].value = not c[name].value


def test_pins_stay_until_they_are_cleared(explorer):
    choose(explorer, CLASSIC)
    alone = explorer.picture.value
    for chosen in GRID[:7]:
        choose(explorer, chosen)
        explorer.pin_button.click()
        explorer.pin_button.click()  # a second time does nothing
    assert [pin.run.settings for pin in explorer.pins] == GRID[2:7]
    live = Run(replace(CLASSIC, lr=2.0, num_epochs=3), {}, [20.0, 15.0, 12.0], [1.0] * 3, {3: 13.0}, {3: "time"})
    explorer.pin(live, "live")
    choose(explorer, CLASSIC)
    assert explorer.picture.value != alone
    explorer.clear_button.click()
    assert explorer.pins == [] and explorer.picture.value == alone


def test_labels_say_how_runs_differ():
    a = CLASSIC
    alone = "sequential, state carried\nh 512, lr 1, clip 1"
    assert tell_apart([a]) == [alone]
    assert tell_apart([a, replace(a, lr=0.3)]) == ["lr 1", "lr 0.3"]
    assert tell_apart([a, replace(a, max_norm=None), replace(a, batches="random")]) == [
        "sequential, state carried\nclip 1",
        "sequential, state carried\nclip off",
        "random\nclip 1",
    ]
    assert tell_apart([a, replace(a, network="GRU")]) == ["from scratch", "torch.nn.GRU"]
    assert tell_apart([a, a]) == [alone] * 2
    kinds = {describe(replace(a, batches=kind)) for kind in BATCHES}
    assert kinds == {f"{name}, h 512, lr 1, clip 1" for name in BATCHES.values()}


def test_a_full_legend_stays_inside_the_picture_and_every_pin_keeps_its_colour(explorer):
    others = [GRID[0], GRID[20], GRID[50], GRID[70], GRID[100]]
    for chosen in others:
        choose(explorer, chosen)
        explorer.pin_button.click()
    colors = {pin.run.settings: pin.color for pin in explorer.pins}
    assert len(set(colors.values())) == 5 and plot.BLUE not in colors.values()
    live = Run(replace(CLASSIC, network="LSTM", num_epochs=3), {}, [20.0, 15.0, 12.0], [1.0] * 3, {3: 13.0}, {})
    explorer.pin(live, "live 1")
    choose(explorer, CLASSIC)
    for show_norm in (False, True):
        explorer.controls["show_norm"].value = show_norm
        figure = drawn(explorer)
        legend = figure.axes[0].get_legend()
        assert len(legend.get_texts()) == 6 and any("live 1" in text.get_text() for text in legend.get_texts())
        inside, whole = legend.get_window_extent(), figure.bbox
        assert inside.x1 <= whole.x1 and inside.y0 >= whole.y0, "the legend runs out of the picture"
        shown = {handle.get_color() for handle in legend.get_lines()}
        assert shown == {plot.BLUE, *(pin.color for pin in explorer.pins)}
    norms = {line.get_color() for line in figure.axes[1].get_lines()[:6]}
    assert norms == shown, "the norms have other colours than the curves"
    choose(explorer, others[2])  # one of the pinned runs is now the chosen one
    kept = {pin.run.settings: pin.color for pin in explorer.pins}
    assert all(kept[settings] == color for settings, color in colors.items() if settings in kept)


def test_the_threshold_is_drawn_where_it_is(explorer):
    explorer.controls["show_norm"].value = True
    for max_norm in (0.1, 1.0, None):
        choose(explorer, replace(CLASSIC, hidden_size=32, max_norm=max_norm))
        below = drawn(explorer).axes[1]
        texts = [text.get_text() for text in below.texts]
        assert texts == ([] if max_norm is None else [f"clipped at {max_norm:g}"])
        dashed = [set(line.get_ydata()) for line in below.get_lines() if line.get_linestyle() == "--"]
        assert dashed == ([] if max_norm is None else [{max_norm}])


def test_the_end_of_a_run_in_words():
    run = Run(CLASSIC, {}, [20.0, 2.0], [1.0, 1.0], {2: 30.0})
    assert how_it_ends(run) == "It ends at 2 on its training text and 30 on unseen text, after a best of 2."
    assert "jump above 100 in epoch 2" in how_it_ends(replace(run, perplexity=[20.0, 200.0, 3.0]))
    assert "above 100 in epoch 1" in how_it_ends(replace(run, perplexity=[200.0, 300.0]))
    assert how_it_ends(replace(run, stopped="the loss is nan")) == "It diverged: the loss is nan"
    assert how_it_ends(Run(CLASSIC, {})) == "It has not begun."


@pytest.mark.parametrize("content", ["{", "[" * 200_000, '{"perplexity": [1' + "0" * 400 + "]}"])
def test_a_recording_that_cannot_be_read_is_named_and_the_others_are_shown(tmp_path, content):
    for settings in (GRID[0], CLASSIC):
        shutil.copy(FOLDER / f"{settings.name}.json", tmp_path)
    damaged = tmp_path / f"{GRID[0].name}.json"
    damaged.write_text(content)
    explorer = Explorer(folder=tmp_path)
    assert set(explorer.runs) == {CLASSIC} and "Epoch 500: training text" in words(explorer.reading)
    assert f"Left out: {damaged.name} is damaged" in words(explorer.reading)
    assert f"and {len(GRID) - 1 - 4} more" in words(explorer.reading)
    choose(explorer, GRID[0])
    assert "its file was left out" in words(explorer.reading) and damaged.name in words(explorer.reading)
    shutil.copy(FOLDER / damaged.name, tmp_path)
    assert set(Explorer(folder=tmp_path).runs) == {GRID[0], CLASSIC}, "a repaired file is not read again"


def test_explorers_share_their_recordings():
    assert Explorer().runs is Explorer().runs
