"""From a prefix to a continuation: warm-up, greedy choice, temperature, sampling."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import KINDS, Spy, all_equal, copies, largest_difference, make_model, numpy_rnn

from helpers.generate import generate, next_char_probs, warm_up
from helpers.rnn import RNN
from helpers.text import Vocab

ALL_KINDS = pytest.mark.parametrize("kind", KINDS)

ALPHABET = "abcdefg "
VOCAB = Vocab(ALPHABET)  # 9 entries with <unk>

prefixes = st.text(ALPHABET, min_size=1, max_size=12)
seeds = st.integers(0, 2**31)
temperatures = st.floats(0.05, 20)
some_outputs = st.lists(st.floats(-50, 50), min_size=2, max_size=30)


def model_of(kind, seed=0):
    return make_model(kind, len(VOCAB), hidden_size=6, seed=seed, scale=1.0)


def numpy_probs(outputs, temperature):
    """Softmax of all outputs but the first, divided by the temperature, in NumPy."""
    scaled = np.asarray(outputs, dtype=np.float64)[1:] / temperature
    exponentials = np.exp(scaled - scaled.max())
    return np.concatenate([[0.0], exponentials / exponentials.sum()])


# Warm-up and greedy choice


@ALL_KINDS
@given(prefix=prefixes, seed=seeds)
@settings(max_examples=15)
def test_warm_up_is_reading_the_prefix_one_character_at_a_time(kind, prefix, seed):
    model = model_of(kind, seed)
    state = model.initial_state(1)
    for character in prefix:
        outputs, state = model(torch.tensor([[VOCAB.tokens.index(character)]]), state)
    warm_outputs, warm_state = warm_up(prefix, model, VOCAB)
    assert warm_outputs.shape == (len(VOCAB),) and not warm_outputs.requires_grad
    assert largest_difference([warm_outputs, *warm_state], [outputs[0, 0], *state]) < 1e-9


@ALL_KINDS
@given(prefix=prefixes, num_chars=st.integers(0, 15), seed=seeds)
@settings(max_examples=15)
def test_greedy_is_the_largest_output_after_reading_all_the_text_so_far_again(kind, prefix, num_chars, seed):
    model = model_of(kind, seed)
    text = prefix
    for _ in range(num_chars):
        # No state is kept: every character costs a pass over the whole text.
        indices = [VOCAB.tokens.index(c) for c in text]
        if kind == "scratch":
            last = numpy_rnn(model.params, indices)[-1]
        else:
            last = model(torch.tensor([indices]), model.initial_state(1))[0][-1, 0].detach().numpy()
        text += VOCAB.tokens[1 + int(np.argmax(last[1:]))]
    assert generate(prefix, num_chars, model, VOCAB) == text
    assert generate(prefix, num_chars, model, VOCAB, temperature=0, seed=seed) == text


# Probabilities


@given(outputs=some_outputs, temperature=temperatures, dtype=st.sampled_from([torch.float32, torch.float64]))
def test_probabilities_are_the_softmax_of_the_outputs_over_the_temperature(outputs, temperature, dtype):
    outputs = torch.tensor(outputs, dtype=dtype, requires_grad=True)
    before = outputs.detach().clone()
    probs = next_char_probs(outputs, temperature)
    assert np.abs(probs.numpy() - numpy_probs(before.numpy(), temperature)).max() < 1e-12
    assert abs(float(probs.sum()) - 1) < 1e-12
    assert probs[0] == 0 and probs.dtype == torch.float64
    assert torch.equal(outputs, before)
    assert torch.equal(next_char_probs(outputs), next_char_probs(outputs, 1.0))


@given(order=st.permutations(range(12)), temperature=st.floats(1e-308, 0.02))
def test_temperature_zero_is_all_on_the_largest_output_and_small_ones_approach_it(order, temperature):
    outputs = torch.tensor(order, dtype=torch.float64)
    expected = np.zeros(12)
    expected[1 + int(np.argmax(order[1:]))] = 1
    assert np.array_equal(next_char_probs(outputs, 0).numpy(), expected)
    # The runner-up is at least 1 behind, so it keeps at most e^(-1/0.02) = e^-50.
    assert np.abs(next_char_probs(outputs, temperature).numpy() - expected).max() < 1e-20


# Sampling


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_sampled_characters_have_the_frequencies_of_their_probabilities(temperature):
    # A model that ignores what it reads, so that the characters are independent draws from one distribution.
    model = RNN(len(VOCAB), 1, sigma=0.0, device="cpu", dtype=torch.float64)
    outputs = [9.0, 2.0, 1.5, 1.0, 0.5, 0.0, -0.5, -1.0, -3.0]  # <unk> comes first and would win
    model.load((*model.params[:4], torch.tensor(outputs, dtype=torch.float64)))
    text = generate("a", 4000, model, VOCAB, temperature, seed=5)[1:]
    frequencies = np.array([text.count(token) / len(text) for token in VOCAB.tokens])
    # A frequency of 4000 draws has a standard deviation of at most 0.5/√4000 < 0.008; this is four of them.
    assert np.abs(frequencies - numpy_probs(outputs, temperature)).max() < 0.032


@ALL_KINDS
@given(prefix=prefixes, num_chars=st.integers(0, 10), seed=seeds, temperature=st.just(0.0) | temperatures)
@settings(max_examples=15)
def test_the_same_seed_gives_the_same_text_of_the_length_asked_for(kind, prefix, num_chars, seed, temperature):
    model, texts = model_of(kind, seed=1), []
    for start in (1, 2):  # whatever the global generator does
        torch.manual_seed(start)
        before = torch.get_rng_state()
        texts.append(generate(prefix, num_chars, model, VOCAB, temperature, seed))
        assert torch.equal(torch.get_rng_state(), before)
    assert texts[0] == texts[1] and texts[0].startswith(prefix) and len(texts[0]) == len(prefix) + num_chars
    assert set(texts[0]) <= set(ALPHABET)


@ALL_KINDS
def test_seeds_give_different_texts(kind):
    # At this temperature the 8 characters are almost equally likely: two texts of 50 agree about once in 8^50.
    texts = {generate("a", 50, model_of(kind), VOCAB, 1000.0, seed) for seed in range(5)}
    assert len(texts) == 5


@ALL_KINDS
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_generating_leaves_the_model_as_it_was_and_never_writes_the_unknown_character(kind, temperature):
    model = model_of(kind)
    with torch.no_grad():
        model.parameters()[-1][0] = 1e3  # the bias of <unk> in the output layer
    before, spy = copies(model.parameters()), Spy(model)
    text = generate("abc", 20, spy, VOCAB, temperature)
    assert len(text) == 23 and "<" not in text
    assert all_equal(model.parameters(), before) and all(p.grad is None for p in model.parameters())
    # Nothing is kept for a backward pass, which a long text would pay for with memory.
    assert len(spy.returned) >= 20 and not any(S.requires_grad for state in spy.returned for S in state)
