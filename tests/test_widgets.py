"""What the figures with controls draw and say, without a page: the browser tests drive them in one."""

import math
import re
import threading
import time
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

matplotlib.use("Agg")

from helpers import plot, record, widgets
from helpers.generate import generate
from helpers.record import BATCHES, CLASSIC, GRID, Run, Settings
from helpers.rnn import RNN, init_params
from helpers.text import SequentialBatches, Vocab, clean, read_book
from helpers.train import evaluate

TEXT = clean(read_book())[:5000]
VOCAB = Vocab(clean(read_book()))
X, Y = next(iter(SequentialBatches(VOCAB.encode(TEXT), 4, 100)))


def words(widget) -> str:
    return re.sub(r"<[^>]*>", "", widget.value)


@pytest.fixture
def ax():
    figure = Figure()
    yield figure.subplots()
    figure.canvas.draw()  # what could not be drawn fails here


# Pure drawing


@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.data())
@settings(max_examples=15)
def test_the_two_parts_of_a_cut_add_up_wherever_it_is(seed, batch, n, hidden, data):
    generator = np.random.default_rng(seed)
    A, W = generator.integers(-3, 4, (batch, n)), generator.integers(-3, 4, (n, hidden))
    cut, row, column = (data.draw(st.integers(0, top)) for top in (n, batch - 1, hidden - 1))
    ax = Figure().subplots()
    left, right = plot.draw_cut(ax, A, W, cut, row, column)
    assert left == sum(A[row, k] * W[k, column] for k in range(cut))
    assert left + right == (A @ W)[row, column]
    shown = [text.get_text() for text in ax.texts]
    blue = [box for box in ax.patches if matplotlib.colors.same_color(box.get_facecolor()[:3], plot.BLUE)]
    assert len(blue) == batch * cut + cut * hidden + batch * hidden, "the cut is drawn at another place"
    assert shown.count("·") == 1


def test_runs_are_drawn_as_they_are_and_marked(ax):
    runs = [("a", "red", [20.0, 10.0, 1e50], {1: 21.0, 3: math.inf}), ("b", "blue", [25.0, 24.0, 23.0], {})]
    plot.draw_runs(ax, runs, thick=0, epoch=2, log=True, num_epochs=3)
    lines = {tuple(line.get_ydata()) for line in ax.get_lines()}
    assert (20.0, 10.0, 4000.0) in lines and (25.0, 24.0, 23.0) in lines
    assert (21.0, 4000.0) in lines, "unseen text"
    assert (10.0,) in lines, "the mark stands elsewhere"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.get_yscale() == "log"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("unseen", [True, False])
def test_curves_can_be_left_out(ax, training, unseen):
    plot.draw_runs(ax, [("a", "red", [9.0, 8.0], {1: 7.0, 2: 6.0})], None, 0, False, training, unseen, {"best": 4.0})
    lines = [tuple(line.get_ydata()) for line in ax.get_lines()]
    assert ((9.0, 8.0) in lines) is training and ((7.0, 6.0) in lines) is unseen
    assert [4, 4] in [list(line) for line in lines] and "best 4" in [text.get_text() for text in ax.texts]
    assert ax.get_yscale() == "linear"


def test_norms_are_clipped_at_the_threshold(ax):
    plot.draw_norms(ax, [1, 10, 100], [0.5, 5.0, 50.0], [1e-3, 1e-5, 1e-9], length=10, max_norm=2.0)
    lines = [tuple(line.get_ydata()) for line in ax.get_lines()]
    assert (0.5, 2.0, 2.0) in lines and (0.5, 5.0, 50.0) in lines and (5.0,) in lines and (2.0,) in lines


def test_steps_to_come_stay_blank():
    figure = Figure()
    hidden = np.linspace(-1, 1, 12).reshape(4, 3)
    probs = np.array([0.0, 0.7, 0.3])
    plot.draw_step(figure, hidden, "abab", probs, ["<unk>", "a", "b"], step=2)
    shown = figure.axes[0].images[0].get_array()
    assert np.ma.getmaskarray(shown)[:, 2:].all() and np.array_equal(shown[:, :2], hidden[:2].T)


# The layer between controls and drawing


