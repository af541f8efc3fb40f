"""The n-gram table: what followed each context in a text, and the share that it gives to each next character."""

from collections import Counter, defaultdict

import torch

from .require import require_count
from .text import Vocab

Table = dict[str, Counter]


def count(text: str, longest: int) -> Table:
    """How often each character followed each context of up to `longest` - 1 characters."""
    require_count("longest", longest)
    after = defaultdict(Counter)  # context → how often each character followed it
    for n in range(1, longest + 1):
        for i in range(n - 1, len(text)):
            after[text[i - n + 1 : i]][text[i]] += 1
    return after


def shares(context: str, after: Table, vocab: Vocab) -> torch.Tensor:
    """The table's share for each character after `context`: (vocab,), float64; `<unk>`, index 0, gets none.

    Source: Witten and Bell, "The zero-frequency problem" (1991).
    """
    p = torch.full((len(vocab),), 1 / (len(vocab) - 1), dtype=torch.float64)
    p[0] = 0
    for start in range(len(context), -1, -1):  # from no context at all to the longest
        counts = after.get(context[start:])
        if counts:
            seen = torch.zeros_like(p)
            seen[[vocab.index[character] for character in counts]] = torch.tensor(list(counts.values())).double()
            p = (seen + len(counts) * p) / (counts.total() + len(counts))
    return p


def read_with_table(text: str, n: int, after: Table, vocab: Vocab) -> torch.Tensor:
    """The shares of an n-gram table before each character of `text`: (len(text), vocab), float64."""
    require_count("n", n)
    contexts = [text[max(0, i - n + 1) : i] for i in range(len(text))]
    of = {context: shares(context, after, vocab) for context in set(contexts)}  # each of them once
    return torch.stack([of[context] for context in contexts])
