"""Every notebook is one that a reader can open, follow and trust: run from top to bottom, stored clean, links alive.

Each check takes a notebook (the dict that its file holds) and its path, and returns a list of complaints. The tests
below run every check on every notebook of the course, and then show that each check finds what it is there to find.
"""

import ast
import importlib
import json
import platform
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from IPython.core.inputtransformer2 import TransformerManager

TOP = Path(__file__).parents[1]
NOTEBOOK_METADATA = {"kernelspec", "language_info", "widgets"}
IGNORE_OUTPUT, RAISES = "nbval-ignore-output", "raises-exception"
MAX_BYTES = 500_000
MAX_IGNORED_HERE, MAX_IGNORED_OVERALL = 1 / 3, 1 / 6

Notebook = dict[str, Any]
Cell = dict[str, Any]
Check = Callable[[Notebook, Path], list[str]]


# Finding and reading


def find_notebooks(folder: Path) -> list[Path]:
    """All notebooks below `folder` in reading order, without hidden ones such as checkpoints."""
    paths = (path for path in folder.rglob("*.ipynb"))
    return sorted(path for path in paths if not any(p.startswith(".") for p in path.relative_to(folder).parts))


def lessons(folder: Path) -> list[Path]:
    """The notebooks of the course itself, without those in folders beside them, such as solutions."""
    return [path for path in find_notebooks(folder) if path.parent == folder]


def read_notebook(path: Path) -> Notebook:
    return json.loads(path.read_text(encoding="utf-8"))


def course_top(path: Path) -> Path:
    """The folder of the whole course, given the path of one of its notebooks."""
    return next(folder.parent for folder in path.parents if folder.name == "notebooks")


def source(cell: Cell) -> str:
    return "".join(cell["source"])


def tags(cell: Cell) -> list[str]:
    return cell["metadata"].get("tags", [])


def numbered_cells(notebook: Notebook, cell_type: str) -> list[tuple[int, Cell]]:
    """The cells of one type that are not empty, each with its place in the notebook, from 0."""
    cells = enumerate(notebook["cells"])
    return [(i, cell) for i, cell in cells if cell["cell_type"] == cell_type and source(cell).strip()]


def code_cells(notebook: Notebook) -> list[tuple[int, Cell]]:
    return numbered_cells(notebook, "code")


