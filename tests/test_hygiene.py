"""Every notebook is one that a reader can open, follow and trust: run from top to bottom, stored clean, links alive.

Each check takes a notebook (the dict that its file holds) and its path, and yields complaints. The tests below run
every check on every notebook of the course, and then show that each check finds what it is there to find.
"""

import ast
import importlib
import json
import platform
import re
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import mistune
import nbformat
import pytest
from course import TOP, Cell, Notebook, cells_of, complain, find_chapters, imported, parse, read_notebook, source
from nbformat import v4

NOTEBOOK_METADATA = {"kernelspec", "language_info", "widgets"}
IGNORE_OUTPUT, RAISES, ONLY_OUTPUT = "nbval-ignore-output", "raises-exception", "only-output"
SLIDES = [{}, *({"slide_type": kind} for kind in ("slide", "fragment", "skip"))]  # other types misbehave in a lecture
MAX_BYTES = 580_000
MAX_IGNORED_HERE, MAX_IGNORED_OVERALL = 1 / 3, 1 / 6

Complaints = Iterator[str]
Check = Callable[[Notebook, Path], Complaints]

# Reading


def find_notebooks(folder: Path) -> list[Path]:
    """All notebooks below `folder` in reading order, without hidden ones such as checkpoints."""
    paths = folder.rglob("*.ipynb")
    return sorted(path for path in paths if not any(p.startswith(".") for p in path.relative_to(folder).parts))


def tags(cell: Cell) -> list[str]:
    return cell["metadata"].get("tags", [])


def code_cells(notebook: Notebook) -> Iterator[tuple[int, Cell]]:
    return cells_of(notebook, "code")


def nodes(cell: Cell, enter_functions: bool = True) -> Iterator[ast.AST]:
    """Everything the code of a cell consists of; without the insides of functions, what runs with the cell."""
    waiting: list[ast.AST] = [parse(source(cell))]
    while waiting:
        node = waiting.pop()
        yield node
        if enter_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
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
        yield from ((f"cell {i}", text) for text in strings(cell["outputs"]))
    yield from (("widgets", text) for text in strings(notebook["metadata"].get("widgets", {})))


def find_in_texts(notebook: Notebook, pattern: str) -> Complaints:
    for place, text in stored_texts(notebook):
        if found := re.search(pattern, text, re.M):
            yield f"{place}: {found[0]!r} in an output"


def all_markdown(notebook: Notebook) -> str:
    return "\n\n".join(source(cell) for _, cell in cells_of(notebook, "markdown"))


# Markdown: links and headings


def elements(markdown: str) -> Iterator[dict]:
    """All that a text consists of; what looks like Markdown in code and formulas is none."""
    waiting = mistune.create_markdown(renderer="ast", plugins=["table", "math"])(markdown)
    while waiting:
        element = waiting.pop(0)
        yield element
        waiting = element.get("children", []) + waiting


def link_targets(markdown: str) -> Iterator[str]:
    """Where links and pictures point to, written in Markdown or HTML."""
    for element in elements(markdown):
        if element["type"] in ("link", "image"):
            yield unquote(element["attrs"]["url"])
        elif element["type"] in ("inline_html", "block_html"):
            yield from re.findall(r"""\b(?:href|src)\s*=\s*["']([^"']*)["']""", element["raw"])


def headings(markdown: str) -> list[tuple[int, str]]:
    """Level and plain text of each heading."""

    def text(element: dict) -> str:
        return element.get("raw", "") + "".join(text(child) for child in element.get("children", []))

    return [(e["attrs"]["level"], text(e)) for e in elements(markdown) if e["type"] == "heading"]


def anchors(path: Path, notebook: Notebook | None = None) -> set[str]:
    """What may follow the # of a link: JupyterLab's name of each heading, or for a .md file GitHub's."""
    if path.suffix == ".ipynb":
        markdown = all_markdown(notebook or read_notebook(path))
        names = {heading.replace(" ", "-") for _, heading in headings(markdown)}
    else:
        markdown = path.read_text(encoding="utf-8")
        names = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for _, heading in headings(markdown)}
    return names | set(re.findall(r"""\b(?:id|name)\s*=\s*["']([^"']+)["']""", markdown))


