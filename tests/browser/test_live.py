"""The live panel in a real page: every button in every order, beside other cells, over a reload, and its price."""

import re
import time

import pytest

from .conftest import Widget, measured

MAKE = """from helpers import plot
from helpers.record import Settings
from helpers.widgets import Explorer, LivePanel
plot.use_style()"""
PANEL = """before = globals().get("panel")
panel = LivePanel(Settings("sequential", hidden_size=128, lr=1.0, max_norm=1.0, num_epochs=200))
panel"""
PRICE = """import time
from helpers.record import make_batches, make_model
from helpers.train import train
settings = Settings("sequential", hidden_size=512, lr=1.0, max_norm=1.0, num_epochs=500)
panel = LivePanel(settings)
display(panel)
def bare(seconds):
    model = make_model(settings, len(panel.vocab))
    batches = make_batches(settings, panel._corpus[:settings.num_chars])
    start, tokens = time.perf_counter(), 0
    for record in train(model, batches, 500, 1.0):
        tokens += 8960  # of an epoch: 8 minibatches of 32 x 35
        if time.perf_counter() - start > seconds:
            return tokens / (time.perf_counter() - start)
def live(seconds):
    panel.start()
    start = time.perf_counter()
    time.sleep(seconds)
    panel.stop()
    return 8960 * len(panel.run.perplexity) / (time.perf_counter() - start)
bare(2)
ratios = []
for _ in range(2):
    ratios.append(live(6) / bare(6))
print("ratio", sum(ratios) / 2)"""


HOW_FAR = "print(len(panel.run.perplexity), 'epochs so far; the panel before:', before and before.state)"


@pytest.fixture(scope="module")
def kept(keep_open):
    return keep_open("live.ipynb", [MAKE, PANEL, HOW_FAR])


@pytest.fixture
def book(kept):
    kept.run_cell(1)  # a new panel
    yield kept
    kept.check()


def button(panel: Widget, name: str):
    return panel.box.get_by_role("button", name=name, exact=True)


def is_(panel: Widget, state: str) -> bool:
    return panel.says().startswith(state)


def epoch(panel: Widget) -> int:
    found = re.search(r"epoch (\d+) of", panel.says())
    return int(found[1]) if found else 0


def click_until(panel: Widget, name: str, state: str, measure: bool = False) -> None:
    start = time.monotonic()
    button(panel, name).click()
    panel.wait_until(lambda: is_(panel, state), f"{name} leads to {state}")
    if measure:
        measured(f"{name} to {state}, s", time.monotonic() - start)


def test_every_button(book):
    panel = book.figure()
    assert is_(panel, "ready")
    assert button(panel, "Pause").is_disabled() and button(panel, "Stop").is_disabled()
    panel.shot("live_ready")
    click_until(panel, "Start", "running")
    assert button(panel, "Start").is_disabled(), "a second start is offered"
    panel.wait_until(lambda: epoch(panel) >= 5, "epochs pass", 30)
    picture, sample = panel.picture(), panel.says()
    panel.wait_until(lambda: panel.picture() != picture and panel.says() != sample, "picture and numbers move", 30)
    panel.shot("live_running")
    for _ in range(5):
        click_until(panel, "Pause", "paused", measure=True)
        stands = epoch(panel)
        panel.page.wait_for_timeout(400)
        assert epoch(panel) == stands, "it trains on while it is paused"
        click_until(panel, "Resume", "running")
    click_until(panel, "Stop", "stopped", measure=True)
    stands = epoch(panel)
    assert "the model keeps what it has learned" in panel.says() and "It writes" in panel.says()
    assert stands > 0 and not button(panel, "Start").is_disabled()
    panel.shot("live_stopped")
    click_until(panel, "Reset", "ready")
    assert epoch(panel) == 0
    click_until(panel, "Start", "running")
    panel.wait_until(lambda: epoch(panel) >= 2, "it runs again", 30)
    click_until(panel, "Reset", "ready")
    panel.page.wait_for_timeout(500)
    assert is_(panel, "ready") and epoch(panel) == 0, "the run goes on after a reset"
    for _ in range(5):
        click_until(panel, "Start", "running")
        panel.page.wait_for_timeout(300)
        click_until(panel, "Stop", "stopped", measure=True)


def choose(panel: Widget, label: str, option: str) -> None:
    line = panel.box.locator(".widget-dropdown").filter(has=panel.page.get_by_text(label, exact=True))
    line.locator("select").select_option(label=option)


