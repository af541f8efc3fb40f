"""Clipping, the step, perplexity and training, against torch's own optimizer and NumPy."""

import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
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
from helpers.train import as_perplexity, clip_gradients, evaluate, sgd_step, train, train_epoch

ALL_KINDS = pytest.mark.parametrize("kind", KINDS)


def reset_batches(*args):
    """Sequential minibatches, each read from a state of zeros."""
    batches = SequentialBatches(*args)
    batches.carries_state = False
    return batches


ALL_BATCHES = pytest.mark.parametrize("make_batches", [SequentialBatches, reset_batches, RandomBatches])

seeds = st.integers(0, 2**31)
norms = st.floats(1e-3, 1e3)
shapes = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=2), min_size=1, max_size=4)


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


# Clipping


@given(shapes=shapes, seed=seeds, scale=norms, max_norm=st.none() | norms)
def test_clipping_agrees_with_numpy_and_with_torch(shapes, seed, scale, max_norm):
    ours, theirs = random_params(shapes, seed, scale), random_params(shapes, seed, scale)
    before = flat_gradient(ours)
    norm, exact = clip_gradients(ours, max_norm), float(np.sqrt((before**2).sum()))
    assert isinstance(norm, float) and abs(norm - exact) <= 1e-9 * exact
    if max_norm is None or norm <= max_norm:
        assert np.array_equal(flat_gradient(ours), before), "a small gradient was changed"
        return
    # All by the same factor: the direction stays, and the norm is max_norm.
    expected = before * max_norm / exact
    assert np.abs(flat_gradient(ours) - expected).max() <= 1e-9 * np.abs(expected).max()
    assert abs(float(torch.nn.utils.clip_grad_norm_(theirs, max_norm)) - norm) <= 1e-9 * exact
    # torch divides by norm + 1e-6 in place of norm, so its gradients are shorter by up to this share.
    tolerance = (1e-6 / exact + 1e-9) * np.abs(before).max()
    assert np.abs(flat_gradient(ours) - flat_gradient(theirs)).max() <= tolerance


def test_parameters_without_a_gradient_do_not_count_and_stay_where_they_are():
    params = random_params([(3,), (2, 2), (4,)], seed=0)
    params[1].grad = None
    before = copies(params)
    assert clip_gradients(iter(params), 0.5) > 0.5
    assert abs(np.linalg.norm(flat_gradient([params[0], params[2]])) - 0.5) < 1e-12
    sgd_step(iter(params), 0.5)
    assert params[1].grad is None and torch.equal(params[1], before[1]) and not torch.equal(params[0], before[0])


# Perplexity


@ALL_KINDS
@given(length=st.integers(2, 60), num_steps=st.integers(1, 70), seed=seeds)
@settings(max_examples=20)
def test_evaluate_agrees_with_numpy_however_long_its_pieces_are(kind, length, num_steps, seed):
    model, corpus = make_model(kind, 6, 5, seed), random_text(length, 6, seed)
    if kind == "scratch":
        outputs = numpy_rnn(model.params, corpus[:-1])
    else:
        outputs = model(corpus[None, :-1], model.initial_state(1))[0][:, 0].detach().numpy()
    log_probs = numpy_log_softmax(outputs)[np.arange(length - 1), corpus[1:].numpy()]
    expected = math.exp(-np.mean(log_probs))
    assert abs(evaluate(model, corpus) / expected - 1) < 1e-9
    for steps in (num_steps, 1, length - 1, length):
        assert abs(evaluate(model, corpus, steps) / expected - 1) < 1e-9


@ALL_KINDS
def test_evaluating_leaves_the_model_as_it_was(kind):
    model = make_model(kind, 6, 5)
    before, spy = copies(model.parameters()), Spy(model)
    evaluate(spy, random_text(50, 6), num_steps=10)
    assert all_equal(model.parameters(), before) and all(p.grad is None for p in model.parameters())
    # Nothing is kept for a backward pass: on a whole book that would fill the memory.
    assert len(spy.returned) == 5 and not any(S.requires_grad for state in spy.returned for S in state)