def parse(code: str) -> ast.Module:
    """Parse what a cell may hold: Python, IPython's own commands such as %time, and await."""
    python = TransformerManager().transform_cell(code)
    return compile(python, "cell", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def nodes(cell: Cell, enter_functions: bool = True) -> Iterator[ast.AST]:
    """Everything the code of a cell consists of; without the insides of functions, what runs with the cell."""
    try:
        waiting: list[ast.AST] = [parse(source(cell))]
    except SyntaxError:  # parse_complaints tells
        return
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    while waiting:
        node = waiting.pop()
        yield node
        if enter_functions or not isinstance(node, functions):
            waiting.extend(ast.iter_child_nodes(node))


def strings(value: Any) -> Iterator[str]:
    """Every text inside stored outputs, without colour codes; pictures are left out, also those inside HTML."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "\n".join(value)  # a long text is stored as a list of lines
    if isinstance(value, str):
        value = re.sub(r"\x1b\[[\d;]*m", "", value)
        yield re.sub(r"data:image/[\w+.-]+;base64,[\w+/=\\\s]*", "", value)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not key.startswith("image/"):
                yield from strings(item)


def stored_texts(notebook: Notebook) -> Iterator[tuple[str, str]]:
    """Every text that running the notebook left in it, with the name of its place."""
    for i, cell in code_cells(notebook):
        for text in strings(cell["outputs"]):
            yield f"cell {i}", text
    for text in strings(notebook["metadata"].get("widgets", {})):
        yield "widgets", text


# Markdown: links and headings


def without_code(markdown: str) -> str:
    """Markdown without fenced code: nothing in there is a heading."""
    return re.sub(r"^ *(```+|~~~+).*?^ *\1 *$", "", markdown, flags=re.M | re.S)


def link_targets(markdown: str) -> list[str]:
    """Where links and pictures point to, written in Markdown or HTML; brackets in code and formulas are none."""
    text = re.sub(r"(`+).+?\1", "", without_code(markdown), flags=re.S)
    text = re.sub(r"\$\$.+?\$\$|\$[^$\n]+\$", "", text, flags=re.S)
    inline = re.findall(r"\]\(\s*<?([^)>\s]*)", text)
    referenced = re.findall(r"^ {0,3}\[[^\]^][^\]]*\]:\s*<?([^>\s]+)", text, re.M)
    html = re.findall(r"""\b(?:href|src)\s*=\s*["']([^"']*)["']""", text)
    return inline + referenced + html


def anchors(markdown: str, notebook: bool) -> set[str]:
    """What may follow the # of a link: JupyterLab's name of each heading, or for README.md GitHub's."""
    headings = re.findall(r"^ {0,3}#{1,6}\s+(.+?)[\s#]*$", without_code(markdown), re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    plain = [re.sub(r"[`*]", "", heading) for heading in plain]
    if notebook:
        names = {heading.replace(" ", "-") for heading in plain}
    else:
        names = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
    return names | set(re.findall(r"""\b(?:id|name)\s*=\s*["']([^"']+)["']""", markdown))


def all_markdown(notebook: Notebook) -> str:
    return "\n\n".join(source(cell) for _, cell in numbered_cells(notebook, "markdown"))


def file_anchors(path: Path) -> set[str]:
    if path.suffix == ".ipynb":
        return anchors(all_markdown(read_notebook(path)), notebook=True)
    return anchors(path.read_text(encoding="utf-8"), notebook=False)


def link_problem(target: str, page: Path, own_anchors: set[str], top: Path) -> str | None:
    """Say what is wrong with a link on `page`; None when it leads to a file of the course, or out to the web."""
    url = urlsplit(target)
    if url.scheme or url.netloc:
        opened = parse_qs(url.query).get("labpath", [])  # what a link to Binder opens there
        return next((f"{target}: there is no {file}" for file in opened if not (top / file).is_file()), None)
    path = (page.parent / unquote(url.path)).resolve() if url.path else page.resolve()
    if not path.is_relative_to(top.resolve()):
        return f"{target}: leads out of the course's folder"
    if url.path and not path.exists():
        return f"{target}: there is no such file"
    if url.fragment and (not url.path or path.suffix in {".ipynb", ".md"}):
        known = file_anchors(path) if url.path else own_anchors
        if unquote(url.fragment) not in known:
            return f"{target}: there is no such heading"
    return None


def linked_files(markdown: str, page: Path) -> set[Path]:
    paths = (unquote(urlsplit(target).path) for target in link_targets(markdown))
    return {(page.parent / path).resolve() for path in paths if path}


# Checks of one notebook


def link_complaints(notebook: Notebook, path: Path) -> list[str]:
    """Every link and picture in the text leads to a file of the course, and to a heading that is there."""
    own = anchors(all_markdown(notebook), notebook=True)
    complaints = []
    for i, cell in numbered_cells(notebook, "markdown"):
        problems = (link_problem(target, path, own, course_top(path)) for target in link_targets(source(cell)))
        complaints += [f"cell {i}: {problem}" for problem in problems if problem]
    return complaints


def next_complaints(notebook: Notebook, path: Path) -> list[str]:
    """Every notebook of the course but the last links to the next one."""
    course = lessons(path.parent)
    following = course[course.index(path) + 1 :] if path in course and path.parent.name == "notebooks" else []
    if following and following[0].resolve() not in linked_files(all_markdown(notebook), path):
        return [f"no link to the next notebook, {following[0].name}"]
    return []


def title_complaints(notebook: Notebook, path: Path) -> list[str]:
    """The first cell is text with one title."""
    first = notebook["cells"][0] if notebook["cells"] else {"cell_type": "missing", "source": ""}
    titles = re.findall(r"^# ", without_code(source(first)), re.M)
    if first["cell_type"] != "markdown" or len(titles) != 1:
        return [f"the first cell is {first['cell_type']} with {len(titles)} titles instead of markdown with one"]
    return []


def format_complaints(notebook: Notebook, path: Path) -> list[str]:
    """The file is of format 4.5 or later, where every cell has an id of its own."""
    complaints = []
    version = (notebook["nbformat"], notebook["nbformat_minor"])
    if version < (4, 5):
        complaints.append(f"its format is {version[0]}.{version[1]}, older than 4.5")
    ids = [cell.get("id") for cell in notebook["cells"]]
    complaints += [f"cell {i}: its id {id!r} is missing or not unique" for i, id in enumerate(ids) if ids.count(id) > 1]
    complaints += [f"cell {i}: it has no id" for i, id in enumerate(ids) if not id]
    return complaints


def metadata_complaints(notebook: Notebook, path: Path) -> list[str]:
    """No litter of editors: a kernel, a language, perhaps widgets; in cells, tags from a small known set."""
    metadata = notebook["metadata"]
    complaints = [f"metadata {key!r}" for key in sorted(metadata.keys() - NOTEBOOK_METADATA)]
    complaints += [f"no metadata {key!r}" for key in ("kernelspec", "language_info") if key not in metadata]
    if metadata.get("kernelspec", {}).get("name") != "python3":
        complaints.append("its kernel is not python3")
    for i, cell in enumerate(notebook["cells"]):
        complaints += [f"cell {i}: metadata {key!r}" for key in sorted(cell["metadata"].keys() - {"tags"})]
        complaints += [f"cell {i}: tag {tag!r}" for tag in tags(cell) if tag not in {IGNORE_OUTPUT, RAISES}]
    return complaints


def parse_complaints(notebook: Notebook, path: Path) -> list[str]:
    """Every cell of code is Python."""
    complaints = []
    for i, cell in code_cells(notebook):
        try:
            parse(source(cell))
        except SyntaxError as error:
            complaints.append(f"cell {i}: {error.msg}, line {error.lineno}")
    return complaints


def import_problem(module: str, name: str | None = None) -> str | None:
    """Say why `from module import name`, or `import module`, would fail."""
    try:
        if name is None or not hasattr(importlib.import_module(module), name):
            importlib.import_module(f"{module}.{name}" if name else module)
    except ImportError as error:
        return str(error)
    return None


def import_complaints(notebook: Notebook, path: Path) -> list[str]:
    """What a notebook imports from `helpers` is there."""
    complaints = []
    for i, cell in code_cells(notebook):
        wanted: list[tuple[str, str | None]] = []
        for node in nodes(cell):
            if isinstance(node, ast.ImportFrom) and node.module:
                wanted += [(node.module, alias.name) for alias in node.names]
            elif isinstance(node, ast.Import):
                wanted += [(alias.name, None) for alias in node.names]
        ours = [(module, name) for module, name in wanted if module.split(".")[0] == "helpers"]
        complaints += [f"cell {i}: {problem}" for problem in (import_problem(*want) for want in ours) if problem]
    return complaints


def execution_complaints(notebook: Notebook, path: Path) -> list[str]:
    """Every cell was run once, in order, in a fresh kernel."""
    cells = code_cells(notebook)
    counts = [(i, cell["execution_count"], right) for right, (i, cell) in enumerate(cells, start=1)]
    return [f"cell {i}: it ran as {count} instead of {right}" for i, count, right in counts if count != right][:1]


def is_show(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "plt.show"


def has_picture(cell: Cell) -> bool:
    return any(output.get("data", {}).get("image/png") for output in cell["outputs"])


def output_complaints(notebook: Notebook, path: Path) -> list[str]:
    """Outputs are stored, and every figure that is shown has its picture."""
    cells = code_cells(notebook)
    complaints = [] if any(cell["outputs"] for _, cell in cells) else ["no output is stored"]
    shows = [(i, cell) for i, cell in cells if any(is_show(node) for node in nodes(cell, enter_functions=False))]
    return complaints + [
        f"cell {i}: it shows a figure, but no PNG is stored" for i, cell in shows if not has_picture(cell)
    ]


def error_complaints(notebook: Notebook, path: Path) -> list[str]:
    """A stored error stands only where one is announced by its tag, and there it does stand."""
    complaints = []
    for i, cell in code_cells(notebook):
        stored, announced = any(o["output_type"] == "error" for o in cell["outputs"]), RAISES in tags(cell)
        if stored and not announced:
            complaints.append(f"cell {i}: an error is stored")
        if announced and not stored:
            complaints.append(f"cell {i}: tagged {RAISES}, but no error is stored")
    return complaints


def warning_complaints(notebook: Notebook, path: Path) -> list[str]:
    """Nothing was written to stderr, and nothing stored looks like a warning."""
    cells = code_cells(notebook)
    complaints = [f"cell {i}: stderr" for i, cell in cells if any(o.get("name") == "stderr" for o in cell["outputs"])]
    warning = re.compile(r"\b(?:[A-Z]\w*)?Warning\b|\bWARNING\b")
    found = ((place, warning.search(text)) for place, text in stored_texts(notebook))
    return complaints + [f"{place}: {match[0]!r} in an output" for place, match in found if match]


def svg_complaints(notebook: Notebook, path: Path) -> list[str]:
    """Pictures are PNG: an SVG of many points has megabytes."""
    cells = code_cells(notebook)
    places = [f"cell {i}" for i, cell in cells if any("image/svg+xml" in o.get("data", {}) for o in cell["outputs"])]
    places += [place for place, text in stored_texts(notebook) if "<svg" in text.lower()]
    return [f"{place}: an SVG is stored" for place in places]


def place_complaints(notebook: Notebook, path: Path, host: str = platform.node()) -> list[str]:
    """No output tells on which machine or in which folder the notebook ran: the reader has another."""
    start = r"(?:^|(?<=[\s\"'(=:,\[>]))"
    known = r"/(?:tmp|home|root|Users|usr|opt|var|mnt|srv)\b"
    folder = rf"{start}(?:/(?:[\w.+-]+/)+[\w.+-]+|{known}|~/\w|[A-Za-z]:\\\w)|file://"
    patterns = [folder, r"\blocalhost\b", r"\b\d{1,3}(?:\.\d{1,3}){3}\b"]
    if re.search(r"[\d.-]", host):  # else the name may be a word that stands in an output anyway
        patterns.append(rf"(?<!\w){re.escape(host)}(?!\w)")
    place = re.compile("|".join(patterns), re.M)
    found = ((where, place.search(text)) for where, text in stored_texts(notebook))
    return [f"{where}: {match[0]!r} in an output" for where, match in found if match]


def size_complaints(notebook: Notebook, path: Path) -> list[str]:
    size = path.stat().st_size
    return [f"it has {size:,} bytes, more than {MAX_BYTES:,}"] if size >= MAX_BYTES else []


def ignored_share(notebooks: list[Notebook]) -> float:
    """Which share of the cells of code may print something else each time."""
    cells = [cell for notebook in notebooks for _, cell in code_cells(notebook)]
    return sum(IGNORE_OUTPUT in tags(cell) for cell in cells) / max(len(cells), 1)


def ignored_complaints(notebook: Notebook, path: Path) -> list[str]:
    """Most outputs are compared with what a new run prints: at most one cell in three is not."""
    share = ignored_share([notebook])
    return [f"{share:.0%} of its code is tagged {IGNORE_OUTPUT}"] if share > MAX_IGNORED_HERE else []


def assert_complaints(notebook: Notebook, path: Path) -> list[str]:
    """What a notebook claims, it checks; the first one only shows the way."""
    checks = any(isinstance(node, ast.Assert) for _, cell in code_cells(notebook) for node in nodes(cell))
    return [] if checks or path.name.startswith("00_") else ["it asserts nothing"]


CHECKS: list[Check] = [
    link_complaints,
    next_complaints,
    title_complaints,
    format_complaints,
    metadata_complaints,
    parse_complaints,
    import_complaints,
    execution_complaints,
    output_complaints,
    error_complaints,
    warning_complaints,
    svg_complaints,
    place_complaints,
    size_complaints,
    ignored_complaints,
    assert_complaints,
]


# Checks of the whole course


def name_complaints(folder: Path) -> list[str]:
    """Names are NN_name.ipynb; the course counts 00, 01, … without gaps."""
    names = [path.name for path in find_notebooks(folder)]
    complaints = [f"{name}: not named NN_name" for name in names if not re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", name)]
    numbers, right = [p.name[:2] for p in lessons(folder)], [f"{n:02}" for n in range(len(lessons(folder)))]
    if numbers != right or not right:
        complaints.append(f"the notebooks are numbered {numbers} instead of {right or ['00', '01', '…']}")
    return complaints


def overall_complaints(folder: Path) -> list[str]:
    """Over all notebooks, the outputs of at most one cell in six are not compared."""
    share = ignored_share([read_notebook(path) for path in find_notebooks(folder)])
    return [f"{share:.0%} of all code is tagged {IGNORE_OUTPUT}"] if share > MAX_IGNORED_OVERALL else []


def readme_complaints(top: Path) -> list[str]:
    """README.md exists, its links lead somewhere, and its table lists every notebook."""
    readme = top / "README.md"
    if not readme.is_file():
        return ["there is no README.md"]
    text = readme.read_text(encoding="utf-8")
    own = anchors(text, notebook=False)
    problems = (link_problem(target, readme, own, top) for target in link_targets(text))
    complaints = [problem for problem in problems if problem]
    table = "\n".join(line for line in text.splitlines() if line.lstrip().startswith("|"))
    listed = linked_files(table, readme)
    missing = [path.name for path in lessons(top / "notebooks") if path.resolve() not in listed]
    return complaints + [f"its table does not link to {name}" for name in missing]


# The course as it is

# An empty folder must fail, not pass unseen, so without any notebook the first one is looked for all the same.
COURSE = find_notebooks(TOP / "notebooks") or [TOP / "notebooks" / "00_start_here.ipynb"]


def complain(complaints: list[str]) -> None:
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", COURSE, ids=lambda path: path.relative_to(TOP / "notebooks").as_posix())
def test_notebook(path: Path, check: Check):
    assert path.is_file(), "there is no notebook"
    complain(check(read_notebook(path), path))


def test_notebooks_are_named_in_reading_order():
    complain(name_complaints(TOP / "notebooks"))


def test_most_outputs_are_compared():
    complain(overall_complaints(TOP / "notebooks"))


def test_readme_lists_every_notebook():
    complain(readme_complaints(TOP))


# Every check finds what it is there to find


def text_cell(id: str, text: str) -> Cell:
    return {"cell_type": "markdown", "id": id, "metadata": {}, "source": text}


def code_cell(id: str, count: int, code: str, *outputs: dict) -> Cell:
    more = {"execution_count": count, "outputs": list(outputs)}
    return {"cell_type": "code", "id": id, "metadata": {}, "source": code.splitlines(keepends=True)} | more


def printed(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text.splitlines(keepends=True)}


def shown(**data: Any) -> dict:
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {key.replace("_", "/"): v for key, v in data.items()},
    }


def raised(*traceback: str) -> dict:
    return {"output_type": "error", "ename": "ValueError", "evalue": "too short", "traceback": list(traceback)}


GOOD: Notebook = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}},
    "cells": [
        text_cell("a", "# 01 · What is it?\n\n```\n# no title\n```\n\n## Two *small* `steps`"),
        code_cell("b", 1, "import matplotlib.pyplot as plt\nimport helpers.text\nfrom helpers.text import clean"),
        text_cell("c", "See ![it](pictures/it.png), [this](#Two-small-steps), $a[0](t)$ and `[no](link)`."),
        code_cell("d", 2, "%time print(clean('A/B c/d'))\nassert clean('A') == 'a'", printed("a b c d, 3 tokens/s\n")),
        code_cell("e", 3, "plt.plot([1])\nplt.show()", shown(image_png="iVBO/tmp/x", text_plain="<Figure>")),
        text_cell(
            "f", "[Next](02_two.ipynb#Part-1:-why?), [table](../README.md#the-notebooks), [web](https://example.org)"
        ),
        code_cell("g", 4, "def draw():\n    plt.show()"),
        {"cell_type": "code", "id": "h", "metadata": {}, "source": [], "execution_count": None, "outputs": []},
    ],
}
README = """# The course

[Open on Binder](https://example.org/v2/x?labpath=notebooks/00_zero.ipynb) or read [on](#the-notebooks).

## The notebooks!

| | |
|---|---|
| [00](notebooks/00_zero.ipynb) | zero |
| [01](notebooks/01_one.ipynb) | one |
| [02](<notebooks/02_two.ipynb> "two") | two |
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A small course without a fault, of three notebooks; 01_one.ipynb is GOOD."""
    folder = tmp_path / "notebooks"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "it.png").touch()
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "01_one-checkpoint.ipynb").write_text("{}")
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    for name, link in [("00_zero", "[next](01_one.ipynb)"), ("01_one", ""), ("02_two", "## Part 1: why?")]:
        notebook = deepcopy(GOOD)
        if name != "01_one":
            notebook["cells"][5]["source"] = link
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_good_notebook_has_no_complaints(check: Check, course: Path):
    paths = find_notebooks(course / "notebooks")
    assert [path.name for path in paths] == ["00_zero.ipynb", "01_one.ipynb", "02_two.ipynb"]
    assert [check(read_notebook(path), path) for path in paths] == [[], [], []]


