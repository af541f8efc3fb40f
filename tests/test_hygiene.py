"""Every notebook is one that a reader can open, follow and trust: run from top to bottom, stored clean, links alive.

Each check takes a notebook (the dict that its file holds) and its path, and yields complaints. All are put to every
notebook of the course; then to copies of one of them, each with a fault that they are there to find.
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
from course import TOP, Cell, Notebook, cells_of, complain, imported, parse, read_notebook, source
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from helpers.figures.beating_the_table import Game
from helpers.figures.explorer import Explorer
from helpers.figures.page import Page

FOLDER = TOP / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
IGNORE_OUTPUT, RAISES, ONLY_OUTPUT = "nbval-ignore-output", "raises-exception", "only-output"
SLIDES = [{}, *({"slide_type": kind} for kind in ("slide", "fragment", "skip"))]  # other types misbehave in a lecture
MAX_BYTES = 580_000
MAX_IGNORED_HERE, MAX_IGNORED_OVERALL = 1 / 3, 1 / 6

Complaints = Iterator[str]

# What a notebook consists of


def tags(cell: Cell) -> list[str]:
    return cell["metadata"].get("tags", [])


def code_cells(notebook: Notebook) -> Iterator[tuple[int, Cell]]:
    return cells_of(notebook, "code")


def markdown_of(notebook: Notebook) -> str:
    return "\n\n".join(source(cell) for _, cell in cells_of(notebook, "markdown"))


def calls_at_once(node: ast.AST) -> Iterator[str]:
    """What code calls when it runs, without the insides of the functions that it defines."""
    if isinstance(node, ast.Call):
        yield ast.unparse(node.func)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from calls_at_once(child)


def strings(value: Any) -> Iterator[str]:
    """Every text inside stored outputs, without colour codes; pictures are left out, also those inside HTML."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "\n".join(value)  # a long text is stored as a list of lines
    if isinstance(value, str):
        yield re.sub(r"\x1b\[[\d;]*m|data:image/[\w+.-]+;base64,[\w+/=\\\s]*", "", value)
    elif isinstance(value, list):
        yield from (text for item in value for text in strings(item))
    elif isinstance(value, dict):
        yield from (text for key, item in value.items() if not key.startswith("image/") for text in strings(item))


def stored_texts(notebook: Notebook) -> Iterator[tuple[str, str]]:
    """Every text that running the notebook left in it, with the name of its place."""
    for i, cell in code_cells(notebook):
        yield from ((f"cell {i}", text) for text in strings(cell["outputs"]))
    yield from (("widgets", text) for text in strings(notebook["metadata"].get("widgets", {})))


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


def anchors(path: Path, markdown: str | None) -> set[str]:
    """What may follow the # of a link: JupyterLab's name of each heading, or for a .md file GitHub's."""
    if path.suffix == ".ipynb":
        return {heading.replace(" ", "-") for _, heading in headings(markdown or markdown_of(read_notebook(path)))}
    found = headings(markdown or path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for _, heading in found}


def link_problem(target: str, page: Path, markdown: str) -> str | None:
    """Say what is wrong with a link on `page`; None when it leads to a file of the course, or out to the web."""
    url = urlsplit(target)
    if url.scheme or url.netloc:
        opened = parse_qs(url.query).get("labpath", [])  # what a link to Binder opens there
        return next((f"{target}: there is no {file}" for file in opened if not (TOP / file).is_file()), None)
    path = (page.parent / url.path).resolve() if url.path else page
    if not path.is_relative_to(TOP):
        return f"{target}: leads out of the course's folder"
    if not path.exists():
        return f"{target}: there is no such file"
    if url.fragment and path.suffix in {".ipynb", ".md"}:
        if url.fragment not in anchors(path, None if url.path else markdown):
            return f"{target}: there is no such heading"
    return None


