"""Clipping, the step, perplexity and training, against torch's own optimizer and NumPy."""

import itertools
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    KINDS,
    Spy,
    all_equal,
    as_ours,
    copies,
    largest_difference,
    make_model,
    numpy_log_softmax,
    numpy_rnn,
    torch_twin,
    twin_tensors,
)

from helpers import train as train_module
from helpers.generate import generate
from helpers.require import TrainingDiverged
from helpers.rnn import RNN, TorchRNN
from helpers.text import RandomBatches, SequentialBatches, Vocab
from helpers.train import as_perplexity, clip_gradients, evaluate, mean_loss, sgd_step, train, train_epoch

ALL_KINDS = pytest.mark.parametrize("kind", KINDS)


def reset(batches):
    """The same minibatches, each read from a state of zeros."""
    batches.carries_state = False
    return batches


BATCHES = {
    "sequential, carried": lambda *args: SequentialBatches(*args),
    "sequential, reset": lambda *args: reset(SequentialBatches(*args)),
    "random": lambda *args: RandomBatches(*args),
}
ALL_BATCHES = pytest.mark.parametrize("make_batches", BATCHES.values(), ids=BATCHES.keys())

seeds = st.integers(0, 2**31)
norms = st.floats(1e-3, 1e3)


def random_text(length, vocab_size, seed=0):
    return torch.randint(vocab_size, (length,), generator=torch.Generator().manual_seed(seed))


def random_params(shapes, seed, scale=1.0):
    """Parameters of the given shapes, each with a random gradient, in float64."""
    generator = torch.Generator().manual_seed(seed)
    params = []
    for shape in shapes:
        p = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        p.grad = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        params.append(p)
    return params


def flat_gradient(params):
    return np.concatenate([p.grad.numpy().ravel() for p in params])


class Poisoned(Spy):
    """A model that goes wrong at its n-th minibatch: in the loss and the gradient, or in one of them alone."""

    def __init__(self, model, n, where):
        super().__init__(model)
        self.n, self.where = n, where

    def __call__(self, X, state):
        outputs, new = super().__call__(X, state)
        if len(self.given) == self.n and self.where == "both":
            outputs = outputs * torch.nan
        elif len(self.given) == self.n and self.where == "gradient":
            outputs.register_hook(lambda gradient: gradient * torch.inf)
        elif len(self.given) == self.n and self.where == "loss":
            far = torch.full_like(outputs, -1e308)  # the loss overflows; its gradient, a probability less 1, does not
            far[..., 0] = 1e308
            outputs = outputs + far
        return outputs, new


# Clipping

shapes = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=2), min_size=1, max_size=4)


@given(shapes=shapes, seed=seeds, scale=norms, max_norm=norms)
def test_clipping_agrees_with_numpy_and_with_torch(shapes, seed, scale, max_norm):
    ours, theirs = random_params(shapes, seed, scale), random_params(shapes, seed, scale)
    before = flat_gradient(ours)
    norm = clip_gradients(ours, max_norm)
    exact = float(np.sqrt((before**2).sum()))
    assert isinstance(norm, float) and abs(norm - exact) <= 1e-9 * exact
    expected = before * min(1.0, max_norm / exact)
    assert np.abs(flat_gradient(ours) - expected).max() <= 1e-9 * np.abs(expected).max()

    assert abs(float(torch.nn.utils.clip_grad_norm_(theirs, max_norm)) - norm) <= 1e-9 * exact
    # torch divides by norm + 1e-6 in place of norm, so its gradients are shorter by up to this share.
    tolerance = (1e-6 / exact + 1e-9) * np.abs(before).max()
    assert np.abs(flat_gradient(ours) - flat_gradient(theirs)).max() <= tolerance


@given(shapes=shapes, seed=seeds, scale=norms, max_norm=norms)
def test_clipping_keeps_the_direction_and_bounds_the_norm(shapes, seed, scale, max_norm):
    params = random_params(shapes, seed, scale)
    before = flat_gradient(params)
    norm = clip_gradients(params, max_norm)
    after = flat_gradient(params)
    cosine = before @ after / (np.linalg.norm(before) * np.linalg.norm(after))
    assert abs(cosine - 1) < 1e-12
    assert abs(np.linalg.norm(after) - min(norm, max_norm)) <= 1e-12 * max_norm