def test_a_control_redraws_in_place_and_an_error_is_said_and_goes_away():
    slider = widgets.w.IntSlider(value=1, min=-5, max=5)

    def draw(figure, n):
        if n < 0:
            raise ValueError("n must not be <negative>")
        figure.subplots().plot([0, n])
        return f"n is {n} & <fine>"

    figure = widgets.AnsweringFigure(draw, {"n": slider})
    pictures = [figure.picture.value]
    assert words(figure.reading) == "n is 1 &amp; &lt;fine&gt;"
    slider.value = 3
    assert figure.picture.value not in pictures and "n is 3" in words(figure.reading)
    slider.value = -1
    assert figure.picture.layout.display == "none" and "&lt;negative&gt;" in words(figure.reading)
    slider.value = 1
    assert figure.picture.layout.display is None and figure.picture.value == pictures[0]


def test_an_unexpected_error_is_named_and_does_not_escape():
    def draw(figure, n):
        raise KeyError("surprise")

    figure = widgets.AnsweringFigure(draw, {"n": widgets.w.IntSlider()})
    assert "KeyError" in words(figure.reading)


def test_a_page_without_widgets_shows_a_sentence():
    for figure in (widgets.explore_minibatches(), widgets.LivePanel(SMALL, text=TEXT)):
        bundle = figure._repr_mimebundle_()
        assert bundle["text/plain"] == widgets.FALLBACK and "application/vnd.jupyter.widget-view+json" in bundle


def every_position(figure):
    """Move each control to each of its positions (a dozen of them at most), the others staying where they are."""
    for name, control in figure.controls.items():
        first = control.value
        if isinstance(control, (widgets.w.IntSlider, widgets.w.FloatSlider)):
            positions = np.linspace(control.min, control.max, 8)
            positions = [type(first)(round(p, 1)) for p in positions]
        elif isinstance(control, widgets.w.Checkbox):
            positions = [True, False]
        elif hasattr(control, "options"):
            positions = [option[1] if isinstance(option, tuple) else option for option in control.options]
        else:
            continue
        for position in positions:
            control.value = position
            yield name, position
        control.value = first