def link_problem(target: str, page: Path, top: Path, notebook: Notebook | None = None) -> str | None:
    """Say what is wrong with a link on `page`; None when it leads to a file of the course, or out to the web."""
    url = urlsplit(target)
    if url.scheme or url.netloc:
        opened = parse_qs(url.query).get("labpath", [])  # what a link to Binder opens there
        return next((f"{target}: there is no {file}" for file in opened if not (top / file).is_file()), None)
    path = (page.parent / url.path).resolve() if url.path else page.resolve()
    if not path.is_relative_to(top.resolve()):
        return f"{target}: leads out of the course's folder"
    if url.path and not path.exists():
        return f"{target}: there is no such file"
    if url.fragment and path.suffix in {".ipynb", ".md"}:
        if url.fragment not in anchors(path, None if url.path else notebook):
            return f"{target}: there is no such heading"
    return None


# Checks of one notebook


def link_complaints(notebook: Notebook, path: Path) -> Complaints:
    """Every link and picture in the text leads to a file of the course, and to a heading that is there."""
    top = next(folder.parent for folder in path.parents if folder.name == "notebooks")
    for i, cell in cells_of(notebook, "markdown"):
        problems = (link_problem(target, path, top, notebook) for target in link_targets(source(cell)))
        yield from (f"cell {i}: {problem}" for problem in problems if problem)


def next_complaints(notebook: Notebook, path: Path) -> Complaints:
    """Every notebook of the course but the last links to the next one."""
    course = sorted(path.parent.glob("*.ipynb")) if path.parent.name == "notebooks" else []
    for following in course[course.index(path) + 1 :][:1] if course else []:
        if following.name not in {urlsplit(target).path for target in link_targets(all_markdown(notebook))}:
            yield f"no link to the next notebook, {following.name}"


def title_complaints(notebook: Notebook, path: Path) -> Complaints:
    """The first cell is text with one title."""
    first = notebook["cells"][0] if notebook["cells"] else {"cell_type": "missing", "source": ""}
    titles = [heading for level, heading in headings(source(first)) if level == 1]
    if first["cell_type"] != "markdown" or len(titles) != 1:
        yield f"the first cell is {first['cell_type']} with {len(titles)} titles instead of markdown with one"


def format_complaints(notebook: Notebook, path: Path) -> Complaints:
    """The file is a valid one of format 4.5 or later, where every cell has an id of its own."""
    if (notebook["nbformat"], notebook["nbformat_minor"]) < (4, 5):
        yield f"its format is {notebook['nbformat']}.{notebook['nbformat_minor']}, older than 4.5"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            nbformat.validate(deepcopy(notebook))
        except (nbformat.ValidationError, Warning) as problem:
            yield str(problem).splitlines()[0]


def metadata_complaints(notebook: Notebook, path: Path) -> Complaints:
    """No litter of editors: a kernel, a language, perhaps widgets; in cells, tags from a small known set."""
    metadata = notebook["metadata"]
    yield from (f"metadata {key!r}" for key in sorted(metadata.keys() - NOTEBOOK_METADATA))
    yield from (f"no metadata {key!r}" for key in ("kernelspec", "language_info") if key not in metadata)
    if metadata.get("kernelspec", {}).get("name") != "python3":
        yield "its kernel is not python3"
    for i, cell in enumerate(notebook["cells"]):
        yield from (f"cell {i}: metadata {key!r}" for key in sorted(cell["metadata"].keys() - {"slideshow", "tags"}))
        yield from (f"cell {i}: tag {tag!r}" for tag in tags(cell) if tag not in {IGNORE_OUTPUT, RAISES, ONLY_OUTPUT})
        if (slide := cell["metadata"].get("slideshow", {})) not in SLIDES:
            yield f"cell {i}: slideshow {slide}"


