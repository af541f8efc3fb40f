"""Run notebooks anew and store what they print, so that their outputs are true again.

    python -m tests.rebuild                                     every notebook, about 6 minutes
    python -m tests.rebuild notebooks/06_gradient_clipping.ipynb

Each runs from a fresh kernel in its own folder, with one thread. A notebook in which a cell fails is left as it was.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FALLBACK = "A figure with controls: run this cell in JupyterLab to use it."
WIDGETS, VIEW = "application/vnd.jupyter.widget-state+json", "application/vnd.jupyter.widget-view+json"


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run all cells in a fresh kernel and keep their outputs in `notebook`. Raises CellExecutionError."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    # coalesce_streams: a text that comes in pieces is one output, however busy the machine.
    options = {"timeout": 900, "record_timing": False, "coalesce_streams": True}
    NotebookClient(notebook, resources={"metadata": {"path": folder}}, **options).execute()


def tidy(notebook: nbformat.NotebookNode, number: str) -> nbformat.NotebookNode:
    """Leave out what differs from run to run or from machine to machine; `number` begins the names of its widgets."""
    language = notebook.metadata.language_info.name
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": language}}
    if "widgets" in notebook.metadata:
        metadata["widgets"] = notebook.metadata.widgets
    widgets = metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    for widget in widgets.values():
        widget["state"] = {key: value for key, value in widget["state"].items() if value is not None}
    notebook.metadata = metadata
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ("slideshow", "tags")}
        for output in cell.get("outputs", []):
            if VIEW in output.get("data", {}):
                output.data["text/plain"] = FALLBACK
    text = json.dumps(notebook)
    # Widgets are named at random; from now on in the order in which they were made.
    for count, name in enumerate(widgets):
        text = text.replace(name, f"{number}{count:030}")
    return nbformat.reads(text, as_version=4)


def rebuild(path: Path) -> None:
    """Run the notebook at `path` and write it anew. Raises CellExecutionError, and then the file is as before."""
    notebook = nbformat.read(path, as_version=4)
    run(notebook, path.parent)
    text = nbformat.writes(tidy(notebook, path.name[:2])) + "\n"
    new = path.with_suffix(".new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(path)  # all of it or nothing
    finally:
        new.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run notebooks anew and store what they print.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them, when none is named")
    paths = parser.parse_args().notebooks or sorted((Path(__file__).parents[1] / "notebooks").rglob("[0-9]*.ipynb"))
    os.environ["OMP_NUM_THREADS"] = "1"
    failed = False
    for path in paths:
        start = time.perf_counter()
        try:
            rebuild(path)
            print(f"{path}: {time.perf_counter() - start:.0f} s", flush=True)
        except CellExecutionError as error:
            failed = True
            print(f"{path}: left as it was, because a cell failed\n{error}", file=sys.stderr, flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
