"""What the chapters' figures draw and say, without a page: the browser tests drive them in one."""

import gc
import gzip
import json
import re
import weakref
from types import SimpleNamespace

import ipywidgets as w
import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

matplotlib.use("Agg")

from helpers import plot
from helpers.figures import answering
from helpers.figures import beating_the_table as beating
from helpers.figures.answering import AnsweringFigure
from helpers.figures.beating_the_table import BEFORE, HIDDEN, GuessingGame, bits_of_ranks, draw_ranks, ranks_of
from helpers.figures.concatenation import draw_concatenation, draw_cut, explore_concatenation
from helpers.figures.explorer import Explorer
from helpers.figures.forward_loop import draw_states, explore_steps
from helpers.figures.gradient_clipping import draw_norms, explore_gradient
from helpers.figures.one_hot import explore_one_hot
from helpers.figures.page import PageFigure, slider
from helpers.figures.parameters import draw_shapes, explore_start
from helpers.figures.prediction import explore_prediction
from helpers.figures.start_here import draw_map
from helpers.figures.training import all_readings, explore_minibatches
from helpers.generate import generate, next_char_probs, warm_up
from helpers.rnn import RNN, init_params, param_shapes
from helpers.runs.settings import BATCHES
from helpers.text import RandomBatches, SequentialBatches, Vocab, clean, read_book
from helpers.train import Record

VOCAB = Vocab(clean(read_book()))
X, Y = next(iter(SequentialBatches(VOCAB.encode(clean(read_book())[:5000]), 4, 100)))
MODEL = RNN(len(VOCAB), 8, sigma=0.5, device="cpu", dtype=torch.float64)
SMALL_MATRICES = [torch.arange(6).reshape(2, 3), torch.ones(2, 4), torch.ones(3, 4), torch.eye(4)]


def words(widget) -> str:
    return re.sub(r"<[^>]*>", "", widget.value)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


# Pure drawing


def test_the_concatenation_shows_the_product_and_its_two_parts(ax):
    numbers = np.random.default_rng(0)
    X, H = numbers.integers(0, 9, (2, 3)), numbers.integers(0, 9, (2, 4))
    W_xh, W_hh = numbers.integers(0, 9, (3, 4)), numbers.integers(0, 9, (4, 4))
    draw_concatenation(ax, X, H, W_xh, W_hh, row=1, column=2)
    product = np.hstack([X, H]) @ np.vstack([W_xh, W_hh])
    shown = texts(ax)
    for M in (X, H, W_xh, W_hh, product):
        assert all(str(number) in shown for number in M.ravel())
    for part in (X @ W_xh, H @ W_hh):
        assert any(text.endswith(f"= {part[1, 2]}") for text in shown)
    assert f"together {product[1, 2]}" in shown


@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.data())
@settings(max_examples=15)
def test_the_two_parts_of_a_cut_add_up_wherever_it_is(seed, batch, n, hidden, data):
    generator = np.random.default_rng(seed)
    A, W = generator.integers(-3, 4, (batch, n)), generator.integers(-3, 4, (n, hidden))
    cut, row, column = (data.draw(st.integers(0, top)) for top in (n, batch - 1, hidden - 1))
    ax = Figure().subplots()
    left, right = draw_cut(ax, A, W, cut, row, column)
    assert left == sum(A[row, k] * W[k, column] for k in range(cut))
    assert left + right == (A @ W)[row, column]
    of_the_left = [box for box in ax.patches if matplotlib.colors.same_color(box.get_facecolor()[:3], plot.ORANGE)]
    assert len(of_the_left) == batch * cut + cut * hidden + batch * hidden, "the cut is drawn at another place"
    assert tuple(ax.lines[0].get_xdata()) == (cut, cut) and texts(ax).count("×") == 1


