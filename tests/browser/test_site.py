"""The web edition in a browser, from disk, with the network cut."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.runs.files import load_run
from helpers.runs.settings import Settings

from .conftest import TOP

BUILD = TOP / ".github" / "site" / "build.py"
ESM = """export default { render({ model, el }) {
  const shown = el.appendChild(document.createElement("button"));
  const show = () => (shown.textContent = `${new TextDecoder().decode(model.get("parts").word)} ${model.get("n")}`);
  model.on("change:n", show);
  shown.onclick = () => { model.set("n", model.get("n") + 1); model.save_changes(); };
  show();
} };"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, BUILD, folder], check=True)
    return folder


@pytest.fixture
def tab(browser):
    """A tab as wide as a phone, without a network; at its end, nothing was asked for and nothing was said."""
    complaints: list[str] = []
    context = browser.new_context(offline=True, viewport={"width": 390, "height": 844})
    tab = context.new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda r: r.url.startswith(("file:", "blob:", "data:")) or complaints.append(r.url))
    yield tab
    context.close()
    assert not complaints, complaints


def test_every_page_fits_a_phone_and_its_figures_live(site: Path, tab):
    for path in site.rglob("*.html"):
        tab.goto(path.as_uri())
        tab.wait_for_function("document.querySelectorAll('.still').length === 0", timeout=5000)
        assert tab.evaluate(
            "[...document.querySelectorAll('.live')].every(l => (l.lastChild.shadowRoot ?? l.lastChild).firstChild)"
        ), path
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth)"), path


def test_answers_unfold_by_a_click_and_on_paper(site: Path, tab):
    tab.goto((site / "notebooks" / "01_concatenation.html").as_uri())
    unfolded = "document.querySelectorAll('main details[open]').length"
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate(unfolded) == tab.locator("main details").count() > 0
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate(unfolded) == 0
    for answer in tab.locator("main details").all():
        assert not answer.locator("p").first.is_visible()
        answer.locator("summary").click()
        assert answer.locator("p").first.is_visible()


def test_the_search_leads_to_the_section_that_has_the_words(site: Path, tab):
    tab.goto((site / "notebooks" / "solutions" / "02_one_hot.html").as_uri())
    for title, words in [("Back to the ruined network", "ruined network"), ("Sure and wrong", "wrong SURE")]:
        tab.get_by_label("Search the course").fill(words)
        tab.locator("#found b", has_text=title).first.click()
        at = "location.hash && document.querySelector(location.hash)?.textContent"
        tab.wait_for_function(f"title => ({at}) === title", arg=title, timeout=5000)  # a click waits for no page
    tab.get_by_label("Search the course").fill("zzyzx")
    tab.locator("#found", has_text="Nothing found").wait_for()


def test_the_explorer_reads_the_recorded_runs(site: Path, tab):
    tab.goto((site / "notebooks" / "08_perplexity.html").as_uri())
    explorer = tab.locator(".live").first
    map_of_runs = explorer.get_by_role("application").first
    for key, lr in [("Escape", 1.0), ("ArrowLeft", 0.3)]:
        map_of_runs.press(key)
        run = load_run(Settings("sequential", hidden_size=512, lr=lr, max_norm=1.0))
        for value in (run.perplexity[-1], run.unseen[500]):
            explorer.get_by_text(f"{value:.3g}").first.wait_for(timeout=5000)


def test_a_figure_of_the_page_lives_without_a_kernel(tab, tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(BUILD.parent)
    from build import build

    word = "</script><b>“&"
    buffer = {"path": ["parts", "word"], "encoding": "base64", "data": base64.b64encode(word.encode()).decode()}
    state = {"_esm": ESM, "n": 1, "parts": {}, "title": word}
    widgets = {
        "box": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_one"]}},
        "one": {"model_name": "AnyModel", "state": state, "buffers": [buffer]},
    }
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "box"}, "text/plain": "in JupyterLab"}
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    cells = [{"cell_type": "code", "source": "figure", "outputs": [output]}]
    metadata = {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": widgets}}}
    course = tmp_path / "course"
    for name, text in [
        ("README.md", "# A\n\n## The notebooks\n\n[01 · One](notebooks/01_one.ipynb)\n"),
        (".github/CONTRIBUTING.md", "# B\n"),
        ("notebooks/01_one.ipynb", json.dumps({"metadata": metadata, "cells": cells})),
    ]:
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text(text)
    build(course, tmp_path / "site")
    tab.goto((tmp_path / "site" / "notebooks" / "01_one.html").as_uri())
    button = tab.get_by_role("button")
    assert button.inner_text() == f"{word} 1"
    button.click()
    assert button.inner_text() == f"{word} 2"
    assert "in JupyterLab" not in tab.locator("figure").inner_text()
