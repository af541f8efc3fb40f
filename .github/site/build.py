"""Build the web edition of the course from its stored notebooks, which are not run: plain files that need no server.

.venv/bin/python .github/site/build.py              into build/site; open build/site/index.html
.venv/bin/python .github/site/build.py elsewhere    into another folder, which must be new or empty
"""

import argparse
import html
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cells import to_html
from jinja2 import Environment, FileSystemLoader

from prose import Markdown, headings

HERE = Path(__file__).parent
TOP = HERE.parents[1]
NOTEBOOKS = Path("notebooks")


@dataclass(frozen=True)
class Page:
    """One page: the file of the repository that it shows, and its file in the site; both relative paths."""

    source: Path
    file: Path
    name: str

    @property
    def title(self) -> str:
        return f"Solutions to {self.name}" if self.kind == "solution" else self.name

    @property
    def kind(self) -> str:
        """Pages of one kind are read one after the other."""
        if self.source.suffix != ".ipynb":
            return "about"
        return "chapter" if self.source.parent == NOTEBOOKS else "solution"


def find_pages(top: Path) -> list[Page]:
    """Every page but the contents: chapters, solutions, and what is told about the course."""
    readme = (top / "README.md").read_text(encoding="utf-8")
    names = {stem: name for name, stem in re.findall(r"\[([^]]*)\]\(notebooks/(\w+)\.ipynb\)", readme)}
    pages = []
    for folder in (NOTEBOOKS, NOTEBOOKS / "solutions"):
        for path in sorted((top / folder).glob("[0-9][0-9]_*.ipynb")):
            source = path.relative_to(top)
            pages.append(Page(source, source.with_suffix(".html"), names[path.stem]))
    pages.append(Page(Path("README.md"), Path("readme.html"), "Run it, teach with it"))
    pages.append(Page(Path(".github/CONTRIBUTING.md"), Path("contributing.html"), "Carry it on"))
    return pages


class Site:
    """The site as it grows: its pages, the files that they show, and the index for the search."""

    def __init__(self, top: Path, folder: Path):
        self.top, self.folder = top, folder
        self.pages = find_pages(top)
        self.files = {page.source: page.file for page in self.pages}
        self.index: list[dict[str, str]] = []
        environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
        self.template = environment.get_template("page.html")

    def link(self, url: str, source: Path, file: Path) -> str:
        """Where a link of the repository's file `source` leads from the site's page `file`.

        Raises FileNotFoundError when the repository has no such file.
        """
        parts = urlsplit(url)
        if parts.scheme or not parts.path:
            return url
        target = Path(os.path.normpath(source.parent / unquote(parts.path)))
        if not (self.top / target).exists():
            raise FileNotFoundError(f"{source} links to {url}, and there is no {target}")
        if (self.top / target).is_dir():
            return os.path.relpath("index.html", file.parent) + "#" + target.name
        if target not in self.files:  # an image, the licence: shown as it is
            self.files[target] = target if target.suffix else target.with_suffix(".txt")
            self.write(self.files[target], (self.top / target).read_bytes())
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        return Path(os.path.relpath(self.files[target], file.parent)).as_posix() + anchor

    def write(self, file: Path, content: bytes) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def add(self, page: Page, body: str, **more) -> None:
        """Write one page and note what the search finds on it."""
        same = [other for other in self.pages if other.kind == page.kind] if page in self.pages else []
        place = same.index(page) if same else 0
        around = {"before": same[place - 1] if place > 0 else None, "after": (*same, None)[place + 1] if same else None}
        sections = headings(body)
        values = {"page": page, "pages": self.pages, "body": body, "sections": sections, **around, **more}
        root = os.path.relpath(".", page.file.parent)
        self.write(page.file, self.template.render(root=root, **values).encode())
        self.index += index_of(page, body)

    def notebook(self, page: Page) -> None:
        notebook = json.loads((self.top / page.source).read_text(encoding="utf-8"))
        pictures = page.file.with_suffix("")

        def keep(name: str, content: bytes) -> str:
            self.write(pictures / name, content)
            return f"{pictures.name}/{name}"

        body = to_html(notebook, Markdown(lambda url: self.link(url, page.source, page.file)), keep)
        twin = NOTEBOOKS / ("solutions" if page.kind == "chapter" else "") / page.source.name
        self.add(page, body, twin=next((other for other in self.pages if other.source == twin), None))

    def readme(self) -> None:
        """The contents: what the README says first, and its table of the notebooks. And the README as a page."""
        text = (self.top / "README.md").read_text(encoding="utf-8")
        sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
        first = [sections[0], *(part for part in sections if part.startswith("## The notebooks"))]
        contents = Page(Path("README.md"), Path("index.html"), "Contents")
        for page, source in [(contents, "".join(first)), (self.page("README.md"), text)]:
            self.add(page, Markdown(lambda url, file=page.file: self.link(url, Path("README.md"), file)).render(source))

    def page(self, source: str) -> Page:
        return next(page for page in self.pages if page.source == Path(source))


def index_of(page: Page, body: str) -> list[dict[str, str]]:
    """What the search looks through: for each section its place, its title and its words."""
    body = re.sub(r"<(script|math|noscript)\b.*?</\1>|<pre class=\"output\">.*?</pre>", " ", body, flags=re.DOTALL)
    found = []
    for section in re.split(r"(?=<h[1-3] id=)", body):
        anchor = re.match(r'<h[1-3] id="([^"]*)">(.*?)</h\d>', section, flags=re.DOTALL)
        if anchor:
            words = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", section[anchor.end() :])).split())
            title = html.unescape(re.sub(r"<[^>]+>", "", anchor[2]))
            found.append(
                {"to": f"{page.file.as_posix()}#{anchor[1]}", "page": page.title, "title": title, "words": words}
            )
    return found


def build(top: Path, folder: Path) -> None:
    """Build the site of the course in `top` into `folder`, which is emptied first.

    Raises ValueError when the folder holds something else than such a site, or a formula is unknown to latex2mathml;
    FileNotFoundError when a link leads nowhere.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "site.js").exists():
        raise ValueError(f"{folder} holds something else than a web edition; name an empty folder or a new one")
    shutil.rmtree(folder, ignore_errors=True)
    site = Site(top, folder)
    for page in site.pages:
        if page.source.suffix == ".ipynb":
            site.notebook(page)
    site.readme()
    contributing = site.page(".github/CONTRIBUTING.md")
    markdown = Markdown(lambda url: site.link(url, contributing.source, contributing.file))
    site.add(contributing, markdown.render((top / contributing.source).read_text(encoding="utf-8")))
    for name in ("style.css", "site.js"):
        shutil.copy(HERE / name, folder)
    site.write(Path("index.js"), f"const INDEX = {json.dumps(site.index, ensure_ascii=False)};\n".encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the web edition of the course from its stored notebooks.")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=TOP / "build" / "site", help="new, empty, or with an older edition"
    )
    folder = parser.parse_args().folder
    try:
        build(TOP, folder)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder / 'index.html'}: {len(list(folder.rglob('*.html')))} pages, {size / 1e6:.1f} MB")