def page_complaints(markdown: str, page: Path, whole: str) -> Complaints:
    """Every link and picture of some text leads to a file of the course; `whole` has the headings of its page."""
    problems = (link_problem(target, page, whole) for target in link_targets(markdown))
    yield from (problem for problem in problems if problem)


# Checks of one notebook


def text_complaints(notebook: Notebook, path: Path) -> Complaints:
    """One title, in the first cell; living links; one of them to the next notebook of the course."""
    markdown, cells = markdown_of(notebook), notebook["cells"]
    for i, cell in cells_of(notebook, "markdown"):
        yield from (f"cell {i}: {problem}" for problem in page_complaints(source(cell), path, markdown))
    titles = [heading for level, heading in headings(source(cells[0])) if level == 1]
    if cells[0]["cell_type"] != "markdown" or len(titles) != 1:
        yield f"the first cell is {cells[0]['cell_type']} with {len(titles)} titles instead of markdown with one"
    course = sorted(FOLDER.glob("*.ipynb")) if path.parent == FOLDER else []
    following = course[course.index(path) + 1].name if course and path != course[-1] else None
    if following and following not in {urlsplit(target).path for target in link_targets(markdown)}:
        yield f"no link to the next notebook, {following}"


def form_complaints(notebook: Notebook, path: Path) -> Complaints:
    """A valid file of format 4.5, not too large, without litter of editors."""
    if (size := len(json.dumps(notebook, indent=1, ensure_ascii=False).encode())) >= MAX_BYTES:
        yield f"it has {size:,} bytes, more than {MAX_BYTES:,}"
    if (notebook["nbformat"], notebook["nbformat_minor"]) < (4, 5):
        yield f"its format is {notebook['nbformat']}.{notebook['nbformat_minor']}, older than 4.5"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nbformat repairs what is wrong with ids, and only warns
        try:
            nbformat.validate(deepcopy(notebook))
        except (nbformat.ValidationError, Warning) as problem:
            yield str(problem).splitlines()[0]
    metadata = notebook["metadata"]
    yield from (f"metadata {key!r}" for key in sorted(metadata.keys() - {"kernelspec", "language_info", "widgets"}))
    if metadata.get("kernelspec", {}).get("name") != "python3" or "language_info" not in metadata:
        yield "its kernel is not python3, or its language is not named"
    for i, cell in enumerate(notebook["cells"]):
        yield from (f"cell {i}: metadata {key!r}" for key in sorted(cell["metadata"].keys() - {"slideshow", "tags"}))
        yield from (f"cell {i}: tag {tag!r}" for tag in tags(cell) if tag not in {IGNORE_OUTPUT, RAISES, ONLY_OUTPUT})
        if (slide := cell["metadata"].get("slideshow", {})) not in SLIDES:
            yield f"cell {i}: slideshow {slide}"


def script_complaints(notebook: Notebook, path: Path) -> Complaints:
    """A page without a kernel runs the stored script of a figure: it is the one that `helpers` has."""
    for kind in notebook["metadata"].get("widgets", {}).values():
        for widget in kind.get("state", {}).values():
            if widget.get("state", {}).get("_esm", Page._esm) not in (Page._esm, Explorer._esm, Game._esm):
                yield "the stored script of a figure is an older one: rebuild the notebook"


def code_complaints(notebook: Notebook, path: Path) -> Complaints:
    """It ran once, in order, in a fresh kernel; its imports are there; what it claims, it checks."""
    for right, (i, cell) in enumerate(code_cells(notebook), start=1):
        if cell["execution_count"] != right:
            yield f"cell {i}: it ran as {cell['execution_count']} instead of {right}"
        for module, name in imported(parse(source(cell))):
            try:
                if module.partition(".")[0] == "helpers" and not hasattr(importlib.import_module(module), name or ""):
                    importlib.import_module(f"{module}.{name}" if name else module)
            except ImportError as error:
                yield f"cell {i}: {error}"
    trees = [parse(source(cell)) for _, cell in code_cells(notebook)]
    if not any(isinstance(node, ast.Assert) for tree in trees for node in ast.walk(tree)) and path.name[:3] != "00_":
        yield "it asserts nothing"  # the first notebook only shows the way