@given(st.floats(0, 699))
def test_perplexity_is_the_exponential_of_the_loss(loss):
    assert as_perplexity(loss) == pytest.approx(np.exp(np.float64(loss)), rel=1e-14)


def test_a_loss_too_large_for_a_perplexity_counts_as_infinite():
    model, corpus = make_model("scratch", 2, 1, scale=0.0), torch.ones(9, dtype=torch.long)
    with torch.no_grad():
        model.parameters()[-1].copy_(torch.tensor([2000.0, 0.0]))
    assert evaluate(model, corpus) == train_epoch(model, SequentialBatches(corpus, 1, 4), lr=1e-9)[0] == math.inf


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
    corpus = random_text(3 * B * T + T + extra, 5, seed)  # three minibatches or more
    model = make_model("scratch", 5, 4, seed)
    batches, same_batches = (make_batches(corpus, B, T, seed) for _ in range(2))
    twin = twin_epochs(model.params, same_batches, batches.carries_state, lr, max_norm, num_epochs=2)
    records = list(train(model, batches, 2, lr, max_norm))
    assert largest_difference(model.parameters(), twin[0]) < 1e-9
    assert np.abs(np.array([r.perplexity for r in records]) / twin[1] - 1).max() < 1e-9
    assert np.abs(np.array([r.grad_norm for r in records]) / twin[2] - 1).max() < 1e-9


@ALL_KINDS
@ALL_BATCHES
def test_the_state_is_carried_only_where_the_minibatches_say_so_and_never_with_its_history(kind, make_batches):
    batches = make_batches(random_text(200, 6), 3, 5)
    model = make_model(kind, 6, 4)
    for _ in range(2):
        spy = Spy(model)
        train_epoch(spy, batches, lr=0.1)
        zero = spy.initial_state(3)
        assert len(spy.given) > 5 and all_equal(spy.given[0], zero)
        for given_state, returned_before in zip(spy.given[1:], spy.returned, strict=False):
            assert all(S.any() for S in returned_before)
            assert all_equal(given_state, returned_before if batches.carries_state else zero)
        assert not any(S.requires_grad for state in spy.given for S in state)


# Training

TEXT = "the time machine " * 40
VOCAB = Vocab(TEXT)


def small_training(kind):
    if kind == "scratch":
        model = RNN(len(VOCAB), 32, sigma=0.1, device="cpu")
    else:
        model = TorchRNN(kind, len(VOCAB), 32, device="cpu")
    return model, SequentialBatches(VOCAB.encode(TEXT), 4, 10)


@ALL_KINDS
def test_every_model_learns_a_text_that_repeats(kind):
    model, batches = small_training(kind)
    assert evaluate(model, VOCAB.encode(TEXT)) > 8
    records = list(train(model, batches, 30, lr=2.0))
    assert records[-1].perplexity < 1.5 < 2.5 < records[0].perplexity
    assert evaluate(model, VOCAB.encode(TEXT)) < 1.2
    assert generate("the t", 29, model, VOCAB) == TEXT[:34]


@ALL_KINDS
def test_training_yields_one_record_an_epoch_only_when_asked_and_stops_at_break(kind):
    (model, batches), (other, other_batches) = small_training(kind), small_training(kind)
    before, epochs = copies(model.parameters()), []
    records = train(model, batches, 1000, lr=1.0)
    assert all_equal(model.parameters(), before)
    for record in records:
        epochs.append(record.epoch)
        assert math.isfinite(record.perplexity) and record.perplexity >= 1 and record.grad_norm > 0
        assert not all_equal(model.parameters(), before)
        before = copies(model.parameters())
        if record.epoch == 2:
            break
    # Two epochs are two epochs, however many were planned, and the model can be used.
    assert epochs == [record.epoch for record in train(other, other_batches, 2, lr=1.0)] == [1, 2]
    assert all_equal(model.parameters(), other.parameters())
    assert len(generate("time", 20, model, VOCAB)) == 24 and math.isfinite(evaluate(model, VOCAB.encode(TEXT)))
    assert list(train(model, batches, 0, lr=1.0)) == []


