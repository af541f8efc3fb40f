"""The live panel in a real page: every button in every order, beside other cells, over a reload, and its price."""

import re
import time

import pytest

from .conftest import Widget, measured

MAKE = """from helpers import plot
from helpers.figures.live_panel import LivePanel
from helpers.runs.settings import Settings
plot.use_style()"""
PANEL = """before = globals().get("panel")
panel = LivePanel(Settings("sequential", hidden_size=128, lr=1.0, max_norm=1.0, num_epochs=500))
panel"""
HOW_FAR = "print(len(panel.run.perplexity), 'epochs so far; the panel before:', before and before.phase)"
CELLS = [MAKE, PANEL, HOW_FAR]
PRICE = """import time
from helpers.runs.settings import make_batches, make_model
from helpers.train import train
settings = Settings("sequential", hidden_size=512, lr=1.0, max_norm=1.0, num_epochs=500)
panel = LivePanel(settings)
display(panel)
class Timed(list):
    def __init__(self):
        self.times = []
    def append(self, number):
        super().append(number)
        self.times.append((time.perf_counter(), time.process_time()))
bare, spent = Timed(), {"bare": [0, 0], "live": [0, 0]}
batches = make_batches(settings, panel._corpus[:settings.num_chars])
epochs = train(make_model(settings, len(panel.vocab)), batches, 10**6, 1.0, 1.0)
def count(name, times):
    for n in (0, 1):
        spent[name][n] += times[-1][n] - times[0][n]
panel.start()
live = panel.run.perplexity = Timed()
for number in range(ROUNDS + 1):  # in turn, so that whatever else the machine does hits both
    panel.resume()
    wanted = len(live) + 5
    while len(live) < wanted:
        time.sleep(0.02)
    panel.pause()
    if number:  # the first look at unseen text is dear for so short a run
        count("live", live.times[wanted - 4:wanted])
    while panel.phase != "paused":
        time.sleep(0.02)
    for _ in range(4):
        bare.append(next(epochs).perplexity)
    count("bare", bare.times[-4:])
panel.stop()
for n, clock in enumerate(("wall", "cpu")):
    print(clock, spent["bare"][n] / spent["live"][n])"""


@pytest.fixture
def panel(book) -> Widget:
    return book.figure()


def is_(panel: Widget, phase: str) -> bool:
    return panel.says().startswith(phase)


def epoch(panel: Widget) -> int:
    found = re.search(r"epoch (\d+) of", panel.says())
    return int(found[1]) if found else 0


def wait_for_epoch(panel: Widget, number: int) -> None:
    panel.wait_until(lambda: epoch(panel) >= number, f"epoch {number}", 60)


def click_until(panel: Widget, name: str, phase: str) -> None:
    start = time.monotonic()
    panel.button(name).click()
    panel.wait_until(lambda: is_(panel, phase), f"{name} leads to {phase}")
    if name in ("Pause", "Stop"):
        measured(f"{name} to {phase}, s", time.monotonic() - start)


def test_every_button(panel):
    assert is_(panel, "ready")
    assert panel.button("Pause").is_disabled() and panel.button("Stop").is_disabled()
    click_until(panel, "Start", "running")
    assert panel.button("Start").is_disabled(), "a second start is offered"
    wait_for_epoch(panel, 5)
    picture, sample = panel.picture(), panel.says()
    panel.wait_until(lambda: panel.picture() != picture and panel.says() != sample, "curve and numbers move", 30)
    for _ in range(3):
        click_until(panel, "Pause", "paused")
        stands = epoch(panel)
        panel.page.wait_for_timeout(300)
        assert epoch(panel) == stands, "it trains on while it is paused"
        click_until(panel, "Resume", "running")
    click_until(panel, "Stop", "stopped")
    assert "the model keeps what it has learned" in panel.says() and "It writes" in panel.says()
    assert epoch(panel) > 0 and panel.button("Start").is_enabled()
    panel.box.locator("svg").focus()
    panel.page.keyboard.press("End")
    under = re.match(r"epoch (\d+): training text ([\d.]+)", panel.box.locator(".point").inner_text())
    assert int(under[1]) == epoch(panel) and float(under[2]) == float(
        re.search(r"perplexity ([\d.]+)", panel.says())[1]
    )
    click_until(panel, "Reset", "ready")
    assert epoch(panel) == 0
    click_until(panel, "Start", "running")
    wait_for_epoch(panel, 2)
    click_until(panel, "Reset", "ready")
    panel.page.wait_for_timeout(300)
    assert is_(panel, "ready") and epoch(panel) == 0, "the run goes on after a reset"
    for _ in range(3):
        click_until(panel, "Start", "running")
        panel.page.wait_for_timeout(100)
        click_until(panel, "Stop", "stopped")