def test_shapes_are_drawn_to_scale_with_their_counts(ax):
    draw_shapes(ax, param_shapes(28, 512))
    areas = [patch.get_width() * patch.get_height() for patch in ax.patches]
    assert areas == [28 * 512, 512 * 512, 512, 512 * 28, 28]
    assert "262,144" in "".join(texts(ax))


def test_the_map_names_all_five_tensors_and_every_notebook(ax):
    draw_map(ax)
    shown = " ".join(texts(ax))
    assert all(name in shown for name in ("W_{xh}", "W_{hh}", "b_h", "W_{hq}", "b_q"))
    notebooks = " ".join(text for text in texts(ax) if text.startswith("notebook "))
    assert set(re.findall(r"\d\d", notebooks)) == {f"{number:02}" for number in range(1, 9)}


def test_norms_are_clipped_at_the_threshold(ax):
    draw_norms(ax, [1, 10, 100], [0.5, 5.0, 50.0], [1e-3, 1e-5, 1e-9], length=10, max_norm=2.0)
    lines = [tuple(line.get_ydata()) for line in ax.get_lines()]
    assert (0.5, 2.0, 2.0) in lines and (0.5, 5.0, 50.0) in lines and (5.0,) in lines and (2.0,) in lines


def test_states_are_drawn_with_time_to_the_right_and_a_bar_for_their_colours(ax):
    hidden = np.random.default_rng(0).normal(size=(3, 7))
    draw_states(ax, hidden, "abc")
    limit = np.abs(hidden).max()
    assert np.array_equal(ax.images[0].get_array(), hidden.T) and ax.images[0].get_clim() == (-limit, limit)
    signs = [label.get_text()[0] for label in ax.figure.axes[1].get_yticklabels()]
    assert signs == ["−", "0", "+"] and list(ax.figure.axes[1].get_yticks()) == [-limit, 0, limit]


@pytest.mark.parametrize("text", ["$x$", "\\$", "$", "a$b$$"])
def test_a_readers_text_is_drawn_as_it_is(text, monkeypatch):
    def parse(*arguments, **options):
        raise AssertionError("a reader's text was read as a formula")

    monkeypatch.setattr("matplotlib.mathtext.MathTextParser.parse", parse)
    figure, eye, letters = Figure(), np.eye(len(text)), [text] * len(text)
    axes = figure.subplots(4, 1)
    plot.draw_one_hot(axes[0], eye, letters, letters, title=text)
    draw_states(axes[1], eye, letters, title=text)
    plot.draw_next_chars(axes[2], [1.0], letters, title=text)
    plot.draw_runs(axes[3], [plot.Curve(text, "red", [2.0])], log=False, ladder={text: 3.0})
    FigureCanvasAgg(figure).draw()
    shown = explore_one_hot(VOCAB, text)
    assert shown.picture.layout.display is None, words(shown.reading)


# The layer between controls and drawing


def test_a_control_redraws_in_place_and_an_error_is_said_and_goes_away():
    slider = w.IntSlider(value=1, min=-5, max=5)

    def draw(figure, n):
        if n < 0:
            raise ValueError("n must not be <negative>")
        figure.subplots().plot([0, n])
        return f"n is {n} & <fine>"

    figure = AnsweringFigure(draw, {"n": slider})
    pictures = [figure.picture.value]
    assert words(figure.reading) == "n is 1 &amp; &lt;fine&gt;"
    slider.value = 3
    assert figure.picture.value not in pictures and "n is 3" in words(figure.reading)
    slider.value = -1
    assert figure.picture.layout.display == "none" and "&lt;negative&gt;" in words(figure.reading)
    slider.value = 1
    assert figure.picture.layout.display is None and figure.picture.value == pictures[0]


def test_an_unexpected_error_is_named_and_does_not_escape(monkeypatch):
    def draw(figure, n):
        raise KeyError("surprise")

    assert "KeyError" in words(AnsweringFigure(draw, {"n": w.IntSlider()}).reading)

    def no_latex(figure, *arguments, **options):
        raise RuntimeError("latex could not be found")

    monkeypatch.setattr(Figure, "savefig", no_latex)
    figure = explore_one_hot(VOCAB)
    assert figure.picture.layout.display == "none" and "latex could not be found" in words(figure.reading)