def output_complaints(notebook: Notebook, path: Path) -> Complaints:
    """Every figure has its picture, as PNG; errors stand where they are announced; nothing went to stderr."""
    if not any(cell["outputs"] for _, cell in code_cells(notebook)):
        yield "no output is stored"
    for i, cell in code_cells(notebook):
        kinds = {kind for output in cell["outputs"] for kind in output.get("data", {})}
        if "plt.show" in calls_at_once(parse(source(cell))) and "image/png" not in kinds:
            yield f"cell {i}: it shows a figure, but no PNG is stored"
        if "image/svg+xml" in kinds:
            yield f"cell {i}: an SVG is stored, which has megabytes when it has many points"
        stored, announced = any(o["output_type"] == "error" for o in cell["outputs"]), RAISES in tags(cell)
        if stored != announced:
            yield f"cell {i}: " + ("an error is stored" if stored else f"tagged {RAISES}, but no error is stored")
        if any(output.get("name") == "stderr" for output in cell["outputs"]):
            yield f"cell {i}: stderr"


def stored_complaints(notebook: Notebook, path: Path, host: str = platform.node()) -> Complaints:
    """No stored text looks like a warning, or tells on which machine or in which folder the notebook ran."""
    start = r"(?:^|(?<=[\s\"'(=:,\[>]))"
    known = r"/(?:tmp|home|root|Users|usr|opt|var|mnt|srv)\b"
    folder = rf"{start}(?:/(?:[\w.+-]+/)+[\w.+-]+|{known}|~/\w|[A-Za-z]:\\\w)|file://"
    patterns = [r"\b(?:[A-Z]\w*)?Warning\b|\bWARNING\b", "(?i:<svg)", folder, r"\blocalhost\b", r"\b\d+(?:\.\d+){3}\b"]
    if re.search(r"[\d.-]", host):  # else the name may be a word that stands in an output anyway
        patterns.append(rf"(?<!\w){re.escape(host)}(?!\w)")
    for place, text in stored_texts(notebook):
        if found := re.search("|".join(patterns), text, re.M):
            yield f"{place}: {found[0]!r} in an output"


def ignored_share(*notebooks: Notebook) -> float:
    """Which share of the cells of code may print something else each time."""
    ignored = [IGNORE_OUTPUT in tags(cell) for notebook in notebooks for _, cell in code_cells(notebook)]
    return sum(ignored) / max(len(ignored), 1)


def ignored_complaints(notebook: Notebook, path: Path) -> Complaints:
    """Most outputs are compared with what a new run prints."""
    if (share := ignored_share(notebook)) > MAX_IGNORED_HERE:
        yield f"{share:.0%} of its code is tagged {IGNORE_OUTPUT}"


CHECKS = [text_complaints, form_complaints, script_complaints, code_complaints]
CHECKS += [output_complaints, stored_complaints, ignored_complaints]


def complaints_about(notebook: Notebook, path: Path) -> Complaints:
    return (complaint for check in CHECKS for complaint in check(notebook, path))


def name_complaints(names: list[str]) -> Complaints:
    """Names are NN_name.ipynb; the course, without the solutions, counts 00, 01, … without gaps."""
    yield from (name for name in names if not re.fullmatch(r"(solutions/)?\d\d_[a-z0-9_]+\.ipynb", name))
    numbers = [name[:2] for name in names if "/" not in name]
    if not numbers or numbers != [f"{n:02}" for n in range(len(numbers))]:
        yield f"the notebooks are numbered {numbers}"


# The course as it is


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_notebook(path: Path):
    complain(list(complaints_about(read_notebook(path), path)))


