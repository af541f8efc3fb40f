"""The networks of notebook 11 as they are recorded, and what the chapter's figure says of them."""

import ast
import copy
import math
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from course import TOP, read_notebook, source
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.figures.memory import draw_strips, explore_letters, relative
from helpers.recipe import DropoutGRU, fit
from helpers.runs import __main__ as command
from helpers.runs import networks as recorded
from helpers.runs.files import load_runs
from helpers.runs.ladder import split_book
from helpers.runs.networks import KINDS, DropoutRNN, as_plain, load_networks, save_networks, spread_memories
from helpers.text import RandomBatches, Vocab
from helpers.train import evaluate

TEXT = "the time machine is a fine thing and the traveller is there"
VOCAB = Vocab(TEXT)


def test_the_recorded_networks_are_small_and_good_and_of_one_size():
    assert (recorded.FOLDER / recorded.NETWORKS_FILE).stat().st_size <= 600_000
    seen, unseen = split_book()
    vocab, networks = Vocab(seen), load_networks()
    assert {name: type(network) for name, network in networks.items()} == KINDS
    assert {network.hidden_size for network in networks.values()} == {recorded.HIDDEN_SIZE}
    found = {name: evaluate(network, vocab.encode(unseen)) for name, network in networks.items()}
    assert 4.0 < found["GRU"] < 4.1 and 4.4 < found["RNN"] < 4.7


def test_a_network_with_learned_vectors_is_the_same_without_them():
    X = torch.randint(1, 9, (3, 7), generator=torch.Generator().manual_seed(0))
    for make in (DropoutRNN, DropoutGRU):
        trained = make(9, 6, 5, sigma=0.7)
        plain = as_plain(trained)
        assert type(plain) is KINDS["RNN" if make is DropoutRNN else "GRU"]
        torch.testing.assert_close(plain(X, plain.initial_state(3)), trained(X, trained.initial_state(3)))


def test_both_learn_and_the_gru_starts_with_gates_of_many_speeds():
    corpus = VOCAB.encode(TEXT * 40)
    for make in (DropoutRNN, DropoutGRU):
        model = make(len(VOCAB), 24, dropout=0.1)
        first, *_, last = fit(model, RandomBatches(corpus, 8, 20), 8, lr=0.02)
        assert last.perplexity < 3 < first.perplexity
    spread_memories(model)
    z = model.params[3].detach().chunk(3)[1]
    assert z.min() >= 0 and 2 < z.max() <= recorded.LONGEST_BIAS and z.std() > 0.8


def test_networks_are_written_whole_and_read_back(tmp_path, monkeypatch):
    networks = {kind: make(28, 5, sigma=0.5, device="cpu") for kind, make in KINDS.items()}
    path = save_networks(networks, tmp_path / "new")
    assert [*path.parent.iterdir()] == [path]
    for kind, network in load_networks(folder=path.parent).items():
        torch.testing.assert_close(network.params, networks[kind].params, atol=2e-3, rtol=2e-3)
    before = path.read_bytes()
    monkeypatch.setattr(recorded.os, "replace", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save_networks(networks, path.parent)
    assert path.read_bytes() == before and [*path.parent.iterdir()] == [path]


def test_a_missing_or_damaged_file_is_named_and_runs_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"networks\.npz is missing\. Run: .*--networks"):
        load_networks(folder=tmp_path)
    path = save_networks({kind: make(28, 5, device="cpu") for kind, make in KINDS.items()}, tmp_path)
    whole = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)

    def saved(**changes) -> bytes:
        np.savez(path, **{name: array for name, array in {**arrays, **changes}.items() if array is not None})
        return path.read_bytes()

    class Evil:
        def __reduce__(self):
            return pytest.fail, ("it was run",)

    pickled = np.empty(1, dtype=object)
    pickled[0] = Evil()
    nan = np.full_like(arrays["GRU_0"], np.nan)
    changes = [{"GRU_0": nan}, {"GRU_0": arrays["GRU_0"].astype(np.float64)}, {"RNN_1": arrays["RNN_1"][:4]}]
    changes += [{"RNN_4": None}, {"RNN_0": None, "RNN_1": None}, {"LSTM_0": arrays["RNN_0"]}, {"GRU_1": np.float16(1)}]
    damaged = [b"", b"[]", whole[:200], whole[:-40], *(saved(**change) for change in changes)]
    np.savez(path, **{**arrays, "GRU_0": pickled})
    for content in [*damaged, path.read_bytes()]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"networks\.npz is damaged\. Delete it and run: .*--networks$"):
            load_networks(folder=tmp_path)
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="damaged"):
        load_networks(30, tmp_path)