def test_a_page_without_widgets_shows_a_sentence():
    for figure in (explore_one_hot(VOCAB), PAGES["minibatches"]()):
        bundle = figure._repr_mimebundle_()
        assert bundle["text/plain"] == answering.FALLBACK and "application/vnd.jupyter.widget-view+json" in bundle


@pytest.mark.parametrize("name", ["steps", "prediction", "minibatches"])
def test_a_page_without_widgets_shows_the_first_view_where_that_is_small(name):
    picture = PAGES[name]()._repr_mimebundle_()["image/png"]
    assert picture.startswith(b"\x89PNG") and len(picture) < 40_000


def test_a_cell_that_runs_again_keeps_nothing_of_the_figures_before(monkeypatch):
    def run(cell, number):
        request = {"metadata": {"cellId": cell}, "header": {"msg_id": f"{cell} {number}"}}
        shell = SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: request))
        monkeypatch.setattr(answering, "get_ipython", lambda: shell, raising=False)

    def widgets() -> int:
        return len(w.Widget.get_manager_state()["state"])

    run("one", 1)
    others = explore_steps(MODEL, VOCAB), explore_steps(MODEL, VOCAB)  # two in one run of a cell: both are wanted
    run("two", 1)
    first, before = Explorer(), widgets()
    for number in (2, 3, 4):
        run("two", number)
        latest = Explorer()
    assert widgets() == before and first.comm is None and latest.comm is not None
    first.pin(next(iter(first.runs.values())))  # a panel may still do so
    reference = weakref.ref(first)
    del first
    gc.collect()
    assert reference() is None and all(figure.comm is not None for figure in others)
    run("one", 2)
    again = explore_steps(MODEL, VOCAB)
    assert all(figure.comm is None for figure in others) and again.comm is not None


# The figures of the chapters


def positions(control) -> list:
    """A dozen at most of what the control can be moved to."""
    if isinstance(control, (w.IntSlider, w.FloatSlider)):
        return [type(control.value)(round(p, 1)) for p in np.linspace(control.min, control.max, 8)]
    if isinstance(control, w.Checkbox):
        return [True, False]
    return [option[1] if isinstance(option, tuple) else option for option in getattr(control, "options", ())]


FIGURES = {
    "concatenation": lambda: explore_concatenation(*SMALL_MATRICES),
    "one_hot": lambda: explore_one_hot(VOCAB),
    "start": lambda: explore_start(X[:, :10], Y[:, :10], len(VOCAB)),
    "gradient": lambda: explore_gradient(X, Y, len(VOCAB), hidden_size=8),
}


@pytest.mark.parametrize("first", [pytest.param(0, marks=pytest.mark.slow), -2], ids=["all", "the last two"])
@pytest.mark.parametrize("name", FIGURES)
def test_no_position_of_any_control_is_an_error(name, first):
    figure = FIGURES[name]()
    for control in figure.controls.values():
        assert control.description, "a control has no label"
        before = control.value
        for position in list(positions(control))[first:]:
            control.value = position
            said = words(figure.reading)
            assert figure.picture.layout.display is None, f"{control.description} at {position}: {said}"
            assert figure.picture.value[:4] == b"\x89PNG" and len(said) > 20
        control.value = before


def test_one_hot_marks_what_is_unknown_and_cuts_what_is_long():
    figure = explore_one_hot(VOCAB, "a b")
    field, cleaned = figure.controls["text"], figure.controls["cleaned"]
    assert "Indices: 2 1 3" in words(figure.reading)
    field.value = "Ab9b9"
    assert "Indices: 0 3 0 3 0" in words(figure.reading) and "in red: A 9" in words(figure.reading)
    cleaned.value = True
    assert "Indices: 2 3 1 3." in words(figure.reading)
    field.value = "!!"
    assert figure.picture.layout.display == "none" and "none of the letters" in words(figure.reading)
    cleaned.value = False
    field.value = ""
    assert "Type a text" in words(figure.reading)
    field.value = "ab " * 40_000
    assert "120,000 characters; only the first 16" in words(figure.reading) and figure.picture.layout.display is None