def test_the_course():
    complain(list(name_complaints([path.relative_to(FOLDER).as_posix() for path in NOTEBOOKS])))
    assert ignored_share(*map(read_notebook, NOTEBOOKS)) <= MAX_IGNORED_OVERALL
    for page in (TOP / "README.md", TOP / ".github" / "CONTRIBUTING.md"):
        markdown = page.read_text(encoding="utf-8")
        complain(list(page_complaints(markdown, page, markdown)))


# Every check finds what it is there to find

PATH = FOLDER / "01_concatenation.ipynb"
GOOD = read_notebook(PATH)
LAST = len(GOOD["cells"])
Edit = Callable[[Notebook], Any]


def text(markdown: str) -> Edit:
    """Add a cell of text at the end."""
    return lambda notebook: notebook["cells"].append(new_markdown_cell(markdown, id="new"))


def code(source: str = "pass", *outputs: dict, tag: str | None = None, **changes: Any) -> Edit:
    """Add a cell of code at the end that ran last."""

    def edit(notebook: Notebook) -> None:
        count = 1 + len(list(code_cells(notebook)))
        metadata = {"tags": [tag]} if tag else {}
        cell = new_code_cell(source, id="new", execution_count=count, outputs=list(outputs), metadata=metadata)
        notebook["cells"].append(cell | changes)

    return edit


def printed(text: str, name: str = "stdout") -> Edit:
    return code("pass", new_output("stream", name=name, text=text))


def shown(kind: str, data: str | list[str]) -> Edit:
    return code("pass", new_output("display_data", {kind: data}))


def raised(text: str, tag: str | None = RAISES) -> Edit:
    return code("pass", new_output("error", ename="ValueError", evalue="too short", traceback=[text]), tag=tag)


def meta(**changes: Any) -> Edit:
    return lambda notebook: notebook["metadata"].update(changes)


def all_code(**changes: Any) -> Edit:
    return lambda notebook: [cell.update(changes) for _, cell in code_cells(notebook)]


BROKEN: list[tuple[str, Edit]] = [
    ("09_no.ipynb: there is no such file", text("[x](09_no.ipynb)")),
    ("no.png: there is no such file", text('<img alt="x" src="no.png">')),
    ("no.md: there is no such file", text("[![x][y]](../README.md)\n\n[y]: no.md")),
    ("#No: there is no such heading", text("[x](#No)\n\n```\n# No\n```")),
    ("00_start_here.ipynb#no: there is no such heading", text("[x](00_start_here.ipynb#no)")),
    ("../README.md#Start: there is no such heading", text("[x](../README.md#Start)")),
    ("../..: leads out of the course", text("[x](../..)")),
    ("there is no notebooks/9.ipynb", text("[x](https://a.org/?labpath=notebooks/9.ipynb)")),
    ("no link to the next notebook, 02_one_hot.ipynb", lambda notebook: notebook["cells"].pop()),
    ("markdown with 2 titles", lambda notebook: notebook["cells"][0].update(source="# 01 · One\n\n# Two")),
    ("code with 0 titles", lambda notebook: notebook["cells"].insert(0, new_code_cell("pass", id="new"))),
    ("bytes, more than", printed("x" * MAX_BYTES)),
    ("its format is 4.4", lambda notebook: notebook.update(nbformat_minor=4)),
    ("Non-unique cell id 'new' detected", lambda notebook: (text("a")(notebook), text("b")(notebook))),
    ("Cell is missing an id field", lambda notebook: notebook["cells"][0].pop("id")),
    ("Additional properties are not allowed", code(colour="red")),
    ("metadata 'toc'", meta(toc={})),
    ("is an older one", meta(widgets={"x": {"state": {"y": {"state": {"_esm": "export default {}"}}}}})),
    ("kernel is not python3", meta(kernelspec={"name": "my-env", "display_name": "x"})),
    ("language is not named", lambda notebook: notebook["metadata"].pop("language_info")),
    ("metadata 'collapsed'", code(metadata={"collapsed": True})),
    ("tag 'hide-input'", code(tag="hide-input")),
    ("slideshow {'slide_type': 'notes'}", code(metadata={"slideshow": {"slide_type": "notes"}})),
    ("No module named 'helpers.no'", code("def f():\n    import helpers.no")),
    ("No module named 'helpers.text.no'", code("from helpers.text import no")),
    ("it ran as None instead of", code(execution_count=None)),
    ("it ran as 7 instead of 1", lambda notebook: next(code_cells(notebook))[1].update(execution_count=7)),
    ("it asserts nothing", all_code(source="print('assert 1')  # assert 1")),
    ("it shows a figure, but no PNG", code("for x in y:\n    plt.show()")),
    ("no output is stored", all_code(outputs=[])),
    ("an error is stored", raised("Traceback", tag=None)),
    ("tagged raises-exception, but no", code(tag=RAISES)),
    ("stderr", printed("100%", name="stderr")),
    ("'UserWarning'", printed("x.py:3: UserWarning: slow")),
    ("'WARNING'", shown("text/html", "<b>WARNING</b>: slow")),
    ("an SVG is stored", shown("image/svg+xml", "")),
    ("'<SVG'", shown("text/html", "<div><SVG width=1>")),
    ("'/tmp'", shown("text/html", ['<img src="data:image/png;base64,iVBO\\\n', '/tmp==">\n', "<p>/tmp</p>"])),
    ("'/data/me/book.txt'", shown("text/plain", "'/data/me/book.txt'")),
    ("'~/c'", printed("~/course/x.py")),
    ("'C:\\\\U'", printed("C:\\Users\\me")),
    ("'/opt/x/a.py'", raised("File \x1b[32m/opt/x/a.py:3\x1b[0m, in f")),
    ("'localhost'", printed("http://localhost:8888")),
    ("'10.1.2.3'", printed("on 10.1.2.3")),
    ("widgets: '/home/me'", meta(widgets={"state": {"x": {"value": "in /home/me"}}})),
    ("of its code is tagged", all_code(metadata={"tags": [IGNORE_OUTPUT]})),
]


