"""The explorer in JupyterLab: values under the pointer, pins, keys, touch, themes, widths, what it must not do."""

import random
import re
import shutil
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from helpers.figures.explorer_data import CELLS as MAP
from helpers.runs.files import FOLDER, load_runs, save_run
from helpers.runs.recording import PREFIX
from helpers.runs.settings import CLASSIC, GRID

from .conftest import PageFigure, measured

CELLS = [
    "from dataclasses import replace\nfrom pathlib import Path\n"
    "from helpers.figures.explorer import *\nfrom helpers.runs.settings import GRID",
    "explorer = Explorer({'4-gram': 6.1})\nexplorer",
    "print(Explorer(**explorer.view).view == explorer.view, [p and CELLS.index(p) for p in explorer.view['pins']])",
]
RUNS, _ = load_runs()
EVIL = "<img src=x onerror=alert(1)>&amp;\"'"
RECORDED = [number for number, settings in enumerate(MAP) if settings in RUNS]
AFTER_PAINT = """root => {
    window.answers = [];
    const note = event => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.answers.push(performance.now() - event.timeStamp);
        channel.port2.postMessage(0);
    });
    for (const kind of ["pointermove", "keydown"]) root.addEventListener(kind, note);
}"""

ENDS = """axis => {
    const { x, y, width, height } = axis.getBBox(), there = axis.getScreenCTM();
    const from = new DOMPoint(x, y + height / 2).matrixTransform(there);
    return [from.x, from.y, new DOMPoint(x + width, y).matrixTransform(there).x];
}"""
VISIBLE = """all => all.map(svg => {
    const copy = svg.cloneNode(true);
    for (const part of copy.querySelectorAll("[style*='display: none']")) part.remove();
    return copy.outerHTML.replace(/;(?=">|" )/g, ""); // as a style is written that was changed once
})"""
MOVE = """async (root, places) => {
    for (const [i, [clientX, clientY]] of places.entries()) {
        const picture = root.getRootNode().elementFromPoint(clientX, clientY).closest("svg");
        picture.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, bubbles: true }));
        if (i % 20 === 0) await new Promise(requestAnimationFrame);
    }
}"""


class Explorer(PageFigure):
    """The figure under the hand: cells by their number, epochs by theirs."""

    def at_cell(self, number: int) -> tuple[float, float]:
        box = self.box.locator(f"[data-cell='{number}']").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def at_epoch(self, epoch: int) -> tuple[float, float]:
        left, y, right = self.box.locator(".under .line").first.evaluate(ENDS)
        return left + epoch / 500 * (right - left), y

    def rows(self) -> list[list[str]]:
        self.painted()
        return [row.locator("td").all_inner_texts() for row in self.box.locator(".row:visible").all()]

    def pins(self) -> list[str]:
        return [row[0][0] for row in self.rows() if row[0].strip()]

    def epoch(self) -> int:
        self.painted()
        return int(re.search(r"epoch (\d+)", self.box.locator("th").nth(1).inner_text())[1])

    def shown(self) -> tuple:
        """All that it shows once the pointer is elsewhere and Python has heard of it."""
        self.page.mouse.move(2, 2)
        self.page.wait_for_timeout(400)
        said = [self.box.locator(".reading").inner_text(), f"epoch {self.epoch()}: "]
        spoken = self.box.locator(".spoken")
        self.wait_until(lambda: all(words in spoken.inner_text() for words in said), "it is announced")
        ticks = self.box.locator("input").evaluate_all("all => all.map(tick => tick.checked)")
        pictures = self.box.locator("svg").evaluate_all(VISIBLE)
        return self.box.locator("select").input_value(), ticks, self.says(), pictures

    def click_cell(self, number: int) -> None:
        self.page.mouse.click(*self.at_cell(number))


@pytest.fixture
def explorer(book) -> Explorer:
    box = book.figure().box
    box.scroll_into_view_if_needed()
    return Explorer(book.page, box)