def test_a_good_course_has_no_complaints(course: Path):
    assert name_complaints(course / "notebooks") == []
    assert overall_complaints(course / "notebooks") == []
    assert readme_complaints(course) == []


def cell_with(place: int, **changes: Any) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"][place].update(changes)


def notebook_with(**changes: Any) -> Callable[[Notebook], None]:
    return lambda notebook: notebook.update(changes)


def metadata_with(**changes: Any) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["metadata"].update(changes)


def output_with(*outputs: dict, tag: str | None = None) -> Callable[[Notebook], None]:
    return cell_with(3, outputs=list(outputs), metadata={"tags": [tag]} if tag else {})


BROKEN: list[tuple[Check, str, Callable[[Notebook], None]]] = [
    (link_complaints, "cell 2: 09_no.ipynb: there is no such file", cell_with(2, source="[x](09_no.ipynb)")),
    (link_complaints, "cell 2: no.png: there is no such file", cell_with(2, source="![x](no.png 'title')")),
    (link_complaints, "cell 2: no.png: there is no such file", cell_with(2, source='<img alt="x" src="no.png">')),
    (link_complaints, "cell 2: no.md: there is no such file", cell_with(2, source="[x][y]\n\n[y]: no.md")),
    (link_complaints, "cell 2: no.md: there is no such file", cell_with(2, source="[![x](pictures/it.png)](no.md)")),
    (link_complaints, "cell 2: #No: there is no such heading", cell_with(2, source="[x](#No)")),
    (link_complaints, "cell 2: #no-title: there is no such", cell_with(2, source="[x](#no-title)")),
    (link_complaints, "cell 2: 02_two.ipynb#part-1: there is", cell_with(2, source="[x](02_two.ipynb#part-1)")),
    (
        link_complaints,
        "cell 2: ../README.md#The-notebooks!: there",
        cell_with(2, source="[x](../README.md#The-notebooks!)"),
    ),
    (link_complaints, "cell 2: ../..: leads out of the course", cell_with(2, source="[x](../..)")),
    (link_complaints, "cell 2: /etc: leads out of the course", cell_with(2, source="[x](/etc)")),
    (
        link_complaints,
        "there is no notebooks/9.ipynb",
        cell_with(2, source="[x](https://a.org/?labpath=notebooks/9.ipynb)"),
    ),
    (next_complaints, "no link to the next notebook, 02_two.ipynb", cell_with(5, source="[this](01_one.ipynb)")),
    (title_complaints, "markdown with 0 titles", cell_with(0, source="## 01 · What is it?")),
    (title_complaints, "markdown with 2 titles", cell_with(0, source="# One\n\n# Two")),
    (title_complaints, "code with 1 titles", cell_with(0, cell_type="code", source="# 01")),
    (title_complaints, "missing with 0 titles", notebook_with(cells=[])),
    (format_complaints, "its format is 4.4", notebook_with(nbformat_minor=4)),
    (format_complaints, "cell 0: its id 'd' is missing or not unique", cell_with(0, id="d")),
    (format_complaints, "cell 0: it has no id", cell_with(0, id="")),
    (metadata_complaints, "metadata 'toc'", metadata_with(toc={})),
    (metadata_complaints, "kernel is not python3", metadata_with(kernelspec={"name": "my-env"})),
    (metadata_complaints, "no metadata 'language_info'", lambda notebook: notebook["metadata"].pop("language_info")),
    (metadata_complaints, "cell 1: metadata 'collapsed'", cell_with(1, metadata={"collapsed": True})),
    (metadata_complaints, "cell 1: tag 'hide-input'", cell_with(1, metadata={"tags": ["hide-input"]})),
    (parse_complaints, "cell 6: ", cell_with(6, source="if True\n    pass")),
    (import_complaints, "cell 1: No module named 'helpers.no'", cell_with(1, source="from helpers.no import clean")),
    (import_complaints, "cell 1: No module named 'helpers.no'", cell_with(1, source="import helpers.no")),
    (
        import_complaints,
        "cell 1: No module named 'helpers.text.no'",
        cell_with(1, source="from helpers.text import no"),
    ),
    (import_complaints, "cell 6: No module named", cell_with(6, source="def f():\n    from helpers import no")),
    (execution_complaints, "cell 1: it ran as None instead of 1", cell_with(1, execution_count=None)),
    (execution_complaints, "cell 3: it ran as 7 instead of 2", cell_with(3, execution_count=7)),
    (execution_complaints, "cell 7: it ran as None instead of 5", cell_with(7, source="1 + 1")),
    (output_complaints, "cell 4: it shows a figure, but no PNG", cell_with(4, outputs=[shown(text_plain="<Figure>")])),
    (output_complaints, "cell 6: it shows a figure", cell_with(6, source="for x in y:\n    plt.show()")),
    (output_complaints, "no output is stored", notebook_with(cells=GOOD["cells"][:2])),
    (error_complaints, "cell 3: an error is stored", output_with(raised("Traceback"))),
    (error_complaints, "cell 3: tagged raises-exception, but no", output_with(printed("fine"), tag=RAISES)),
    (warning_complaints, "cell 3: stderr", output_with(printed("100%", name="stderr"))),
    (warning_complaints, "cell 3: 'UserWarning'", output_with(printed("x.py:3: UserWarning: slow"))),
    (warning_complaints, "cell 3: 'Warning'", output_with(shown(text_html="<b>Warning</b>: slow"))),
    (warning_complaints, "cell 3: 'WARNING'", output_with(printed("a\nWARNING:root:slow"))),
    (
        svg_complaints,
        "cell 3: an SVG is stored",
        output_with({"output_type": "display_data", "data": {"image/svg+xml": ""}}),
    ),
    (svg_complaints, "cell 3: an SVG is stored", output_with(shown(text_html="<div><svg width=1>"))),
    (place_complaints, "cell 3: '/tmp'", output_with(printed("saved in /tmp"))),
    (place_complaints, "cell 3: '/data/me/book.txt'", output_with(shown(text_plain="'/data/me/book.txt'"))),
    (place_complaints, "cell 3: '~/c'", output_with(printed("~/course/x.py"))),
    (place_complaints, "cell 3: 'C:\\\\U'", output_with(printed("C:\\Users\\me"))),
    (
        place_complaints,
        "cell 3: '/opt/x/a.py'",
        output_with(raised("File \x1b[32m/opt/x/a.py:3\x1b[0m, in f"), tag=RAISES),
    ),
    (place_complaints, "cell 3: 'localhost'", output_with(printed("http://localhost:8888"))),
    (place_complaints, "cell 3: '10.1.2.3'", output_with(printed("on 10.1.2.3"))),
    (place_complaints, "widgets: '/home/me'", metadata_with(widgets={"state": {"x": {"value": "in /home/me"}}})),
    (ignored_complaints, "50% of its code", lambda notebook: [tag(notebook, place) for place in (1, 3)]),
    (assert_complaints, "it asserts nothing", cell_with(3, source="print('assert 1')  # assert 1")),
]