def test_the_start_says_what_the_first_loss_is():
    figure = explore_start(X[:, :10], Y[:, :10], len(VOCAB))
    for _, sigma in figure.controls["sigma"].options:
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


def test_the_gradient_says_when_clipping_acts():
    figure = explore_gradient(X, Y, len(VOCAB), hidden_size=8)
    for radius in (0.3, 2.5):
        figure.controls["radius"].value = radius
        for threshold in (0.01, 100.0):
            figure.controls["max_norm"].value = threshold
            norm = float(re.search(r"has the norm ([\d.e+-]+),", words(figure.reading))[1])
            assert ("leaves it alone" in words(figure.reading)) is (norm < threshold)


# The figures that the page draws


PAGES = {
    "steps": lambda: explore_steps(MODEL, VOCAB),
    "prediction": lambda: explore_prediction(MODEL, VOCAB),
    "minibatches": lambda: explore_minibatches(),
}


def ask(figure, **values) -> dict:
    """What the kernel answers when the page asks."""
    figure.page.values = {**figure.page.values, **values}
    return figure.page.answer


def test_an_answer_says_what_was_asked_and_an_error_is_said_and_goes_away():
    def answer(n):
        if n < 0:
            raise {-1: ValueError("n must not be <negative>"), -2: KeyError("surprise")}[n]
        return {"words": f"n is {n}", "drawings": []}

    figure = PageFigure(answer, {"n": slider("n", 1, -5, 5), "step": slider("step", 2, 1, None, chooses=True)})
    assert figure.page.answer == {"words": "n is 1", "drawings": [], "asked": [1]}
    assert ask(figure, n=-1) == {"error": "n must not be <negative>", "asked": [-1]}
    assert ask(figure, n=-2) == {"error": "KeyError: 'surprise'", "asked": [-2]}
    assert ask(figure, n=3)["words"] == "n is 3"
    figure.close()
    assert ask(figure, n=4)["words"] == "n is 3", "a closed figure still answers"


@given(st.text("the mar", min_size=1, max_size=40))
@settings(max_examples=10)
def test_steps_are_those_of_the_network(text):
    answer = ask(PAGES["steps"](), text=text)
    cells, frames = answer["drawings"][0]["cells"], answer["frames"]
    read = text[:24]
    assert len(cells) == len(frames) == len(read)
    state = MODEL.initial_state(1)
    for t, frame in enumerate(frames):
        outputs, state = MODEL(VOCAB.encode(read[t])[None], state)
        assert cells[t] == pytest.approx(state[0][0].tolist(), abs=6e-4)
        assert frame["drawings"][1]["series"][0]["outputs"] == outputs[0, 0, 1:].tolist()
        best = next_char_probs(outputs[0, 0]).argmax()
        shown = [plot.name_characters(c)[0] for c in (read[t], VOCAB.tokens[best])]
        assert f"Step {t + 1}: reads “{shown[0]}”, then guesses “{shown[1]}”" in frame["words"]
        assert frame["drawings"][0]["lit"] == t and ("only the first 24" in frame["words"]) is (len(text) > 24)


def test_steps_and_prediction_say_what_they_cannot_read():
    for name, field in (("steps", "text"), ("prediction", "prefix")):
        assert "prefix is empty" in ask(PAGES[name](), **{field: ""})["error"]
        assert "'<'" in ask(PAGES[name](), **{field: "a<b"})["error"]