def test_values_under_the_pointer_are_the_recordings(explorer):
    draw = random.Random(0)
    for _ in range(25):
        number, wanted = draw.choice(RECORDED), draw.randint(1, 500)
        run = RUNS[MAP[number]]
        explorer.page.mouse.click(*explorer.at_epoch(wanted))
        epoch = explorer.epoch()
        assert abs(epoch - wanted) <= 2, "it shows another epoch than that under the pointer"
        explorer.page.mouse.move(*explorer.at_epoch(501 - wanted))
        assert abs(explorer.epoch() - (501 - wanted)) <= 2, "it does not follow the pointer"
        explorer.page.mouse.move(*explorer.at_cell(number))
        assert explorer.epoch() == epoch, "a look without a click changed the epoch that was kept"
        ((_, name, training, unseen, wrote),) = explorer.rows()
        looked, sampled = (max((e for e in by if e <= epoch), default=0) for by in (run.unseen, run.samples))
        assert name.endswith(f"h {run.settings.hidden_size}, lr {run.settings.lr:g}, " + name.split(", ")[-1])
        assert float(training) == pytest.approx(run.perplexity[epoch - 1], rel=0.0051), (number, epoch)
        expected = run.unseen[looked]
        assert float(unseen.split()[0]) == pytest.approx(expected, rel=0.0051), (number, epoch)
        assert looked == epoch or unseen.endswith(f"({looked})")
        assert wrote.strip() == run.samples[sampled].removeprefix(PREFIX).strip()


def test_it_answers_at_once_and_keeps_no_memory(explorer):
    page, draw = explorer.page, random.Random(1)
    session = page.context.new_cdp_session(page)

    def in_use() -> tuple[int, int]:
        session.send("HeapProfiler.collectGarbage")
        counts = session.send("Memory.getDOMCounters")
        return session.send("Runtime.getHeapUsage")["usedSize"], counts["nodes"]

    cells = {number: explorer.at_cell(number) for number in RECORDED}
    for number in RECORDED[:5]:
        page.mouse.click(*cells[number])
    for number in RECORDED:  # each once, so that all curves are known
        page.mouse.move(*cells[number])
    explorer.box.evaluate(AFTER_PAINT)
    for what in ("pointer on the map", "pointer on the curves", "key"):
        page.evaluate("window.answers.length = 0")
        explorer.box.locator(".map").focus()
        for _ in range(50):
            if what == "key":
                page.keyboard.press(draw.choice(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]))
            else:
                on_map = what == "pointer on the map"
                page.mouse.move(*(cells[draw.choice(RECORDED)] if on_map else explorer.at_epoch(draw.randint(1, 500))))
            page.wait_for_timeout(20)
        for milliseconds in page.evaluate("window.answers"):
            measured(f"explorer with five pins, {what}: input to paint, ms", milliseconds)
    before = in_use()
    places = [explorer.at_epoch(epoch) for epoch in range(1, 500, 5)] + [
        explorer.at_cell(number) for number in RECORDED
    ]
    explorer.box.evaluate(MOVE, [draw.choice(places) for _ in range(2000)])
    heap, nodes = in_use()
    measured("explorer, 2,000 moves: heap grown by, MB", (heap - before[0]) / 1e6)
    assert nodes <= before[1] + 50 and heap < before[0] + 1e6, (before, heap, nodes)


def test_pins_by_pointer_and_keys_reach_python(book, explorer):
    first, *others = random.Random(2).sample(RECORDED, 7)
    for number in (first, *others):
        explorer.click_cell(number)
    assert explorer.pins() == list("123456") and "six are pinned" in explorer.says()
    explorer.click_cell(others[1])  # a second click lets it go, and the others keep their colours
    assert explorer.pins() == list("12456")
    explorer.box.get_by_role("button", name="unpin").filter(has_text="5").click()
    assert explorer.pins() == list("1246")
    explorer.page.wait_for_timeout(400)
    book.run_cell(2)
    kept = [first, others[0], None, others[2], None, others[4]]
    assert f"True {kept}" in book.page.locator(".jp-Notebook").inner_text()
    explorer.button("clear pins").click()
    assert explorer.pins() == []