def tag(notebook: Notebook, place: int) -> None:
    notebook["cells"][place]["metadata"]["tags"] = [IGNORE_OUTPUT]


@pytest.mark.parametrize(
    "check, complaint, break_it", BROKEN, ids=[f"{check.__name__}-{complaint}" for check, complaint, _ in BROKEN]
)
def test_a_broken_notebook_is_found(check: Check, complaint: str, break_it: Callable[[Notebook], Any], course: Path):
    broken = deepcopy(GOOD)
    break_it(broken)
    complaints = check(broken, course / "notebooks" / "01_one.ipynb")
    assert complaint in "\n".join(complaints)


def test_every_check_is_shown_a_broken_notebook():
    assert {check for check, _, _ in BROKEN} | {size_complaints} == set(CHECKS)


def test_the_name_of_this_machine_is_found(course: Path):
    broken = deepcopy(GOOD)
    output_with(printed("ran on lab-pc-7"))(broken)
    path = course / "notebooks" / "01_one.ipynb"
    assert place_complaints(broken, path, host="lab-pc-7") == ["cell 3: 'lab-pc-7' in an output"]
    assert place_complaints(broken, path, host="ran") == []


def test_a_picture_inside_html_is_fine(course: Path):
    moving = deepcopy(GOOD)
    html = ['<img src="data:image/png;base64,iVBO\\\n', "/tmp/localhost/Warning==", '">\n']
    output_with(shown(text_html=html))(moving)
    path = course / "notebooks" / "01_one.ipynb"
    assert [complaint for check in CHECKS for complaint in check(moving, path)] == []
    output_with(shown(text_html=[*html, "<p>/tmp</p>"]))(moving)
    assert place_complaints(moving, path) == ["cell 3: '/tmp' in an output"]