def import_complaints(notebook: Notebook, path: Path) -> Complaints:
    """What a notebook imports from `helpers` is there."""
    for i, cell in code_cells(notebook):
        for module, name in imported(parse(source(cell))):
            try:
                if module.partition(".")[0] == "helpers" and not hasattr(importlib.import_module(module), name or ""):
                    importlib.import_module(f"{module}.{name}" if name else module)
            except ImportError as error:
                yield f"cell {i}: {error}"


def execution_complaints(notebook: Notebook, path: Path) -> Complaints:
    """Every cell was run once, in order, in a fresh kernel."""
    for right, (i, cell) in enumerate(code_cells(notebook), start=1):
        if cell["execution_count"] != right:
            yield f"cell {i}: it ran as {cell['execution_count']} instead of {right}"


def output_complaints(notebook: Notebook, path: Path) -> Complaints:
    """Outputs are stored, and every figure that is shown has its picture."""
    if not any(cell["outputs"] for _, cell in code_cells(notebook)):
        yield "no output is stored"
    for i, cell in code_cells(notebook):
        calls = (node for node in nodes(cell, enter_functions=False) if isinstance(node, ast.Call))
        pictures = [output for output in cell["outputs"] if output.get("data", {}).get("image/png")]
        if any(ast.unparse(call.func) == "plt.show" for call in calls) and not pictures:
            yield f"cell {i}: it shows a figure, but no PNG is stored"


def error_complaints(notebook: Notebook, path: Path) -> Complaints:
    """A stored error stands only where one is announced by its tag, and there it does stand."""
    for i, cell in code_cells(notebook):
        stored, announced = any(o["output_type"] == "error" for o in cell["outputs"]), RAISES in tags(cell)
        if stored and not announced:
            yield f"cell {i}: an error is stored"
        if announced and not stored:
            yield f"cell {i}: tagged {RAISES}, but no error is stored"


def warning_complaints(notebook: Notebook, path: Path) -> Complaints:
    """Nothing was written to stderr, and nothing stored looks like a warning."""
    for i, cell in code_cells(notebook):
        if any(output.get("name") == "stderr" for output in cell["outputs"]):
            yield f"cell {i}: stderr"
    yield from find_in_texts(notebook, r"\b(?:[A-Z]\w*)?Warning\b|\bWARNING\b")


def svg_complaints(notebook: Notebook, path: Path) -> Complaints:
    """Pictures are PNG: an SVG of many points has megabytes."""
    for i, cell in code_cells(notebook):
        if any("image/svg+xml" in output.get("data", {}) for output in cell["outputs"]):
            yield f"cell {i}: an SVG is stored"
    yield from find_in_texts(notebook, r"(?i:<svg)")


def place_complaints(notebook: Notebook, path: Path, host: str = platform.node()) -> Complaints:
    """No output tells on which machine or in which folder the notebook ran: the reader has another."""
    start = r"(?:^|(?<=[\s\"'(=:,\[>]))"
    known = r"/(?:tmp|home|root|Users|usr|opt|var|mnt|srv)\b"
    folder = rf"{start}(?:/(?:[\w.+-]+/)+[\w.+-]+|{known}|~/\w|[A-Za-z]:\\\w)|file://"
    patterns = [folder, r"\blocalhost\b", r"\b\d{1,3}(?:\.\d{1,3}){3}\b"]
    if re.search(r"[\d.-]", host):  # else the name may be a word that stands in an output anyway
        patterns.append(rf"(?<!\w){re.escape(host)}(?!\w)")
    yield from find_in_texts(notebook, "|".join(patterns))


def size_complaints(notebook: Notebook, path: Path) -> Complaints:
    if (size := path.stat().st_size) >= MAX_BYTES:
        yield f"it has {size:,} bytes, more than {MAX_BYTES:,}"


def ignored_share(notebooks: list[Notebook]) -> float:
    """Which share of the cells of code may print something else each time."""
    ignored = [IGNORE_OUTPUT in tags(cell) for notebook in notebooks for _, cell in code_cells(notebook)]
    return sum(ignored) / max(len(ignored), 1)


def ignored_complaints(notebook: Notebook, path: Path) -> Complaints:
    """Most outputs are compared with what a new run prints: at most one cell in three is not."""
    if (share := ignored_share([notebook])) > MAX_IGNORED_HERE:
        yield f"{share:.0%} of its code is tagged {IGNORE_OUTPUT}"