def test_keys_do_everything_and_stay_inside(book, explorer):
    page, number = explorer.page, book.page.locator(".jp-Cell").count()
    explorer.box.locator(".map").focus()
    for key in ("ArrowUp", "Enter", "ArrowDown", "d", "d", "a", "x", "m"):
        page.keyboard.press(key)
    assert explorer.pins() == ["1"] and book.page.locator(".jp-Cell").count() == number
    assert "h 512, lr 1, clip off" in explorer.rows()[0][1] and "h 512, lr 1, clip 1:" in explorer.says()
    plot = explorer.box.get_by_role("slider")
    plot.focus()
    for key, epoch in (("Home", 1), ("PageUp", 11), ("ArrowRight", 12), ("End", 500), ("ArrowLeft", 499)):
        page.keyboard.press(key)
        explorer.painted()
        assert plot.get_attribute("aria-valuenow") == str(epoch)
    spoken = explorer.box.locator(".spoken")
    explorer.wait_until(lambda: "epoch 499: training" in spoken.inner_text(), "it is announced")
    for label in ("logarithmic", "training text (solid)", "unseen text (dotted)", "ladder", "gradient norm"):
        explorer.answers(lambda label=label: explorer.box.get_by_label(label).press("Space"), label)
    seen = set()
    for _ in range(4):
        explorer.box.get_by_label("colour of the map").press("ArrowDown")
        explorer.painted()
        seen.add(explorer.box.locator("[data-cell]").first.get_attribute("fill"))
    assert len(seen) > 2
    plot.press("Home")
    explorer.button("play").click()
    explorer.wait_until(lambda: int(plot.get_attribute("aria-valuenow")) > 20, "it plays")
    explorer.button("stop").click()
    explorer.painted()
    stands = plot.get_attribute("aria-valuenow")
    page.wait_for_timeout(200)
    assert plot.get_attribute("aria-valuenow") == stands


def test_a_first_touch_shows_and_a_second_pins(explorer):
    session = explorer.page.context.new_cdp_session(explorer.page)

    def touch(x: float, y: float) -> None:
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    number = MAP.index(replace(CLASSIC, hidden_size=32))
    for pins in ([], ["1"], []):
        touch(*explorer.at_cell(number))
        explorer.wait_until(lambda pins=pins: explorer.pins() == pins, f"pins {pins}")
        assert "h 32, lr 1, clip 1" in explorer.rows()[0][1]
    touch(*explorer.at_epoch(123))
    explorer.wait_until(lambda: re.search("epoch 12[2-4]", explorer.says()), "the epoch under the finger")


def ink_and_paper(explorer: Explorer) -> list[int]:
    """Of each whether it is bright, 1, or dark, 0."""
    colors = explorer.box.evaluate("box => [getComputedStyle(box).color, getComputedStyle(box).backgroundColor]")
    return [round(sum(map(int, re.findall(r"\d+", color)[:3])) / 3 / 255) for color in colors]


