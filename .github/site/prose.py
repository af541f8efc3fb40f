"""The prose of the course as HTML: headings that can be linked to, formulas as MathML, code in colours."""

import html
import re
from collections.abc import Callable

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

# What latex2mathml leaves to be set as LaTeX sets it.
MINUS, NAMED = "<mo>&#x02212;</mo>", "<mi>(?:ln|tanh|min|max)</mi>"
POLISH = [
    (r"<mo>(min|max|&#x0221E;)</mo>", r"<mi>\1</mi>"),  # a name and infinity are no operators, with space around
    (
        rf"(?<=&#x000(?:28|2C|3D|B7);</mo>){MINUS}(?=<mn>)",
        '<mo form="prefix">&#x02212;</mo>',
    ),  # after a bracket, a comma or =: a sign
    ("<mo>&#x0002F;</mo>", '<mo lspace="0" rspace="0">/</mo>'),
    (rf"({NAMED})(?=<m[in]|<msqrt)", r'\1<mspace width="0.167em"/>'),
    (rf"(?<=</m[in]>)(?={NAMED})", '<mspace width="0.167em"/>'),
    (r"<mo>&#x00028;</mo><mtable>.*?</mtable><mo>&#x00029;</mo>", r"<mrow>\g<0></mrow>"),  # brackets of its own height
]


def in_colours(code: str, language: str) -> str:
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    inner = highlight(code, lexer, HtmlFormatter(nowrap=True))
    return f'<pre class="code"><code>{inner}</code></pre>\n'


def mathml(formula: str, display: str) -> str:
    """A formula of LaTeX as MathML. Raises ValueError when a command of it is unknown."""
    result = convert(formula.strip(), display=display)
    unknown = re.search(r"\\[a-zA-Z]+", result)
    if unknown:
        raise ValueError(f"The formula {formula!r} has {unknown[0]}, which latex2mathml does not know")
    for pattern, better in POLISH:
        result = re.sub(pattern, better, result)
    return result


class Renderer(IPythonRenderer):
    """HTML for one page; `link` says where an address written in the source leads from there."""

    def __init__(self, link: Callable[[str], str]):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.where, self.anchors = link, set()

    def heading(self, text: str, level: int, **attributes) -> str:
        # As GitHub names it, so that a link to a section leads to the same place there and here.
        plain = html.unescape(re.sub(r"<[^>]+>", "", text)).lower()
        name = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        anchor = next(a for a in (name, *(f"{name}-{n}" for n in range(1, 99))) if a not in self.anchors)
        self.anchors.add(anchor)
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return super().link(text, self.where(url), title)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return super().image(" ".join(text.split()), self.where(url), title)

    def block_code(self, code: str, info: str | None = None) -> str:
        return in_colours(code, info or "text")

    def table(self, text: str) -> str:
        return f'<div class="wide"><table>{text}</table></div>\n'

    def block_math(self, body: str) -> str:
        return f'<span class="wide">{mathml(body, "block")}</span>'

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")


class Markdown:
    """Turns the markdown of one page into HTML, piece after piece."""

    def __init__(self, link: Callable[[str], str]):
        self._markdown = MarkdownWithMath(Renderer(link))

    def render(self, text: str) -> str:
        return self._markdown.render(text)


def headings(body: str) -> list[tuple[str, str]]:
    """(anchor, title) of each section of a page."""
    return re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', body, flags=re.DOTALL)
