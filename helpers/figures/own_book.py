"""A book of one's own, with buttons: upload or name a text, give a number of seconds, start, stop."""

import html
import threading

import ipywidgets as w
import torch

from ..runs.own_book import OwnBook, open_book
from .answering import Box, in_html, in_words, labelled, row_of
from .gate import Gate, GatedBatches, Stopped

BUDGETS = {"10 seconds": 10, "1 minute": 60, "3 minutes": 180, "10 minutes": 600}


class OwnBookPanel(Box):
    """Any UTF-8 text becomes a table and a network, in a thread beside the page; `book` is what came of it."""

    def __init__(self, path: str = "", seconds: float = 60):
        self.book: OwnBook | None = None
        self.phase, self.gate, self.thread = "ready", Gate(), None
        self.upload = w.FileUpload(accept=".txt,text/plain", multiple=False, description="Upload a text")
        self.path = labelled(w.Text, "or a file's name", "330px", value=path, placeholder="folder/book.txt")
        options = BUDGETS if seconds in BUDGETS.values() else {f"{seconds:g} seconds": seconds, **BUDGETS}
        self.seconds = labelled(w.Dropdown, "time to learn", "210px", options=list(options.items()), value=seconds)
        self.buttons = {}
        for act in (self.start, self.stop):
            button = w.Button(description=act.__name__.capitalize(), layout={"width": "90px"})
            button.on_click(lambda _, act=act: act())
            self.buttons[act.__name__] = button
        self.status, self.scores, self.sample = w.HTML(), w.HTML(), w.HTML()
        rows = [row_of([self.upload, self.path, self.seconds]), row_of(self.buttons.values())]
        super().__init__([*rows, self.status, self.scores, self.sample])
        self._say("ready", "choose a text, then press Start")

    @property
    def is_on(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def start(self) -> None:
        """Read the text that was chosen, and learn from it; while it learns, nothing happens."""
        if self.is_on:
            return
        self.gate = Gate()
        self.scores.value = self.sample.value = ""
        self._say("reading", "the text is cleaned and counted", on=True)
        work = (self.gate, self._chosen, self.seconds.value, torch.get_num_threads())
        self.thread = threading.Thread(target=self._work, args=work, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End the learning before its next minibatch; what has been learned is scored."""
        self.gate.stop()

    def wait(self, timeout: float | None = None) -> None:
        """Wait in the notebook until it has ended, for at most `timeout` seconds."""
        if self.thread is not None:
            self.thread.join(timeout)

    def close(self) -> None:
        """End it, and let go of the book."""
        self.gate.stop()
        super().close()
        self.book = None

    def _chosen(self) -> tuple[str, str]:
        if self.path.value.strip():
            return open_book(self.path.value.strip())
        if self.upload.value:
            file = self.upload.value[0]
            return open_book(bytes(file["content"]), file["name"])
        raise ValueError("No text yet: upload one, or give the name of a file.")

    def _work(self, gate: Gate, chosen, seconds: float, threads: int) -> None:
        torch.set_num_threads(threads)  # a new thread does not know it
        try:
            text, cut = chosen()
            book = OwnBook(text)
            told = " ".join(filter(None, (cut, book.words)))
            epochs, length = book.plan(seconds)
            part = "" if length == len(book.to_learn) else f" of the first {length:,} characters"
            self._say("learning", f"{told} {epochs} epochs{part}, about {seconds:g} s", on=True)
            try:
                gate.ask()
                for record in book.learn(epochs, length, through=lambda batches: GatedBatches(batches, gate)):
                    note = f"epoch {record.epoch} of {epochs}, perplexity {record.perplexity:.2f} while learning"
                    self._say("learning", f"{told} {note}", on=True)
            except Stopped:
                told += " Stopped: what follows is of what it had learned."
            self._say("scoring", told, on=True)
            found, written = book.scores(), book.write()
            self.book = book
            cells = "".join(f"<tr><td>{html.escape(k)}</td><td>{v:.2f}</td></tr>" for k, v in found.items())
            self.scores.value = f"<table><tr><th>on its unseen part</th><th>perplexity</th></tr>{cells}</table>"
            self.sample.value = in_html(f"It writes: {written}")
            self._say("finished", told)
        except Exception as error:  # an error in a thread would be seen by nobody
            self._say("failed", in_words(error))

    def _say(self, phase: str, words: str, on: bool = False) -> None:
        if self.comm is None and self.thread is not None:  # closed: nobody sees it any more
            return
        self.phase = phase
        self.status.value = f"<b>{phase}</b>; {html.escape(words)}"
        self.buttons["start"].disabled, self.buttons["stop"].disabled = on, not on
