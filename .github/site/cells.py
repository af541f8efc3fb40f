"""A stored notebook as HTML: its prose, its code, what that printed and drew, and its figures.

A figure with controls is shown as it was stored. What lives in the page alone (an anywidget) lives on here: its module
and its state are put into the page, and site.js calls it. What asks Python is shown as its picture, its controls named.
"""

import base64
import html
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

from prose import Markdown, in_colours

WIDGETS, VIEW = "application/vnd.jupyter.widget-state+json", "application/vnd.jupyter.widget-view+json"
NEEDS_PYTHON = "The controls need Python: run this notebook in JupyterLab to move them."

Keep = Callable[[str, bytes], str]  # keeps a picture under a name and gives back its address


def text_of(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)


class Figures:
    """The outputs of one notebook."""

    def __init__(self, notebook: dict[str, Any], keep: Keep):
        self.widgets = notebook["metadata"].get("widgets", {}).get(WIDGETS, {}).get("state", {})
        self.keep, self.count = keep, 0

    def output(self, output: dict[str, Any]) -> str:
        """One output as HTML: what is richest in it."""
        data = output.get("data", {})
        picture = self.picture(base64.b64decode(text_of(data["image/png"]))) if "image/png" in data else ""
        if VIEW in data:
            return self.figure(data[VIEW]["model_id"], picture or self.note(text_of(data["text/plain"])))
        if picture:
            return f"<figure>{picture}</figure>\n"
        text = output.get("text") or data.get("text/plain") or "\n".join(output.get("traceback", []))
        return f'<pre class="output">{html.escape(text_of(text).rstrip(), quote=False)}</pre>\n'

    def picture(self, png: bytes) -> str:
        self.count += 1
        width, height = struct.unpack(">II", png[16:24])
        source = self.keep(f"{self.count}.png", png)
        alt = "Figure; the text after it says what it shows"
        return f'<div class="wide"><img src="{source}" width="{width}" height="{height}" alt="{alt}"></div>'

    def note(self, sentence: str) -> str:
        return f'<p class="note">{html.escape(sentence)}</p>'

    def figure(self, name: str, instead: str) -> str:
        """A figure with controls; `instead` is what stands for it where its state was not stored."""
        parts = list(self.parts(name))
        live = "".join(map(live_part, (part for part in parts if "_esm" in part["state"])))
        shown = "".join(self.still(part) for part in parts)
        controls = " · ".join(label for part in parts if (label := label_of(part["state"])))
        if not live and not shown:
            return f"<figure>{instead}</figure>\n"
        note = self.note(f"Here: {controls}. {NEEDS_PYTHON}") if controls else ""
        still = f'<div class="still">{instead}</div>' if live else ""
        return f"<figure>{still}{live}{shown}{note}</figure>\n"

    def parts(self, name: str) -> Iterator[dict[str, Any]]:
        """The state of a widget and of all those inside it, from the top down."""
        widget = self.widgets.get(name.removeprefix("IPY_MODEL_"))
        if widget is not None:
            yield widget
            for child in widget["state"].get("children", ()):
                yield from self.parts(child)

    def still(self, widget: dict[str, Any]) -> str:
        """A stored picture or a stored reading."""
        if widget["model_name"] == "ImageModel":
            return "".join(self.picture(base64.b64decode(buffer["data"])) for buffer in widget.get("buffers", ()))
        return f'<div class="reading">{widget["state"]["value"]}</div>' if widget["model_name"] == "HTMLModel" else ""


def live_part(widget: dict[str, Any]) -> str:
    """An anywidget that goes on living: its module and its state, for site.js."""
    content = {"state": widget["state"], "buffers": widget.get("buffers", [])}
    text = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    return f'<div class="live"><script type="application/json">{text}</script></div>'


def label_of(state: dict[str, Any]) -> str:
    """What is written before a control, and what it stands at."""
    label = state.get("description", "")
    if not label or not state.keys() & {"value", "index"}:
        return ""
    value = state["value"] if "value" in state else state["_options_labels"][state["index"]]
    if isinstance(value, bool):
        value = "on" if value else "off"
    return f"{label} {value}"


def to_html(notebook: dict[str, Any], markdown: Markdown, keep: Keep) -> str:
    """All cells of a notebook, one after the other."""
    figures, found = Figures(notebook, keep), []
    for cell in notebook["cells"]:
        source = text_of(cell["source"])
        if cell["cell_type"] == "markdown":
            found.append(markdown.render(source))
        elif source.strip():
            found.append(in_colours(source, "ipython3") + "".join(map(figures.output, cell["outputs"])))
    return "".join(found)
