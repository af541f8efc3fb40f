"""The better recipe: Adam and the network against torch's, the cycle's ends, dropout's mean, records of training."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from helpers.generate import generate, next_char_probs, warm_up
from helpers.recipe import Adam, DropoutGRU, fit, one_cycle, read_with_network
from helpers.require import TrainingDiverged
from helpers.text import SequentialBatches, Vocab
from helpers.train import evaluate

TEXT = "the time traveller for so it will be convenient to speak of him " * 12
VOCAB = Vocab(TEXT)
CORPUS = VOCAB.encode(TEXT)


def batches(seed: int = 0) -> SequentialBatches:
    return SequentialBatches(CORPUS, 4, 15, seed)


def small(**options) -> DropoutGRU:
    return DropoutGRU(len(VOCAB), **{"hidden_size": 24, "vector_size": 6, "dropout": 0.0, **options})


@given(st.integers(0, 10**6), st.integers(1, 30), st.floats(1e-4, 2))
@settings(max_examples=20, deadline=None)
def test_adam_steps_where_torch_optim_does(seed, num_steps, lr):
    generator = torch.Generator().manual_seed(seed)
    ours = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((3, 4), (5,), ())]
    theirs = [p.clone().requires_grad_() for p in ours]
    ours = [p.requires_grad_() for p in ours]
    adam, reference = Adam(ours), torch.optim.Adam(theirs)
    for step in range(num_steps):
        rate = lr * one_cycle(step / num_steps + 0.01)
        for mine, other in zip(ours, theirs, strict=True):
            size = 10.0 ** float(torch.randint(-6, 6, (), generator=generator))
            mine.grad = torch.randn(mine.shape, generator=generator, dtype=torch.float64) * size
            other.grad = mine.grad.clone()
        reference.param_groups[0]["lr"] = rate
        adam.step(rate)
        reference.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_the_first_step_of_adam_is_lr_long_whatever_the_gradient():
    w = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    w.grad = torch.tensor([1e-3, -1e-3, 1e6, -5.0], dtype=torch.float64)
    Adam([w]).step(0.25)
    torch.testing.assert_close(w, torch.tensor([-0.25, 0.25, -0.25, 0.25], dtype=torch.float64), rtol=2e-5, atol=0)


def test_the_cycle_rises_to_one_and_falls_to_zero():
    rates = [one_cycle(i / 1000) for i in range(1001)]
    top = rates.index(max(rates))
    assert rates[0] == 0 and rates[-1] == pytest.approx(0, abs=1e-12) and rates[300] == 1 and top == 300
    assert rates[:301] == sorted(rates[:301]) and rates[300:] == sorted(rates[300:], reverse=True)
    assert sum(rates) / 1001 == pytest.approx(0.5, abs=1e-3), "its mean is not half its top"
    assert max(abs(a - b) for a, b in pairwise(rates)) < 0.004, "it jumps"


@pytest.mark.parametrize("dropout", [0.1, 0.3, 0.9])
def test_dropout_blanks_its_share_and_keeps_the_mean(dropout):
    model = small(dropout=dropout)
    model.training = True
    dropped = model.drop(torch.ones(200_000))
    assert (dropped == 0).float().mean() == pytest.approx(dropout, abs=0.005)
    assert dropped.mean() == pytest.approx(1, abs=0.03)
    assert dropped.max() == pytest.approx(1 / (1 - dropout))


def test_dropout_is_drawn_from_the_seed_anew_each_time_and_only_in_training():
    X, state = CORPUS[None, :40], small().initial_state(1)
    one, same, other = (small(dropout=0.5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one(X, state)[0], one(X, state)[0]), "units are blanked while nobody trains"
    for model in (one, same, other):
        model.training = True
    first = one(X, state)[0]
    assert torch.equal(first, same(X, state)[0]) and not torch.equal(first, one(X, state)[0])
    torch.manual_seed(0)
    before = torch.rand(3)
    torch.manual_seed(0)
    one(X, state)
    assert torch.equal(before, torch.rand(3)), "it draws from the global generator"


@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 5), st.integers(1, 12), st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_the_network_is_torchs_under_the_same_weights(vector, hidden, batch, num_steps, seed):
    size = len(VOCAB)
    model = DropoutGRU(size, hidden, vector, dropout=0.3, sigma=0.6, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    model.dtype = torch.float64
    model.params = tuple(
        (p.detach().double() + 0.1 * torch.randn(p.shape, generator=generator, dtype=torch.float64)).requires_grad_()
        for p in model.params
    )
    E, W_xh, W_hh, b_x, b_h, W_hq, b_q = model.params
    embedding, layer, output = nn.Embedding(size, vector), nn.GRU(vector, hidden), nn.Linear(hidden, size)
    theirs = [embedding.weight, layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0]
    theirs += [output.weight, output.bias]
    for module in (embedding, layer, output):
        module.double()
    with torch.no_grad():
        for p, mine in zip(theirs, (E, W_xh.T, W_hh.T, b_x, b_h, W_hq.T, b_q), strict=True):
            p.copy_(mine)
    X = torch.randint(size, (batch, num_steps), generator=generator)
    H = torch.randn(batch, hidden, generator=generator, dtype=torch.float64)
    ours, (last,) = model(X, (H,))
    states, end = layer(embedding(X.T), H[None])
    expected = output(states)
    weights = torch.randn(ours.shape, generator=generator, dtype=torch.float64)
    torch.testing.assert_close((ours, last), (expected, end[0]), rtol=0, atol=1e-9)
    (ours * weights).sum().backward()
    (expected * weights).sum().backward()
    gradients = [E.grad, W_xh.grad.T, W_hh.grad.T, b_x.grad, b_h.grad, W_hq.grad.T, b_q.grad]
    for mine, p in zip(gradients, theirs, strict=True):
        torch.testing.assert_close(mine, p.grad, rtol=1e-9, atol=1e-9)


def test_fit_hands_out_a_record_an_epoch_and_learns():
    model = small(dropout=0.2)
    records = []
    for record in fit(model, batches(), num_epochs=12, lr=0.03):
        assert not model.training, "whoever looks in between sees blanked units"
        records.append(record)
    assert [record.epoch for record in records] == list(range(1, 13))
    assert records[0].perplexity > 8 and evaluate(model, CORPUS) < 2
    assert all(record.grad_norm > 0 and record.tokens_per_second > 0 for record in records)
    again = [record.perplexity for record in fit(small(dropout=0.2), batches(), num_epochs=12, lr=0.03)]
    assert again == [record.perplexity for record in records], "a seed does not tell the run"
    assert generate("the ", 20, model, VOCAB) == generate("the ", 20, model, VOCAB)


def test_fit_takes_the_rate_and_the_method_that_it_is_given():
    rates, asked = [], []

    class Spy(Adam):
        def step(self, lr):
            rates.append(lr)

    def schedule(done):
        asked.append(done)
        return 1 - done

    list(fit(small(), batches(), 2, 0.5, schedule=schedule, method=Spy))
    assert asked[0] == 0 and asked == sorted(asked) and 0.9 < asked[-1] < 1 and 0.5 in asked
    assert rates == [0.5 * (1 - done) for done in asked]


def test_an_interrupted_network_answers_with_all_its_units():
    model = small(dropout=0.5)

    class Interrupts(SequentialBatches):
        def __iter__(self):
            yield from list(super().__iter__())[:2]
            raise KeyboardInterrupt

    class Breaks(Adam):
        def step(self, lr):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(fit(model, Interrupts(CORPUS, 4, 15), 2, 0.01))
    with pytest.raises(KeyboardInterrupt):
        list(fit(model, batches(), 2, 0.01, method=Breaks))
    assert not model.training


def test_wrong_settings_stop_at_the_door():
    for dropout in (-0.1, 1, 1.5):
        with pytest.raises(ValueError, match="dropout must be at least 0 and below 1"):
            small(dropout=dropout)
    with pytest.raises(ValueError, match="vector_size must be at least 1"):
        small(vector_size=0)
    for wrong, sentence in (({"num_epochs": -1}, "num_epochs must be"), ({"lr": 0}, "lr must be a positive")):
        with pytest.raises(ValueError, match=sentence):
            fit(small(), batches(), **{"num_epochs": 1, "lr": 0.1, **wrong})  # before the first record is asked for
    with pytest.raises(TypeError, match="must say whether the state carries over"):
        fit(small(), [], 1, 0.1)
    with pytest.raises(ValueError, match="use the vocabulary"):
        fit(DropoutGRU(3, 4), batches(), 1, 0.1)
    model = small()
    before = [p.detach().clone() for p in model.params]
    with torch.no_grad():
        model.params[0][3] = math.nan
    with pytest.raises(TrainingDiverged, match="loss is nan"):
        list(fit(model, batches(), 1, 0.1))
    assert all(torch.equal(a, b) for a, b in zip(before[1:], model.params[1:], strict=True)), "the weights moved"
    with pytest.raises(ValueError, match="at least two characters"):
        read_with_network("t", small(), VOCAB)


@pytest.mark.parametrize("num_steps", [1, 7, 500])
def test_reading_gives_what_the_network_guesses_after_each_prefix(num_steps):
    model, text = small(sigma=0.5), TEXT[:40]
    found = read_with_network(text, model, VOCAB, num_steps)
    assert found.shape == (39, len(VOCAB)) and found.dtype == torch.float64 and (found[:, 0] == 0).all()
    for i in (1, 2, 8, 39):
        outputs, _ = warm_up(text[:i], model, VOCAB)
        torch.testing.assert_close(found[i - 1], next_char_probs(outputs), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(39, dtype=torch.float64))