@given(shapes=shapes, seed=seeds, scale=norms, slack=st.floats(1.001, 100))
def test_small_gradients_and_the_threshold_none_change_nothing(shapes, seed, scale, slack):
    params = random_params(shapes, seed, scale)
    before = [p.grad.clone() for p in params]
    norm = float(np.linalg.norm(flat_gradient(params)))
    assert abs(clip_gradients(params, slack * norm) - norm) <= 1e-9 * norm
    assert all_equal([p.grad for p in params], before)
    assert abs(clip_gradients(params, None) - norm) <= 1e-9 * norm
    assert all_equal([p.grad for p in params], before)


def test_parameters_without_a_gradient_do_not_count():
    params = random_params([(3,), (2, 2), (4,)], seed=0)
    params[1].grad = None
    norm = clip_gradients(iter(params), 0.5)
    assert abs(norm - np.linalg.norm(random_params([(3,), (2, 2), (4,)], seed=0)[0].grad)) > 0.1
    assert abs(np.linalg.norm(flat_gradient([params[0], params[2]])) - 0.5) < 1e-12
    assert params[1].grad is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_has_no_finite_norm(bad):
    params = random_params([(3,), (2, 2)], seed=0)
    params[1].grad[0, 1] = bad
    assert not math.isfinite(clip_gradients(params, 1.0))


# The step and the loss


@given(shapes=shapes, seed=seeds, lr=norms)
def test_the_step_agrees_with_torch(shapes, seed, lr):
    ours, theirs = random_params(shapes, seed), random_params(shapes, seed)
    gradients = [p.grad.clone() for p in ours]
    sgd_step(ours, lr)
    torch.optim.SGD(theirs, lr=lr).step()
    assert largest_difference(ours, theirs) <= 1e-9 * lr
    assert all_equal([p.grad for p in ours], gradients)
    assert all(p.requires_grad and p.is_leaf for p in ours)