@given(st.text("the mar", min_size=1, max_size=12), st.integers(0, 30), st.integers(0, 12), st.integers(0, 20))
@settings(max_examples=10)
def test_prediction_writes_what_generate_writes(prefix, tenths, tens, seed):
    asked = {"prefix": prefix, "temperature": tenths / 10, "num_chars": 10 * tens, "seed": seed}
    answer = ask(PAGES["prediction"](), **asked)
    warm, cold = (generate(p, 10 * tens, MODEL, VOCAB, tenths / 10, seed)[len(p) :] for p in (prefix, prefix[-1]))
    last = plot.name_characters(prefix[-1])[0]
    assert answer["words"] == f"After reading it all:  {warm}\nAfter “{last}” alone:  {cold}"
    for bars, read in zip(answer["drawings"][0]["series"], (prefix, prefix[-1]), strict=True):
        assert bars["outputs"] == warm_up(read, MODEL, VOCAB)[0][1:].tolist()
    assert "only the last 200" in ask(PAGES["prediction"](), prefix="b" * 500)["words"]


KNOWN = json.loads(gzip.decompress(all_readings(60)))


@given(st.sampled_from(list(BATCHES)), st.integers(1, 6), st.integers(2, 8), st.integers(1, 10))
def test_minibatches_say_where_they_read_and_where_their_state_comes_from(kind, batch_size, num_steps, epoch):
    make = RandomBatches if kind == "random" else SequentialBatches
    batches = make(torch.arange(60), batch_size, num_steps)
    minibatches = [[X.tolist() for X, _ in batches] for _ in range(epoch)][-1]
    values = {"kind": kind, "batch_size": batch_size, "num_steps": num_steps, "epoch": epoch}
    answer = KNOWN[json.dumps([*values.values()], separators=(",", ":"))]
    figure = PAGES["minibatches"]()
    assert answer == json.loads(json.dumps(ask(figure, **values))), "the page knows another answer than the kernel"
    drawing, frames = answer["drawings"][0], answer["frames"]
    assert [[[*range(s, s + drawing["wide"])] for s in rows] for rows in drawing["starts"]] == minibatches
    for asked, frame in enumerate(frames):
        chosen = min(asked, len(minibatches) - 1)
        carried = kind == "sequential" and chosen > 0
        (drawn,) = frame["drawings"]
        assert drawn["lit"] == chosen and drawn["badge"]["text"] == ("H" if carried else "0")
        assert ("is carried on (H)" if carried else "The state starts from zero (0)") in frame["words"]
        assert (f"has only {len(minibatches)} minibatches" in frame["words"]) is (asked > chosen)
        assert ", ".join(f"{row[0]}–{row[-1]}" for row in minibatches[chosen]) in frame["words"]
    assert len(frames) == min(len(minibatches) + 1, 10)


# The guessing game


def shares_of(text: str, seed: int = 0) -> torch.Tensor:
    """Shares before every character of a text but the first, all different, none for `<unk>`."""
    outputs = torch.randn(len(text) - 1, len(VOCAB), generator=torch.Generator().manual_seed(seed)).double()
    outputs[:, 0] = -torch.inf
    return torch.softmax(outputs, dim=1)


@given(st.text("the mar", min_size=2, max_size=30), st.integers(0, 99))
@settings(max_examples=20)
def test_ranks_count_the_guesses_until_the_right_one(text, seed):
    found = shares_of(text, seed)
    firsts, ranks = ranks_of(found, text[1:], VOCAB)
    for row, character, first, rank in zip(found.tolist(), text[1:], firsts, ranks, strict=True):
        guesses = sorted(VOCAB.tokens[1:], key=lambda token, row=row: -row[VOCAB.index[token]])
        assert first == guesses[0] and rank == guesses.index(character) + 1
    with pytest.raises(ValueError, match="shares for 1 characters"):
        ranks_of(found[:1], text + "e", VOCAB)


def test_bits_of_ranks_are_their_entropy():
    assert bits_of_ranks([1] * 9) == 0 and bits_of_ranks([1, 2] * 5) == 1
    assert bits_of_ranks([*range(1, 28)] * 3) == pytest.approx(np.log2(27))
    assert bits_of_ranks([1, 1, 2, 5]) == pytest.approx(1.5)