def test_a_run_to_its_end_with_other_settings_and_another_network(panel):
    panel.choose("network", "torch.nn.GRU")
    panel.choose("minibatches", "random")
    panel.choose("hidden units", "32")
    panel.choose("learning rate", "3")
    panel.choose("clipping", "off")
    panel.choose("epochs", "50")
    click_until(panel, "Start", "running")
    settings = panel.box.locator("select").first
    panel.wait_until(settings.is_disabled, "settings cannot be changed while it runs")
    panel.wait_until(lambda: is_(panel, "finished"), "the end", 120)
    assert epoch(panel) == 50
    panel.wait_until(settings.is_enabled, "settings can be changed again")


def test_divergence_is_said_in_words(panel):
    panel.choose("learning rate", "10")
    panel.choose("clipping", "off")
    click_until(panel, "Start", "running")
    panel.wait_until(lambda: "diverged: above 100 in epoch" in panel.says(), "where it diverged", 60)
    click_until(panel, "Stop", "stopped")


def test_an_error_inside_training_is_shown_in_the_panel(book):
    book.run_cell(1, PANEL.removesuffix("panel") + "panel._corpus = panel._corpus[:700]\npanel")  # for 32 rows of 35
    panel = book.figure()
    panel.button("Start").click()
    panel.wait_until(lambda: is_(panel, "failed") and "need at least" in panel.says(), "what is wrong")


def test_an_error_of_a_sample_is_shown_in_the_panel(book):
    late = """from helpers.figures import live_run
def fails(*arguments, **options):
    live_run.generate = generate
    raise ValueError("the sample could not be written")
generate, live_run.generate = live_run.generate, fails
"""
    book.run_cell(1, late + PANEL)
    panel = book.figure()
    panel.button("Start").click()
    panel.wait_until(lambda: is_(panel, "failed") and "could not be written" in panel.says(), "the error", 30)
    assert panel.button("Start").is_enabled()


def test_running_the_cell_again_stops_the_first_run(book):
    click_until(book.figure(), "Start", "running")
    wait_for_epoch(book.figure(), 2)
    book.run_cell(1)
    panel = book.figure()
    panel.wait_until(lambda: is_(panel, "ready"), "the new panel is ready")
    book.run_cell(2)
    assert "the panel before: stopped" in book.page.locator(".jp-Notebook").inner_text()
    click_until(panel, "Start", "running")
    wait_for_epoch(panel, 2)
    click_until(panel, "Stop", "stopped")


def test_other_cells_run_beside_it_and_the_page_can_be_reloaded(book):
    panel = book.figure()
    panel.choose("epochs", "500")
    click_until(panel, "Start", "running")
    wait_for_epoch(panel, 2)
    last = book.page.locator(".jp-CodeCell").nth(2)

    def run_last() -> int:
        book.run_cell(2)
        return int(re.search(r"(\d+) epochs so far", last.locator(".jp-OutputArea-output").inner_text())[1])

    assert run_last() >= 2
    book.save()
    book.open()
    first = run_last()
    book.page.wait_for_timeout(500)
    assert run_last() > first, "the run does not go on after a reload"
    panel = book.figure()
    wait_for_epoch(panel, first + 1)  # the panel is alive
    click_until(panel, "Stop", "stopped")


def test_the_price_of_the_panel_is_measured(book):
    book.run_cell(1, PRICE.replace("ROUNDS", "9"))
    shown = book.page.locator(".jp-Notebook").inner_text()
    for clock in ("wall", "cpu"):
        ratio = float(re.findall(rf"{clock} (\d+\.\d+)", shown)[-1])
        measured(f"live panel / bare loop, 512 units, {clock} time", ratio)
        assert ratio > 0.6, "the panel costs a large part of the time"
