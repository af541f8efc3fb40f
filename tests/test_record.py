"""Recorded runs are the runs that training makes today; the grid has what it promises; damage is noticed and named."""

import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers import record
from helpers.record import BATCHES, CLASSIC, GRID, SAMPLE_EPOCHS, Run, Settings
from helpers.text import RandomBatches, SequentialBatches, Vocab
from helpers.train import evaluate

SMALL = Settings("random", hidden_size=32, lr=0.3, max_norm=1.0)


@pytest.fixture(scope="module")
def runs():
    runs, problems = record.load_runs()
    assert not problems
    return runs


@pytest.mark.parametrize(
    "settings",
    [SMALL, replace(SMALL, batches="reset", max_norm=0.1), replace(SMALL, batches="sequential", max_norm=None)],
)
def test_training_afresh_finds_the_recorded_curve_again(settings):
    recorded = record.load_run(settings)
    fresh = record.record_run(replace(settings, num_epochs=20))
    # Twenty epochs agree to rounding on one kind of machine, and to much better than 2 % on any other.
    assert fresh.perplexity == pytest.approx(recorded.perplexity[:20], rel=0.02)
    assert fresh.grad_norm == pytest.approx(recorded.grad_norm[:20], rel=0.05)
    for epoch in (1, 2, 5, 10, 20):
        assert fresh.unseen[epoch] == pytest.approx(recorded.unseen[epoch], rel=0.02)
    assert not fresh.stopped and set(fresh.samples) == {1, 2, 5, 10, 20}


def test_unseen_text_is_what_follows_the_training_text():
    settings = replace(SMALL, num_epochs=20)
    run, model = record.record_run(settings), record.make_model(settings, 28, device="cpu")
    text = record.clean(record.read_book())
    corpus = Vocab(text).encode(text)
    seen, unseen = corpus[:10_000], corpus[10_000:20_000]
    for _ in record.train(model, record.make_batches(settings, seen), 20, settings.lr, settings.max_norm):
        pass
    assert run.unseen[20] == pytest.approx(evaluate(model, unseen), rel=1e-3)
    assert run.unseen[20] != pytest.approx(evaluate(model, seen), rel=3e-3)


def test_the_grid_is_complete_and_small(runs):
    assert len(GRID) == len(set(GRID)) == len(runs) >= 100 and CLASSIC in runs
    assert {settings.batches for settings in GRID} == set(BATCHES)
    assert all(settings.num_epochs == 500 for settings in GRID)
    assert sum(path.stat().st_size for path in record.FOLDER.iterdir()) <= 2_000_000


def test_every_run_keeps_all_that_is_asked(runs):
    for run in runs.values():
        last = len(run.perplexity)
        assert last == 500 or run.stopped
        assert set(run.unseen) >= set(range(10, last + 1, 10))
        assert set(run.samples) == {epoch for epoch in SAMPLE_EPOCHS if epoch <= last}
        assert all(sample.startswith(record.PREFIX) for sample in run.samples.values())
        assert all(len(sample) == len(record.PREFIX) + record.SAMPLE_CHARS for sample in run.samples.values())
        assert min(run.perplexity) >= 1 and all(value >= 1 for value in run.unseen.values())
        assert min(run.grad_norm) > 0 and run.settings.seed == 0 and run.versions["torch"]


def test_the_interesting_things_are_in_it(runs):
    ends = {settings: run.perplexity[-1] for settings, run in runs.items()}
    assert min(ends.values()) < 1.1, "just right"
    assert [s for s, value in ends.items() if 9 < value < 12], "too slow"
    assert [s for s, run in runs.items() if record.diverged_in(run.perplexity) and ends[s] > 1e6], "divergence"

    def spike(run):
        lowest = itertools.accumulate(run.perplexity, min)
        return max(value / low for value, low in zip(run.perplexity, lowest, strict=True))

    assert [s for s, run in runs.items() if 1.25 < spike(run) < 10 and ends[s] < 2], "spikes that heal"
    by_kind = [ends[replace(CLASSIC, batches=kind)] for kind in ("sequential", "reset", "random")]
    assert by_kind[0] < 1.1 and min(by_kind[1:]) > 1.2, "the kinds of minibatches differ"
    assert ends[replace(CLASSIC, hidden_size=32)] > 4, "a small network cannot memorise"


def test_diverged_in():
    assert record.diverged_in([20.0, 5.0]) is None
    assert record.diverged_in([]) is None
    assert record.diverged_in([20.0, 101.0, 5.0]) == 2
    assert record.diverged_in([20.0, 5.0, math.nan]) == 3