MODEL = RNN(len(VOCAB), 8, sigma=0.5, device="cpu", dtype=torch.float64)
SMALL_MATRICES = [torch.arange(6).reshape(2, 3), torch.ones(2, 4), torch.ones(3, 4), torch.eye(4)]
FIGURES = {
    "concatenation": lambda: widgets.explore_concatenation(*SMALL_MATRICES),
    "one_hot": lambda: widgets.explore_one_hot(VOCAB),
    "start": lambda: widgets.explore_start(X[:, :10], Y[:, :10], len(VOCAB)),
    "steps": lambda: widgets.explore_steps(MODEL, VOCAB),
    "prediction": lambda: widgets.explore_prediction(MODEL, VOCAB),
    "gradient": lambda: widgets.explore_gradient(X, Y, len(VOCAB), hidden_size=8),
    "minibatches": lambda: widgets.explore_minibatches(),
    "explorer": lambda: widgets.Explorer({"table": 6.1}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_no_position_of_any_control_is_an_error(name):
    figure = FIGURES[name]()
    for control, position in every_position(figure):
        assert figure.picture.layout.display is None, f"{control} = {position}: {words(figure.reading)}"
        assert figure.picture.value[:4] == b"\x89PNG" and len(words(figure.reading)) > 20
    for control in figure.controls.values():
        assert control.description, "a control has no label"


def test_one_hot_marks_what_is_unknown_and_cuts_what_is_long():
    figure = widgets.explore_one_hot(VOCAB, "a b")
    field = figure.controls["text"]
    assert "Indices: 2 1 3" in words(figure.reading)
    field.value = "Ab9b9"
    assert "Indices: 0 3 0 3 0" in words(figure.reading) and "in red: A 9" in words(figure.reading)
    figure.controls["cleaned"].value = True
    assert "Indices: 2 3 1 3." in words(figure.reading)
    field.value = "!!"
    assert figure.picture.layout.display == "none" and "none of the letters" in words(figure.reading)
    figure.controls["cleaned"].value = False
    field.value = ""
    assert "Type a text" in words(figure.reading)
    field.value = "ab " * 40_000
    assert "120,000 characters; only the first 16" in words(figure.reading) and figure.picture.layout.display is None


def test_the_start_says_what_the_first_loss_is():
    figure = widgets.explore_start(X[:, :10], Y[:, :10], len(VOCAB))
    for sigma, _ in ((option[1], option) for option in figure.controls["sigma"].options):
        figure.controls["sigma"].value = sigma
        params = init_params(len(VOCAB), 512, sigma)
        rnn = torch.nn.RNN(len(VOCAB), 512)
        with torch.no_grad():
            for theirs, ours in zip(rnn.parameters(), (params[0].T, params[1].T, params[2], params[2]), strict=True):
                theirs.copy_(ours)
            hidden, _ = rnn(torch.nn.functional.one_hot(X[:, :10].T, len(VOCAB)).float())
            loss = torch.nn.functional.cross_entropy((hidden @ params[3]).flatten(0, 1), Y[:, :10].T.flatten())
        said = float(re.search(r"First loss (\d+\.\d+)", words(figure.reading))[1])
        assert said == pytest.approx(loss.item(), rel=0.02, abs=0.01)


def test_prediction_writes_what_generate_writes():
    figure = widgets.explore_prediction(MODEL, VOCAB, prefix="the time")
    figure.controls["temperature"].value, figure.controls["seed"].value = 0.8, 3
    warm = generate("the time", 60, MODEL, VOCAB, 0.8, 3)[8:]
    cold = generate("e", 60, MODEL, VOCAB, 0.8, 3)[1:]
    assert f"After reading it all:  {warm}" in words(figure.reading) and cold in words(figure.reading)
    figure.controls["prefix"].value = ""
    assert "prefix is empty" in words(figure.reading)
    figure.controls["prefix"].value = "b" * 500
    assert "only the last 200" in words(figure.reading)


def test_the_gradient_says_when_clipping_acts():
    figure = widgets.explore_gradient(X, Y, len(VOCAB), hidden_size=8)
    for radius in (0.3, 2.5):
        figure.controls["radius"].value = radius
        for threshold in (0.01, 100.0):
            figure.controls["max_norm"].value = threshold
            norm = float(re.search(r"has the norm ([\d.e+-]+),", words(figure.reading))[1])
            assert ("leaves it alone" in words(figure.reading)) is (norm < threshold)


def test_minibatches_say_where_they_read():
    figure = widgets.explore_minibatches()
    figure.controls["chosen"].value = 0
    assert "The state starts from zero" in words(figure.reading)
    figure.controls["chosen"].value = 1
    assert "carried on" in words(figure.reading)
    for kind in ("reset", "random"):
        figure.controls["kind"].value = kind
        assert "The state starts from zero" in words(figure.reading)
    places = re.search(r": reads ([\d–, ]+)\.", words(figure.reading))[1].split(", ")
    assert len(places) == 3 and all(int(end) - int(start) == 4 for start, end in (p.split("–") for p in places))


# The explorer


@pytest.fixture(scope="module")
def explorer():
    return widgets.Explorer({"table": 6.1})


def choose(explorer, chosen: Settings) -> None:
    for name in ("batches", "hidden_size", "lr", "max_norm"):
        value = getattr(chosen, name)
        explorer.controls[name].value = widgets.OFF if value is None else value


def test_a_recorded_run_says_its_numbers(explorer):
    for chosen in GRID[::4]:
        choose(explorer, chosen)
        run, said = explorer.runs[chosen], words(explorer.reading)
        assert said.startswith(widgets.describe(chosen))
        assert f"Epoch 500: training text {run.perplexity[-1]:.3g}, unseen text {run.unseen[500]:.3g}" in said
        assert run.samples[500] in said
        assert ("It diverged" in said) is (record.diverged_in(run.perplexity) is not None and run.perplexity[-1] > 27)
    choose(explorer, replace(CLASSIC, lr=10.0))
    assert "not recorded" in words(explorer.reading) and explorer.picture.layout.display is None


def test_at_each_epoch_it_shows_the_last_sample_before(explorer):
    choose(explorer, CLASSIC)
    run = explorer.runs[CLASSIC]
    for epoch, sampled in ((1, 1), (4, 2), (99, 50), (100, 100), (499, 400)):
        explorer.controls["epoch"].value = epoch
        assert f"(epoch {sampled}): {run.samples[sampled]}" in words(explorer.reading)
        assert f"training text {run.perplexity[epoch - 1]:.3g}" in words(explorer.reading)
        looked = max(e for e in run.unseen if e <= epoch)
        where = "" if looked == epoch else f" (epoch {looked})"
        assert f"unseen text {run.unseen[looked]:.3g}{where}. " in words(explorer.reading)
    explorer.controls["epoch"].value = 500


def test_pins_stay_until_they_are_cleared(explorer):
    choose(explorer, CLASSIC)
    alone = explorer.picture.value
    for chosen in GRID[:7]:
        choose(explorer, chosen)
        explorer.pin_button.click()
        explorer.pin_button.click()  # a second time does nothing
    assert [run.settings for run, _, _ in explorer.pins] == GRID[2:7]
    live = Run(replace(CLASSIC, lr=2.0, num_epochs=3), {}, [20.0, 15.0, 12.0], [1.0] * 3, {3: 13.0}, {3: "time"})
    explorer.pin(live, "live")
    choose(explorer, CLASSIC)
    assert explorer.picture.value != alone
    explorer.clear_button.click()
    assert explorer.pins == [] and explorer.picture.value == alone


def test_labels_say_how_runs_differ():
    a = CLASSIC
    alone = "sequential, state carried\nh 512, lr 1, clip 1"
    assert widgets.tell_apart([a]) == [alone]
    assert widgets.tell_apart([a, replace(a, lr=0.3)]) == ["lr 1", "lr 0.3"]
    assert widgets.tell_apart([a, replace(a, max_norm=None), replace(a, batches="random")]) == [
        "sequential, state carried\nclip 1",
        "sequential, state carried\nclip off",
        "random\nclip 1",
    ]
    assert widgets.tell_apart([a, replace(a, network="GRU")]) == ["from scratch", "torch.nn.GRU"]
    assert widgets.tell_apart([a, a]) == [alone] * 2
    assert {widgets.describe(replace(a, batches=kind)) for kind in BATCHES} == {
        f"{name}, h 512, lr 1, clip 1" for name in BATCHES.values()
    }


def drawn(explorer) -> Figure:
    """The explorer's figure as it stands."""
    figure = Figure(figsize=explorer.size, layout="none")
    explorer.draw_figure(figure, **{name: control.value for name, control in explorer.controls.items()})
    figure.canvas.draw()
    return figure


def test_a_full_legend_stays_inside_the_picture_and_every_pin_keeps_its_colour(explorer):
    explorer.clear()
    others = [GRID[0], GRID[20], GRID[50], GRID[70], GRID[100]]
    for chosen in others:
        choose(explorer, chosen)
        explorer.pin_button.click()
    colors = {run.settings: color for run, _, color in explorer.pins}
    assert len(set(colors.values())) == 5 and widgets.COLORS[0] not in colors.values()
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
        assert shown == {widgets.COLORS[0], *(color for _, _, color in explorer.pins)}
    explorer.controls["show_norm"].value = False
    choose(explorer, others[2])  # one of the pinned runs is now the chosen one
    kept = {run.settings: color for run, _, color in explorer.pins}
    assert all(kept[settings] == color for settings, color in colors.items() if settings in kept)
    explorer.clear()


def test_the_threshold_is_drawn_where_it_is(explorer):
    explorer.controls["show_norm"].value = True
    for max_norm in (0.1, 1.0, None):
        choose(explorer, replace(CLASSIC, hidden_size=32, max_norm=max_norm))
        texts = [text.get_text() for text in drawn(explorer).axes[1].texts]
        assert texts == ([] if max_norm is None else [f"clipped at {max_norm:g}"])
    explorer.controls["show_norm"].value = False


def test_the_end_of_a_run_in_words():
    run = Run(CLASSIC, {}, [20.0, 2.0], [1.0, 1.0], {2: 30.0})
    assert widgets.how_it_ends(run) == "It ends at 2 on its training text and 30 on unseen text, after a best of 2."
    assert "jump above 100 in epoch 2" in widgets.how_it_ends(replace(run, perplexity=[20.0, 200.0, 3.0]))
    assert "above 100 in epoch 1" in widgets.how_it_ends(replace(run, perplexity=[200.0, 300.0]))
    assert widgets.how_it_ends(replace(run, stopped="the loss is nan")) == "It diverged: the loss is nan"
    assert widgets.how_it_ends(Run(CLASSIC, {})) == "It has not begun."


# The live panel


SMALL = Settings("sequential", hidden_size=16, lr=1.0, max_norm=1.0, num_epochs=400, num_chars=2000, batch_size=8)


@pytest.fixture
def panel():
    panel = widgets.LivePanel(SMALL, text=TEXT)
    yield panel
    panel.stop()


def wait_for(holds, timeout: float = 20) -> None:
    end = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def epochs(panel) -> int:
    return len(panel.run.perplexity)


def test_a_live_run_is_the_run_that_train_makes(panel):
    panel.controls["num_epochs"].value = 20
    panel.start()
    panel.wait(60)
    assert panel.state == "finished" and epochs(panel) == 20
    model = record.make_model(panel.run.settings, len(panel.vocab))
    corpus = panel.vocab.encode(TEXT)
    batches = record.make_batches(panel.run.settings, corpus[:2000])
    plain = [r.perplexity for r in record.train(model, batches, 20, 1.0, 1.0)]
    assert panel.run.perplexity == pytest.approx(plain, rel=1e-6)
    assert panel.run.unseen[20] == pytest.approx(evaluate(model, corpus[2000:4000]), rel=1e-6)
    assert panel.run.samples[20] == generate("time traveller ", 65, model, panel.vocab)
    assert panel.run.samples[20] in words(panel.sample)


def test_pause_holds_and_resume_goes_on_and_stop_leaves_a_usable_model(panel):
    panel.start()
    wait_for(lambda: epochs(panel) >= 3)
    panel.pause()
    wait_for(lambda: panel.state == "paused")
    stands = epochs(panel)
    before = [p.clone() for p in panel.model.parameters()]
    time.sleep(0.2)
    assert epochs(panel) == stands
    assert all(torch.equal(a, b) for a, b in zip(before, panel.model.parameters(), strict=True))
    panel.resume()
    wait_for(lambda: epochs(panel) > stands)
    panel.stop()
    assert panel.state == "stopped" and len(panel.run.grad_norm) == epochs(panel)
    generate("time", 10, panel.model, panel.vocab)


def test_a_pause_is_not_counted_as_training_nor_charged_to_what_it_interrupted(panel):
    panel.controls["num_epochs"].value = 500
    panel.start()
    wait_for(lambda: epochs(panel) >= 3)
    panel.pause()
    wait_for(lambda: panel.state == "paused")
    job, before = panel._job, panel._job.seconds
    time.sleep(1.0)
    panel.resume()
    stands = epochs(panel)
    wait_for(lambda: epochs(panel) > stands)
    assert job.seconds - before < 0.5, "the pause was counted as training"
    job.go.clear()
    threading.Timer(0.5, job.go.set).start()
    job.timed("sample", job.gate)
    assert job.cost["sample"] < 0.3, "the pause was charged to the sample"


def test_a_paused_run_can_be_stopped(panel):
    panel.start()
    wait_for(lambda: epochs(panel) >= 1)
    panel.pause()
    wait_for(lambda: panel.state == "paused")
    samples = dict(panel.run.samples)
    panel.stop()
    assert panel.state == "stopped" and "It writes now" in words(panel.sample)
    assert panel.run.samples == samples, "a sample of a half epoch stands among those of whole epochs"


def test_drawing_and_looking_keep_to_their_share(panel):
    panel.controls["num_epochs"].value = 200
    panel.start()
    panel.wait(60)
    job = panel._job
    for act, share in widgets.SHARES.items():
        allowed = share * (job.seconds + widgets.HEAD_START[act])
        assert job.spent[act] <= allowed + 2 * job.cost[act] + 0.1, f"{act} took more than its share"
    assert job.spent["draw"] > 0 and panel.run.samples
    assert 8960 * 0.2 < job.speed


def test_buttons_are_usable_only_when_they_do_something(panel):
    def usable() -> set[str]:
        return {name for name, button in panel.buttons.items() if not button.disabled}

    assert usable() == {"start"}
    panel.start()
    wait_for(lambda: epochs(panel) >= 1)
    assert usable() == {"pause", "stop", "reset"}
    panel.pause()
    wait_for(lambda: panel.state == "paused")
    assert usable() == {"resume", "stop", "reset"}
    panel.stop()
    assert usable() == {"start", "reset"}


def test_a_run_that_was_reset_says_and_changes_nothing_more(panel):
    panel.start()
    wait_for(lambda: epochs(panel) >= 1)
    old = panel._job
    panel._clear()  # as if its thread had not ended in time
    wait_for(lambda: len(old.run.perplexity) >= 5)
    assert panel.state == "ready" and epochs(panel) == 0 and panel.model is not old.model
    old.stop.set()


def test_an_error_in_a_button_is_said(panel, monkeypatch):
    def fails(*arguments):
        raise RuntimeError("no room for this model")

    monkeypatch.setattr(widgets, "make_model", fails)
    panel.buttons["start"].click()
    assert panel.state == "failed" and "no room for this model" in panel.status.value


def test_buttons_at_the_wrong_moment_do_nothing(panel):
    for act in (panel.pause, panel.resume, panel.stop, panel.reset):
        act()
    assert panel.state == "ready" and epochs(panel) == 0
    panel.start()
    thread = panel._job.thread
    panel.start()
    assert panel._job.thread is thread, "a second start began a second run"
    panel.reset()
    assert panel.state == "ready" and epochs(panel) == 0 and not thread.is_alive()
    time.sleep(0.2)
    assert panel.state == "ready" and epochs(panel) == 0


def test_a_new_panel_stops_the_run_of_the_old_one(panel):
    panel.start()
    wait_for(lambda: epochs(panel) >= 1)
    other = widgets.LivePanel(SMALL, text=TEXT)
    assert panel.state == "stopped"
    panel.start()
    wait_for(lambda: epochs(panel) >= 1)
    other.start()
    assert panel.state == "stopped" and other.state == "running"
    other.stop()


def test_an_error_inside_training_is_said_and_a_new_start_works(panel, monkeypatch):
    monkeypatch.setattr(widgets, "generate", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("no <sample> today")))
    panel.start()
    panel.wait(30)
    assert panel.state == "failed" and "no &lt;sample&gt; today" in panel.status.value
    monkeypatch.undo()
    panel.start()
    wait_for(lambda: epochs(panel) >= 2)
    assert panel.state == "running"


def test_settings_that_do_not_work_are_said():
    panel = widgets.LivePanel(replace(SMALL, batch_size=64, num_chars=300), text=TEXT)
    panel.start()
    assert panel.state == "failed" and "need at least" in panel.status.value


def test_divergence_is_a_state_of_its_own(panel, monkeypatch):
    def breaks(*arguments):
        raise widgets.TrainingDiverged("the loss is nan")
        yield

    monkeypatch.setattr(widgets, "train", breaks)
    panel.start()
    panel.wait(30)
    assert panel.state == "diverged" and "the loss is nan" in panel.status.value
    assert panel.run.stopped == "the loss is nan"


def test_a_live_run_is_pinned_as_it_stands(explorer):
    panel = widgets.LivePanel(replace(SMALL, num_epochs=5), text=TEXT, explorer=explorer)
    panel.pin()
    assert explorer.pins == [] and "no whole epoch" in panel.status.value
    panel.start()
    panel.wait(30)
    panel.buttons["pin"].click()
    ((pinned, name, _),) = explorer.pins
    assert name == "live 1" and pinned.perplexity == panel.run.perplexity
    panel.reset()
    assert len(pinned.perplexity) == 5, "a reset took the pinned run away"
    explorer.clear()


def test_every_network_can_be_trained_live(panel):
    panel.controls["num_epochs"].value = 20
    for network in ("scratch", "RNN", "GRU", "LSTM"):
        panel.controls["network"].value = network
        panel.start()
        panel.wait(60)
        assert panel.state == "finished" and panel.run.perplexity[-1] < 20, network
