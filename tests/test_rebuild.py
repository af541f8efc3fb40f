"""Rebuilding a notebook stores what it prints, the same each time, and leaves it alone when a cell fails."""

import sys
from pathlib import Path

import nbformat
import pytest
import rebuild
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from test_hygiene import code_complaints, form_complaints, stored_texts

CELLS = [
    "import os\nimport ipywidgets as w\nassert 1\nprint(os.environ['OMP_NUM_THREADS'], os.path.exists('here.txt'))",
    "w.VBox([w.IntSlider(3), w.HTML('θ')])",
    "1 / 0",
]


@pytest.fixture
def path(tmp_path: Path, monkeypatch) -> Path:
    cells = [new_markdown_cell("# 07 · Why?", id="c0")]
    cells += [new_code_cell(code, id=f"c{number}") for number, code in enumerate(CELLS, 1)]
    cells[1].metadata = {"tags": ["nbval-ignore-output"], "slideshow": {"slide_type": "slide"}, "collapsed": True}
    cells[3].metadata = {"tags": ["raises-exception"]}
    (tmp_path / "here.txt").touch()
    path = tmp_path / "07_why.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"toc": {}}), path)
    monkeypatch.setattr(sys, "argv", ["rebuild", str(path)])
    return path


def test_outputs_are_true_and_the_same_each_time(path: Path):
    results = set()
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            rebuild.main()
        assert not ended.value.code
        results.add(path.read_text(encoding="utf-8"))
    (stored,) = results
    notebook = nbformat.reads(stored, as_version=4)
    assert [*code_complaints(notebook, path), *form_complaints(notebook, path)] == []
    texts = [text for _, text in stored_texts(notebook)]
    assert "1 True\n" in texts and rebuild.FALLBACK in texts and "ZeroDivisionError" in texts
    shown = notebook.cells[2].outputs[0].data[rebuild.VIEW]["model_id"]
    assert shown in notebook.metadata.widgets[rebuild.WIDGETS]["state"]
    kept = {"slideshow": {"slide_type": "slide"}, "tags": ["nbval-ignore-output"]}
    assert notebook.cells[1].metadata == kept and notebook.cells[1].id == "c1"
    assert "θ" in stored and stored.endswith("}\n") and "\n   " in stored


def test_a_notebook_in_which_a_cell_fails_is_left_as_it_was(path: Path, capsys):
    path.write_text(path.read_text(encoding="utf-8").replace("raises-exception", "nbval-ignore-output"))
    before = path.read_bytes()
    with pytest.raises(SystemExit):
        rebuild.main()
    assert path.read_bytes() == before and sorted(p.name for p in path.parent.iterdir()) == ["07_why.ipynb", "here.txt"]
    assert "left as it was" in capsys.readouterr().err
