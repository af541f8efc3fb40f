"""The book, cleaning, the vocabulary, and what defines the two kinds of minibatches."""

import itertools
import string
import warnings
from importlib import metadata

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from helpers import text
from helpers.text import RandomBatches, SequentialBatches, Vocab, book_path, clean, read_book, read_text

BOTH = pytest.mark.parametrize("Batches", [SequentialBatches, RandomBatches])

counts = st.integers(1, 6)  # rows or time steps
extras = st.integers(0, 80)  # characters beyond the smallest length that is admitted
seeds = st.integers(0, 2**31)


def smallest(batch_size, num_steps):
    """The shortest text that always fills a minibatch: the rows, an offset below num_steps, one character for Y."""
    return batch_size * num_steps + (num_steps - 1) + 1


def positions(batch_size, num_steps, extra):
    """A text in which every token is its own position."""
    return torch.arange(smallest(batch_size, num_steps) + extra)


def same(epoch, other):
    """True when two lists of minibatches are equal."""
    return len(epoch) == len(other) and all(
        torch.equal(X, X2) and torch.equal(Y, Y2) for (X, Y), (X2, Y2) in zip(epoch, other, strict=True)
    )


# The book


def test_the_book_has_the_known_size_symbols_beginning_and_end():
    book = clean(read_book())
    assert len(book) == 173_783
    assert set(book) == set(string.ascii_lowercase + " ")
    assert len(Vocab(book)) == 28
    assert book.startswith("the time traveller for so it will be convenient to speak of him was expounding")
    assert book.endswith("still lived on in the heart of man")


def test_the_book_read_from_a_copy_is_the_same(tmp_path):
    copy = tmp_path / "book.txt"
    copy.write_bytes(book_path().read_bytes())
    assert read_book(copy) == read_book(str(copy)) == read_book()


def test_a_missing_package_is_said_with_the_command_that_brings_it(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(text.metadata, "distribution", missing)
    with pytest.raises(FileNotFoundError) as error:
        read_book()
    assert "pip install" in str(error.value) and "word-text-counter==0.3.0" in str(error.value)


def test_a_package_without_the_file_is_said_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(text, "BOOK_FILE", "word_text_counter/data/no_such_file.txt")
    with pytest.raises(FileNotFoundError) as error:
        read_book()
    assert "pip install" in str(error.value) and "word-text-counter==0.3.0" in str(error.value)


def test_a_wrong_path_to_the_book_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        read_book(tmp_path / "nowhere.txt")
    assert str(tmp_path / "nowhere.txt") in str(error.value)


@pytest.mark.parametrize("change", ["one letter", "cut", "longer", "line ends"])
def test_an_altered_book_is_refused(tmp_path, change):
    data = book_path().read_bytes()
    altered = {
        "one letter": data.replace(b"Time Traveller", b"Time Traveler", 1),
        "cut": data[:-1],
        "longer": data + b"\n",
        "line ends": data.replace(b"\r\n", b"\n") if b"\r\n" in data else data.replace(b"\n", b"\r\n"),
    }[change]
    assert altered != data
    (tmp_path / "book.txt").write_bytes(altered)
    with pytest.raises(ValueError) as error:
        read_book(tmp_path / "book.txt")
    assert str(tmp_path / "book.txt") in str(error.value)


# A text of one's own


@pytest.mark.filterwarnings("ignore:clean")
@given(st.text())
def test_read_text_returns_what_was_written_with_and_without_a_byte_order_mark(tmp_path_factory, content):
    assume(not content.startswith("\ufeff"))
    path = tmp_path_factory.getbasetemp() / "own.txt"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_bytes(content.encode(encoding))
        assert read_text(path) == read_text(str(path)) == content


@pytest.mark.parametrize("data", ["café".encode("latin-1"), "text".encode("utf-16"), b"\x80"])
def test_a_text_that_is_not_utf8_is_named(tmp_path, data):
    path = tmp_path / "own.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError) as error:
        read_text(path)
    assert str(path) in str(error.value) and "UTF-8" in str(error.value)


def test_a_text_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "nowhere.txt", tmp_path):
        with pytest.raises(FileNotFoundError) as error:
            read_text(path)
        assert str(path) in str(error.value)


@given(st.text("bZ \r\n'é") | st.text())
def test_clean_keeps_the_letters_and_one_space_between_words(content):
    letters_only = "".join(c if c in string.ascii_lowercase else " " for c in content.lower())
    assume(letters_only.strip())
    cleaned = clean(content)
    assert cleaned == " ".join(letters_only.split())
    assert clean(cleaned) == cleaned


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


