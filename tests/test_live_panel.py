"""The live panel, without a page: the gate, the budget, the run and every button; the browser tests click in one."""

import gc
import json
import math
import re
import threading
import time
from dataclasses import replace

import pytest
import torch

from helpers.figures import live_panel, live_run
from helpers.figures.answering import FALLBACK, Box
from helpers.figures.budget import Budget
from helpers.figures.explorer import Explorer
from helpers.figures.gate import Gate, Stopped
from helpers.figures.live_panel import LivePanel
from helpers.figures.live_run import LiveRun
from helpers.figures.page import curve
from helpers.generate import generate
from helpers.require import TrainingDiverged
from helpers.runs.settings import BATCHES, Settings, make_batches, make_model
from helpers.text import Vocab, clean, read_book
from helpers.train import evaluate, train

TEXT = clean(read_book())[:5000]
SMALL = Settings("sequential", hidden_size=16, lr=1.0, max_norm=1.0, num_epochs=400, num_chars=2000, batch_size=8)


def words(widget) -> str:
    return re.sub(r"<[^>]*>", "", widget.value)


@pytest.fixture
def panel():
    panel = LivePanel(SMALL, text=TEXT)
    yield panel
    panel.stop()
    panel.close()


def wait_for(holds, timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def epochs(panel) -> int:
    return len(panel.run.perplexity)


def train_until(panel, epoch: int) -> None:
    panel.start()
    wait_for(lambda: epochs(panel) >= epoch)


def pause(panel) -> None:
    panel.pause()
    wait_for(lambda: panel.phase == "paused")


def fails(error: BaseException):
    def fail(*args, **kwargs):
        raise error

    return fail


# The gate, the budget and the run, on a clock that only the test moves


class Clock:
    """Stands in for time.perf_counter, and for the panel that shows a run."""

    def __init__(self):
        self.now, self.pictures, self.phases, self.speeds, self.pause_after = 0.0, 0, [], set(), math.inf

    def show(self, live, picture: bool) -> None:
        self.phases.append(live.phase)
        self.now += 0.2 if picture else 0.0
        self.pictures += picture
        if live.phase == "paused":
            self.now += 1000.0
            live.gate.resume()
        elif live.epoch >= self.pause_after:
            self.pause_after = math.inf
            live.gate.pause()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    return clock


@pytest.fixture
def slow_run(clock, monkeypatch):
    """A run to which each question at the gate costs a hundredth of a second, and each sample a tenth."""
    ask, write = Gate.ask, live_run.generate

    def slow_ask(gate):
        clock.now += 0.01
        clock.speeds.add(round(run.speed))
        ask(gate)

    def slow_write(*args):
        clock.now += 0.1
        return write(*args)

    monkeypatch.setattr(live_run, "SHARES", {"sample": 0.02, "unseen": 0.03, "draw": 0.03})
    monkeypatch.setattr(Gate, "ask", slow_ask)
    monkeypatch.setattr(live_run, "generate", slow_write)
    vocab = Vocab(TEXT)
    run = LiveRun(replace(SMALL, num_epochs=200), vocab, vocab.encode(TEXT[:4000]), clock.show)
    return run  # slow_ask looks at it


def test_a_gate_holds_and_stops_and_its_clock_stands_still_meanwhile(clock):
    told = []

    def tell(waits):
        told.append(waits)
        clock.now += 100
        gate.resume()

    gate = Gate(tell)
    gate.ask()
    assert told == []
    gate.pause()
    gate.ask()
    assert told == [True, False] and gate.clock() == clock.now - 100 == 100
    budget = Budget(0.1, gate.clock)
    with budget.spend():
        gate.pause()
        gate.ask()
    assert budget.spent == pytest.approx(100), "the pause itself was charged, or what came after it was not"
    gate.stop()
    gate.pause()  # a moment too late
    with pytest.raises(Stopped):
        gate.ask()
    assert told == [True, False] * 2, "it said that it waits, and it does not"


@pytest.mark.parametrize("late", [True, False])
def test_a_run_that_waits_can_be_stopped_even_if_a_pause_comes_right_after(late):
    def tell(waits):
        if late:
            gate.stop()
            gate.pause()

    def run():
        with pytest.raises(Stopped):
            gate.ask()
        ended.set()

    ended, gate = threading.Event(), Gate(tell)
    gate.pause()
    threading.Thread(target=run, daemon=True).start()
    if not late:
        assert not ended.wait(0.2)
        gate.stop()
    assert ended.wait(20)


@pytest.mark.parametrize("share, cost", [(0.03, 0.5), (0.2, 0.01), (0.5, 3.0)])
def test_what_costs_much_comes_seldom_but_comes(clock, share, cost):
    budget, times = Budget(share, lambda: clock.now), 0
    while clock.now < 1000:
        clock.now += 0.1
        if budget.allows():
            times += 1
            with pytest.raises(ValueError), budget.spend():  # what fails is booked, too
                clock.now += cost
                raise ValueError
            assert budget.spent <= share * clock.now + cost
    assert times * cost == pytest.approx(budget.spent) and budget.spent > 0.5 * share * min(1000, 1000 * cost)


def test_the_acts_beside_training_leave_it_97_percent_of_the_time():
    assert sum(live_run.SHARES.values()) <= 0.03


def test_drawing_and_looking_keep_to_their_share(slow_run, clock):
    clock.pause_after = 50
    slow_run.start()
    slow_run.wait()
    assert slow_run.phase == "finished" and "paused" in clock.phases
    seconds = clock.now - 1000
    for act, share in live_run.SHARES.items():
        cost = {"draw": 0.2, "sample": 0.11, "unseen": 0.07}[act]
        spent = slow_run.budgets[act].spent
        assert 0 < spent <= share * seconds + cost + 0.01, f"{act} took another share"
    assert clock.pictures >= 3 and 2 < len(slow_run.run.samples) and 2 < len(slow_run.run.unseen) < 200
    minibatches = 200 * 7  # 8 rows of about 245 characters, 35 at a time, sometimes one minibatch less
    assert 0.8 * minibatches * 0.01 < slow_run.seconds < 1.1 * minibatches * 0.01, "the pause was counted as training"
    assert clock.speeds == {0, round(8 * 35 / 0.01)}, "a pause or a picture slowed the training down"


def test_a_run_asks_the_gate_before_each_minibatch_and_every_few_hundred_characters(slow_run, clock, monkeypatch):
    read, forward = [], type(slow_run.model).__call__

    def seen(model, X, state):
        read.append((clock.now, X.numel()))
        return forward(model, X, state)

    monkeypatch.setattr(type(slow_run.model), "__call__", seen)
    slow_run.settings = replace(slow_run.settings, num_epochs=40)
    slow_run.start()
    slow_run.wait()
    asked = [now for now, size in read if size > len("time traveller ")]  # a sample is short and asks once
    assert len(set(asked)) == len(asked) >= 40 * 6, "read twice with no question between"
    assert max(size for _, size in read) <= 500


# The panel


@pytest.mark.parametrize("batches", BATCHES)
def test_a_live_run_is_the_run_that_train_makes(panel, batches):
    panel.controls["num_epochs"].value, panel.controls["batches"].value = 20, batches
    panel.start()
    panel.wait(60)
    assert panel.phase == "finished" and epochs(panel) == 20
    model = make_model(panel.run.settings, len(panel.vocab))
    corpus = panel.vocab.encode(TEXT)
    plain = [r.perplexity for r in train(model, make_batches(panel.run.settings, corpus[:2000]), 20, 1.0, 1.0)]
    assert panel.run.perplexity == pytest.approx(plain, rel=1e-6)
    assert panel.run.unseen[20] == pytest.approx(evaluate(model, corpus[2000:4000]), rel=1e-6)
    assert panel.run.samples[20] == generate("time traveller ", 65, model, panel.vocab)
    assert panel.run.samples[20] in words(panel.sample)
    seen, unseen = panel.curves.answer["drawings"][0]["series"]
    assert seen["x"] == list(range(1, 21)) and seen["y"] == pytest.approx(panel.run.perplexity, rel=1e-3)
    assert dict(zip(unseen["x"], unseen["y"], strict=True)) == pytest.approx(panel.run.unseen, rel=1e-3)
    panel._live._score(panel.model, corpus[2000:4000], live_run.ROWS, live_run.RUN_UP)
    assert panel.run.unseen[20] == pytest.approx(evaluate(model, corpus[2060:4000]), rel=0.01), "in rows it is another"


def test_values_that_are_not_finite_can_be_sent():
    sent = curve("training text", {1: 1e80, 2: math.inf, 3: math.nan}, "red")
    assert json.loads(json.dumps(sent, allow_nan=False))["y"] == [1e80, 1e300, None]


def test_every_network_can_be_trained_live(panel):
    panel.controls["num_epochs"].value = 20
    for network in ("scratch", "RNN", "GRU", "LSTM"):
        panel.controls["network"].value = network
        panel.start()
        panel.wait(60)
        assert panel.phase == "finished" and panel.run.perplexity[-1] < 20, network


def test_pause_holds_and_resume_goes_on_and_stop_leaves_a_usable_model(panel):
    train_until(panel, 3)
    pause(panel)
    stands = epochs(panel)
    before = [p.clone() for p in panel.model.parameters()]
    time.sleep(0.2)
    assert epochs(panel) == stands
    assert all(torch.equal(a, b) for a, b in zip(before, panel.model.parameters(), strict=True))
    panel.resume()
    wait_for(lambda: epochs(panel) > stands)
    panel.stop()
    assert panel.phase == "stopped" and len(panel.run.grad_norm) == epochs(panel)
    generate("time", 10, panel.model, panel.vocab)


def test_a_paused_run_can_be_stopped(panel):
    train_until(panel, 1)
    pause(panel)
    samples = dict(panel.run.samples)
    panel.stop()
    assert panel.phase == "stopped" and "It writes now" in words(panel.sample)
    assert panel.run.samples == samples, "a sample of a half epoch stands among those of whole epochs"


def test_buttons_are_usable_only_when_they_do_something(panel):
    def usable() -> set[str]:
        assert all(control.disabled is ("stop" in on) for control in panel.controls.values() for on in [names()])
        return names()

    def names() -> set[str]:
        return {name for name, button in panel.buttons.items() if not button.disabled}

    assert usable() == {"start"}
    train_until(panel, 1)
    assert usable() == {"pause", "stop", "reset"}
    pause(panel)
    wait_for(lambda: usable() == {"resume", "stop", "reset"})
    panel.stop()
    assert usable() == {"start", "reset"}


def test_a_run_that_was_reset_says_and_changes_nothing_more(panel):
    train_until(panel, 1)
    old = panel._live
    panel._renew()  # as if its thread had not ended in time
    wait_for(lambda: old.epoch >= 5)
    assert panel.phase == "ready" and epochs(panel) == 0 and panel.model is not old.model
    shown = panel.status.value, panel.sample.value, panel.curves.answer
    old.gate.stop()
    old.wait()
    assert shown == (panel.status.value, panel.sample.value, panel.curves.answer) and "ready" in shown[0]


def test_buttons_at_the_wrong_moment_do_nothing(panel):
    for act in (panel.pause, panel.resume, panel.stop, panel.reset):
        act()
    assert panel.phase == "ready" and epochs(panel) == 0
    panel.start()
    thread = panel._live.thread
    panel.start()
    assert panel._live.thread is thread, "a second start began a second run"
    panel.reset()
    assert panel.phase == "ready" and epochs(panel) == 0 and not thread.is_alive()
    time.sleep(0.2)
    assert panel.phase == "ready" and epochs(panel) == 0


def test_a_new_panel_stops_the_run_of_the_old_one(panel):
    train_until(panel, 1)
    other = LivePanel(SMALL, text=TEXT)
    assert panel.phase == "stopped"
    train_until(panel, 1)
    other.start()
    assert panel.phase == "stopped" and other.phase == "running"
    other.stop()


@pytest.mark.parametrize("where, name", [(live_run, "make_model"), (live_panel, "curves_of"), (live_panel, "row_of")])
@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_panel_that_could_not_be_made_stands_in_nobodys_way(panel, monkeypatch, where, name, error):
    with monkeypatch.context() as broken:
        broken.setattr(where, name, fails(error))
        try:
            LivePanel(SMALL, text=TEXT)
        except BaseException as raised:
            assert raised is error
    train_until(panel, 1)
    assert LivePanel(SMALL, text=TEXT).phase == "ready" and panel.phase == "stopped"


@pytest.mark.parametrize("give_up", [LivePanel.close, Box.close])
def test_a_panel_that_is_closed_or_thrown_away_ends_its_run(give_up):
    panel = LivePanel(SMALL, text=TEXT)
    train_until(panel, 1)
    live = panel._live
    pause(panel)
    give_up(panel)  # Box.close: only the page has let it go, and nothing else does any more
    del panel
    gc.collect()
    live.wait(20)
    assert not live.thread.is_alive() and live.phase == "stopped" and live.model is None


# Errors


def test_an_error_in_a_button_is_said_and_a_run_goes_on_as_the_only_one(panel, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(live_run, "make_model", fails(RuntimeError("no room for this <model>")))
        panel.buttons["start"].click()
    assert panel.phase == "failed" and "no room for this &lt;model&gt;" in panel.status.value
    train_until(panel, 1)
    thread = panel._live.thread
    panel._press(fails(KeyError("surprise")))
    assert panel.phase == "running" and "KeyError: &#x27;surprise&#x27;" in panel.status.value
    panel.buttons["start"].click()
    assert panel._live.thread is thread and thread.is_alive() and "surprise" not in panel.status.value


def test_an_error_inside_training_is_said_and_a_new_start_works(panel, monkeypatch):
    monkeypatch.setattr(live_run, "generate", fails(RuntimeError("no <sample> today")))
    panel.start()
    panel.wait(30)
    assert panel.phase == "failed" and "no &lt;sample&gt; today" in panel.status.value
    monkeypatch.undo()
    train_until(panel, 2)
    assert panel.phase == "running"


def test_an_error_in_a_picture_is_said_and_the_training_goes_on(panel, monkeypatch):
    panel.controls["num_epochs"].value = 50
    with monkeypatch.context() as broken:
        broken.setattr(live_panel, "curves_of", fails(RuntimeError("no curve today")))
        panel.start()
        panel.wait(60)
        assert panel.phase == "finished" and epochs(panel) == 50 and "no curve today" in panel.status.value
    panel.reset()
    assert "no curve" not in panel.status.value


def test_settings_that_do_not_work_are_said():
    panel = LivePanel(replace(SMALL, batch_size=64, num_chars=300), text=TEXT)
    panel.start()
    assert panel.phase == "failed" and "need at least" in panel.status.value


def test_divergence_is_a_phase_of_its_own(panel, monkeypatch):
    def breaks(*arguments):
        raise TrainingDiverged("the loss is nan")
        yield

    monkeypatch.setattr(live_run, "train", breaks)
    panel.start()
    panel.wait(30)
    assert panel.phase == "diverged" and "the loss is nan" in panel.status.value
    assert panel.run.stopped == "the loss is nan"


# Beside the explorer, and without a page


def test_a_live_run_is_pinned_as_it_stands():
    explorer = Explorer()
    panel = LivePanel(replace(SMALL, num_epochs=5), text=TEXT, explorer=explorer)
    panel.buttons["pin"].click()
    assert explorer.pins == [] and "no whole epoch" in panel.status.value
    panel.start()
    panel.wait(30)
    panel.buttons["pin"].click()
    ((pinned, name, _),) = explorer.pins
    assert name == "live 1" and pinned.perplexity == panel.run.perplexity
    for grows in (panel.run.perplexity, panel.run.grad_norm):  # as if it went on
        grows.append(1.0)
    panel.run.samples[6] = panel.run.unseen[6] = 1.0
    assert [*map(len, (pinned.perplexity, pinned.grad_norm))] == [5, 5] and max(pinned.samples, default=0) <= 5
    explorer.close()  # its cell runs again
    newer = Explorer()
    panel.buttons["pin"].click()
    assert len(explorer.pins) == 1 and [pin.name for pin in newer.pins] == ["live 2"]
    panel.reset()
    assert len(pinned.perplexity) == 5, "a reset took the pinned run away"


def test_a_page_without_widgets_shows_a_sentence(panel):
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == FALLBACK and "application/vnd.jupyter.widget-view+json" in bundle
