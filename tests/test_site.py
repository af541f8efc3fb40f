"""The web edition as files: all of the notebooks is in it, its links lead somewhere, nothing comes from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from course import TOP, cells_of, complain, find_chapters, read_notebook, source

BUILD = TOP / ".github" / "site" / "build.py"
NOTEBOOKS = [*(c.notebook for c in find_chapters()), *sorted((TOP / "notebooks" / "solutions").glob("[0-9]*.ipynb"))]
SAFE = {"a", "use"}  # may lead elsewhere: only a click follows them


class Reader(HTMLParser):
    """Anchors, addresses and texts of one page."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.open = path, []
        self.ids: set[str] = set()
        self.addresses: list[tuple[str, str]] = []  # (tag, address)
        self.code: list[str] = []
        self.rel: dict[str, Path] = {}
        self.prose, self.formulas = "", 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs["id"]} if "id" in attrs else set()
        self.addresses += [(tag, attrs[name]) for name in ("href", "src", "srcset", "data", "poster") if name in attrs]
        self.formulas += tag == "math"
        if "rel" in attrs and tag == "a":
            self.rel[attrs["rel"]] = self.target(attrs["href"])
        if tag not in ("meta", "link", "img", "input", "br", "hr", "mspace"):
            self.open.append(f"{tag}.{attrs.get('class', '')}")
        if self.open[-1] == "pre.code":
            self.code.append("")

    def handle_endtag(self, tag):
        if self.open and self.open[-1].partition(".")[0] == tag:
            self.open.pop()

    def handle_data(self, data):
        if "pre.code" in self.open:
            self.code[-1] += data
        elif not {"pre.output", "code.", "script.", "style."} & set(self.open):
            self.prose += data

    def target(self, address: str) -> Path:
        path = unquote(urlsplit(address).path)
        return (self.path.parent / path).resolve() if path else self.path


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, BUILD, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Reader]:
    return {path: Reader(path) for path in sorted(site.rglob("*.html"))}


def test_every_link_leads_somewhere(pages):
    complaints = []
    for path, page in pages.items():
        for _, address in page.addresses:
            if not urlsplit(address).scheme:
                target, anchor = page.target(address), unquote(urlsplit(address).fragment)
                if not target.is_file() or (anchor and anchor not in pages[target].ids):
                    complaints.append(f"{path.name}: {address}")
    complain(complaints)


def test_nothing_comes_from_elsewhere(site: Path, pages):
    found = [(path, a) for path, page in pages.items() for tag, a in page.addresses if tag not in SAFE]
    for path in [*site.rglob("*.css"), *pages]:
        css = path.read_text(encoding="utf-8")
        found += [(path, address) for address in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]*)", css)]
    complain([f"{path.name}: {a}" for path, a in found if urlsplit(a).scheme not in ("", "data") or a.startswith("//")])
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 15e6


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.relative_to(TOP / "notebooks").as_posix())
def test_what_is_in_a_notebook_is_on_its_page(site: Path, pages, notebook: Path):
    page, content = pages[(site / notebook.relative_to(TOP)).with_suffix(".html")], read_notebook(notebook)
    assert [code.strip() for code in page.code] == [source(cell).strip() for _, cell in cells_of(content, "code")]
    prose = "\n\n".join(re.sub(r"`[^`]*`", "", source(cell)) for _, cell in cells_of(content, "markdown"))
    assert page.formulas == len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", prose, flags=re.DOTALL))
    assert not re.search(r"\$|\\[a-zA-Z]+", page.prose)
    drawn = sum("image/png" in output.get("data", {}) for _, c in cells_of(content, "code") for output in c["outputs"])
    assert sum(tag == "img" for tag, _ in page.addresses) >= drawn


@pytest.mark.parametrize("folder", ["notebooks", "notebooks/solutions"])
def test_pages_are_read_one_after_the_other(site: Path, pages, folder: str):
    names = [(site / n.relative_to(TOP)).with_suffix(".html") for n in NOTEBOOKS if n.parent == TOP / folder]
    assert len(names) >= 8
    for before, path, after in zip([None, *names], names, [*names[1:], None], strict=False):
        assert (pages[path].rel.get("prev"), pages[path].rel.get("next")) == (before, after)


def test_a_site_that_would_be_broken_is_not_built(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(BUILD.parent)
    from build import Page, Site, build
    from prose import Markdown, mathml

    (tmp_path / "mine.txt").touch()
    with pytest.raises(ValueError, match="holds something else"):
        build(TOP, tmp_path)
    assert (tmp_path / "mine.txt").exists()
    site, page = Site(TOP, tmp_path), Page(Path("README.md"), Path("x.html"), "x")
    with pytest.raises(FileNotFoundError, match=r"README.md links to nowhere.png"):
        Markdown(lambda url: site.link(url, page.source, page.file)).render("![a](nowhere.png)")
    with pytest.raises(ValueError, match=r"\\nonsense"):
        mathml(r"x + \nonsense", "inline")
