"""GRU and LSTM from scratch, against torch.nn's with copied weights, and behind the interface of every model."""

import gzip
import json
import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Spy, all_equal, copies, largest_difference

from helpers.figures.gates import all_gates, explore_gates
from helpers.gates import GRU, LSTM, gru_step, init_gates, lstm_step
from helpers.generate import generate
from helpers.rnn import TorchRNN
from helpers.text import SequentialBatches, Vocab
from helpers.train import evaluate, mean_loss, train

MODELS = {"GRU": GRU, "LSTM": LSTM}
EACH = pytest.mark.parametrize("kind", MODELS)


def random_model(kind: str, vocab_size: int, hidden_size: int, seed: int = 0):
    """Random weights and biases in float64: the small ones and zeros that it starts with would hide mistakes."""
    model = MODELS[kind](vocab_size, hidden_size, device="cpu", dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(0, 0.7, generator=generator)
    return model


def twin_of(model) -> TorchRNN:
    """torch.nn's layer and a linear one, with the model's weights; torch stores matrices transposed."""
    twin = TorchRNN(type(model).__name__, model.vocab_size, model.hidden_size, device="cpu", dtype=torch.float64)
    with torch.no_grad():
        for theirs, ours in zip(twin.parameters(), model.parameters(), strict=True):
            theirs.copy_(ours.t())
    return twin


def everything(model, X, Y, state) -> list[torch.Tensor]:
    """Outputs, state, and the gradients of all parameters and of the first state."""
    state = tuple(S.clone().requires_grad_() for S in state)
    outputs, new = model(X, state)
    loss = mean_loss(outputs, Y) + sum((S**2).sum() for S in new)
    gradients = torch.autograd.grad(loss, [*model.parameters(), *state])
    return [outputs, *new, *gradients]


@EACH
@given(st.integers(1, 7), st.integers(1, 9), st.integers(1, 5), st.integers(1, 12), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_outputs_states_and_all_gradients_are_those_of_torch(kind, vocab_size, hidden_size, batch, time, seed):
    model = random_model(kind, vocab_size, hidden_size, seed)
    generator = torch.Generator().manual_seed(seed)
    X, Y = torch.randint(vocab_size, (2, batch, time), generator=generator)
    state = tuple(torch.randn(S.shape, generator=generator, dtype=S.dtype) for S in model.initial_state(batch))
    ours, theirs = everything(model, X, Y, state), everything(twin_of(model), X, Y, state)
    ours = [*ours[: 1 + len(state)], *(g.t() for g in ours[1 + len(state) : -len(state)]), *ours[-len(state) :]]
    assert largest_difference(ours, theirs) < 1e-9


@EACH
def test_one_row_and_one_step_at_a_time_are_the_whole(kind):
    model, X = random_model(kind, 5, 4), torch.randint(5, (1, 9), generator=torch.Generator().manual_seed(1))
    expected, last = model(X, model.initial_state(1))
    state, outputs = model.initial_state(1), []
    for column in X.T:
        output, state = model(column[None], state)
        outputs.append(output)
    assert largest_difference([torch.cat(outputs), *state], [expected, *last]) < 1e-12


def test_the_gates_do_what_they_are_called():
    H, C, far = torch.tensor([[0.5, -0.3]]), torch.tensor([[2.0, -3.0]]), 50.0
    no_memory, candidate = torch.zeros(2, 6), torch.tensor([[0.9, -0.9]])

    def gru(r, z):
        gates = torch.tensor([[r, r, z, z]])
        return gru_step(torch.cat([gates, candidate], dim=1), H, no_memory, torch.tensor([0.0] * 4 + [1.0] * 2))

    assert torch.equal(gru(0.0, far), H), "z = 1 does not keep"
    torch.testing.assert_close(gru(-far, -far), candidate.tanh(), msg="r = 0 does not leave the state's part out")
    torch.testing.assert_close(gru(far, -far), (candidate + 1).tanh())

    def lstm(i, f, o):
        sums = torch.tensor([[i, i, f, f, 0.9, -0.9, o, o]])
        return lstm_step(sums, H, C, torch.zeros(2, 8), torch.zeros(8))

    assert torch.equal(lstm(-far, far, far)[1], C), "f = 1, i = 0 does not keep"
    torch.testing.assert_close(lstm(far, -far, far)[1], candidate.tanh())
    torch.testing.assert_close(lstm(far, far, far)[0], (C + candidate.tanh()).tanh())
    assert not lstm(far, far, -200.0)[0].any(), "o = 0 shows something"


def test_weights_begin_as_asked():
    params = init_gates(7, 30, 3, sigma=0.1, seed=3)
    assert [tuple(p.shape) for p in params] == [(7, 90), (30, 90), (90,), (90,), (30, 7), (7,)]
    assert all(p.requires_grad for p in params) and not any(params[k].any() for k in (2, 3, 5))
    assert params[1].std().item() == pytest.approx(0.1, rel=0.1)
    assert all_equal(params, init_gates(7, 30, 3, sigma=0.1, seed=3))
    assert not torch.equal(params[0], init_gates(7, 30, 3, sigma=0.1, seed=4)[0])
    assert not any(p.any() for p in init_gates(7, 30, 4, sigma=0))


@pytest.mark.parametrize(
    "arguments, said", [((0, 3, 3), "vocab_size"), ((3, 0, 3), "hidden_size"), ((3, 3, 3, -1), "sigma")]
)
def test_wrong_sizes_stop_at_the_door(arguments, said):
    with pytest.raises(ValueError, match=said):
        init_gates(*arguments)


@EACH
def test_wrong_input_stops_at_the_door(kind):
    model = random_model(kind, 5, 4)
    X, state = torch.zeros(2, 3, dtype=torch.long), model.initial_state(2)
    for wrong, said in ((X + 5, "indices from 5"), (X.double(), "int64"), (X[:, :0], "empty"), (X[0], "int64")):
        with pytest.raises(ValueError, match=said):
            model(wrong, state)
    other = {"GRU": LSTM, "LSTM": GRU}[kind](5, 4, device="cpu", dtype=torch.float64)
    for wrong in (list(state), model.initial_state(3), other.initial_state(2), tuple(S.float() for S in state)):
        with pytest.raises(ValueError, match=r"start from model\.initial_state\(2\)"):
            model(X, wrong)


@EACH
def test_load_takes_six_tensors_or_leaves_all_as_they_were(kind):
    model, other = random_model(kind, 5, 4, seed=1), random_model(kind, 5, 4, seed=2)
    before = copies(model.parameters())
    six = other.params
    for wrong in (six[:5], (*six, six[0]), (six[0].T, *six[1:]), (*six[:2], six[5], *six[3:])):
        with pytest.raises(ValueError, match="weights need the shapes"):
            model.load(wrong)
        assert all_equal(model.parameters(), before)
    model.load(six)
    assert all_equal(model.parameters(), six) and all(p.requires_grad for p in model.parameters())


@EACH
def test_the_state_begins_at_zero_in_tensors_of_its_own(kind):
    state = random_model(kind, 5, 4).initial_state(3)
    assert [tuple(S.shape) for S in state] == [(3, 4)] * {"GRU": 1, "LSTM": 2}[kind]
    state[0].fill_(1)
    assert not any(S.any() for S in state[1:]), "H and the cell are one tensor"


@EACH
def test_it_trains_writes_and_is_measured_as_every_model(kind):
    text = "abcabc abcabc " * 30
    vocab = Vocab(text)
    corpus, model = vocab.encode(text), MODELS[kind](len(vocab), 12, sigma=0.3, device="cpu")
    spy, batches = Spy(model), SequentialBatches(corpus, 4, 7)
    first, *_, last = train(spy, batches, num_epochs=25, lr=2)
    assert last.perplexity < 2 < first.perplexity
    passes = [batch for batch in zip(spy.given[1:], spy.returned, strict=False) if any(S.any() for S in batch[0])]
    assert passes and all(all_equal(here, before) for here, before in passes), "the state is not carried on"
    written = generate("abc", 20, model, vocab)
    assert written.startswith("abc") and len(written) == 23
    assert evaluate(model, corpus) == pytest.approx(evaluate(model, corpus, num_steps=3), rel=1e-4)


# The figure


KNOWN = json.loads(gzip.decompress(all_gates()))


def run_unit(kind: str, keep: int, write: int) -> tuple[torch.Tensor, list[float]]:
    """100 steps of one unit by the chapter's own step, from 1 on: the gradient at the start, and what it shows."""

    def row(*sums: float) -> torch.Tensor:
        return torch.tensor([sums], dtype=torch.float64)

    start = row(1.0).requires_grad_()
    held, shown = start, [1.0 if kind == "GRU" else math.tanh(1)]
    for _ in range(100):
        if kind == "GRU":
            held = H = gru_step(row(0, keep, -50), held, 0 * row(0, 0, 0), 0 * row(0, 0, 0)[0])
        else:
            H, held = lstm_step(row(write, keep, -50, 50), row(0), held, 0 * row(0, 0, 0, 0), 0 * row(0, 0, 0, 0)[0])
        shown.append(H.item())
    return torch.autograd.grad(held.sum(), start)[0].item(), shown


@given(st.integers(-2, 8), st.integers(-6, 2))
@settings(max_examples=25, deadline=None)
def test_the_figure_shows_what_a_gated_unit_keeps(keep, write):
    figure = explore_gates()
    figure.page.values = {"keep": keep, "write": write}
    answer = json.loads(json.dumps(figure.page.answer))
    assert answer == KNOWN[f"[{keep},{write}]"], "the page knows another answer"
    left, *drawn = answer["drawings"][0]["series"]
    for line, kind in zip(drawn, MODELS, strict=True):
        gradient, shown = run_unit(kind, keep, write)
        assert line["label"] == f"{kind} shows"
        assert left["y"][-1] == pytest.approx(gradient, abs=1e-4), "not the share that survives, on and back"
        assert line["y"] == pytest.approx([shown[n] for n in line["x"]], abs=1e-4)
    said = re.search(r"1, 10, 100 steps (\S+), (\S+), (\S+) of the 1 is left", answer["words"])
    found = [float(number.replace("−", "-")) for number in said.groups()]
    kept = 1 / (1 + math.exp(-keep))
    assert found == pytest.approx([kept, kept**10, kept**100], rel=0.06, abs=0.006)
    ends = re.search(r"GRU's unit shows (\S+), the LSTM's (\S+)\.$", answer["words"])
    found = [float(number.replace("−", "-")) for number in ends.groups()]
    assert found == pytest.approx([line["y"][-1] for line in drawn], abs=0.006) and "−0.00" not in ends[0]


def test_the_figure_answers_the_questions_of_its_chapter():
    def ends(keep, write=0):
        return [line["y"][-1] for line in KNOWN[f"[{keep},{write}]"]["drawings"][0]["series"]]

    assert ends(4)[0] < 0.2 < 0.5 < ends(5)[0] < 0.52, "5 is not the first sum that keeps half for 100 steps"
    assert ends(8, -6)[2] > 0.5 and ends(8, 0)[2] < -0.99, "a large f is enough, or a small i is not"
    assert explore_gates()._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")
