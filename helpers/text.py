"""From the book to minibatches: the text, the vocabulary, sequential and random minibatches."""

import hashlib
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import torch

from .require import require, require_corpus, require_count

BOOK_PACKAGE = "word-text-counter"
BOOK_VERSION = "0.3.0"
BOOK_FILE = "word_text_counter/data/time_machine.txt"
BOOK_SHA256 = "531e11d1185ca4a86cb7acf60fd45943c1591945aea40f4f1c1ea577dfd6e2d9"
FIRST_WORDS, END_MARK = "The Time Traveller (for so", "*** END OF THE PROJECT GUTENBERG EBOOK"
MAX_CHARS = 10_000_000  # as indices they take 0.2 GB, and Binder gives 1 GB
RARE = "□"  # in the place of every symbol beyond a stated limit
TOO_LONG = f"The text is longer than {MAX_CHARS:,} characters, which is too much for a small machine: take a part."
REINSTALL = f"Run: pip install --force-reinstall --no-deps {BOOK_PACKAGE}=={BOOK_VERSION}"


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
    """Read a text file of your own as one string; warns of letters that `clean` turns into spaces.

    Raises FileNotFoundError when it does not exist, ValueError when it is too large or not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no text file at {path}: check the name and the folder.")
    require(path.stat().st_size <= MAX_CHARS, TOO_LONG)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: save it again with the encoding UTF-8.") from None
    lost = sorted(set(re.findall(r"[^\W\d_a-z]", text.lower())))
    if lost:
        told = f"clean() turns these letters of {path.name} into spaces, clean_letters() keeps them"
        warnings.warn(f"{told}: {' '.join(lost[:20])}", stacklevel=2)
    return text


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

    Raises ValueError when nothing is left, or when the text is too long for a small machine.
    """
    require(len(text) <= MAX_CHARS, TOO_LONG)
    require(re.search("[a-z]", text.lower()), "The text has none of the letters a–z to learn from: use another text.")
    return re.sub("[^a-z]+", " ", text.lower()).strip()


def clean_letters(text: str, most: int = 300) -> tuple[str, Counter]:
    """Lower-case `text`, turn every run of what is no letter of any script into one space; keep `most` symbols.

    Each symbol beyond the `most` most frequent ones becomes RARE; they are returned with their counts. Marks that
    belong to letters, such as the vowel signs of Hindi, are kept.
    Raises ValueError when nothing is left, or when the text is too long for a small machine.
    """
    require_count("most", most, minimum=2)
    require(len(text) <= MAX_CHARS, TOO_LONG)
    text = unicodedata.normalize("NFC", text.lower())
    require(any(map(str.isalpha, text)), "The text has no letters of any script to learn from: use another text.")
    others = [c for c in set(text) if unicodedata.category(c)[0] not in "LM"]
    text = " ".join(text.translate({ord(c): " " for c in others}).split())
    rare = Counter(dict(Counter(text).most_common()[most:]))
    return text.translate({ord(c): RARE for c in rare}), rare


class Vocab:
    """The characters of a text, each with an index; index 0 is `<unk>`, for every other character."""

    def __init__(self, text: str):
        require(text, "A vocabulary needs a text with at least one character, but the text is empty.")
        self.tokens = ["<unk>", *sorted(set(text))]
        self.index = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> torch.Tensor:
        """Indices of the characters of `text`: (len(text),), int64; 0 where a character is unknown."""
        return torch.tensor([self.index.get(character, 0) for character in text], dtype=torch.long)

    def decode(self, indices: torch.Tensor | Iterable[int]) -> str:
        """The text of `indices`, a flat tensor or list of ints; raises ValueError when one is out of range."""
        require(
            all(0 <= int(i) < len(self) for i in indices),
            f"An index of {[int(i) for i in indices]} is not in this vocabulary: it has 0 to {len(self) - 1}.",
        )
        return "".join(self.tokens[int(i)] for i in indices)


class SequentialBatches:
    """Minibatches in which every row reads on where the same row of the minibatch before it stopped.

    Iterating yields (X, Y), each (batch, time) indices; Y is X one character later. Every epoch
    starts at another offset below `num_steps`. `carries_state` tells training to hand the hidden
    state on from one minibatch to the next; set it to False on an instance to start each from zero.
    """

    carries_state = True

    def __init__(self, corpus: torch.Tensor, batch_size: int, num_steps: int, seed: int = 0):
        require_corpus(corpus, batch_size, num_steps)
        self.corpus, self.batch_size, self.num_steps = corpus, batch_size, num_steps
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        offset = int(torch.randint(self.num_steps, (), generator=self.generator))
        length = (len(self.corpus) - 1 - offset) // self.batch_size  # - 1: the last character has no next one
        end = offset + self.batch_size * length
        X = self.corpus[offset:end].view(self.batch_size, length)
        Y = self.corpus[offset + 1 : end + 1].view(self.batch_size, length)
        for t in range(0, length - self.num_steps + 1, self.num_steps):
            yield X[:, t : t + self.num_steps], Y[:, t : t + self.num_steps]


class RandomBatches:
    """Minibatches whose rows are pieces of the text in random order, each used once an epoch.

    Iterating yields (X, Y), each (batch, time) indices; Y is X one character later. Neighbouring
    minibatches do not continue one another, so `carries_state` is False.
    """

    carries_state = False

    def __init__(self, corpus: torch.Tensor, batch_size: int, num_steps: int, seed: int = 0):
        require_corpus(corpus, batch_size, num_steps)
        self.corpus, self.batch_size, self.num_steps = corpus, batch_size, num_steps
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        offset = int(torch.randint(self.num_steps, (), generator=self.generator))
        pieces = (len(self.corpus) - 1 - offset) // self.num_steps
        end = offset + pieces * self.num_steps
        X = self.corpus[offset:end].view(pieces, self.num_steps)
        Y = self.corpus[offset + 1 : end + 1].view(pieces, self.num_steps)
        order = torch.randperm(pieces, generator=self.generator)
        for i in range(0, pieces - self.batch_size + 1, self.batch_size):
            rows = order[i : i + self.batch_size]
            yield X[rows], Y[rows]
