"""The table of counts: its shares against a slow version of the formula of notebook 08, letter by letter."""

import random
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.table import count, read_with_table, shares
from helpers.text import Vocab

texts = st.text("abc ", min_size=2, max_size=60)


def slow_share(character: str, context: str, text: str, symbols: list[str]) -> Fraction:
    """(count of the character after the context + k · shorter) / (N + k), counted in the text itself."""
    shorter = slow_share(character, context[1:], text, symbols) if context else Fraction(1, len(symbols))
    size = len(context)
    followed = [text[i + size] for i in range(len(text) - size) if text[i : i + size] == context]
    if not followed:
        return shorter
    k = len(set(followed))
    return (followed.count(character) + k * shorter) / (len(followed) + k)


@given(texts, st.text("abc ", max_size=4))
@settings(max_examples=60, deadline=None)
def test_shares_are_those_of_the_formula(text, context):
    vocab = Vocab(text + "abc z")
    found = shares(context, count(text, 5), vocab)
    expected = [0, *(float(slow_share(token, context, text, vocab.tokens[1:])) for token in vocab.tokens[1:])]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0)
    assert found.sum() == pytest.approx(1) and (found[1:] > 0).all()


@given(texts, st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_reading_looks_n_minus_one_characters_back(text, n):
    vocab = Vocab(text)
    after = count(text, n)
    found = read_with_table(text, n, after, vocab)
    assert found.shape == (len(text), len(vocab)) and found.dtype == torch.float64
    for i in random.Random(0).sample(range(len(text)), min(8, len(text))):
        torch.testing.assert_close(found[i], shares(text[max(0, i - n + 1) : i], after, vocab))


@given(texts, st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_counts_are_those_of_the_text(text, longest):
    after = count(text, longest)
    assert max(map(len, after)) <= longest - 1
    assert after[""].total() == len(text)
    for context, counts in after.items():
        for character, number in counts.items():
            piece = context + character
            assert number == sum(text.startswith(piece, i) for i in range(len(text)))


def test_a_table_without_a_length_is_refused():
    for wrong in (0, -2):
        with pytest.raises(ValueError, match="longest must be at least 1"):
            count("abc", wrong)
        with pytest.raises(ValueError, match="n must be at least 1"):
            read_with_table("abc", wrong, count("abc", 2), Vocab("abc"))
    with pytest.raises(TypeError, match="longest must be a whole number"):
        count("abc", 2.5)