def test_minibatches_and_models_are_those_that_the_settings_name():
    corpus = torch.arange(1200) % 28
    for kind, (cls, carries) in {
        "sequential": (SequentialBatches, True),
        "reset": (SequentialBatches, False),
        "random": (RandomBatches, False),
    }.items():
        batches = record.make_batches(replace(SMALL, batches=kind, batch_size=4, num_steps=7, seed=3), corpus)
        assert type(batches) is cls and batches.carries_state is carries
        expected = [X.tolist() for X, _ in cls(corpus, 4, 7, 3)]
        assert [X.tolist() for X, _ in batches] == expected
    for network, kind in (("scratch", "RNN"), ("GRU", "TorchRNN"), ("LSTM", "TorchRNN")):
        model = record.make_model(replace(SMALL, network=network), 28, device="cpu")
        assert type(model).__name__ == kind and model.vocab_size == 28 and model.hidden_size == 32


def make_run(**changes) -> Run:
    settings = replace(SMALL, num_epochs=3)
    run = Run(settings, {"torch": "x"}, [9.0, 8.0, 7.0], [0.1, 0.2, 0.3], {1: 9.5, 3: math.inf}, {1: "time traveller"})
    return replace(run, **changes)


def test_a_run_is_written_and_read_back_whole(tmp_path):
    for run in (make_run(), make_run(perplexity=[9.0], grad_norm=[0.1], unseen={1: 9.5}, stopped="it diverged")):
        path = record.save_run(run, tmp_path / "new folder")
        assert record.load_run(run.settings, tmp_path / "new folder") == run
        assert [p.name for p in path.parent.iterdir()] == [path.name], "something is left behind"
        json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = record.save_run(make_run(), tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(record.os, "replace", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        record.save_run(make_run(perplexity=[1.0, 1.0, 1.0]), tmp_path)
    assert path.read_bytes() == before
    assert record.load_run(make_run().settings, tmp_path) == make_run()
    assert not record.load_runs(tmp_path)[0], "a run of 3 epochs passes for one of 500"


def test_a_missing_or_damaged_recording_is_named(tmp_path):
    run = make_run()
    name = rf"{run.settings.name}\.json"
    with pytest.raises(FileNotFoundError, match=rf"{CLASSIC.name}\.json is missing"):
        record.load_run(CLASSIC, tmp_path)
    path = record.save_run(run, tmp_path)
    whole = json.loads(path.read_text(encoding="utf-8"))
    other = {**whole["settings"], "lr": 7.0}
    damaged = ["", "[]", "{}", "null", path.read_text(encoding="utf-8")[:90]]
    damaged += [
        json.dumps({**whole, **change})
        for change in (
            {"perplexity": [1.0]},
            {"grad_norm": []},
            {"perplexity": None},
            {"perplexity": ["a", "b", "c"]},
            {"settings": other},
            {"settings": {**other, "colour": 1}},
            {"unseen": {"7": 3.0}},
            {"samples": {"2": "x"}},
            {"surprise": 1},
        )
    ]
    for text in damaged:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=name):
            record.load_run(run.settings, tmp_path)


def test_bad_files_are_left_out_and_the_rest_works(tmp_path, runs):
    for settings in GRID[:4]:
        record.save_run(runs[settings], tmp_path)
    (tmp_path / f"{GRID[1].name}.json").write_text("{", encoding="utf-8")
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / ".hidden").write_text("", encoding="utf-8")
    loaded, problems = record.load_runs(tmp_path)
    assert set(loaded) == {GRID[0], GRID[2], GRID[3]}
    assert len(problems) == len(GRID) - 4 + 2
    assert any("holiday.jpg" in problem for problem in problems)
    assert any(f"{GRID[1].name}.json is damaged" in problem for problem in problems)


def test_recording_resumes_where_it_stopped(tmp_path, monkeypatch, capsys):
    tiny = [replace(SMALL, num_epochs=2, hidden_size=size) for size in (2, 3)]
    monkeypatch.setattr(record, "GRID", tiny)

    class Here:  # a pool of processes would not see the small grid
        def __init__(self, *arguments, **options): ...
        def shutdown(self): ...
        def submit(self, work, *arguments):
            job = Future()
            job.set_result(work(*arguments))
            return job

    monkeypatch.setattr(record, "ProcessPoolExecutor", Here)
    record.main(["--folder", str(tmp_path), "--only", "h2_"])
    assert [path.name for path in tmp_path.iterdir()] == [f"{tiny[0].name}.json"]
    first = (tmp_path / f"{tiny[0].name}.json").stat().st_mtime_ns
    record.main(["--folder", str(tmp_path)])
    assert "2 runs in the grid, 1 to record now" in capsys.readouterr().out
    assert (tmp_path / f"{tiny[0].name}.json").stat().st_mtime_ns == first, "a finished run was recorded again"
    assert set(record.load_runs(tmp_path)[0]) == set(tiny)