def test_an_announced_error_is_fine(course: Path):
    announced = deepcopy(GOOD)
    output_with(raised("ValueError: too short"), tag=RAISES)(announced)
    path = course / "notebooks" / "01_one.ipynb"
    assert [check(announced, path) for check in CHECKS] == [[]] * len(CHECKS)


def test_a_large_file_is_found(course: Path):
    path = course / "notebooks" / "01_one.ipynb"
    path.write_text(json.dumps(GOOD | {"padding": "x" * MAX_BYTES}))
    assert size_complaints(GOOD, path)


@pytest.mark.parametrize(
    "name", ["04_gap.ipynb", "01_twice.ipynb", "look.ipynb", "3_three.ipynb", "solutions/one.ipynb"]
)
def test_a_wrong_name_is_found(name: str, course: Path):
    (course / "notebooks" / "solutions").mkdir()
    (course / "notebooks" / name).touch()
    assert name_complaints(course / "notebooks")


def test_solutions_need_no_number_of_their_own(course: Path):
    (course / "notebooks" / "solutions").mkdir()
    path = course / "notebooks" / "solutions" / "01_one.ipynb"
    path.write_text(json.dumps(GOOD | {"cells": GOOD["cells"][:2]}))
    assert name_complaints(course / "notebooks") == []
    assert next_complaints(read_notebook(path), path) == []
    assert readme_complaints(course) == []