def test_the_speed_is_the_tokens_read_over_the_seconds_taken(monkeypatch):
    model, batches = small_training("scratch")
    num_tokens = sum(Y.numel() for _, Y in small_training("scratch")[1])
    clock = iter([100.0, 102.5])
    monkeypatch.setattr(train_module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    (record,) = train(model, batches, 1, lr=1.0)
    assert abs(record.tokens_per_second - num_tokens / 2.5) < 1e-9


class Poisoned(Spy):
    """A model that goes wrong at its n-th minibatch: in the loss and the gradient, or in one of them alone."""

    def __init__(self, model, n, where):
        super().__init__(model)
        self.n, self.where = n, where

    def __call__(self, X, state):
        outputs, new = super().__call__(X, state)
        if len(self.given) == self.n:
            self.before = copies(self.parameters())
            if self.where == "both":
                outputs = outputs * torch.nan
            elif self.where == "gradient":
                outputs.register_hook(lambda gradient: gradient * torch.inf)
            else:
                far = torch.full_like(
                    outputs, -1e308
                )  # the loss overflows; its gradient, a probability less 1, does not
                far[..., 0] = 1e308
                outputs = outputs + far
        return outputs, new


@pytest.mark.parametrize("kind", ["scratch", "LSTM"])
@pytest.mark.parametrize("where", ["both", "loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite_stops_training_before_the_step(kind, where):
    batches = SequentialBatches(random_text(200, 6), 3, 5)
    model = Poisoned(make_model(kind, 6, 4), 16, where)  # in the second epoch: one has 12 or 13 minibatches
    records = train(model, batches, 5, lr=0.125)
    assert next(records).epoch == 1
    with pytest.raises(TrainingDiverged, match=r"0\.125"):
        next(records)
    assert len(model.given) == 16 and all_equal(model.parameters(), model.before)


@ALL_KINDS
@pytest.mark.parametrize("lr, max_norm", [(1e38, 1.0), (1e5, None)])
def test_a_learning_rate_far_too_large_stops_with_finite_weights_and_records(kind, lr, max_norm):
    # tanh and the softmax bear a lot: with clipping it takes steps near the largest float32.
    model, batches = small_training(kind)
    records = []
    with pytest.raises(TrainingDiverged, match="lr = 1"):
        for record in train(model, batches, 200, lr, max_norm):
            records.append(record)
    assert [r.epoch for r in records] == list(range(1, len(records) + 1))
    assert all(math.isfinite(r.perplexity) for r in records) and all(p.isfinite().all() for p in model.parameters())


# The machine


def test_the_device_that_the_machine_offers_gives_what_the_cpu_gives(monkeypatch):
    # Where the only device is the CPU this compares it with itself; elsewhere it is the test of the others.
    monkeypatch.delenv("RNN_COURSE_DEVICE", raising=False)
    corpus = VOCAB.encode(TEXT)
    for make in (RNN, lambda V, h, device=None: TorchRNN("LSTM", V, h, device=device)):
        results = []
        for device in ("cpu", None):
            model = make(len(VOCAB), 16, device=device)
            records = list(train(model, SequentialBatches(corpus, 4, 10), 2, lr=0.5))
            results.append([*(r.perplexity for r in records), evaluate(model, corpus)])
            assert len(generate("time", 5, model, VOCAB, temperature=1.0)) == 9
        assert np.abs(np.array(results[0]) / results[1] - 1).max() < 1e-2  # GPUs may multiply with 10 bits


@pytest.mark.slow
def test_the_course_uses_one_thread_unless_the_environment_says_otherwise():
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", "import helpers, torch; print(torch.get_num_threads())"]
    environments = (environment, environment | {"OMP_NUM_THREADS": "2"})
    runs = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for env in environments]
    assert [run.communicate()[0] for run in runs] == ["1\n", "2\n"]
