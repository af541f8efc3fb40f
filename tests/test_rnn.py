"""The scratch model against torch.nn, and the one interface of all four models."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference import KINDS, all_equal, as_ours, largest_difference, make_model, torch_twin, twin_tensors
from torch import nn

from helpers import rnn
from helpers.rnn import (
    RNN,
    Recurrence,
    TorchRNN,
    choose_device,
    forward_hoisted,
    forward_loop,
    init_params,
    init_state,
    one_hot,
    param_shapes,
    rnn_step,
)

ALL_KINDS = pytest.mark.parametrize("kind", KINDS)

vocab_sizes = st.integers(1, 8)
hidden_sizes = st.integers(1, 7)
batch_sizes = st.integers(1, 5)
time_steps = st.integers(1, 7)
seeds = st.integers(0, 2**31)


def random_indices(batch_size, num_steps, vocab_size, seed=0):
    return torch.randint(vocab_size, (batch_size, num_steps), generator=torch.Generator().manual_seed(seed))


def random_tensor(*shape, seed=0, requires_grad=False):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_(requires_grad)


def random_state(model, batch_size, seed=0):
    """A state that is not zero, with the shapes that the model itself gives."""
    return tuple(random_tensor(*S.shape, seed=seed + i) for i, S in enumerate(model.initial_state(batch_size)))


# The forward pass and its gradients against torch.nn.RNN


def by_the_loop(X, state, params):
    return forward_loop(one_hot(X, len(params[0])).double(), state, params)


def by_hoisting(X, state, params):
    return forward_hoisted(X, state, params)


def by_the_class(X, state, params):
    """The class, with the gradients of its own tensors put where the other two leave them."""
    model = RNN(*params[0].shape, device="cpu", dtype=torch.float64)
    model.load(params)
    outputs, state = model(X, state)
    for ours, mine in zip(params, model.parameters(), strict=True):
        mine.register_hook(lambda gradient, ours=ours: setattr(ours, "grad", gradient))
    return outputs, state


@pytest.mark.parametrize("forward", [by_the_loop, by_hoisting, by_the_class])
@given(V=vocab_sizes, h=hidden_sizes, B=batch_sizes, T=time_steps, seed=seeds, zero_state=st.booleans())
def test_outputs_state_and_gradients_agree_with_torch(forward, V, h, B, T, seed, zero_state):
    X = random_indices(B, T, V, seed)
    params = make_model("scratch", V, h, seed).params
    H = torch.zeros(B, h, dtype=torch.float64) if zero_state else random_tensor(B, h, seed=seed)
    # Any loss will do: random weights on every output and on the final state make every gradient count.
    on_outputs, on_state = random_tensor(T, B, V, seed=seed + 1), random_tensor(B, h, seed=seed + 2)

    ours_H = H.clone().requires_grad_()
    outputs, state = forward(X, (ours_H,), params)
    ((outputs * on_outputs).sum() + (state[0] * on_state).sum()).backward()

    layer, output = torch_twin(params)
    theirs_H = H.clone().requires_grad_()
    hidden, final = layer(torch.from_numpy(np.eye(V)[X.T.numpy()]), theirs_H[None])
    ((output(hidden) * on_outputs).sum() + (final[0] * on_state).sum()).backward()

    assert isinstance(state, tuple) and len(state) == 1
    assert largest_difference([outputs, state[0]], [output(hidden), final[0]]) < 1e-9
    gradients = as_ours([t.grad for t in twin_tensors(layer, output)])
    assert largest_difference([p.grad for p in params], gradients) < 1e-9
    assert largest_difference([ours_H.grad], [theirs_H.grad]) < 1e-9


@given(V=vocab_sizes, h=hidden_sizes, B=batch_sizes, seed=seeds)
def test_one_step_agrees_with_torch(V, h, B, seed):
    X_t, H = random_tensor(B, V, seed=seed), random_tensor(B, h, seed=seed + 1)
    params = make_model("scratch", V, h, seed).params
    layer, output = torch_twin(params)
    theirs, final = layer(X_t[None], H[None])
    assert largest_difference(rnn_step(X_t, H, params), [output(theirs[0]), final[0]]) < 1e-9


@given(h=hidden_sizes, B=batch_sizes, T=time_steps, seed=seeds)
def test_recurrence_has_the_gradient_that_finite_differences_give(h, B, T, seed):
    inputs = random_tensor(T, B, h, seed=seed, requires_grad=True)
    H = random_tensor(B, h, seed=seed + 1, requires_grad=True)
    W_hh = random_tensor(h, h, seed=seed + 2, requires_grad=True)
    assert torch.autograd.gradcheck(Recurrence.apply, (inputs, H, W_hh))
    # The same with the time axis second in memory, as a transposed tensor has it.
    batch_first = random_tensor(B, T, h, seed=seed, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: Recurrence.apply(x.transpose(0, 1), H, W_hh), (batch_first,))


def test_recurrence_leaves_its_inputs_as_they_were_and_can_be_differentiated_twice_in_a_row():
    inputs = [random_tensor(5, 3, 4, requires_grad=True), random_tensor(3, 4, requires_grad=True)]
    inputs.append(random_tensor(4, 4, requires_grad=True))
    before = [t.detach().clone() for t in inputs]
    hidden = Recurrence.apply(*inputs)
    weights = random_tensor(5, 3, 4, seed=1)
    weights_before = weights.clone()
    first = torch.autograd.grad(hidden, inputs, weights, retain_graph=True)
    second = torch.autograd.grad(hidden, inputs, weights)
    assert all_equal(inputs, before) and torch.equal(weights, weights_before)
    assert all_equal(first, second)


# One-hot vectors, parameters, the initial state


@given(V=vocab_sizes, B=batch_sizes, T=time_steps, seed=seeds)
def test_one_hot_has_time_first_and_agrees_with_numpy(V, B, T, seed):
    X = random_indices(B, T, V, seed)
    vectors = one_hot(X, V)
    assert vectors.dtype == torch.float32 and vectors.shape == (T, B, V)
    assert np.array_equal(vectors.numpy(), np.eye(V)[X.numpy().transpose()])


@given(V=vocab_sizes, h=hidden_sizes, B=batch_sizes, T=time_steps, seed=seeds)
def test_one_hot_times_a_matrix_looks_up_its_rows(V, h, B, T, seed):
    X = random_indices(B, T, V, seed)
    W = random_tensor(V, h, seed=seed)
    assert torch.equal(one_hot(X, V).double() @ W, W[X.T])


@given(V=vocab_sizes, h=hidden_sizes, seed=seeds, dtype=st.sampled_from([torch.float32, torch.float64]))
def test_init_params_gives_five_trainable_tensors(V, h, seed, dtype):
    params = init_params(V, h, seed=seed, dtype=dtype)
    shapes = [(V, h), (h, h), (h,), (h, V), (V,)]
    assert isinstance(params, tuple) and [tuple(p.shape) for p in params] == shapes
    assert param_shapes(V, h) == dict(zip(["W_xh", "W_hh", "b_h", "W_hq", "b_q"], shapes, strict=True))
    assert sum(p.numel() for p in params) == V * h + h * h + h + h * V + V
    assert all(p.requires_grad and p.is_leaf and p.dtype == dtype and p.device.type == "cpu" for p in params)
    assert not params[2].any() and not params[4].any()
    assert all_equal(params, init_params(V, h, seed=seed, dtype=dtype))


@pytest.mark.parametrize("sigma", [None, 0.01, 0.5])
def test_the_weights_are_normal_with_standard_deviation_sigma(sigma):
    params = init_params(100, 200) if sigma is None else init_params(100, 200, sigma)
    sigma = 0.01 if sigma is None else sigma
    for W in (params[0], params[1], params[3]):
        # Of n ≥ 20,000 draws the mean is off by sigma/√n, the deviation by sigma/√(2n), and the share within
        # one sigma by less than 0.5/√n; each tolerance is more than five times that.
        draws = W.detach().double() / sigma
        assert abs(float(draws.mean())) < 5 / draws.numel() ** 0.5
        assert abs(float(draws.std()) - 1) < 5 / (2 * draws.numel()) ** 0.5
        assert abs(float((draws.abs() < 1).double().mean()) - 0.6827) < 2.5 / draws.numel() ** 0.5
    # No two of the three matrices are made of the same draws.
    flat = [W.detach().flatten()[:1000] for W in (params[0], params[1], params[3])]
    assert not any(torch.equal(flat[i], flat[j]) for i, j in [(0, 1), (0, 2), (1, 2)])


def test_the_seed_decides_the_weights_and_sigma_scales_them():
    one, two = init_params(5, 4, sigma=0.25, seed=1), init_params(5, 4, sigma=0.25, seed=2)
    assert not torch.equal(one[0], two[0]) and not torch.equal(one[1], two[1])
    assert all_equal(init_params(5, 4, sigma=0.5, seed=1), [2 * p for p in one])
    assert not any(p.any() for p in init_params(5, 4, sigma=0.0))


@pytest.mark.parametrize("make", [init_params, RNN, lambda V, h, seed: TorchRNN("LSTM", V, h, seed)])
def test_making_weights_neither_uses_nor_moves_the_global_generator(make):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = make(5, 4, seed=7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = make(5, 4, seed=7)
    weights = [list(m if isinstance(m, tuple) else m.parameters()) for m in (first, second)]
    assert all_equal(*weights)


@given(h=hidden_sizes, B=batch_sizes, dtype=st.sampled_from([torch.float32, torch.float64]))
def test_the_initial_state_is_a_tuple_with_one_tensor_of_zeros(h, B, dtype):
    (H,) = init_state(B, h, dtype=dtype)
    assert H.shape == (B, h) and H.dtype == dtype and not H.any()


# The classes


def test_the_scratch_model_starts_with_the_weights_of_init_params():
    model = RNN(6, 5, sigma=0.3, seed=4, device="cpu")
    assert all_equal(model.parameters(), init_params(6, 5, sigma=0.3, seed=4))
    assert all_equal(RNN(6, 5, device="cpu").parameters(), init_params(6, 5))


def test_torch_models_start_with_the_weights_that_torch_draws_from_the_seed():
    for kind, layer in (("RNN", nn.RNN), ("GRU", nn.GRU), ("LSTM", nn.LSTM)):
        torch.manual_seed(11)
        expected = [*layer(6, 5).parameters(), *nn.Linear(5, 6).parameters()]
        assert all_equal(TorchRNN(kind, 6, 5, seed=11, device="cpu").parameters(), expected)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@given(V=vocab_sizes, h=hidden_sizes, B=batch_sizes, T=time_steps, seed=seeds)
def test_torch_models_are_the_torch_layer_and_a_linear_layer(kind, V, h, B, T, seed):
    model = make_model(kind, V, h, seed)
    X, state = random_indices(B, T, V, seed), random_state(model, B, seed)
    outputs, new = model(X, state)

    layer = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}[kind](V, h, dtype=torch.float64)
    layer.load_state_dict(model.layer.state_dict())
    first = (state[0][None], state[1][None]) if kind == "LSTM" else state[0][None]
    hidden, final = layer(torch.from_numpy(np.eye(V)[X.T.numpy()]), first)
    final = (final[0][0], final[1][0]) if kind == "LSTM" else (final[0],)
    assert largest_difference([outputs], [hidden @ model.output.weight.T + model.output.bias]) < 1e-9
    assert isinstance(new, tuple)
    assert largest_difference(new, final) < 1e-9


@ALL_KINDS
@given(V=vocab_sizes, h=hidden_sizes, B=batch_sizes, T=time_steps, seed=seeds)
def test_every_model_answers_the_same_calls(kind, V, h, B, T, seed):
    model = make_model(kind, V, h, seed)
    assert (model.vocab_size, model.hidden_size) == (V, h)
    parameters = model.parameters()
    assert isinstance(parameters, list) and all(p.requires_grad and p.is_leaf for p in parameters)

    state = model.initial_state(B)
    shapes = [(B, h)] * (2 if kind == "LSTM" else 1)
    assert isinstance(state, tuple) and [tuple(S.shape) for S in state] == shapes
    assert all(S.dtype == torch.float64 and not S.any() for S in state)

    X = random_indices(B, T, V, seed)
    outputs, new = model.forward(X, state)
    assert outputs.shape == (T, B, V) and outputs.dtype == torch.float64
    assert isinstance(new, tuple) and [tuple(S.shape) for S in new] == shapes
    again, _ = model(X, state)
    assert torch.equal(outputs, again)

    outputs.sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in parameters)


@ALL_KINDS
@given(B=batch_sizes, T=st.integers(2, 7), cut=st.integers(1, 6), seed=seeds)
def test_reading_in_two_parts_with_the_state_handed_on_is_reading_at_once(kind, B, T, cut, seed):
    cut = min(cut, T - 1)
    model = make_model(kind, 5, 4, seed)
    X, state = random_indices(B, T, 5, seed), random_state(model, B, seed)
    at_once, last = model(X, state)
    first, between = model(X[:, :cut], state)
    second, last_of_two = model(X[:, cut:], between)
    assert largest_difference([at_once, *last], [torch.cat([first, second]), *last_of_two]) < 1e-9


@ALL_KINDS
@given(B=st.integers(2, 5), T=time_steps, seed=seeds)
def test_rows_of_a_minibatch_do_not_see_one_another(kind, B, T, seed):
    model = make_model(kind, 5, 4, seed)
    X, state = random_indices(B, T, 5, seed), random_state(model, B, seed)
    outputs, new = model(X, state)
    alone, new_alone = model(X[1:2], tuple(S[1:2] for S in state))
    assert largest_difference([alone, *new_alone], [outputs[:, 1:2], *(S[1:2] for S in new)]) < 1e-9


# Loading weights


def test_load_copies_the_values():
    model, other = make_model("scratch", 6, 5, seed=1), make_model("scratch", 6, 5, seed=2)
    kept = model.parameters()
    model.load(other.params)
    assert all_equal(model.parameters(), other.parameters())
    assert all(mine is k for mine, k in zip(model.parameters(), kept, strict=True))
    with torch.no_grad():
        other.params[0].zero_()
    assert model.params[0].any()
    assert all(p.requires_grad for p in model.parameters())


# The device


def test_the_device_is_the_one_named_or_the_one_in_the_environment(monkeypatch):
    monkeypatch.setenv("RNN_COURSE_DEVICE", "cpu")
    assert choose_device().type == "cpu"
    monkeypatch.setenv("RNN_COURSE_DEVICE", "")  # as if unset
    assert choose_device().type in ("cpu", "cuda", "mps")
    # A name that no machine has shows who was asked.
    monkeypatch.setenv("RNN_COURSE_DEVICE", "abacus")
    for make in (choose_device, lambda: RNN(5, 4), lambda: TorchRNN("GRU", 5, 4)):
        with pytest.raises(ValueError) as error:
            make()
        assert "abacus" in str(error.value) and "cpu" in str(error.value)
    assert choose_device("cpu").type == "cpu"
    assert choose_device(torch.device("cpu")).type == "cpu"
    assert RNN(5, 4, device="cpu").device.type == TorchRNN("GRU", 5, 4, device="cpu").device.type == "cpu"


@pytest.mark.parametrize(
    "cuda, mps, best", [(False, False, "cpu"), (False, True, "mps"), (True, False, "cuda"), (True, True, "cuda")]
)
def test_without_a_name_the_device_is_the_best_that_the_machine_has(monkeypatch, cuda, mps, best):
    monkeypatch.delenv("RNN_COURSE_DEVICE", raising=False)
    monkeypatch.setattr(rnn.torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(rnn.torch.backends.mps, "is_available", lambda: mps)
    assert choose_device().type == best
    for name, there in (("cuda", cuda), ("cuda:0", cuda), ("mps", mps), ("cpu", True)):
        if there:
            assert choose_device(name) == torch.device(name)
        else:
            with pytest.raises(ValueError) as error:
                choose_device(name)
            assert name in str(error.value)


def test_the_two_tensors_of_an_lstm_state_are_independent():
    H, C = TorchRNN("LSTM", 5, 4, device="cpu").initial_state(2)
    H += 1
    assert not C.any()