def test_a_missing_first_notebook_is_found(course: Path):
    (course / "notebooks" / "00_zero.ipynb").unlink()
    assert name_complaints(course / "notebooks")


def test_an_empty_folder_is_found(tmp_path: Path):
    assert name_complaints(tmp_path) == ["the notebooks are numbered [] instead of ['00', '01', '…']"]


def test_too_many_ignored_outputs_are_found(course: Path):
    for path in find_notebooks(course / "notebooks"):
        notebook = read_notebook(path)
        tag(notebook, 1)
        path.write_text(json.dumps(notebook))
        assert ignored_complaints(notebook, path) == []  # one in four of this notebook is fine
    assert overall_complaints(course / "notebooks") == ["25% of all code is tagged nbval-ignore-output"]


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("(notebooks/01_one.ipynb)", "(notebooks/01_won.ipynb)", "notebooks/01_won.ipynb: there is no such file"),
        ("| [01](notebooks/01_one.ipynb) | one |\n", "", "its table does not link to 01_one.ipynb"),
        (
            "| [01](notebooks/01_one.ipynb) | one |\n",
            "[01](notebooks/01_one.ipynb)",
            "its table does not link to 01_one.ipynb",
        ),
        ("(#the-notebooks)", "(#The-notebooks!)", "#The-notebooks!: there is no such heading"),
        ("labpath=notebooks/00_zero.ipynb", "labpath=00_zero.ipynb", "there is no 00_zero.ipynb"),
    ],
)
def test_a_broken_readme_is_found(old: str, new: str, complaint: str, course: Path):
    assert old in README
    (course / "README.md").write_text(README.replace(old, new), encoding="utf-8")
    assert complaint in readme_complaints(course)[0]


def test_a_missing_readme_is_found(course: Path):
    (course / "README.md").unlink()
    assert readme_complaints(course) == ["there is no README.md"]
