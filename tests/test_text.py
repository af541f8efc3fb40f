"""The book, cleaning, the vocabulary, and what defines the two kinds of minibatches."""

import re
import string
import warnings

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers import text
from helpers.text import RandomBatches, SequentialBatches, Vocab, book_path, clean, read_book, read_text

BOTH = pytest.mark.parametrize("Batches", [SequentialBatches, RandomBatches])

counts = st.integers(1, 6)  # rows or time steps
extras = st.integers(0, 80)  # characters beyond the smallest length that is admitted
seeds = st.integers(0, 2**31)


def positions(batch_size, num_steps, extra):
    """A text in which every token is its own position.

    The shortest one that always fills a minibatch has the rows, an offset below num_steps, one character for Y.
    """
    return torch.arange(batch_size * num_steps + (num_steps - 1) + 1 + extra)


def same(epoch, other):
    """True when two lists of minibatches are equal."""
    return len(epoch) == len(other) and all(
        torch.equal(A, B) for pair in zip(epoch, other, strict=True) for A, B in zip(*pair, strict=True)
    )


# The book


def test_the_book_has_the_known_size_symbols_beginning_and_end():
    book = clean(read_book())
    assert len(book) == 173_783 and len(Vocab(book)) == 28
    assert set(book) == set(string.ascii_lowercase + " ")
    assert book.startswith("the time traveller for so it will be convenient to speak of him was expounding")
    assert book.endswith("still lived on in the heart of man")


def test_a_missing_book_is_said_with_its_place_or_with_the_command_that_brings_it(monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        read_book(tmp_path / "nowhere.txt")
    command = r"pip install.* word-text-counter==0\.3\.0"
    for name, value in (("BOOK_FILE", "word_text_counter/data/no_such_file.txt"), ("BOOK_PACKAGE", "no-such-package")):
        with monkeypatch.context() as patch, pytest.raises(FileNotFoundError, match=command):
            patch.setattr(text, name, value)
            read_book()


@pytest.mark.parametrize("old, new", [(b"Time Traveller", b"Time Traveler"), (b"\n", b"")])
def test_an_altered_book_is_refused(tmp_path, old, new):
    copy, data = tmp_path / "book.txt", book_path().read_bytes()
    copy.write_bytes(data)
    assert read_book(copy) == read_book(str(copy)) == read_book()
    copy.write_bytes(data.replace(old, new, 1))
    with pytest.raises(ValueError, match=r"book\.txt was altered"):
        read_book(copy)


# A text of one's own


@pytest.mark.filterwarnings("ignore:clean")
@given(st.text())
@settings(max_examples=20)
def test_read_text_returns_what_was_written_with_and_without_a_byte_order_mark(tmp_path_factory, content):
    assume(not content.startswith("\ufeff"))
    path = tmp_path_factory.getbasetemp() / "own.txt"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_bytes(content.encode(encoding))
        assert read_text(path) == read_text(str(path)) == content


def test_a_text_that_is_not_there_or_not_utf8_is_named(tmp_path):
    path = tmp_path / "own.txt"
    for missing in (path, tmp_path):
        with pytest.raises(FileNotFoundError, match=re.escape(str(missing))):
            read_text(missing)
    for data in ("café".encode("latin-1"), "text".encode("utf-16")):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"own\.txt is not UTF-8"):
            read_text(path)


@given(st.text("bZ \r\n'é") | st.text())
def test_clean_keeps_the_letters_and_one_space_between_words(content):
    letters_only = "".join(c if c in string.ascii_lowercase else " " for c in content.lower())
    assume(letters_only.strip())
    assert clean(content) == " ".join(letters_only.split())