@pytest.mark.parametrize("complaint, break_it", BROKEN, ids=[complaint for complaint, _ in BROKEN])
def test_a_broken_notebook_is_found(complaint: str, break_it: Edit):
    broken = deepcopy(GOOD)
    break_it(broken)
    assert any(complaint in found for found in complaints_about(broken, PATH))


@pytest.mark.parametrize(
    "edit",
    [
        text("[Table](../README.md#start), [web](https://a.org), $a[0](t)$, `[no](link)`\n\n```\n# no title\n```"),
        code("%time print(1)\ndef draw():\n    plt.show()", new_output("stream", text="A/B c/d, 3 tokens/s\n")),
        code("plt.show()", new_output("display_data", {"image/png": "iVBO/tmp/x"})),
        shown("text/html", ['<img src="data:image/png;base64,iVBO\\\n', "/tmp/localhost/Warning==", '">\n']),
        raised("ValueError: too short"),
        code("", execution_count=None),
    ],
)
def test_what_only_looks_like_a_fault_is_none(edit: Edit):
    fine = deepcopy(GOOD)
    edit(fine)
    complain(list(complaints_about(fine, PATH)))


def test_the_name_of_this_machine_is_found():
    broken = deepcopy(GOOD)
    printed("ran on lab-pc-7")(broken)
    assert list(stored_complaints(broken, PATH, host="lab-pc-7")) == [f"cell {LAST}: 'lab-pc-7' in an output"]
    assert list(stored_complaints(broken, PATH, host="ran")) == []


@pytest.mark.parametrize("name", ["04_gap.ipynb", "01_twice.ipynb", "look.ipynb", "3_three.ipynb", "solutions/1.ipynb"])
def test_a_wrong_name_is_found(name: str):
    good = ["00_zero.ipynb", "01_one.ipynb", "solutions/01_one.ipynb"]
    assert list(name_complaints(good)) == []
    assert all(list(name_complaints(names)) for names in (sorted([*good, name]), good[1:], []))
