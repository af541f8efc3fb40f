"""Every function or class that a notebook defines and `helpers` also has computes the same in both.

The test reads the notebooks, so a change on one side alone fails here.
"""

import ast
import importlib
import json
import random
import string
from pathlib import Path

import pytest
import torch

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
MODULES = ["text", "rnn", "generate", "train", "plot", "record"]


def code_of(path: Path) -> ast.Module:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ast.parse("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))


def namespace_of(path: Path) -> dict:
    """The imports and definitions of a notebook, executed without anything else that it does."""
    wanted = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    body = [node for node in code_of(path).body if isinstance(node, wanted)]
    namespace = {"__name__": "notebook"}
    exec(compile(ast.Module(body, type_ignores=[]), str(path), "exec"), namespace)
    return namespace


def defined_in(path: Path) -> list[str]:
    return [node.name for node in code_of(path).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]


def helper_named(name: str):
    for module in MODULES:
        found = getattr(importlib.import_module(f"helpers.{module}"), name, None)
        if getattr(found, "__module__", None) == f"helpers.{module}":
            return found
    return None


SHARED = [
    (path, name)
    for path in sorted(NOTEBOOKS.glob("*.ipynb"))
    for name in defined_in(path)
    if helper_named(name) is not None
]


# One checker for each shared name. `ours` is the notebook's, `theirs` the helper's, `seed` draws the inputs.


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sizes(seed: int) -> tuple[int, int, int, int]:
    """vocab_size, hidden_size, batch_size, num_steps"""
    numbers = random.Random(seed)
    return numbers.randint(2, 9), numbers.randint(1, 7), numbers.randint(1, 5), numbers.randint(1, 6)


def random_text(seed: int, length: int = 200) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + " .,1é\n", k=length))


def problem(seed: int):
    """A random network at work: parameters, indices X and Y, and a state."""
    V, h, B, T = sizes(seed)
    params = (draw(seed, V, h), draw(seed + 1, h, h), draw(seed + 2, h), draw(seed + 3, h, V), draw(seed + 4, V))
    generator = torch.Generator().manual_seed(seed)
    X, Y = torch.randint(V, (2, B, T), generator=generator)
    return [p.requires_grad_() for p in params], X, Y, (draw(seed + 5, B, h).requires_grad_(),)


def assert_same(ours, theirs) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def check_clean(ours, theirs, seed):
    assert ours(random_text(seed)) == theirs(random_text(seed))


def check_vocab(ours, theirs, seed):
    text = random_text(seed)
    mine, their = ours(text), theirs(text)
    other = random_text(seed + 1)
    assert len(mine) == len(their) and mine.tokens == their.tokens
    assert torch.equal(mine.encode(other), their.encode(other))
    assert mine.decode(mine.encode(other)) == their.decode(their.encode(other))


def check_one_hot(ours, theirs, seed):
    _, X, _, _ = problem(seed)
    V = sizes(seed)[0]
    assert torch.equal(ours(X, V), theirs(X, V))


def check_init_params(ours, theirs, seed):
    V, h, _, _ = sizes(seed)
    for mine, their in zip(ours(V, h, 0.3, seed), theirs(V, h, 0.3, seed), strict=True):
        assert torch.equal(mine, their) and mine.requires_grad and their.requires_grad


def check_init_state(ours, theirs, seed):
    _, h, B, _ = sizes(seed)
    assert_same(ours(B, h), theirs(B, h))


def check_rnn_step(ours, theirs, seed):
    params, X, _, (H,) = problem(seed)
    X_t = torch.nn.functional.one_hot(X[:, 0], sizes(seed)[0]).double()
    assert_same(ours(X_t, H, params), theirs(X_t, H, params))


def check_forward_loop(ours, theirs, seed):
    params, X, _, state = problem(seed)
    inputs = torch.nn.functional.one_hot(X.T, sizes(seed)[0]).double()
    assert_same(ours(inputs, state, params), theirs(inputs, state, params))


def check_forward_hoisted(ours, theirs, seed):
    params, X, _, state = problem(seed)
    leaves = [*params, *state]
    results = [forward(X, state, params) for forward in (ours, theirs)]
    assert_same(*results)
    assert_same(*(torch.autograd.grad(outputs.square().sum() + H.sum(), leaves) for outputs, (H,) in results))