@BOTH
@given(batch_size=counts, num_steps=counts, extra=extras, seed=seeds)
def test_rows_are_pieces_of_the_text_and_Y_is_one_later(Batches, batch_size, num_steps, extra, seed):
    for X, Y in Batches(positions(batch_size, num_steps, extra), batch_size, num_steps, seed):
        assert X.shape == Y.shape == (batch_size, num_steps)
        assert X.dtype == Y.dtype == torch.long
        assert torch.equal(X, X[:, :1] + torch.arange(num_steps))
        assert torch.equal(Y, X + 1)


@BOTH
@given(batch_size=counts, num_steps=counts, extra=extras, seed=seeds)
def test_an_epoch_uses_no_position_twice_and_wastes_less_than_a_minibatch(Batches, batch_size, num_steps, extra, seed):
    corpus = positions(batch_size, num_steps, extra)
    batches = Batches(corpus, batch_size, num_steps, seed)
    for _ in range(3):
        used = torch.cat([X.flatten() for X, _ in batches])
        assert len(used.unique()) == len(used)
        # Whatever the offset, at least this many characters can be read, and all full minibatches of them are.
        readable = len(corpus) - 1 - (num_steps - 1)
        assert len(used) // (batch_size * num_steps) >= readable // (batch_size * num_steps)


@given(batch_size=counts, num_steps=counts, extra=extras, seed=seeds, carries=st.booleans())
def test_sequential_rows_continue_the_same_row_of_the_minibatch_before(batch_size, num_steps, extra, seed, carries):
    batches = SequentialBatches(positions(batch_size, num_steps, extra), batch_size, num_steps, seed)
    batches.carries_state = carries
    for _ in range(2):
        epoch = list(batches)
        for (_, Y_before), (X, _) in itertools.pairwise(epoch):
            assert torch.equal(X[:, 0], Y_before[:, -1])


@given(batch_size=counts, num_steps=counts, seed=seeds)
def test_sequential_rows_share_the_text_out_evenly(batch_size, num_steps, seed):
    corpus = positions(batch_size, num_steps, extra=50)
    X, _ = next(iter(SequentialBatches(corpus, batch_size, num_steps, seed)))
    row_length = (len(corpus) - 1 - int(X[0, 0])) // batch_size
    assert torch.equal(X[:, 0] - X[0, 0], row_length * torch.arange(batch_size))


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
    offsets = {int(next(iter(batches))[0].min()) % 5 for _ in range(300)}
    assert offsets == {0, 1, 2, 3, 4}


@BOTH
@given(batch_size=counts, num_steps=counts, seed=seeds)
def test_the_smallest_admitted_text_always_gives_a_minibatch_and_a_shorter_one_is_refused(
    Batches, batch_size, num_steps, seed
):
    corpus = positions(batch_size, num_steps, extra=0)
    batches = Batches(corpus, batch_size, num_steps, seed)
    assert all(len(list(batches)) >= 1 for _ in range(20))  # 20 epochs meet most of the offsets
    with pytest.raises(ValueError) as error:
        Batches(corpus[:-1], batch_size, num_steps)
    assert str(len(corpus)) in str(error.value) and str(len(corpus) - 1) in str(error.value)


@BOTH
@given(batch_size=counts, num_steps=counts, extra=extras, seed=seeds)
def test_the_same_seed_gives_the_same_minibatches(Batches, batch_size, num_steps, extra, seed):
    corpus = positions(batch_size, num_steps, extra)
    first, second = (Batches(corpus, batch_size, num_steps, seed) for _ in range(2))
    torch.rand(1)  # the global generator plays no part
    for _ in range(3):
        assert same(list(first), list(second))


@BOTH
def test_seeds_and_epochs_differ(Batches):
    corpus = torch.arange(5000)
    epochs = [list(Batches(corpus, 4, 50, seed)) for seed in range(10)]
    assert not all(same(epochs[0], epoch) for epoch in epochs[1:])
    batches = Batches(corpus, 4, 50)
    epochs = [list(batches) for _ in range(10)]
    assert not all(same(epochs[0], epoch) for epoch in epochs[1:])


def test_minibatches_say_whether_the_state_carries_over():
    corpus = torch.arange(100)
    assert SequentialBatches(corpus, 2, 5).carries_state is True
    assert RandomBatches(corpus, 2, 5).carries_state is False
    reset = SequentialBatches(corpus, 2, 5, seed=3)
    reset.carries_state = False  # of this one alone, and its minibatches stay what they are
    assert same(list(reset), list(SequentialBatches(corpus, 2, 5, seed=3)))
    assert SequentialBatches(corpus, 2, 5).carries_state is True
