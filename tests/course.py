"""What the course is made of, found by listing its folders: chapters, the code of notebooks, what imports what."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

TOP = Path(__file__).parents[1]

Notebook = dict[str, Any]
Cell = dict[str, Any]


@dataclass(frozen=True)
class Chapter:
    """A notebook of the course, such as 06_gradient_clipping.ipynb; its counterparts carry its name."""

    notebook: Path

    @property
    def stem(self) -> str:
        return self.notebook.stem

    @property
    def name(self) -> str:
        return self.stem.partition("_")[2]

    @property
    def solutions(self) -> Path:
        return self.notebook.parent / "solutions" / self.notebook.name

    @property
    def title(self) -> str:
        """The question that its first line asks, without the number."""
        first = source(read_notebook(self.notebook)["cells"][0]).splitlines()[0]
        return first.partition("·")[2].strip()

    @property
    def minutes(self) -> int:
        """What a first reading takes, without the exercises and the computer's own time.

        Fitted to first-time readers: 130 words a minute, half a minute a cell of code and 0.06 for each of its lines.
        """
        total = 0.0
        for cell in read_notebook(self.notebook)["cells"]:
            text = source(cell)
            if cell["cell_type"] == "markdown" and re.search("^## Exercises", text, flags=re.M):
                break
            words = len(re.sub(r"\$\$.*?\$\$|```.*?```", "", text, flags=re.S).split())
            lines = len([line for line in text.splitlines() if line.strip()])
            total += words / 130 if cell["cell_type"] == "markdown" else 0.5 + 0.06 * lines
        return round(total)


def complain(complaints: list[str]) -> None:
    """Fail with one line for each complaint."""
    assert not complaints, "\n".join(complaints)


def find_chapters(top: Path = TOP) -> list[Chapter]:
    return [Chapter(path) for path in sorted((top / "notebooks").glob("[0-9][0-9]_*.ipynb"))]


def read_notebook(path: Path) -> Notebook:
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell: Cell) -> str:
    return "".join(cell["source"])


def cells_of(notebook: Notebook, cell_type: str) -> Iterator[tuple[int, Cell]]:
    """The cells of one type that are not empty, each with its place in the notebook, from 0."""
    return ((i, c) for i, c in enumerate(notebook["cells"]) if c["cell_type"] == cell_type and source(c).strip())


def parse(code: str) -> ast.Module:
    """Parse what a cell may hold: Python, IPython's own commands such as %time, and await."""
    python = TransformerManager().transform_cell(code)
    return compile(python, "cell", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def imported(tree: ast.AST, package: str = "") -> Iterator[tuple[str, str | None]]:
    """(module, name) of all that is imported, the name None for a whole module; relative to `package`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            yield from ((module, alias.name) for alias in node.names)


def modules_imported(tree: ast.AST, top: Path, package: str = "") -> set[Path]:
    """Files of this course's own modules that are imported."""
    dotted = {name for module, part in imported(tree, package) for name in (module, f"{module}.{part}")}
    paths = {top.joinpath(*name.split(".")).with_suffix(".py") for name in dotted}
    return {path for path in paths if path.is_file()}


def imported_by_notebook(path: Path, top: Path) -> set[Path]:
    cells = cells_of(read_notebook(path), "code")
    return set().union(*(modules_imported(parse(source(cell)), top) for _, cell in cells))


def imported_by_module(path: Path, top: Path) -> set[Path]:
    package = ".".join(path.parent.relative_to(top).parts)
    return modules_imported(ast.parse(path.read_text(encoding="utf-8")), top, package)