def check_recurrence(ours, theirs, seed):
    _, h, B, T = sizes(seed)
    leaves = [draw(seed, T, B, h), draw(seed + 1, B, h), draw(seed + 2, h, h)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    hidden = [recurrence.apply(*leaves) for recurrence in (ours, theirs)]
    assert_same(*hidden)
    assert_same(*(torch.autograd.grad((H * draw(seed + 3, T, B, h)).sum(), leaves) for H in hidden))


def check_rnn(ours, theirs, seed):
    V, h, B, _ = sizes(seed)
    mine, their = ours(V, h, 0.5, seed), theirs(V, h, 0.5, seed, device="cpu")
    assert_same(mine.initial_state(B), their.initial_state(B))
    assert_same(mine.parameters(), their.parameters())
    X = problem(seed)[1]
    assert_same(mine(X, mine.initial_state(B)), their(X, their.initial_state(B)))


def language_model(seed: int):
    from helpers.rnn import RNN
    from helpers.text import Vocab, clean

    vocab = Vocab(clean(random_text(seed)))
    return RNN(len(vocab), 6, sigma=1.0, seed=seed, device="cpu", dtype=torch.float64), vocab


def check_warm_up(ours, theirs, seed):
    model, vocab = language_model(seed)
    prefix = vocab.decode(random.Random(seed).choices(range(1, len(vocab)), k=7))
    assert_same(ours(prefix, model, vocab), theirs(prefix, model, vocab))


def check_next_char_probs(ours, theirs, seed):
    outputs = 3 * draw(seed, 9)
    for temperature in (0, 0.3, 1.0, 2.5):
        assert_same(ours(outputs, temperature), theirs(outputs, temperature))


def check_generate(ours, theirs, seed):
    model, vocab = language_model(seed)
    prefix = vocab.tokens[1 + seed % (len(vocab) - 1)]
    for temperature in (0, 0.5, 1.5):
        assert ours(prefix, 30, model, vocab, temperature, seed) == theirs(prefix, 30, model, vocab, temperature, seed)


def check_clip_gradients(ours, theirs, seed):
    for max_norm in (0.1, 100.0):
        pairs = []
        for _ in range(2):
            params = [torch.zeros(3, 2, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)]
            for i, p in enumerate(params):
                p.grad = draw(seed + i, *p.shape)
            pairs.append(params)
        assert abs(ours(pairs[0], max_norm) - theirs(pairs[1], max_norm)) < 1e-12
        assert_same([p.grad for p in pairs[0]], [p.grad for p in pairs[1]])


def check_batches(ours, theirs, seed):
    numbers = random.Random(seed)
    corpus = torch.randint(20, (numbers.randint(120, 400),), generator=torch.Generator().manual_seed(seed))
    B, T = numbers.randint(1, 8), numbers.randint(1, 10)
    mine, their = ours(corpus, B, T, seed), theirs(corpus, B, T, seed)
    assert mine.carries_state == their.carries_state
    for _ in range(2):  # two epochs, because each starts elsewhere
        for (X, Y), (X_their, Y_their) in zip(list(mine), list(their), strict=True):
            assert torch.equal(X, X_their) and torch.equal(Y, Y_their)


def check_mean_loss(ours, theirs, seed):
    V, _, B, T = sizes(seed)
    Y = problem(seed)[2]
    assert_same(ours(draw(seed, T, B, V), Y), theirs(draw(seed, T, B, V), Y))


def check_sgd_step(ours, theirs, seed):
    pairs = []
    for _ in range(2):
        p = draw(seed, 3, 4).requires_grad_()
        p.grad = draw(seed + 1, 3, 4)
        pairs.append(p)
    ours([pairs[0]], 0.3)
    theirs([pairs[1]], 0.3)
    assert_same(*pairs)


def trained(function, seed: int):
    """Model and result after `function(model, batches)`, for sequential and for random minibatches."""
    from helpers.text import RandomBatches, SequentialBatches

    results = []
    for kind in (SequentialBatches, RandomBatches):
        model, vocab = language_model(seed)
        corpus = torch.randint(1, len(vocab), (150,), generator=torch.Generator().manual_seed(seed))
        result = function(model, kind(corpus, 4, 5, seed))
        results.append((result, [p.detach() for p in model.parameters()]))
    return results


def check_train_epoch(ours, theirs, seed):
    assert_same(*(trained(lambda model, batches, f=f: f(model, batches, 0.5, 0.2), seed) for f in (ours, theirs)))


def check_train(ours, theirs, seed):
    def run(train):
        return lambda model, batches: [
            (record.epoch, record.perplexity, record.grad_norm) for record in train(model, batches, 3, 0.5, 0.2)
        ]

    assert_same(trained(run(ours), seed), trained(run(theirs), seed))


def check_evaluate(ours, theirs, seed):
    model, vocab = language_model(seed)
    corpus = torch.randint(len(vocab), (53,), generator=torch.Generator().manual_seed(seed))
    assert abs(ours(model, corpus, 10) - theirs(model, corpus, 10)) < 1e-9


CHECKERS = {
    "clean": check_clean,
    "Vocab": check_vocab,
    "one_hot": check_one_hot,
    "init_params": check_init_params,
    "init_state": check_init_state,
    "rnn_step": check_rnn_step,
    "forward_loop": check_forward_loop,
    "forward_hoisted": check_forward_hoisted,
    "Recurrence": check_recurrence,
    "RNN": check_rnn,
    "warm_up": check_warm_up,
    "next_char_probs": check_next_char_probs,
    "generate": check_generate,
    "clip_gradients": check_clip_gradients,
    "SequentialBatches": check_batches,
    "RandomBatches": check_batches,
    "mean_loss": check_mean_loss,
    "sgd_step": check_sgd_step,
    "train_epoch": check_train_epoch,
    "train": check_train,
    "evaluate": check_evaluate,
}


def test_every_shared_name_has_a_checker_and_every_checker_is_used():
    assert {name for _, name in SHARED} == set(CHECKERS)


@pytest.mark.parametrize(("path", "name"), SHARED, ids=lambda value: getattr(value, "stem", value))
def test_notebook_and_helper_compute_the_same(path, name):
    ours, theirs = namespace_of(path)[name], helper_named(name)
    assert ours is not theirs
    for seed in range(5):
        CHECKERS[name](ours, theirs, 10 * seed)