def test_a_run_to_its_end_with_other_settings_and_another_network(book):
    panel = book.figure()
    choose(panel, "network", "torch.nn.GRU")
    choose(panel, "minibatches", "random")
    choose(panel, "hidden units", "32")
    choose(panel, "learning rate", "3")
    choose(panel, "clipping", "off")
    choose(panel, "epochs", "100")
    click_until(panel, "Start", "running")
    settings = panel.box.locator("select").first
    panel.wait_until(settings.is_disabled, "settings cannot be changed while it runs")
    panel.wait_until(lambda: is_(panel, "finished"), "the end", 120)
    assert epoch(panel) == 100
    panel.wait_until(settings.is_enabled, "settings can be changed again")
    panel.shot("live_finished")


def test_divergence_is_said_in_words(book):
    panel = book.figure()
    choose(panel, "learning rate", "10")
    choose(panel, "clipping", "off")
    click_until(panel, "Start", "running")
    panel.wait_until(lambda: "diverged: above 100 in epoch" in panel.says(), "where it diverged", 60)
    click_until(panel, "Stop", "stopped")


def test_an_error_inside_training_is_shown_in_the_panel(open_book, lab):
    broken = "panel._corpus = panel._corpus[:700]\npanel"  # too short for 32 rows of 35
    late = """from helpers import widgets
def fails(*arguments, **options):
    raise ValueError("the sample could not be written")
widgets.generate = fails"""
    lab.write("broken.ipynb", [MAKE, PANEL.removesuffix("\npanel"), broken, late])
    book = open_book("broken.ipynb")
    book.run()
    panel = book.figure()
    button(panel, "Start").click()
    panel.wait_until(lambda: is_(panel, "failed") and "need at least" in panel.says(), "what is wrong")
    lab.write("late.ipynb", [MAKE, PANEL, late])
    book.close()
    book = open_book("late.ipynb")
    book.run()
    panel = book.figure()
    button(panel, "Start").click()
    panel.wait_until(lambda: is_(panel, "failed") and "could not be written" in panel.says(), "the error", 30)
    assert not button(panel, "Start").is_disabled()
    book.check()


def test_running_the_cell_again_stops_the_first_run(book):
    panel = book.figure()
    click_until(panel, "Start", "running")
    panel.wait_until(lambda: epoch(panel) >= 2, "epochs pass", 30)
    book.run_cell(1)
    panel = book.figure()
    panel.wait_until(lambda: is_(panel, "ready"), "the new panel is ready")
    book.run_cell(2)
    assert "the panel before: stopped" in book.page.locator(".jp-Notebook").inner_text()
    click_until(panel, "Start", "running")
    panel.wait_until(lambda: epoch(panel) >= 2, "the new one trains", 30)
    click_until(panel, "Stop", "stopped")


def test_other_cells_run_beside_it_and_the_page_can_be_reloaded(book):
    panel = book.figure()
    choose(panel, "epochs", "500")
    click_until(panel, "Start", "running")
    panel.wait_until(lambda: epoch(panel) >= 2, "epochs pass", 30)
    last = book.page.locator(".jp-CodeCell").nth(2)

    def run_last() -> int:
        book.run_cell(2)
        return int(re.search(r"(\d+) epochs so far", last.locator(".jp-OutputArea-output").inner_text())[1])

    assert run_last() >= 2
    book.menu("File", "Save Notebook")
    book.page.wait_for_timeout(500)
    book.open()
    first = run_last()
    book.page.wait_for_timeout(1000)
    assert run_last() > first, "the run does not go on after a reload"
    panel = book.figure()
    panel.wait_until(lambda: epoch(panel) > first, "the panel is alive after a reload", 30)
    click_until(panel, "Stop", "stopped")


def test_a_live_run_joins_the_recorded_ones(open_book):
    book = open_book("08_perplexity.ipynb")
    book.run()
    explorer, panel = book.figures()
    choose(panel, "epochs", "20")
    click_until(panel, "Start", "running")
    panel.wait_until(lambda: is_(panel, "finished"), "the end", 60)
    before = explorer.picture()
    button(panel, "Pin").click()
    explorer.wait_until(lambda: explorer.picture() != before, "the live run in the explorer's picture")
    explorer.shot("08_explorer_with_live_run")
    book.check()


def test_the_price_of_the_panel_is_measured(open_book, lab):
    lab.write("price.ipynb", [MAKE, PRICE])
    book = open_book("price.ipynb")
    book.run(timeout=240)
    text = book.page.locator(".jp-Notebook").inner_text()
    ratio = float(re.search(r"ratio (\d+\.\d+)", text)[1])
    measured("live panel / bare loop, tokens per second, 512 units", ratio)
    assert ratio > 0.6, "the panel costs a large part of the time"
    book.check()