def assert_complaints(notebook: Notebook, path: Path) -> Complaints:
    """What a notebook claims, it checks; the first one only shows the way."""
    checks = any(isinstance(node, ast.Assert) for _, cell in code_cells(notebook) for node in nodes(cell))
    if not checks and not path.name.startswith("00_"):
        yield "it asserts nothing"


CHECKS: list[Check] = [value for name, value in list(globals().items()) if name.endswith("_complaints")]

# Checks of the whole course


def check_names(folder: Path) -> Complaints:
    """Names are NN_name.ipynb; the course counts 00, 01, … without gaps."""
    names = [path.name for path in find_notebooks(folder)]
    yield from (f"{name}: not named NN_name" for name in names if not re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", name))
    numbers = [path.name[:2] for path in sorted(folder.glob("*.ipynb"))]
    right = [f"{n:02}" for n in range(len(numbers))] or ["00", "01", "…"]
    if numbers != right:
        yield f"the notebooks are numbered {numbers} instead of {right}"


def check_most_are_compared(folder: Path) -> Complaints:
    """Over all notebooks, the outputs of at most one cell in six are not compared."""
    share = ignored_share([read_notebook(path) for path in find_notebooks(folder)])
    if share > MAX_IGNORED_OVERALL:
        yield f"{share:.0%} of all code is tagged {IGNORE_OUTPUT}"


def check_links(page: Path, top: Path) -> Complaints:
    if not page.is_file():
        yield f"there is no {page.name}"
        return
    problems = (link_problem(target, page, top) for target in link_targets(page.read_text(encoding="utf-8")))
    yield from (problem for problem in problems if problem)


# The course as it is


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", find_notebooks(TOP / "notebooks"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_notebook(path: Path, check: Check):
    complain(list(check(read_notebook(path), path)))


def test_the_course():
    assert find_chapters(), "there is no notebook"
    complain([*check_names(TOP / "notebooks"), *check_most_are_compared(TOP / "notebooks")])
    complain([*check_links(TOP / "README.md", TOP), *check_links(TOP / ".github" / "CONTRIBUTING.md", TOP)])


# Every check finds what it is there to find


def code_cell(number: str, count: int | None, code: str, *outputs: dict) -> Cell:
    return v4.new_code_cell(code, id=number, execution_count=count, outputs=list(outputs))


def printed(text: str, name: str = "stdout") -> dict:
    return v4.new_output("stream", name=name, text=text)


def shown(kind: str, data: str | list[str]) -> dict:
    return v4.new_output("display_data", {kind: data})


def raised(*traceback: str) -> dict:
    return v4.new_output("error", ename="ValueError", evalue="too short", traceback=list(traceback))


KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python"}, "language_info": {"name": "python"}}
CELLS = [
    v4.new_markdown_cell("# 01 · What is it?\n\n```\n# no title\n```\n\n## Two *small* `steps`", id="a"),
    code_cell("b", 1, "import matplotlib.pyplot as plt\nimport helpers.text\nfrom helpers.text import clean"),
    v4.new_markdown_cell("See ![it](pictures/it.png), [this](#Two-small-steps), $a[0](t)$, `[no](link)`.", id="c"),
    code_cell("d", 2, "%time print(clean('A/B c/d'))\nassert clean('A') == 'a'", printed("a b c d, 3 tokens/s\n")),
    code_cell("e", 3, "plt.plot([1])\nplt.show()", shown("image/png", "iVBO/tmp/x")),
    v4.new_markdown_cell(
        "[Next](02_two.ipynb#Part-1:-why?), [table](../README.md#the-table), [web](https://a.org)", id="f"
    ),
    code_cell("g", 4, "def draw():\n    plt.show()"),
    code_cell("h", None, ""),
]
GOOD: Notebook = v4.new_notebook(metadata=KERNEL, cells=CELLS)
README = """# The course

[Open on Binder](https://example.org/v2/x?labpath=notebooks/00_zero.ipynb) or read [on](#the-table).

## The table!

| | |
|---|---|
| [02](<notebooks/02_two.ipynb> "two") | two |
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A small course without a fault, of three notebooks; 01_one.ipynb is GOOD."""
    folder = tmp_path / "notebooks"
    for beside in ("pictures", ".ipynb_checkpoints", "solutions"):
        (folder / beside).mkdir(parents=True)
    (folder / "pictures" / "it.png").touch()
    (folder / ".ipynb_checkpoints" / "01_one-checkpoint.ipynb").write_text("{}")
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    (folder / "solutions" / "01_one.ipynb").write_text(json.dumps(GOOD | {"cells": CELLS[:2]}))
    for name, link in [("00_zero", "[next](01_one.ipynb)"), ("01_one", ""), ("02_two", "## Part 1: why?")]:
        notebook = deepcopy(GOOD)
        notebook["cells"][5]["source"] = link or notebook["cells"][5]["source"]
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return tmp_path


def complaints_about(notebook: Notebook, course: Path, checks: list[Check] = CHECKS) -> list[str]:
    return [complaint for check in checks for complaint in check(notebook, course / "notebooks" / "01_one.ipynb")]


def whole_course(course: Path) -> list[str]:
    folder = course / "notebooks"
    return [*check_names(folder), *check_most_are_compared(folder), *check_links(course / "README.md", course)]


def test_what_is_good_has_no_complaints(course: Path):
    paths = find_notebooks(course / "notebooks")
    assert [path.stem for path in paths] == ["00_zero", "01_one", "02_two", "01_one"]
    assert [c for path in paths[:3] for check in CHECKS for c in check(read_notebook(path), path)] == []
    assert list(next_complaints(read_notebook(paths[3]), paths[3])) == []  # solutions need no next one
    assert whole_course(course) == []


def cell(place: int, **changes: Any) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"][place].update(changes)


def top(**changes: Any) -> Callable[[Notebook], None]:
    return lambda notebook: notebook.update(changes)


def meta(**changes: Any) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["metadata"].update(changes)


def output(*outputs: dict, tag: str | None = None) -> Callable[[Notebook], None]:
    return cell(3, outputs=list(outputs), metadata={"tags": [tag]} if tag else {})


def ignore(*places: int) -> Callable[[Notebook], None]:
    return lambda notebook: [notebook["cells"][i]["metadata"].update(tags=[IGNORE_OUTPUT]) for i in places]


BROKEN: list[tuple[Check, str, Callable[[Notebook], Any]]] = [
    (link_complaints, "cell 2: 09_no.ipynb: there is no such file", cell(2, source="[x](09_no.ipynb)")),
    (link_complaints, "cell 2: no.png: there is no such file", cell(2, source="![x](no.png 'title')")),
    (link_complaints, "cell 2: no.png: there is no such file", cell(2, source='<img alt="x" src="no.png">')),
    (link_complaints, "cell 2: no.md: there is no such file", cell(2, source="[x][y]\n\n[y]: no.md")),
    (link_complaints, "cell 2: no.md: there is no such file", cell(2, source="[![x](pictures/it.png)](no.md)")),
    (link_complaints, "cell 2: #No: there is no such heading", cell(2, source="[x](#No)")),
    (link_complaints, "cell 2: #no-title: there is no such", cell(2, source="[x](#no-title)")),
    (link_complaints, "cell 2: 02_two.ipynb#part-1: there is", cell(2, source="[x](02_two.ipynb#part-1)")),
    (link_complaints, "cell 2: ../README.md#The-table!: there", cell(2, source="[x](../README.md#The-table!)")),
    (link_complaints, "cell 2: ../..: leads out of the course", cell(2, source="[x](../..)")),
    (link_complaints, "cell 2: /etc: leads out of the course", cell(2, source="[x](/etc)")),
    (link_complaints, "is no notebooks/9.ipynb", cell(2, source="[x](https://a.org/?labpath=notebooks/9.ipynb)")),
    (next_complaints, "no link to the next notebook, 02_two.ipynb", cell(5, source="[this](01_one.ipynb)")),
    (title_complaints, "markdown with 0 titles", cell(0, source="## 01 · What is it?")),
    (title_complaints, "markdown with 2 titles", cell(0, source="# One\n\n# Two")),
    (title_complaints, "code with 1 titles", cell(0, cell_type="code", source="# 01")),
    (title_complaints, "missing with 0 titles", top(cells=[])),
    (format_complaints, "its format is 4.4", top(nbformat_minor=4)),
    (format_complaints, "Non-unique cell id 'd' detected", cell(0, id="d")),
    (format_complaints, "'' does not match", cell(0, id="")),
    (format_complaints, "Cell is missing an id field", lambda notebook: notebook["cells"][0].pop("id")),
    (format_complaints, "'outputs' is a required property", lambda notebook: notebook["cells"][1].pop("outputs")),
    (metadata_complaints, "metadata 'toc'", meta(toc={})),
    (metadata_complaints, "kernel is not python3", meta(kernelspec={"name": "my-env"})),
    (metadata_complaints, "no metadata 'language_info'", lambda notebook: notebook["metadata"].pop("language_info")),
    (metadata_complaints, "cell 1: metadata 'collapsed'", cell(1, metadata={"collapsed": True})),
    (metadata_complaints, "cell 1: tag 'hide-input'", cell(1, metadata={"tags": ["hide-input"]})),
    (
        metadata_complaints,
        "cell 1: slideshow {'slide_type': 'notes'}",
        cell(1, metadata={"slideshow": {"slide_type": "notes"}}),
    ),
    (import_complaints, "cell 1: No module named 'helpers.no'", cell(1, source="from helpers.no import clean")),
    (import_complaints, "cell 1: No module named 'helpers.no'", cell(1, source="import helpers.no")),
    (import_complaints, "cell 1: No module named 'helpers.text.no'", cell(1, source="from helpers.text import no")),
    (import_complaints, "cell 6: No module named", cell(6, source="def f():\n    from helpers import no")),
    (execution_complaints, "cell 1: it ran as None instead of 1", cell(1, execution_count=None)),
    (execution_complaints, "cell 3: it ran as 7 instead of 2", cell(3, execution_count=7)),
    (execution_complaints, "cell 7: it ran as None instead of 5", cell(7, source="1 + 1")),
    (output_complaints, "cell 4: it shows a figure, but no PNG", cell(4, outputs=[shown("text/plain", "<Figure>")])),
    (output_complaints, "cell 6: it shows a figure", cell(6, source="for x in y:\n    plt.show()")),
    (output_complaints, "no output is stored", top(cells=CELLS[:2])),
    (error_complaints, "cell 3: an error is stored", output(raised("Traceback"))),
    (error_complaints, "cell 3: tagged raises-exception, but no", output(printed("fine"), tag=RAISES)),
    (warning_complaints, "cell 3: stderr", output(printed("100%", name="stderr"))),
    (warning_complaints, "cell 3: 'UserWarning'", output(printed("x.py:3: UserWarning: slow"))),
    (warning_complaints, "cell 3: 'Warning'", output(shown("text/html", "<b>Warning</b>: slow"))),
    (warning_complaints, "cell 3: 'WARNING'", output(printed("a\nWARNING:root:slow"))),
    (svg_complaints, "cell 3: an SVG is stored", output(shown("image/svg+xml", ""))),
    (svg_complaints, "cell 3: '<SVG'", output(shown("text/html", "<div><SVG width=1>"))),
    (place_complaints, "cell 3: '/tmp'", output(printed("saved in /tmp"))),
    (place_complaints, "cell 3: '/data/me/book.txt'", output(shown("text/plain", "'/data/me/book.txt'"))),
    (place_complaints, "cell 3: '~/c'", output(printed("~/course/x.py"))),
    (place_complaints, "cell 3: 'C:\\\\U'", output(printed("C:\\Users\\me"))),
    (place_complaints, "cell 3: '/opt/x/a.py'", output(raised("File \x1b[32m/opt/x/a.py:3\x1b[0m, in f"), tag=RAISES)),
    (place_complaints, "cell 3: 'localhost'", output(printed("http://localhost:8888"))),
    (place_complaints, "cell 3: '10.1.2.3'", output(printed("on 10.1.2.3"))),
    (place_complaints, "widgets: '/home/me'", meta(widgets={"state": {"x": {"value": "in /home/me"}}})),
    (size_complaints, "bytes, more than", lambda notebook: None),  # the file itself is made larger
    (ignored_complaints, "50% of its code", ignore(1, 3)),
    (assert_complaints, "it asserts nothing", cell(3, source="print('assert 1')  # assert 1")),
]


@pytest.mark.parametrize("check, complaint, break_it", BROKEN, ids=[f"{b[0].__name__}-{b[1]}" for b in BROKEN])
def test_a_broken_notebook_is_found(check: Check, complaint: str, break_it: Callable[[Notebook], Any], course: Path):
    broken = deepcopy(GOOD)
    break_it(broken)
    if check is size_complaints:
        (course / "notebooks" / "01_one.ipynb").write_text("x" * MAX_BYTES)
    assert complaint in "\n".join(complaints_about(broken, course, [check]))


def test_every_check_is_shown_a_broken_notebook():
    assert {check for check, _, _ in BROKEN} == set(CHECKS) and len(CHECKS) == 15


def test_the_name_of_this_machine_is_found(course: Path):
    broken = deepcopy(GOOD)
    output(printed("ran on lab-pc-7"))(broken)
    path = course / "notebooks" / "01_one.ipynb"
    assert list(place_complaints(broken, path, host="lab-pc-7")) == ["cell 3: 'lab-pc-7' in an output"]
    assert list(place_complaints(broken, path, host="ran")) == []


def test_a_picture_inside_html_and_an_announced_error_are_fine(course: Path):
    fine = deepcopy(GOOD)
    html = ['<img src="data:image/png;base64,iVBO\\\n', "/tmp/localhost/Warning==", '">\n']
    output(shown("text/html", html))(fine)
    assert complaints_about(fine, course) == []
    output(shown("text/html", [*html, "<p>/tmp</p>"]))(fine)
    assert complaints_about(fine, course, [place_complaints]) == ["cell 3: '/tmp' in an output"]
    output(raised("ValueError: too short"), tag=RAISES)(fine)
    assert complaints_about(fine, course) == []


@pytest.mark.parametrize("name", ["04_gap", "01_twice", "look", "3_three", "solutions/one"])
def test_a_wrong_name_is_found(name: str, course: Path):
    (course / "notebooks" / f"{name}.ipynb").write_text(json.dumps(GOOD))
    assert whole_course(course)


def test_a_missing_first_notebook_and_an_empty_folder_are_found(course: Path):
    (course / "notebooks" / "00_zero.ipynb").unlink()
    assert list(check_names(course / "notebooks"))
    empty = list(check_names(course / "notebooks" / "pictures"))
    assert empty == ["the notebooks are numbered [] instead of ['00', '01', '…']"]


def test_too_many_ignored_outputs_are_found(course: Path):
    for path in (course / "notebooks").glob("*.ipynb"):
        notebook = read_notebook(path)
        ignore(1)(notebook)
        path.write_text(json.dumps(notebook))
        assert list(ignored_complaints(notebook, path)) == []  # one in four of this notebook is fine
    assert whole_course(course) == ["23% of all code is tagged nbval-ignore-output"]


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("(<notebooks/02_two.ipynb>", "(<notebooks/02_to.ipynb>", "notebooks/02_to.ipynb: there is no such file"),
        ("(#the-table)", "(#The-table!)", "#The-table!: there is no such heading"),
        ("labpath=notebooks/00_zero.ipynb", "labpath=00_zero.ipynb", "there is no 00_zero.ipynb"),
    ],
)
def test_a_broken_readme_is_found(old: str, new: str, complaint: str, course: Path):
    assert old in README
    (course / "README.md").write_text(README.replace(old, new), encoding="utf-8")
    assert complaint in whole_course(course)[0]
    (course / "README.md").unlink()
    assert whole_course(course) == ["there is no README.md"]
