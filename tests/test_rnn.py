"""The scratch model against torch.nn, and the one interface of all four models."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference import KINDS, all_equal, as_ours, copies, largest_difference, make_model, torch_twin, twin_tensors
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
)

LAYERS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
sizes = st.tuples(*(st.integers(1, most) for most in (8, 7, 5, 7)))  # V, h, B, T
seeds = st.integers(0, 2**31)
dtypes = st.sampled_from([torch.float32, torch.float64])


def random_indices(batch_size, num_steps, vocab_size, seed=0):
    return torch.randint(vocab_size, (batch_size, num_steps), generator=torch.Generator().manual_seed(seed))


def random_tensor(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The forward pass and its gradients against torch.nn


def by_the_loop(X, state, params):
    return forward_loop(one_hot(X, len(params[0])).double(), state, params)


def by_the_class(X, state, params):
    """The class, with the gradients of its own tensors put where the other two leave them."""
    model = RNN(*params[0].shape, device="cpu", dtype=torch.float64)
    model.load(params)
    outputs, state = model(X, state)
    for ours, mine in zip(params, model.parameters(), strict=True):
        mine.register_hook(lambda gradient, ours=ours: setattr(ours, "grad", gradient))
    return outputs, state


@pytest.mark.parametrize("forward", [by_the_loop, forward_hoisted, by_the_class])
@given(sizes=sizes, seed=seeds, zero_state=st.booleans())
def test_outputs_state_and_gradients_agree_with_torch(forward, sizes, seed, zero_state):
    V, h, B, T = sizes
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


def test_recurrence_changes_nothing_it_is_given_and_bears_a_transposed_tensor():
    batch_first, H, W_hh, weights = (random_tensor(*shape) for shape in ((3, 5, 4), (3, 4), (4, 4), (5, 3, 4)))
    inputs = [batch_first.transpose(0, 1).requires_grad_(), H.requires_grad_(), W_hh.requires_grad_()]
    assert torch.autograd.gradcheck(Recurrence.apply, inputs)  # against finite differences
    before = copies([*inputs, weights])
    hidden = Recurrence.apply(*inputs)
    first = torch.autograd.grad(hidden, inputs, weights, retain_graph=True)
    assert all_equal(first, torch.autograd.grad(hidden, inputs, weights))
    assert all_equal([*inputs, weights], before)


@pytest.mark.parametrize("kind", LAYERS)
@given(sizes=sizes, seed=seeds)
def test_torch_models_are_the_torch_layer_and_a_linear_layer(kind, sizes, seed):
    V, h, B, T = sizes
    model = make_model(kind, V, h, seed)
    X = random_indices(B, T, V, seed)
    state = tuple(random_tensor(*S.shape, seed=seed + i) for i, S in enumerate(model.initial_state(B)))
    outputs, new = model(X, state)

    layer = LAYERS[kind](V, h, dtype=torch.float64)
    layer.load_state_dict(model.layer.state_dict())
    first = tuple(S[None] for S in state)
    hidden, final = layer(torch.from_numpy(np.eye(V)[X.T.numpy()]), first if kind == "LSTM" else first[0])
    final = final if kind == "LSTM" else (final,)
    assert isinstance(new, tuple)
    expected = [hidden @ model.output.weight.T + model.output.bias, *(S[0] for S in final)]
    assert largest_difference([outputs, *new], expected) < 1e-9


@pytest.mark.parametrize("kind", KINDS)
@given(sizes=sizes, seed=seeds)
def test_every_model_answers_the_same_calls(kind, sizes, seed):
    V, h, B, T = sizes
    model = make_model(kind, V, h, seed)
    assert (model.vocab_size, model.hidden_size) == (V, h)
    parameters, state = model.parameters(), model.initial_state(B)
    assert isinstance(parameters, list) and all(p.requires_grad and p.is_leaf for p in parameters)
    assert isinstance(state, tuple) and [tuple(S.shape) for S in state] == [(B, h)] * (2 if kind == "LSTM" else 1)
    assert all(S.dtype == torch.float64 and not S.any() for S in state)
    X = random_indices(B, T, V, seed)
    outputs, new = model.forward(X, state)
    assert outputs.shape == (T, B, V) and outputs.dtype == torch.float64
    assert [S.shape for S in new] == [S.shape for S in state]
    assert torch.equal(outputs, model(X, state)[0])
    outputs.sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in parameters)


# One-hot vectors, parameters, the initial state


@given(sizes=sizes, seed=seeds)
def test_one_hot_has_time_first_and_agrees_with_numpy(sizes, seed):
    V, _, B, T = sizes
    X = random_indices(B, T, V, seed)
    vectors = one_hot(X, V)
    assert vectors.dtype == torch.float32 and vectors.shape == (T, B, V)
    assert np.array_equal(vectors.numpy(), np.eye(V)[X.numpy().transpose()])


@given(sizes=sizes, seed=seeds, dtype=dtypes)
def test_five_trainable_tensors_and_one_state_of_zeros(sizes, seed, dtype):
    V, h, B, _ = sizes
    params = init_params(V, h, seed=seed, dtype=dtype)
    shapes = {"W_xh": (V, h), "W_hh": (h, h), "b_h": (h,), "W_hq": (h, V), "b_q": (V,)}
    assert isinstance(params, tuple) and [tuple(p.shape) for p in params] == list(shapes.values())
    assert param_shapes(V, h) == shapes
    assert all(p.requires_grad and p.is_leaf and p.dtype == dtype and p.device.type == "cpu" for p in params)
    assert not params[2].any() and not params[4].any()
    (H,) = init_state(B, h, dtype=dtype)
    assert H.shape == (B, h) and H.dtype == dtype and not H.any()


@pytest.mark.parametrize("sigma", [None, 0.01, 0.5])
def test_the_weights_are_normal_with_standard_deviation_sigma(sigma):
    params = init_params(100, 200) if sigma is None else init_params(100, 200, sigma)
    weights = [params[i].detach().double() / (sigma or 0.01) for i in (0, 1, 3)]
    for draws in weights:
        # Of n ≥ 20,000 draws the mean is off by sigma/√n, the deviation by sigma/√(2n), and the share within
        # one sigma by less than 0.5/√n; each tolerance is more than five times that.
        assert abs(float(draws.mean())) < 5 / draws.numel() ** 0.5
        assert abs(float(draws.std()) - 1) < 5 / (2 * draws.numel()) ** 0.5
        assert abs(float((draws.abs() < 1).double().mean()) - 0.6827) < 2.5 / draws.numel() ** 0.5
    assert not any(p.any() for p in init_params(5, 4, sigma=0.0))
    # No two of the three matrices are made of the same draws.
    flat = [W.flatten()[:1000] for W in weights]
    assert not any(torch.equal(flat[i], flat[j]) for i, j in [(0, 1), (0, 2), (1, 2)])


@pytest.mark.parametrize("make", [init_params, RNN, lambda V, h, seed: TorchRNN("LSTM", V, h, seed)])
def test_making_weights_neither_uses_nor_moves_the_global_generator(make):
    weights = []
    for start in (1, 2):
        torch.manual_seed(start)
        before = torch.get_rng_state()
        made = make(5, 4, seed=7)
        assert torch.equal(torch.get_rng_state(), before)
        weights.append(made if isinstance(made, tuple) else made.parameters())
    assert all_equal(*weights)
    other = make(5, 4, seed=8)
    assert not torch.equal(weights[0][0], (other if isinstance(other, tuple) else other.parameters())[0])


def test_models_start_with_the_weights_of_init_params_or_those_that_torch_draws():
    assert all_equal(RNN(6, 5, 0.3, seed=4, device="cpu").parameters(), init_params(6, 5, sigma=0.3, seed=4))
    assert all_equal(RNN(6, 5, device="cpu").parameters(), init_params(6, 5))
    for kind, layer in LAYERS.items():
        torch.manual_seed(11)
        expected = [*layer(6, 5).parameters(), *nn.Linear(5, 6).parameters()]
        assert all_equal(TorchRNN(kind, 6, 5, seed=11, device="cpu").parameters(), expected)
    H, C = TorchRNN("LSTM", 5, 4, device="cpu").initial_state(2)
    H += 1
    assert not C.any(), "the two tensors of a state are one"


def test_load_copies_the_values():
    model, other = make_model("scratch", 6, 5, seed=1), make_model("scratch", 6, 5, seed=2)
    kept, wanted = model.parameters(), copies(other.parameters())
    model.load(other.params)
    with torch.no_grad():
        other.params[0].zero_()
    assert all_equal(model.parameters(), wanted)
    assert all(mine is k and mine.requires_grad for mine, k in zip(model.parameters(), kept, strict=True))


# The device


def test_the_device_is_the_one_named_or_the_one_in_the_environment(monkeypatch):
    monkeypatch.setenv("RNN_COURSE_DEVICE", "cpu")
    assert choose_device().type == "cpu"
    monkeypatch.setenv("RNN_COURSE_DEVICE", "")  # as if unset
    assert choose_device().type in ("cpu", "cuda", "mps")
    # A name that no machine has shows who was asked.
    monkeypatch.setenv("RNN_COURSE_DEVICE", "abacus")
    for make in (choose_device, lambda: RNN(5, 4), lambda: TorchRNN("GRU", 5, 4)):
        with pytest.raises(ValueError, match=r"abacus.*cpu"):
            make()
    for device in (choose_device("cpu"), choose_device(torch.device("cpu")), RNN(5, 4, device="cpu").device):
        assert device.type == "cpu"
    assert TorchRNN("GRU", 5, 4, device="cpu").device.type == "cpu"


@pytest.mark.parametrize(
    "cuda, mps, best", [(False, False, "cpu"), (False, True, "mps"), (True, False, "cuda"), (True, True, "cuda")]
)
def test_without_a_name_the_device_is_the_best_that_the_machine_has(monkeypatch, cuda, mps, best):
    monkeypatch.delenv("RNN_COURSE_DEVICE", raising=False)
    monkeypatch.setattr(rnn.torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(rnn.torch.backends.mps, "is_available", lambda: mps)
    assert choose_device().type == best
    for name, there in (("cuda", cuda), ("cuda:0", cuda), ("mps", mps), ("cpu", True), ("meta", False)):
        if there:
            assert choose_device(name) == torch.device(name)
        else:
            with pytest.raises(ValueError, match=name):
                choose_device(name)
