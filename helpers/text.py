"""From the book to minibatches: the text, the vocabulary, sequential and random minibatches."""

import hashlib
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import torch

from . import check_count

BOOK_PACKAGE = "word-text-counter"
BOOK_VERSION = "0.3.0"
BOOK_FILE = "word_text_counter/data/time_machine.txt"
BOOK_SHA256 = "531e11d1185ca4a86cb7acf60fd45943c1591945aea40f4f1c1ea577dfd6e2d9"
FIRST_WORDS, END_MARK = "The Time Traveller (for so", "*** END OF THE PROJECT GUTENBERG EBOOK"
REINSTALL = f"Run: pip install --force-reinstall --no-deps {BOOK_PACKAGE}=={BOOK_VERSION}"

UNKNOWN = "<unk>"


def book_path() -> Path:
    """Path of *The Time Machine* inside the installed package that carries it.

    Raises FileNotFoundError when the package or its file is missing.
    """
    try:
        path = Path(metadata.distribution(BOOK_PACKAGE).locate_file(BOOK_FILE))
    except metadata.PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"The book is missing: the package {BOOK_PACKAGE} carries it. {REINSTALL}")
    return path


def read_text(path: Path | str) -> str:
    """Read a text file of your own as one string.

    Raises FileNotFoundError when it does not exist, ValueError when it is not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no text file at {path}: check the name and the folder.")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: save it again with the encoding UTF-8.") from None


def read_book(path: Path | str | None = None) -> str:
    """The story of *The Time Machine* as it was printed, from the first words of chapter I to the end.

    Source: Project Gutenberg eBook 35, in the public domain in the United States; its licence text
    before and after the story is cut off.
    Raises FileNotFoundError when the book is missing, ValueError when its file was altered.
    """
    path = book_path() if path is None else Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"The book is missing: there is no file {path}. {REINSTALL}")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != BOOK_SHA256:
        raise ValueError(f"The book in {path} was altered, so its results would differ. {REINSTALL}")
    raw = data.decode("utf-8-sig").replace("\r\n", "\n")
    return raw[raw.index(FIRST_WORDS) : raw.index(END_MARK)]


def clean(text: str) -> str:
    """Lower-case `text`, turn every run of characters outside a–z into one space, strip the ends.

    Raises ValueError when nothing is left.
    """
    cleaned = re.sub("[^a-z]+", " ", text.lower()).strip()
    if not cleaned:
        raise ValueError("The text has none of the letters a–z, so nothing is left to learn from: use another text.")
    return cleaned


class Vocab:
    """The characters of a text, each with an index; index 0 is `<unk>`, for every other character."""

    def __init__(self, text: str):
        if not text:
            raise ValueError("A vocabulary needs a text with at least one character, but the text is empty.")
        self.tokens = [UNKNOWN, *sorted(set(text))]
        self.index = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> torch.Tensor:
        """Indices of the characters of `text`: (len(text),), int64; 0 where a character is unknown."""
        return torch.tensor([self.index.get(character, 0) for character in text], dtype=torch.long)

    def decode(self, indices: torch.Tensor) -> str:
        """The text of `indices`, a flat tensor or list of ints; raises ValueError when one is out of range."""
        indices = [int(i) for i in indices]
        if indices and not 0 <= min(indices) <= max(indices) < len(self):
            wrong = next(i for i in indices if not 0 <= i < len(self))
            raise ValueError(f"The index {wrong} is not in this vocabulary: its indices are 0 to {len(self) - 1}.")
        return "".join(self.tokens[i] for i in indices)


def _check_minibatches(corpus: torch.Tensor, batch_size: int, num_steps: int) -> torch.Tensor:
    check_count("batch_size", batch_size)
    check_count("num_steps", num_steps)
    corpus = torch.as_tensor(corpus)
    if corpus.dim() != 1 or corpus.dtype != torch.long:
        raise ValueError("The corpus must be a flat tensor of indices: make it with vocab.encode(text).")
    needed = batch_size * num_steps + num_steps  # Y is one longer than X, the start up to num_steps - 1 later
    if len(corpus) < needed:
        raise ValueError(
            f"The text has {len(corpus)} characters, but minibatches of {batch_size} rows × {num_steps} steps "
            f"need at least {needed}: use a longer text, fewer rows or fewer steps."
        )
    return corpus


class SequentialBatches:
    """Minibatches in which every row reads on where the same row of the minibatch before it stopped.

    Iterating yields (X, Y), each (batch, time) indices; Y is X one character later. Every epoch
    starts at another offset below `num_steps`. `carries_state` tells training to hand the hidden
    state on from one minibatch to the next.
    """

    def __init__(
        self, corpus: torch.Tensor, batch_size: int, num_steps: int, seed: int = 0, carries_state: bool = True
    ):
        self.corpus = _check_minibatches(corpus, batch_size, num_steps)
        self.batch_size, self.num_steps, self.carries_state = batch_size, num_steps, carries_state
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        offset = int(torch.randint(self.num_steps, (), generator=self._generator))
        row_length = (len(self.corpus) - 1 - offset) // self.batch_size
        end = offset + self.batch_size * row_length
        X_rows = self.corpus[offset:end].reshape(self.batch_size, row_length)
        Y_rows = self.corpus[offset + 1 : end + 1].reshape(self.batch_size, row_length)
        for start in range(0, row_length - self.num_steps + 1, self.num_steps):
            window = slice(start, start + self.num_steps)
            yield X_rows[:, window], Y_rows[:, window]


class RandomBatches:
    """Minibatches whose rows are pieces of the text in random order, each used once an epoch.

    Iterating yields (X, Y), each (batch, time) indices; Y is X one character later. Neighbouring
    minibatches do not continue one another, so `carries_state` is False.
    """

    carries_state = False

    def __init__(self, corpus: torch.Tensor, batch_size: int, num_steps: int, seed: int = 0):
        self.corpus = _check_minibatches(corpus, batch_size, num_steps)
        self.batch_size, self.num_steps = batch_size, num_steps
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        offset = int(torch.randint(self.num_steps, (), generator=self._generator))
        num_pieces = (len(self.corpus) - 1 - offset) // self.num_steps
        end = offset + num_pieces * self.num_steps
        X_pieces = self.corpus[offset:end].reshape(num_pieces, self.num_steps)
        Y_pieces = self.corpus[offset + 1 : end + 1].reshape(num_pieces, self.num_steps)
        order = torch.randperm(num_pieces, generator=self._generator)
        for start in range(0, num_pieces - self.batch_size + 1, self.batch_size):
            rows = order[start : start + self.batch_size]
            yield X_pieces[rows], Y_pieces[rows]
