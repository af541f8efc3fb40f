"""A book of one's own, in any alphabet: cleaned, split, counted, learned, scored, and continued."""

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from ..generate import next_char_probs, warm_up
from ..recipe import DropoutGRU, fit, read_with_network
from ..require import require, require_count, require_positive, require_prefix
from ..table import count, read_with_table, shares
from ..text import RARE, SequentialBatches, Vocab, clean_letters
from ..train import Record

MOST_BYTES = 1_000_000  # of a file: what comes after them is not read
LEAST_CHARS, MOST_SCORED = 3_000, 10_000  # of a whole cleaned text; of each part held out
ROWS, STEPS = 16, 50  # of a minibatch
LONGEST, LONGEST_OF_MANY, MANY = 7, 4, 100  # n of the longest n-gram; with so many symbols its counts would fill memory
TOO_EVEN = 0.5  # share of one letter from which there is nothing to learn


def open_book(source: Path | str | bytes, name: str = "The file") -> tuple[str, str]:
    """The text of a file, or of its bytes, and a sentence on what was cut off; only the first MOST_BYTES are read.

    Raises FileNotFoundError when there is no such file, ValueError when it is not UTF-8.
    """
    if not isinstance(source, bytes):
        path, name = Path(source).expanduser(), str(source)
        require(path.is_file(), f"There is no text file at {path}: check the name and the folder.", FileNotFoundError)
        with path.open("rb") as file:
            source = file.read(MOST_BYTES + 1)
    is_cut = len(source) > MOST_BYTES
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(source[:MOST_BYTES], final=not is_cut)
        require("\0" not in text, "zero bytes")
    except ValueError:  # UnicodeDecodeError is one
        raise ValueError(f"{name} is not UTF-8 text: save it again with the encoding UTF-8.") from None
    notice = f"Only the first {MOST_BYTES:,} bytes are read: a small machine has no time for more." if is_cut else ""
    return text, notice


class OwnBook:
    """A text, cleaned and split into three parts; the table of its first part; the network that learns from it.

    The first part is for learning, the second for choosing n, the third for scoring. `words` says what became of
    the text. Raises ValueError when it is too short or too monotonous.
    """

    def __init__(self, text: str, most: int = 300, hidden_size: int = 256, seed: int = 0):
        text, rare = clean_letters(text, most)
        require(
            len(text) >= LEAST_CHARS,
            f"The text has {len(text):,} characters after cleaning, but {LEAST_CHARS:,} are needed: use a longer one.",
        )
        letter = max(set(text) - {" ", RARE}, key=text.count)
        share = text.count(letter) / len(text)
        require(share < TOO_EVEN, f"“{letter}” makes up {share:.0%} of the text: there is hardly anything to guess.")
        held_out = min(len(text) // 10, MOST_SCORED)
        self.to_learn, rest = text[: -2 * held_out], text[-2 * held_out :]
        self.to_choose, self.to_score = rest[:held_out], rest[held_out:]
        self.vocab = Vocab(text)
        self.words = f"{len(text):,} characters, {len(self.vocab) - 1} symbols; {len(self.to_learn):,} to learn from, "
        self.words += f"{held_out:,} to choose n, {held_out:,} to score."
        if rare:
            lost = rare.total() / len(text)
            self.words += f" {len(rare):,} rarer symbols, {lost:.1%} of the text, have become “{RARE}”."
        longest = LONGEST if len(self.vocab) <= MANY else LONGEST_OF_MANY
        self.table = count(self.to_learn, longest)
        self.n = min(range(1, longest + 1), key=self._table_perplexity)
        self.network, self.epochs = DropoutGRU(len(self.vocab), hidden_size, seed=seed), 0

    def _table_perplexity(self, n: int) -> float:
        return perplexity_of(read_with_table(self.to_choose, n, self.table, self.vocab)[1:], self.to_choose, self.vocab)

    def plan(self, seconds: float) -> tuple[int, int]:
        """How many epochs of how many characters about fit into `seconds` on this machine, which is timed for that."""
        require_positive("seconds", seconds)
        model = DropoutGRU(len(self.vocab), self.network.hidden_size)
        piece = self.vocab.encode(self.to_learn[: 3 * ROWS * STEPS])
        for _ in range(2):  # the first time is slower than all others
            (record,) = fit(model, SequentialBatches(piece, ROWS, STEPS), 1, lr=1e-9)
        possible = max(int(seconds * record.tokens_per_second), 2 * ROWS * STEPS)
        length = min(possible, len(self.to_learn))
        return possible // length, length

    def learn(
        self, num_epochs: int, length: int | None = None, lr: float = 0.004, through: Callable = lambda batches: batches
    ) -> Iterator[Record]:
        """Train the network on the first `length` characters and yield the records of `fit`; `break` stops.

        The minibatches go `through` a function.
        """
        require_count("num_epochs", num_epochs)
        batches = SequentialBatches(self.vocab.encode(self.to_learn[:length]), ROWS, STEPS)
        for record in fit(self.network, through(batches), num_epochs, lr):
            self.epochs = record.epoch
            yield record

    def scores(self) -> dict[str, float]:
        """Perplexity of table, network and the average of their shares on the part that is for scoring."""
        self.network.training = False
        by_table = read_with_table(self.to_score, self.n, self.table, self.vocab)[1:]
        by_network = read_with_network(self.to_score, self.network, self.vocab)
        read = {f"table ({self.n}-gram)": by_table, "network": by_network, "both": (by_table + by_network) / 2}
        return {name: perplexity_of(found, self.to_score, self.vocab) for name, found in read.items()}

    def write(self, num_chars: int = 300, prefix: str = "", temperature: float = 0.7, seed: int = 0) -> str:
        """`prefix`, or else the beginning of the part to score, and what table and network together put after it."""
        prefix = prefix or self.to_score[:20]
        require_prefix(prefix, self.vocab)
        generator = torch.Generator().manual_seed(seed)
        (outputs, state), written = warm_up(prefix, self.network, self.vocab), prefix
        for _ in range(num_chars):
            p = shares(written[-self.n + 1 :] if self.n > 1 else "", self.table, self.vocab)
            p = ((p + next_char_probs(outputs)) / 2) ** (1 / temperature)
            drawn = int(torch.multinomial(p, 1, generator=generator))
            written += self.vocab.tokens[drawn]
            with torch.no_grad():
                outputs, state = self.network(torch.tensor([[drawn]]), state)
            outputs = outputs[0, 0]
        return written


def perplexity_of(found: torch.Tensor, text: str, vocab: Vocab) -> float:
    """Perplexity of shares (len(text) - 1, vocab) for the characters of `text` from the second on."""
    came = found.gather(1, vocab.encode(text[1:])[:, None])
    return came.log().mean().neg().exp().item()
