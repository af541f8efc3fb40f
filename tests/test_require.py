"""Wrong input stops at the door, before anything has changed, with a sentence that names what was wrong."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference import KINDS, all_equal, copies, make_model

from helpers.generate import generate, next_char_probs, warm_up
from helpers.require import require_prefix
from helpers.rnn import RNN, TorchRNN, choose_device, init_params, init_state, one_hot, param_shapes
from helpers.text import RandomBatches, SequentialBatches, Vocab, clean
from helpers.train import clip_gradients, evaluate, train, train_epoch

ALL_KINDS = pytest.mark.parametrize("kind", KINDS)
BOTH = (SequentialBatches, RandomBatches)
VOCAB = Vocab("abcdefg ")  # 9 entries with <unk>
NO_COUNTS = [(-1, ValueError), (2.0, TypeError), (True, TypeError), ("2", TypeError)]
NOT_ONE_OR_MORE = [(0, ValueError), *NO_COUNTS]
NEGATIVE = [(-1.0, ValueError), (math.nan, ValueError), (math.inf, ValueError), ("1", TypeError), (True, TypeError)]
NOT_POSITIVE = [(0, ValueError), *NEGATIVE]


def model(vocab_size=9):
    return RNN(vocab_size, 4, device="cpu")


def batches():
    return SequentialBatches(torch.arange(100) % 9, 4, 5)


def param():
    p = torch.zeros(3, requires_grad=True)
    p.grad = torch.full((3,), 10.0)
    return p


def zeros(*shape):
    return torch.zeros(*shape, dtype=torch.long)


ROWS = [  # (name, values that are refused, a call that takes one)
    ("vocab_size", NOT_ONE_OR_MORE, lambda n: RNN(n, 4)),
    ("vocab_size", NOT_ONE_OR_MORE, lambda n: TorchRNN("LSTM", n, 4)),
    ("vocab_size", NOT_ONE_OR_MORE, lambda n: init_params(n, 4)),
    ("vocab_size", NOT_ONE_OR_MORE, lambda n: param_shapes(n, 4)),
    ("vocab_size", NOT_ONE_OR_MORE, lambda n: one_hot(zeros(1, 1), n)),
    ("hidden_size", NOT_ONE_OR_MORE, lambda n: RNN(5, n)),
    ("hidden_size", NOT_ONE_OR_MORE, lambda n: TorchRNN("GRU", 5, n)),
    ("hidden_size", NOT_ONE_OR_MORE, lambda n: init_params(5, n)),
    ("hidden_size", NOT_ONE_OR_MORE, lambda n: init_state(2, n)),
    ("batch_size", NOT_ONE_OR_MORE, lambda n: init_state(n, 4)),
    ("batch_size", NOT_ONE_OR_MORE, lambda n: model().initial_state(n)),
    ("batch_size", NOT_ONE_OR_MORE, lambda n: TorchRNN("LSTM", 5, 4).initial_state(n)),
    *(("batch_size", NOT_ONE_OR_MORE, lambda n, kind=kind: kind(torch.arange(100), n, 5)) for kind in BOTH),
    *(("num_steps", NOT_ONE_OR_MORE, lambda n, kind=kind: kind(torch.arange(100), 2, n)) for kind in BOTH),
    ("num_steps", NOT_ONE_OR_MORE, lambda n: evaluate(model(), torch.arange(9), n)),
    ("num_chars", NO_COUNTS, lambda n: generate("abc", n, model(), VOCAB)),
    ("num_epochs", NO_COUNTS, lambda n: train(model(), batches(), n, lr=1.0)),
    ("lr", NOT_POSITIVE, lambda x: train(model(), batches(), 3, lr=x)),
    ("max_norm", NOT_POSITIVE, lambda x: train(model(), batches(), 3, lr=1.0, max_norm=x)),
    ("max_norm", NOT_POSITIVE, lambda x: clip_gradients([param()], x)),
    ("sigma", NEGATIVE, lambda x: init_params(5, 4, sigma=x)),
    ("sigma", NEGATIVE, lambda x: RNN(5, 4, sigma=x)),
    ("temperature", NEGATIVE, lambda x: next_char_probs(torch.zeros(9), x)),
    ("temperature", NEGATIVE, lambda x: generate("abc", 5, model(), VOCAB, x)),
    ("temperature", NEGATIVE, lambda x: generate("abc", 0, model(), VOCAB, x)),  # even when nothing is drawn
]


@pytest.mark.parametrize(("name", "values", "call"), ROWS, ids=[name for name, *_ in ROWS])
def test_numbers_are_named_with_their_value(name, values, call):
    for value, error in values:
        with pytest.raises(error) as raised:
            call(value)
        assert name in str(raised.value) and str(value) in str(raised.value)


REFUSED = {
    "no text": (lambda: Vocab(""), ValueError, ""),
    "no letters": (lambda: clean("1984"), ValueError, ""),
    "no Latin letters": (lambda: clean("Ω ж"), ValueError, ""),
    "an empty prefix": (lambda: require_prefix("", VOCAB), ValueError, "empty"),
    "an empty prefix to read": (lambda: warm_up("", model(), VOCAB), ValueError, "empty"),
    "an empty prefix to go on from": (lambda: generate("", 5, model(), VOCAB), ValueError, "empty"),
    "the unknown token": (lambda: require_prefix("<unk>", VOCAB), ValueError, "<"),
    "no parameters": (lambda: clip_gradients([], 1.0), ValueError, ""),
    "no gradient": (lambda: clip_gradients([torch.zeros(3, requires_grad=True)], 1.0), ValueError, ""),
    "no character": (lambda: evaluate(model(), zeros(0)), ValueError, "0"),
    "no next character": (lambda: evaluate(model(), zeros(1)), ValueError, "1"),
    "a list of minibatches": (lambda: train(model(), list(batches()), 3, lr=1.0), TypeError, "carries_state"),
    "no minibatches": (lambda: train_epoch(model(), type("N", (list,), {"carries_state": 1})(), 1.0), ValueError, ""),
    "no such kind": (lambda: TorchRNN("rnn", 5, 4), ValueError, "'rnn'"),
    "no kind": (lambda: TorchRNN(None, 5, 4), ValueError, "None"),
    "a device that is none": (lambda: choose_device("cpu:foo"), ValueError, "cpu:foo"),
    "a state of float64": (lambda: model()(zeros(2, 3), init_state(2, 4, dtype=torch.float64)), ValueError, "float64"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_refused(what):
    call, error, fact = REFUSED[what]
    with pytest.raises(error) as raised:
        call()
    assert fact in str(raised.value)


@pytest.mark.parametrize("Batches", BOTH)
@pytest.mark.parametrize(
    "corpus", [zeros(10, 10), torch.zeros(100), zeros(100).int()], ids=["(10, 10)", "float", "int"]
)
def test_a_corpus_that_is_no_flat_tensor_of_indices_is_refused(Batches, corpus):
    with pytest.raises(ValueError, match=r"vocab\.encode"):
        Batches(corpus, 2, 5)


@given(known=st.text("abcdefg ", min_size=1), unknown=st.sets(st.characters(exclude_characters="abcdefg "), min_size=1))
def test_every_unknown_character_of_the_prefix_is_named(known, unknown):
    prefix, reader = known + "".join(unknown) + known, model()
    for call in (require_prefix, lambda p, v: warm_up(p, reader, v), lambda p, v: generate(p, 3, reader, v)):
        with pytest.raises(ValueError) as error:
            call(prefix, VOCAB)
        assert all(repr(character) in str(error.value) for character in unknown)


@given(st.text(min_size=1), st.integers(0, 50))
def test_decode_refuses_an_index_out_of_range(content, distance):
    vocab = Vocab(content)
    for bad in (len(vocab) + distance, -1 - distance):
        for indices in ([0, bad], torch.tensor([bad, 1])):
            with pytest.raises(ValueError) as error:
                vocab.decode(indices)
            assert str(len(vocab) - 1) in str(error.value) and str(bad) in str(error.value)


@pytest.mark.parametrize("alphabet, entries", [("abc", "4"), ("abcdefg hij", "12")])
def test_a_vocabulary_of_another_size_is_refused_with_both_sizes(alphabet, entries):
    for call in (warm_up, lambda p, m, v: generate(p, 3, m, v)):
        with pytest.raises(ValueError, match=rf"\b{entries}\b.*\b9\b"):
            call("abc", model(), Vocab(alphabet))


@ALL_KINDS
@pytest.mark.parametrize(
    "X, fact",
    [
        (torch.tensor([[0, 5]]), "5"),
        (torch.tensor([[0, -1]]), "-1"),
        (torch.tensor([0, 1]), "(2,)"),
        (zeros(2, 3, 5), "(2, 3, 5)"),
        (torch.zeros(2, 3), "float32"),
        (zeros(2, 3).int(), "int32"),
        (zeros(2, 0), "empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_indices_that_the_model_cannot_read_are_refused(kind, X, fact):
    reader = make_model(kind, 5, 4)
    for call in (lambda: reader(X, reader.initial_state(2)), lambda: one_hot(X, 5)):
        with pytest.raises(ValueError) as error:
            call()
        assert fact in str(error.value)


@ALL_KINDS
def test_a_state_that_does_not_fit_is_refused(kind):
    reader = make_model(kind, 5, 4)
    fitting = reader.initial_state(3)
    too_wide = tuple(torch.zeros(3, 9, dtype=torch.float64) for _ in fitting)
    wrong = (reader.initial_state(2), reader.initial_state(1), too_wide, fitting[0], list(fitting), None, ())
    for state in (*wrong, (*fitting, fitting[0])):
        with pytest.raises(ValueError, match=r"\(3, 4\)"):
            reader(zeros(3, 2), state)


def test_load_refuses_wrong_shapes_and_changes_nothing():
    reader = make_model("scratch", 6, 5, seed=1)
    before = copies(reader.parameters())
    W_xh, W_hh, b_h, W_hq, b_q = make_model("scratch", 6, 5, seed=2).params
    for params in (
        (W_xh, W_hh, b_h, W_hq.T, b_q),
        (W_xh, W_hh, b_h, W_hq, torch.zeros(7)),
        (W_xh, W_hh, b_h, W_hq),
        (W_xh, W_hh, b_h, W_hq, b_q, b_q),
        (W_xh, W_hh, W_hq, b_h, b_q),
    ):
        with pytest.raises(ValueError) as error:
            reader.load(params)
        assert all(str(tuple(p.shape)) in str(error.value) for p in params)
        assert all_equal(reader.parameters(), before)


@ALL_KINDS
def test_a_text_with_characters_unknown_to_the_model_is_refused_before_the_first_step(kind):
    reader = make_model(kind, 6, 4)
    before, corpus = copies(reader.parameters()), zeros(300)
    corpus[-1] = 7  # only the very last character is not in the model's vocabulary
    with pytest.raises(ValueError, match=r"index 7.* 6 characters"):
        train(reader, SequentialBatches(corpus, 4, 5), 1, lr=0.1)
    with pytest.raises(ValueError):
        evaluate(reader, corpus.flip(0))
    assert all_equal(reader.parameters(), before)


def test_a_wrong_threshold_leaves_the_gradient_as_it_was():
    p = param()
    with pytest.raises(ValueError):
        clip_gradients([p], -1.0)
    assert p.grad.tolist() == [10.0] * 3