def test_themes_widths_and_no_request_to_another_host(book, explorer):
    page, hosts = explorer.page, set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    for theme, wanted in (("JupyterLab Dark", [1, 0]), ("JupyterLab Light", [0, 1])):
        book.command(theme)
        explorer.wait_until(lambda wanted=wanted: ink_and_paper(explorer) == wanted, theme)
    page.keyboard.press("Control+b")  # away with the list of files
    for width, height in ((1920, 1080), (400, 800)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(300)
        explorer.check_nothing_is_cut_off()
        explorer.click_cell(RECORDED[0])
    page.set_viewport_size({"width": 1280, "height": 720})
    page.keyboard.press("Control+b")
    assert hosts <= {"127.0.0.1", None}


def test_a_view_opens_as_it_is_called_and_again_as_the_hand_left_it(book):
    one, other, chosen = RECORDED[3], RECORDED[50], RECORDED[70]
    view = f"pins=[CELLS[{one}], None, CELLS[{other}]], chosen=CELLS[{chosen}], epoch=123"
    book.run_cell(1, f"explorer = Explorer({{'4-gram': 6.1}}, {view}, coloured='best on unseen text')\nexplorer")
    figure = Explorer(book.page, book.figure().box)
    coloured, _, said, _ = figure.shown()
    assert (figure.pins(), figure.epoch(), coloured) == (["1", "3"], 123, "best on unseen text")
    for number, row in zip((one, other, chosen), figure.rows(), strict=True):
        assert float(row[2]) == pytest.approx(RUNS[MAP[number]].perplexity[122], rel=0.0051)
    figure.click_cell(RECORDED[20])
    figure.click_cell(one)
    figure.page.mouse.click(*figure.at_epoch(77))
    figure.box.locator("select").select_option("epoch of the turn")
    for label in ("logarithmic", "unseen text (dotted)", "ladder", "gradient norm"):
        figure.box.get_by_label(label).click()
    left = figure.shown()
    assert figure.pins() == ["2", "3"] and left[2] != said
    book.run_cell(1, "explorer = Explorer(**explorer.view)\nexplorer")
    again = Explorer(book.page, book.figure().box).shown()
    for before, now, what in zip(left, again, ("colours", "ticks", "words", "picture"), strict=True):
        assert now == before, f"other {what} than the hand had left"


def test_damaged_partial_and_no_recordings(book, tmp_path):
    complaints: list[str] = []
    book.page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    damaged, missing, early = (MAP.index(settings) for settings in GRID[:3])
    folder = shutil.copytree(FOLDER, tmp_path / "some")
    (folder / f"{GRID[0].name}.json").write_text("{", encoding="utf-8")
    (folder / f"{GRID[1].name}.json").unlink()
    (folder / EVIL).touch()
    run = RUNS[GRID[2]]
    looked = {epoch: value for epoch, value in run.unseen.items() if epoch <= 3}
    begun = {"perplexity": run.perplexity[:3], "grad_norm": run.grad_norm[:3], "unseen": looked, "samples": {}}
    save_run(replace(run, **begun, stopped=EVIL), folder)
    (tmp_path / "none").mkdir()
    for name, recorded in (("some", set(RECORDED) - {damaged, missing}), ("none", set())):
        book.run_cell(1, f"explorer = Explorer(folder=Path({str(tmp_path / name)!r}))\nexplorer")
        figure = Explorer(book.page, book.figure().box)
        figure.painted()
        fills = figure.box.locator("[data-cell]").evaluate_all("all => all.map(cell => cell.getAttribute('fill'))")
        assert {number for number, fill in enumerate(fills) if fill != "none"} == recorded
        for number in (damaged, missing):
            figure.click_cell(number)
            assert "its file was left out" in figure.says() and figure.pins() == []
            assert figure.rows()[0][2:] == ["–", "–", ""]
            assert figure.box.get_by_text("not recorded", exact=True).is_visible()
            figure.page.mouse.move(*figure.at_epoch(250))
        if recorded:
            figure.click_cell(early)
            assert f"It diverged: {EVIL}" in figure.says() and figure.rows()[0][2] == "–"
            figure.page.mouse.click(*figure.at_epoch(2))
            assert float(figure.rows()[0][2]) == pytest.approx(run.perplexity[figure.epoch() - 1], rel=0.0051)
            assert all(word in figure.says() for word in ("is damaged", "is missing", f"{EVIL} is no recording"))
        assert figure.box.locator("img").count() == 0
        assert "NaN" not in figure.picture() and complaints == []


def test_what_is_not_to_be_trusted_stays_text(book):
    book.run_cell(
        1,
        f"evil = {EVIL!r}\nexplorer = Explorer({{evil: 6.1}}, show_ladder=True)\n"
        "run = replace(explorer.runs[CLASSIC], samples={1: evil})\nexplorer.pin(run, evil)\nexplorer",
    )
    figure = Explorer(book.page, book.figure().box)
    assert EVIL in figure.rows()[0][1] and figure.rows()[0][4] == EVIL
    assert f"{EVIL} 6.1" in figure.box.locator(".over text").all_text_contents()
    assert figure.box.locator("img").count() == 0


def test_an_untrusted_page_shows_a_picture_in_its_place(open_book, lab):
    shutil.copy(lab.folder / "00_start_here.ipynb", lab.folder / "stored.ipynb")
    book = open_book("stored.ipynb")
    last = book.page.locator(".jp-CodeCell").last
    last.scroll_into_view_if_needed()
    last.locator("img").wait_for()
    assert book.page.locator(".explorer").count() == 0
    book.command("Trust Notebook")
    book.page.locator(".jp-Dialog .jp-mod-accept").click()
    book.page.locator(".explorer").wait_for()