@given(T=st.integers(1, 6), B=st.integers(1, 6), V=st.integers(1, 8), seed=seeds)
def test_the_loss_is_the_mean_of_minus_log_probability(T, B, V, seed):
    outputs = 3 * torch.randn(T, B, V, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    Y = random_text(B * T, V, seed).reshape(B, T)
    log_probs = numpy_log_softmax(outputs.numpy())
    by_hand = [-log_probs[t, b, int(Y[b, t])] for b in range(B) for t in range(T)]
    assert abs(float(mean_loss(outputs, Y)) - sum(by_hand) / len(by_hand)) < 1e-9


# Perplexity


def numpy_perplexity(params, corpus):
    log_probs = numpy_log_softmax(numpy_rnn(params, corpus[:-1]))
    return math.exp(-np.mean([log_probs[t, int(corpus[t + 1])] for t in range(len(corpus) - 1)]))


@given(length=st.integers(2, 60), num_steps=st.integers(1, 70), seed=seeds)
def test_evaluate_agrees_with_numpy(length, num_steps, seed):
    model = make_model("scratch", 6, 5, seed)
    corpus = random_text(length, 6, seed)
    expected = numpy_perplexity(model.params, corpus)
    assert abs(evaluate(model, corpus) / expected - 1) < 1e-9
    assert abs(evaluate(model, corpus, num_steps) / expected - 1) < 1e-9


@ALL_KINDS
@given(length=st.integers(2, 60), num_steps=st.integers(1, 70), seed=seeds)
def test_evaluate_does_not_depend_on_the_length_of_its_pieces(kind, length, num_steps, seed):
    model = make_model(kind, 6, 5, seed)
    corpus = random_text(length, 6, seed)
    X, Y = corpus[None, :-1], corpus[None, 1:]
    outputs, _ = model(X, model.initial_state(1))
    at_once = math.exp(mean_loss(outputs, Y).item())
    for steps in (num_steps, 1, length - 1, length):
        assert abs(evaluate(model, corpus, steps) / at_once - 1) < 1e-9


@ALL_KINDS
@given(V=st.integers(1, 30), length=st.integers(2, 40), seed=seeds)
def test_a_model_of_zeros_has_as_many_ways_as_characters(kind, V, length, seed):
    model = make_model(kind, V, 4, scale=0.0)
    assert abs(evaluate(model, random_text(length, V, seed), num_steps=7) / V - 1) < 1e-12


@ALL_KINDS
def test_evaluating_leaves_the_model_as_it_was(kind):
    model = make_model(kind, 6, 5)
    before = copies(model)
    spy = Spy(model)
    evaluate(spy, random_text(50, 6), num_steps=10)
    assert all_equal(model.parameters(), before)
    assert all(p.grad is None for p in model.parameters())
    # Nothing is kept for a backward pass: on a whole book that would fill the memory.
    assert len(spy.returned) == 5 and not any(S.requires_grad for state in spy.returned for S in state)


@given(st.floats(0, 699))
def test_perplexity_is_the_exponential_of_the_loss(loss):
    assert as_perplexity(loss) == pytest.approx(np.exp(np.float64(loss)), rel=1e-14)


def test_a_loss_too_large_for_a_perplexity_counts_as_infinite():
    model = make_model("scratch", 2, 1, scale=0.0)
    with torch.no_grad():
        model.parameters()[-1].copy_(torch.tensor([2000.0, 0.0]))
    assert evaluate(model, torch.ones(9, dtype=torch.long)) == math.inf
    epoch = train_epoch(model, SequentialBatches(torch.ones(9, dtype=torch.long), 1, 4), lr=1e-9)
    assert epoch[0] == math.inf


# One epoch


def twin_epochs(params, batches, carries, lr, max_norm, num_epochs):
    """The same epochs by torch.nn.RNN, torch.optim.SGD and torch's cross-entropy: weights, perplexities, mean norms."""
    layer, output = torch_twin(params)
    tensors = twin_tensors(layer, output)
    optimizer = torch.optim.SGD(tensors, lr=lr)
    perplexities, mean_norms = [], []
    for _ in range(num_epochs):
        losses, batch_norms, H = [], [], None
        for X, Y in batches:
            if H is None or not carries:
                H = torch.zeros(1, len(X), layer.hidden_size, dtype=torch.float64)
            inputs = torch.from_numpy(np.eye(layer.input_size)[X.T.numpy()])
            hidden, H = layer(inputs, H.detach())
            loss = torch.nn.CrossEntropyLoss()(output(hidden).permute(1, 2, 0), Y)  # (batch, vocab, time)
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.get_total_norm([t.grad for t in tensors])
            if max_norm is not None and norm > max_norm:
                # clip_grad_norm_ divides by norm + 1e-6; without that 1e-6 the weights can be compared to 1e-9.
                torch.nn.utils.clip_grads_with_norm_(tensors, max_norm, norm - 1e-6)
            optimizer.step()
            losses.append(float(loss.detach()))
            batch_norms.append(float(norm))
        perplexities.append(math.exp(np.mean(losses)))
        mean_norms.append(np.mean(batch_norms))
    return as_ours(tensors), perplexities, mean_norms


@ALL_BATCHES
@given(
    B=st.integers(1, 4),
    T=st.integers(1, 5),
    extra=st.integers(0, 40),
    seed=seeds,
    lr=st.floats(0.01, 0.5),
    max_norm=st.none() | st.floats(0.05, 2.0),
)
def test_epochs_agree_with_torch_step_by_step(make_batches, B, T, extra, seed, lr, max_norm):
    V, h = 5, 4
    corpus = random_text(3 * B * T + T + extra, V, seed)  # three minibatches or more
    model = make_model("scratch", V, h, seed)
    batches = make_batches(corpus, B, T, seed)
    weights, perplexities, mean_norms = twin_epochs(
        model.params, make_batches(corpus, B, T, seed), batches.carries_state, lr, max_norm, num_epochs=2
    )
    records = list(train(model, batches, 2, lr, max_norm))
    assert largest_difference(model.parameters(), weights) < 1e-9
    assert np.abs(np.array([r.perplexity for r in records]) / perplexities - 1).max() < 1e-9
    assert np.abs(np.array([r.grad_norm for r in records]) / mean_norms - 1).max() < 1e-9


@ALL_KINDS
@ALL_BATCHES
def test_the_state_is_carried_only_where_the_minibatches_say_so_and_never_with_its_history(kind, make_batches):
    batches = make_batches(random_text(200, 6), 3, 5)
    spy = Spy(make_model(kind, 6, 4))
    for _ in range(2):
        spy.given.clear()
        spy.returned.clear()
        train_epoch(spy, batches, lr=0.1)
        assert len(spy.given) > 5
        zero = spy.initial_state(3)
        assert all_equal(spy.given[0], zero)
        for given_state, returned_before in zip(spy.given[1:], spy.returned, strict=False):
            assert all(S.any() for S in returned_before)
            assert all_equal(given_state, returned_before if batches.carries_state else zero)
        assert not any(S.requires_grad for state in spy.given for S in state)


@ALL_KINDS
def test_an_epoch_reports_what_it_read(kind):
    batches = SequentialBatches(random_text(100, 6), 3, 5)
    model = make_model(kind, 6, 4)
    _, _, num_tokens = train_epoch(model, batches, lr=0.1)
    assert num_tokens == 6 * 15  # three rows of 31 to 33 characters, each six pieces of 5


# Training


TEXT = "the time machine " * 40


def small_training(kind, make_batches=SequentialBatches):
    vocab = Vocab(TEXT)
    if kind == "scratch":
        model = RNN(len(vocab), 32, sigma=0.1, device="cpu")
    else:
        model = TorchRNN(kind, len(vocab), 32, device="cpu")
    return model, make_batches(vocab.encode(TEXT), 4, 10), vocab


@ALL_KINDS
@ALL_BATCHES
def test_every_model_learns_a_text_that_repeats(kind, make_batches):
    model, batches, vocab = small_training(kind, make_batches)
    assert evaluate(model, vocab.encode(TEXT)) > 8
    records = list(train(model, batches, 30, lr=2.0))
    assert records[-1].perplexity < 1.5 < 2.5 < records[0].perplexity
    assert evaluate(model, vocab.encode(TEXT)) < 1.2
    assert generate("the t", 29, model, vocab) == TEXT[:34]


def test_training_yields_one_record_an_epoch_and_only_when_asked():
    model, batches, _ = small_training("scratch")
    before = copies(model)
    records = train(model, batches, 3, lr=1.0)
    assert all_equal(model.parameters(), before)
    seen = []
    for epoch in (1, 2, 3):
        record = next(records)
        assert record.epoch == epoch
        assert not all_equal(model.parameters(), before)
        before = copies(model)
        seen.append(record)
    with pytest.raises(StopIteration):
        next(records)
    assert all_equal(model.parameters(), before)
    assert all(math.isfinite(r.perplexity) and r.perplexity >= 1 and r.grad_norm > 0 for r in seen)
    assert list(train(model, batches, 0, lr=1.0)) == []


@ALL_KINDS
def test_after_break_the_model_can_be_used_and_trained_on(kind):
    model, batches, vocab = small_training(kind)
    for record in train(model, batches, 1000, lr=1.0):
        if record.epoch == 2:
            break
    stopped = copies(model)
    assert len(generate("time", 20, model, vocab)) == 24
    assert math.isfinite(evaluate(model, vocab.encode(TEXT)))
    assert all_equal(model.parameters(), stopped)
    # Two epochs are two epochs, however many were planned.
    other, other_batches, _ = small_training(kind)
    list(train(other, other_batches, 2, lr=1.0))
    assert all_equal(model.parameters(), other.parameters())


def test_the_speed_is_the_tokens_read_over_the_seconds_taken(monkeypatch):
    model, batches, vocab = small_training("scratch")
    num_tokens = sum(Y.numel() for _, Y in SequentialBatches(vocab.encode(TEXT), 4, 10))
    clock = iter([100.0, 102.5])
    monkeypatch.setattr(train_module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    (record,) = train(model, batches, 1, lr=1.0)
    assert abs(record.tokens_per_second - num_tokens / 2.5) < 1e-9


@ALL_KINDS
@pytest.mark.parametrize("where", ["both", "loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite_stops_training_before_the_step(kind, where):
    corpus = random_text(200, 6)
    model, twin = make_model(kind, 6, 4), make_model(kind, 6, 4)
    per_epoch = len(list(SequentialBatches(corpus, 3, 5)))
    poisoned = Poisoned(model, per_epoch + 3, where)  # the third minibatch of the second epoch
    records = []
    with pytest.raises(TrainingDiverged) as error:
        for record in train(poisoned, SequentialBatches(corpus, 3, 5), 5, lr=0.125):
            records.append(record)
    assert "0.125" in str(error.value)
    assert [r.epoch for r in records] == [1]

    class FirstTwo(SequentialBatches):
        def __iter__(self):
            return itertools.islice(super().__iter__(), 2)

    batches = SequentialBatches(corpus, 3, 5)
    perplexity, _, _ = train_epoch(twin, batches, lr=0.125)
    first_two = FirstTwo(corpus, 3, 5)
    first_two.generator = batches.generator  # go on where the first epoch left the offsets
    train_epoch(twin, first_two, lr=0.125)
    assert all_equal(model.parameters(), twin.parameters())
    assert records[0].perplexity == perplexity


@ALL_KINDS
def test_a_learning_rate_far_too_large_stops_with_finite_weights(kind):
    # tanh and the softmax bear a lot: it takes steps near the largest float32 to leave the finite numbers.
    model, batches, _ = small_training(kind)
    records = []
    with pytest.raises(TrainingDiverged):
        for record in train(model, batches, 50, lr=1e38):
            records.append(record)
    assert [r.epoch for r in records] == list(range(1, len(records) + 1))
    assert all(bool(p.isfinite().all()) for p in model.parameters())


# The machine


def test_the_device_that_the_machine_offers_gives_what_the_cpu_gives(monkeypatch):
    # Where the only device is the CPU this compares it with itself; elsewhere it is the test of the others.
    monkeypatch.delenv("RNN_COURSE_DEVICE", raising=False)
    vocab = Vocab(TEXT)
    corpus = vocab.encode(TEXT)
    for make in (RNN, lambda V, h, device=None: TorchRNN("LSTM", V, h, device=device)):
        results = []
        for device in ("cpu", None):
            model = make(len(vocab), 16, device=device)
            records = list(train(model, SequentialBatches(corpus, 4, 10), 2, lr=0.5))
            results.append([*(r.perplexity for r in records), evaluate(model, corpus)])
            assert len(generate("time", 5, model, vocab, temperature=1.0)) == 9
        assert np.abs(np.array(results[0]) / results[1] - 1).max() < 1e-2  # GPUs may multiply with 10 bits


@pytest.mark.parametrize("variable, threads", [(None, 1), ("2", 2)])
def test_the_course_uses_one_thread_unless_the_environment_says_otherwise(variable, threads):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    if variable is not None:
        environment["OMP_NUM_THREADS"] = variable
    code = "import helpers, torch; print(torch.get_num_threads())"
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(run.stdout) == threads


def test_a_rate_far_too_large_stops_instead_of_giving_infinite_records():
    model = RNN(6, 8, seed=0, device="cpu")
    batches = SequentialBatches(torch.randint(6, (300,), generator=torch.Generator().manual_seed(0)), 4, 5)
    records = []
    with pytest.raises(TrainingDiverged, match="lr = 100000"):
        for record in train(model, batches, 200, lr=1e5, max_norm=None):
            records.append(record)
    assert all(math.isfinite(record.perplexity) for record in records)
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_tensor_without_gradient_stays_where_it_is():
    moved, still = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    moved.grad = torch.ones(2)
    sgd_step([moved, still], 0.5)
    assert moved.tolist() == [0.5, 0.5] and still.tolist() == [1.0, 1.0]