def test_a_run_that_diverges_says_so_and_keeps_its_beginning(monkeypatch):
    real = record.train

    def breaks(model, batches, num_epochs, *arguments):
        yield from real(model, batches, 3, *arguments)
        raise record.TrainingDiverged("the loss is inf")

    monkeypatch.setattr(record, "train", breaks)
    run = record.record_run(replace(SMALL, hidden_size=2))
    assert run.stopped == "the loss is inf" and len(run.perplexity) == 3 and set(run.samples) == {1, 2}


def test_the_command_explains_itself():
    answer = subprocess.run(
        [sys.executable, "-m", "helpers.record", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "--processes" in answer.stdout and not answer.stderr


def test_the_ladder_is_complete():
    ladder = record.load_ladder()
    assert set(ladder) == {"RNN from scratch", "GRU", "GRU, AdamW, dropout"}
    assert all(len(rung["held_out"]) == 30 and min(rung["held_out"]) > 3 for rung in ladder.values())


def test_a_missing_or_damaged_ladder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ladder\.json"):
        record.load_ladder(tmp_path)
    for text in ("", "[]", "{}", '{"RNN": {}}', '{"RNN": {"held_out": []}}', '{"RNN": {"held_out": ["a"]}}'):
        (tmp_path / "ladder.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"ladder\.json"):
            record.load_ladder(tmp_path)


def test_the_book_is_split_without_loss():
    seen, unseen = record.split_book()
    assert len(unseen) == 17_378 and len(seen) + len(unseen) == 173_783


def test_the_regularised_network_learns_and_is_sure_when_it_is_asked():
    text = "the time machine " * 60
    vocab = Vocab(text)
    corpus = vocab.encode(text)
    torch.manual_seed(0)
    model = record.RegularisedGRU(len(vocab), hidden_size=16, embedding_size=8)
    curve = record._train_with_adam(model, SequentialBatches(corpus, 4, 20), corpus[:200], 12, lr=0.02)
    assert curve[-1] < 3 < curve[0]
    assert evaluate(model, corpus[:200]) == evaluate(model, corpus[:200]), "dropout is on while it is scored"


def test_the_readme_shows_samples_of_the_recorded_run():
    samples = record.load_run().samples
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^epoch +(\d+)   (.*)$", readme, flags=re.M)
    assert len(shown) >= 3
    assert all(samples[int(epoch)].startswith(sample) for epoch, sample in shown)


def test_an_interrupt_ends_recording_at_once_and_leaves_no_half_written_file(tmp_path):
    command = [sys.executable, "-u", "-m", "helpers.record", "--folder", str(tmp_path), "--only", "h128_lr0.1_"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert "9 to record now" in process.stdout.readline()
    assert "epoch 100" in process.stdout.readline()  # it trains
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: every process of the group gets it
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 1 and "Start it again" in rest and "Traceback" not in rest
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".json"] == []


def test_a_name_tells_all_that_is_not_as_usual():
    names = {replace(CLASSIC, **change).name for change in ({}, {"seed": 1}, {"network": "GRU"}, {"num_epochs": 3})}
    assert len(names) == 4 and CLASSIC.name == "sequential_h512_lr1_clip1"
    with pytest.raises(FileNotFoundError, match="never recorded"):
        record.load_run(replace(CLASSIC, hidden_size=64))
    with pytest.raises(FileNotFoundError, match="never recorded"):
        record.load_run(replace(CLASSIC, network="GRU"))


def test_wrong_settings_of_the_command_are_said(capsys):
    for arguments, hint in ((["--processes", "0"], "at least 1"), (["--only", "h33"], "no run of the grid")):
        with pytest.raises(SystemExit):
            record.main(arguments)
        assert hint in capsys.readouterr().err
    with pytest.raises(ValueError, match="sequential, reset, random"):
        record.make_batches(replace(SMALL, batches="sideways"), torch.arange(1200) % 28)