def test_the_game_has_whole_passages_of_the_text_and_their_ranks():
    text = clean(read_book())[2000:4000]
    found = {"table": shares_of(text), "network": shares_of(text, 1)}
    game = GuessingGame(text, found, VOCAB, num_passages=5)
    ranks = {name: ranks_of(player, text[1:], VOCAB) for name, player in found.items()}
    assert len(game.passages) == 5 and game.game.frame["letters"] == VOCAB.tokens[1:]
    for passage in game.passages:
        assert (len(passage["shown"]), len(passage["hidden"])) == (BEFORE, HIDDEN)
        start = text.index(passage["shown"] + passage["hidden"])
        assert text[start - 1] == " ", "it begins within a word"
        at = slice(start + BEFORE - 1, start + BEFORE + HIDDEN - 1)
        for player in passage["players"]:
            firsts, places = ranks[player["name"]]
            assert (player["firsts"], player["ranks"]) == (firsts[at], places[at])
    assert "image/png" in game._repr_mimebundle_()
    for wrong in (text[: BEFORE + HIDDEN], ""):
        with pytest.raises(ValueError, match="needs a text of more than 160"):
            GuessingGame(wrong, {}, VOCAB)
    with pytest.raises(ValueError, match="num_passages must be"):
        GuessingGame(text, found, VOCAB, 0)


def test_ranks_are_drawn_below_their_letters(ax):
    draw_ranks(ax, "a b", {"table": [1, 27, 3, 4], "network": [2, 1, 9]})
    assert texts(ax) == ["1", "27", "3", "2", "1", "9"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "␣", "b"]


def test_a_cure_that_helps_is_blue_on_either_side():
    axes = Figure().subplots(1, 2)
    ends = {"plain": 6.0, "a": 5.0, "b": 7.0, "all five": 4.0, "all but a": 4.5, "all but b": 3.5}
    beating.draw_cures(axes, ends, ["a", "b"])
    for ax, values in zip(axes, ([5.0, 7.0], [4.5, 3.5]), strict=True):
        assert [bar.get_width() for bar in ax.patches] == values
        assert [matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in ax.patches] == [plot.BLUE, plot.RED]
        assert texts(ax) == [f"{value:.2f}" for value in values]


def test_a_race_says_when_each_is_there(ax):
    new, old = beating.draw_race(ax, [0.5, 0.5, 1.0, 1.0], [9, 2, 1.05, 1.01], 2.0, [20, 5, 1.2, 1.09, 1.2])
    assert (new, old) == (2.0, 8.0)
    corpus = VOCAB.encode(clean(read_book())[:3000])
    records = (Record(epoch, 9.0 - epoch, 1.0, 1000.0) for epoch in (1, 2))
    seconds, curve, each = beating.race(records, corpus, VOCAB)
    assert curve == [8.0, 7.0] and max(seconds) < each, "the classic epoch counts as one of the other's"


def test_bits_are_bars_and_people_a_range(ax):
    beating.draw_bits(ax, {"a": 2.0, "b": 3.5}, ours=["a"], people=(0.6, 1.3))
    assert [(bar.get_x(), bar.get_width()) for bar in ax.patches] == [(0, 3.5), (0, 2.0), (0.6, pytest.approx(0.7))]
    assert texts(ax) == ["3.50", "2.00", "0.6 to 1.3"]


def test_compressors_need_less_of_what_they_have_read():
    page = clean(read_book())[:4000]
    bits = beating.compressed_bits(page, before=page)
    assert set(bits) == {f"{name}{more}" for name in ("zlib", "bz2", "lzma") for more in ("", ", after the book")}
    for name in ("zlib", "lzma"):
        assert bits[f"{name}, after the book"] < 0.5 < 2 < bits[name] < 5