def test_letters_that_clean_loses_are_named(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("Größe, Übermut 1", encoding="utf-8")
    with pytest.warns(UserWarning, match=r"own\.txt.*ß.*ö.*ü$"):
        read_text(path)
    path.write_text("Plain (1895) text.", encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_text(path)


def test_a_text_too_long_for_a_small_machine_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "MAX_CHARS", 20)
    path = tmp_path / "own.txt"
    path.write_text("a" * 21, encoding="utf-8")
    for read in (lambda: read_text(path), lambda: clean("a" * 21)):
        with pytest.raises(ValueError, match="too much"):
            read()
    assert clean("a" * 20) == "a" * 20


# The vocabulary


@given(st.text(min_size=1), st.text())
def test_encode_and_decode_undo_each_other(content, other):
    vocab = Vocab(content)
    indices = vocab.encode(content)
    assert indices.shape == (len(content),) and indices.dtype == torch.long
    assert vocab.decode(indices) == vocab.decode(indices.tolist()) == content
    # A character that the vocabulary does not hold becomes index 0, and comes back as <unk>.
    assert vocab.decode(vocab.encode(other)) == "".join(c if c in content else "<unk>" for c in other)


@given(st.text(min_size=1), st.randoms())
def test_a_vocabulary_depends_on_the_set_of_characters_alone(content, random):
    shuffled = list(content)
    random.shuffle(shuffled)
    vocab, other = Vocab(content), Vocab("".join(shuffled) * 2)
    assert vocab.tokens == other.tokens == ["<unk>", *sorted(set(content))]
    assert len(vocab) == len(set(content)) + 1
    assert vocab.index == {token: i for i, token in enumerate(vocab.tokens)}


# Minibatches. The corpus is 0, 1, 2, …, so a token says where in the text it stands.


@given(batch_size=counts, num_steps=counts, extra=extras, seed=seeds)
def test_sequential_rows_share_the_text_out_evenly_and_read_on(batch_size, num_steps, extra, seed):
    corpus = positions(batch_size, num_steps, extra)
    batches = SequentialBatches(corpus, batch_size, num_steps, seed)
    for _ in range(3):
        epoch = list(batches)
        offset = int(epoch[0][0][0, 0])
        assert 0 <= offset < num_steps
        length = (len(corpus) - 1 - offset) // batch_size
        starts = offset + length * torch.arange(batch_size)
        expected = starts[:, None] + torch.arange(length // num_steps * num_steps)
        assert torch.equal(torch.cat([X for X, _ in epoch], dim=1), expected)
        assert torch.equal(torch.cat([Y for _, Y in epoch], dim=1), expected + 1)
        assert {X.shape for X, _ in epoch} == {(batch_size, num_steps)} and epoch[0][0].dtype == torch.long


@given(batch_size=counts, num_steps=counts, extra=extras, seed=seeds)
def test_random_rows_are_pieces_of_the_text_each_used_once(batch_size, num_steps, extra, seed):
    corpus = positions(batch_size, num_steps, extra)
    batches = RandomBatches(corpus, batch_size, num_steps, seed)
    for _ in range(3):
        X, Y = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
        starts, offset = X[:, 0], int(X[0, 0]) % num_steps
        pieces = (len(corpus) - 1 - offset) // num_steps
        assert len(starts.unique()) == len(starts) == pieces // batch_size * batch_size
        assert torch.equal(starts % num_steps, torch.full_like(starts, offset)) and starts.min() >= 0
        assert torch.equal(X, starts[:, None] + torch.arange(num_steps)) and torch.equal(Y, X + 1)
        assert {X.shape for X, _ in batches} == {(batch_size, num_steps)} and X.dtype == torch.long


@given(seed=seeds)
def test_random_rows_do_not_continue_the_minibatch_before(seed):
    # 1000 pieces, 125 minibatches of 8. In random order a given row continues the same row of the minibatch
    # before with probability 1/1000, so of 992 rows about 1 does; that 1 in 20 does (49) has a probability
    # of about 1/49! < 1e-60. The same holds for a row that continues the row above it.
    batches = RandomBatches(torch.arange(3004), batch_size=8, num_steps=3, seed=seed)
    epochs = [torch.stack([X for X, _ in batches]) for _ in range(2)]  # each (minibatch, row, time)
    for epoch in epochs:
        after_the_minibatch_before = epoch[1:, :, 0] == epoch[:-1, :, -1] + 1
        after_the_row_above = epoch[:, 1:, 0] == epoch[:, :-1, -1] + 1
        assert after_the_minibatch_before.double().mean() < 1 / 20
        assert after_the_row_above.double().mean() < 1 / 20
    # Two epochs in the same order: 1 in 1000!. The offset is divided away, so that only the order counts.
    first, second = (epoch[:, :, 0] // 3 for epoch in epochs)
    assert (first == second).double().mean() < 1 / 20


@BOTH
def test_epochs_start_at_every_offset_below_num_steps(Batches):
    # 300 epochs leave one of 5 offsets out with a probability of at most 5 · 0.8^300 < 1e-28.
    batches = Batches(torch.arange(200), batch_size=3, num_steps=5)
    assert {int(next(iter(batches))[0].min()) % 5 for _ in range(300)} == {0, 1, 2, 3, 4}


@BOTH
@given(batch_size=counts, num_steps=counts, seed=seeds)
def test_the_smallest_admitted_text_always_gives_a_minibatch_and_a_shorter_one_is_refused(
    Batches, batch_size, num_steps, seed
):
    corpus = positions(batch_size, num_steps, extra=0)
    batches = Batches(corpus, batch_size, num_steps, seed)
    assert all(list(batches) for _ in range(20))  # 20 epochs meet most of the offsets
    with pytest.raises(ValueError) as error:
        Batches(corpus[:-1], batch_size, num_steps)
    assert str(len(corpus)) in str(error.value) and str(len(corpus) - 1) in str(error.value)


@BOTH
def test_the_seed_decides_the_minibatches_and_epochs_differ(Batches):
    corpus = torch.arange(5000)
    epochs = []
    for start in (1, 2):  # the global generator plays no part
        torch.manual_seed(start)
        batches = [Batches(corpus, 4, 50, seed) for seed in range(10)]
        epochs.append([list(one) for one in (*batches, *batches)])
    first, again = epochs
    assert all(same(one, other) for one, other in zip(first, again, strict=True))
    assert not all(same(first[0], epoch) for epoch in first[1:10])
    assert not all(same(one, other) for one, other in zip(first[:10], first[10:], strict=True))


def test_minibatches_say_whether_the_state_carries_over():
    corpus = torch.arange(100)
    assert SequentialBatches(corpus, 2, 5).carries_state is True
    assert RandomBatches(corpus, 2, 5).carries_state is False
    reset = SequentialBatches(corpus, 2, 5, seed=3)
    reset.carries_state = False  # of this one alone, and its minibatches stay what they are
    assert same(list(reset), list(SequentialBatches(corpus, 2, 5, seed=3)))
    assert SequentialBatches(corpus, 2, 5).carries_state is True