def test_the_command_makes_them(tmp_path, monkeypatch, capsys):
    text = split_book()[0][:5000]
    monkeypatch.setattr(recorded, "split_book", lambda: (text, text[:300]))
    monkeypatch.setattr(command, "make_networks", lambda: recorded.make_networks(1, hidden_size=4))
    command.main(["--networks", "--folder", str(tmp_path)])
    networks = load_networks(len(Vocab(text)), tmp_path)
    assert networks["GRU"].hidden_size == 4 and capsys.readouterr().out.count("held-out perplexity") == 2
    assert not [problem for problem in load_runs(tmp_path)[1] if recorded.NETWORKS_FILE in problem]


def test_damage_in_the_course_is_one_sentence_for_who_runs_the_notebook(tmp_path):
    code = "from helpers.runs.networks import load_networks\nfrom pathlib import Path\nload_networks(folder=Path('.'))"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr.strip().splitlines()[-1].startswith("FileNotFoundError: The recording")


# What the notebook measures


def of_notebook(vocab: Vocab) -> dict:
    """The functions by which notebook 11 finds what letters count, as they stand there."""
    cells = read_notebook(TOP / "notebooks/11_memory.ipynb")["cells"]
    code = ast.parse("\n".join(source(cell) for cell in cells if cell["cell_type"] == "code"))
    wanted = {"log_shares", "letter_gradients", "replaced"}
    parts = [part for part in code.body if isinstance(part, ast.FunctionDef) and part.name in wanted]
    code.body = parts[: len(wanted)]  # not the exercises of the same name
    found = {"torch": torch, "F": torch.nn.functional, "copy": copy, "math": math, "vocab": vocab}
    exec(compile(code, "11_memory", "exec"), found)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_and_replacing_answer_the_same_question(kind):
    vocab = Vocab("abcdefghijklmnopqrstuvwxyz ")
    find, network = of_notebook(vocab), KINDS[kind](len(vocab), 8, sigma=0.6, device="cpu")
    X = torch.randint(1, 28, (5, 4), generator=torch.Generator().manual_seed(0))
    case = (X, X[:, 0])
    W_xh, W_hh, b, *rest = (p.detach() for p in network.params)
    W_xh[1:] = W_xh[1:].mean(dim=0) + 0.01 * (W_xh[1:] - W_xh[1:].mean(dim=0))  # letters nearly alike: a small step
    network.params = (W_xh, W_hh, b, *rest)
    by_gradient = find["letter_gradients"](network, *case)
    largest = by_gradient.abs().max().item()
    torch.testing.assert_close(by_gradient, find["replaced"](network, *case), rtol=0, atol=0.03 * largest)
    shift = torch.randn(W_xh.shape[1], generator=torch.Generator().manual_seed(1))
    network.params = (W_xh + shift, W_hh, b - shift, *rest)  # another way to write the same network
    torch.testing.assert_close(find["letter_gradients"](network, *case), by_gradient, rtol=0, atol=0.01 * largest)


# The figure


def made(shift: float):
    """A way to find what letters count, in which each counts its own place; the last one least."""
    return lambda model, X, targets: torch.arange(X.shape[1], 0, -1.0).repeat(len(X), 1) + shift * targets[:, None]


@given(st.integers(2, 12), st.text("the mar", min_size=15, max_size=30))
@settings(max_examples=10)
def test_the_letters_figure_says_what_was_found(k, text):
    networks = {kind: make(len(VOCAB), 4, sigma=0.8, device="cpu") for kind, make in KINDS.items()}
    ways = {"gradient": made(0), "replacing": lambda *case: -made(1)(*case)}
    figure = explore_letters(text, k, networks, ways, VOCAB)
    for kind, network in networks.items():
        figure.page.values = {"network": kind}
        answer = figure.page.answer
        assert len(answer["frames"]) == len(text) - k
        for number, frame in enumerate(answer["frames"]):
            t = k + number  # letters read
            cells = np.array(frame["drawings"][0]["cells"])  # (letters, rows)
            assert cells.shape == (len(text), 2) and frame["drawings"][0]["lit"] == t - 1
            assert not cells[:number].any() and not cells[t:].any()
            assert cells[number:t, 0] == pytest.approx([i / k for i in range(k, 0, -1)], abs=6e-3)
            assert cells[number, 1] == -1 and (cells[number:t, 1] < 0).all()
            outputs, _ = network(VOCAB.encode(text[number:t])[None], network.initial_state(1))
            share = torch.softmax(outputs[-1, 0, 1:], 0)[VOCAB.index[text[t]] - 1]
            assert float(re.search(r"its share was ([\d.]+)\.", frame["words"])[1]) == pytest.approx(
                share.item(), abs=0.006
            )
            assert f"by gradient: “{text[number].replace(' ', '␣')}”, {k} back" in frame["words"]


def test_strips_have_a_row_each_and_the_text_above(ax):
    draw_strips(ax, np.array([[0.5, -1, 0], [1, 0, 0.2]]), "a b", ["one", "two"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "␣", "b"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    assert ax.images[0].get_clim() == (-1, 1)
    assert relative(np.array([[0.0, 0], [2, -4]])).tolist() == [[0, 0], [0.5, -1]]
    assert not math.isnan(relative(np.zeros((1, 3))).sum())
