"""Rebuilding a notebook stores what it prints, the same each time, and leaves it alone when a cell fails."""

import sys
from pathlib import Path

import nbformat
import pytest
import rebuild
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from test_hygiene import execution_complaints, format_complaints, metadata_complaints, stored_texts

CELLS = [
    "import os\nimport ipywidgets as w\nprint(os.environ['OMP_NUM_THREADS'], os.path.exists('here.txt'))",
    "w.VBox([w.IntSlider(3), w.HTML('θ')])",
    "1 / 0",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    cells = [new_markdown_cell("# 07 · Why?"), *map(new_code_cell, CELLS)]
    for number, cell in enumerate(cells):
        cell.id = f"c{number}"
    cells[1].metadata = {"tags": ["nbval-ignore-output"], "slideshow": {"slide_type": "slide"}, "collapsed": True}
    cells[3].metadata = {"tags": ["raises-exception"]}
    (tmp_path / "here.txt").touch()
    nbformat.write(new_notebook(cells=cells, metadata={"toc": {}}), tmp_path / "07_why.ipynb")
    return tmp_path / "07_why.ipynb"


def test_outputs_are_true_and_the_same_each_time(path: Path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["rebuild", str(path)])
    results = set()
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            rebuild.main()
        assert not ended.value.code
        stored = path.read_text(encoding="utf-8")
        results.add(stored)
        notebook = nbformat.reads(stored, as_version=4)
        for check in (execution_complaints, format_complaints, metadata_complaints):
            assert list(check(notebook, path)) == []
        texts = [text for _, text in stored_texts(notebook)]
        assert "1 True\n" in texts and rebuild.FALLBACK in texts and "ZeroDivisionError" in texts
        assert (
            notebook.cells[2].outputs[0].data[rebuild.VIEW]["model_id"]
            in notebook.metadata.widgets[rebuild.WIDGETS]["state"]
        )
        assert (
            notebook.cells[1].metadata == {"slideshow": {"slide_type": "slide"}, "tags": ["nbval-ignore-output"]}
            and [c.id for c in notebook.cells][1] == "c1"
        )
        assert "θ" in stored and stored.endswith("}\n") and "\n   " in stored
    assert len(results) == 1


def test_a_notebook_in_which_a_cell_fails_is_left_as_it_was(path: Path, monkeypatch, capsys):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[3].metadata = {}
    nbformat.write(notebook, path)
    before = path.read_bytes()
    monkeypatch.setattr(sys, "argv", ["rebuild", str(path)])
    with pytest.raises(SystemExit):
        rebuild.main()
    assert path.read_bytes() == before and sorted(p.name for p in path.parent.iterdir()) == ["07_why.ipynb", "here.txt"]
    assert "left as it was" in capsys.readouterr().err
