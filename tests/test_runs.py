"""Recorded runs are the runs that training makes today; the grid has what it promises; damage is noticed and named."""

import contextlib
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers.require import TrainingDiverged
from helpers.runs import __main__ as command
from helpers.runs import cures, files, ladder, recording
from helpers.runs.files import load_cures, load_ladder, load_run, load_runs, save_run
from helpers.runs.recording import SAMPLE_EPOCHS, Run, diverged_in, make_run
from helpers.runs.settings import BATCHES, CLASSIC, GRID, Settings, make_batches, make_model
from helpers.text import RandomBatches, SequentialBatches, Vocab, clean, read_book
from helpers.train import train

SMALL = Settings("random", hidden_size=32, lr=0.3, max_norm=1.0)
TINY = Run(
    replace(SMALL, num_epochs=3), {"torch": "x"}, [9.0, 8.0, 7.0], [0.1, 0.2, 0.3], {1: 9.5, 3: math.inf}, {1: "t"}
)


@pytest.fixture(scope="module")
def runs():
    runs, problems = load_runs()
    assert not problems
    return runs


def test_impossible_settings_are_refused_by_name():
    counts = ("hidden_size", "num_epochs", "num_chars", "batch_size", "num_steps")
    wrong = [(name, value) for name in counts for value in (0, -5, 2.5, "8", None)]
    wrong += [(name, value) for name in ("lr", "max_norm") for value in (0, -1.0, math.nan, math.inf, "1", [])]
    wrong += [("lr", None), ("seed", -1), ("seed", 0.5), ("network", "CNN"), ("batches", "sideways"), ("batches", [])]
    for name, value in wrong:
        with pytest.raises((TypeError, ValueError), match=rf"^{name} must be .*\.$"):
            replace(SMALL, **{name: value})


def test_a_name_tells_all_that_is_not_as_usual():
    names = {replace(CLASSIC, **change).name for change in ({}, {"seed": 1}, {"network": "GRU"}, {"num_epochs": 3})}
    assert len(names) == 4 and CLASSIC.name == "sequential_h512_lr1_clip1"
    for change in ({"hidden_size": 64}, {"network": "GRU"}):
        with pytest.raises(FileNotFoundError, match="never recorded"):
            load_run(replace(CLASSIC, **change))


def test_minibatches_and_models_are_those_that_the_settings_name():
    corpus = torch.arange(1200) % 28
    for kind, cls in (("sequential", SequentialBatches), ("reset", SequentialBatches), ("random", RandomBatches)):
        batches = make_batches(replace(SMALL, batches=kind, batch_size=4, num_steps=7, seed=3), corpus)
        assert type(batches) is cls and batches.carries_state is (kind == "sequential")
        assert [X.tolist() for X, _ in batches] == [X.tolist() for X, _ in cls(corpus, 4, 7, 3)]
    assert SequentialBatches.carries_state, "one reset run has changed all others"
    for network, kind in (("scratch", "RNN"), ("GRU", "TorchRNN"), ("LSTM", "TorchRNN")):
        model = make_model(replace(SMALL, network=network), 28, device="cpu")
        assert type(model).__name__ == kind and model.vocab_size == 28 and model.hidden_size == 32


@pytest.mark.slow
@pytest.mark.parametrize("kind, max_norm", [("random", 1.0), ("reset", 0.1), ("sequential", None)])
def test_training_afresh_finds_the_recorded_curve_again(kind, max_norm):
    settings = replace(SMALL, batches=kind, max_norm=max_norm)
    recorded, fresh = load_run(settings), make_run(replace(settings, num_epochs=20))
    # Twenty epochs agree to rounding on one kind of machine, and to much better than 2 % on any other.
    assert fresh.perplexity == pytest.approx(recorded.perplexity[:20], rel=0.02)
    assert fresh.grad_norm == pytest.approx(recorded.grad_norm[:20], rel=0.05)
    for epoch in (1, 2, 5, 10, 20):
        assert fresh.unseen[epoch] == pytest.approx(recorded.unseen[epoch], rel=0.02)
    assert not fresh.stopped and set(fresh.samples) == {1, 2, 5, 10, 20}


def test_unseen_text_is_what_follows_the_training_text(monkeypatch):
    given = []

    def noting(function):
        return lambda first, corpus: given.append(corpus) or function(first, corpus)

    for name in ("make_batches", "evaluate"):
        monkeypatch.setattr(recording, name, noting(getattr(recording, name)))
    make_run(replace(SMALL, num_epochs=1, hidden_size=2))
    text = clean(read_book())
    assert [Vocab(text).decode(corpus) for corpus in given] == [text[:10_000], text[10_000:20_000]]


def test_a_run_that_diverges_says_so_and_keeps_its_beginning(monkeypatch):
    def breaks(model, batches, num_epochs, *arguments):
        yield from train(model, batches, 3, *arguments)
        raise TrainingDiverged("the loss is inf")

    monkeypatch.setattr(recording, "train", breaks)
    run = make_run(replace(SMALL, hidden_size=2))
    assert run.stopped == "the loss is inf" and len(run.perplexity) == 3 and set(run.samples) == {1, 2}
    for perplexity, epoch in (([20, 5], None), ([], None), ([20, 101, 5], 2), ([20, 5, math.nan], 3)):
        assert diverged_in(perplexity) == epoch


def test_the_grid_is_complete_and_small_and_every_run_keeps_what_is_asked(runs):
    assert len(GRID) == len(set(GRID)) == len(runs) >= 100 and CLASSIC in runs
    assert {(s.batches, s.num_epochs) for s in GRID} == {(kind, 500) for kind in BATCHES}
    assert sum(path.stat().st_size for path in files.FOLDER.iterdir()) <= 2_000_000
    for run in runs.values():
        last = len(run.perplexity)
        assert last == 500 or run.stopped
        assert set(run.unseen) >= set(range(10, last + 1, 10))
        assert set(run.samples) == {epoch for epoch in SAMPLE_EPOCHS if epoch <= last}
        assert all(sample.startswith(recording.PREFIX) for sample in run.samples.values())
        assert {len(sample) for sample in run.samples.values()} == {len(recording.PREFIX) + recording.SAMPLE_CHARS}
        assert min(run.perplexity) >= 1 and all(value >= 1 for value in run.unseen.values())
        assert min(run.grad_norm) > 0 and run.settings.seed == 0 and run.versions["torch"]


def test_the_interesting_things_are_in_it(runs):
    ends = {settings: run.perplexity[-1] for settings, run in runs.items()}
    assert min(ends.values()) < 1.1, "just right"
    assert [s for s, value in ends.items() if 9 < value < 12], "too slow"
    assert [s for s, run in runs.items() if diverged_in(run.perplexity) and ends[s] > 1e6], "divergence"

    def spike(run):
        lowest = itertools.accumulate(run.perplexity, min)
        return max(value / low for value, low in zip(run.perplexity, lowest, strict=True))

    assert [s for s, run in runs.items() if 1.25 < spike(run) < 10 and ends[s] < 2], "spikes that heal"
    by_kind = [ends[replace(CLASSIC, batches=kind)] for kind in ("sequential", "reset", "random")]
    assert by_kind[0] < 1.1 and min(by_kind[1:]) > 1.2, "the kinds of minibatches differ"
    assert ends[replace(CLASSIC, hidden_size=32)] > 4, "a small network cannot memorise"


def test_the_readme_shows_samples_of_the_recorded_run():
    samples = load_run().samples
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^epoch +(\d+)   (.*)$", readme, flags=re.M)
    assert len(shown) >= 3
    assert all(samples[int(epoch)].startswith(sample) for epoch, sample in shown)


def test_a_run_is_written_and_read_back_whole(tmp_path):
    for run in (TINY, replace(TINY, perplexity=[9.0], grad_norm=[0.1], unseen={1: 9.5}, stopped="it diverged")):
        path = save_run(run, tmp_path / "new folder")
        assert load_run(run.settings, tmp_path / "new folder") == run
        assert [p.name for p in path.parent.iterdir()] == [path.name], "something is left behind"
        json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_run(TINY, tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(files.os, "replace", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save_run(replace(TINY, perplexity=[1.0, 1.0, 1.0]), tmp_path)
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]
    assert load_run(TINY.settings, tmp_path) == TINY
    assert not load_runs(tmp_path)[0], "a run of 3 epochs passes for one of 500"


IMPOSSIBLE = (math.nan, math.inf, -math.inf, -5, 10**400, "9")


def test_a_missing_or_damaged_recording_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"{CLASSIC.name}\.json is missing"):
        load_run(CLASSIC, tmp_path)
    path = save_run(TINY, tmp_path)
    text = path.read_text(encoding="utf-8")
    whole = json.loads(text)
    changes = [{"settings": {**whole["settings"], **change}} for change in ({"lr": 7.0}, {"lr": -1}, {"colour": 1})]
    changes += [{"perplexity": [9.0], "grad_norm": [0.1], "unseen": {"1": 9.5}}, {"stopped": "at the end"}]
    curves = [None, [], "987", *([9.0, 8.0, last] for last in IMPOSSIBLE)]
    changes += [{key: curve} for key in ("perplexity", "grad_norm") for curve in curves]
    changes += [{"perplexity": [9.0, 8.0, low]} for low in (0, 0.99)]  # a gradient may vanish
    changes += [{"unseen": {"1": 9.5, "3": value}} for value in (0, [], *IMPOSSIBLE) if value != math.inf]
    changes += [{"unseen": {"1": 9.5, "7": 3.0}}, {"samples": {"2": "x"}}, {"surprise": 1}, {"stopped": 1}]
    for damaged in ("", "[]", "null", text[:90], *(json.dumps({**whole, **change}) for change in changes)):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(ValueError, match=rf"{TINY.settings.name}\.json is damaged"):
            load_run(TINY.settings, tmp_path)


def test_bad_files_are_left_out_and_the_rest_works(tmp_path, runs, monkeypatch):
    paths = [save_run(runs[settings], tmp_path) for settings in GRID[:8]]
    whole = paths[1].read_text(encoding="utf-8")
    for path, text in zip(paths[1:4], ("{", "[" * 200_000, re.sub(r"(?<=\[)[\d.]+", "9" * 400, whole)), strict=True):
        path.write_text(text, encoding="utf-8")
    paths[4].unlink()
    paths[4].mkdir()
    real = Path.read_text

    def read_text(path, *arguments, **options):  # root, who runs the tests here and there, may read all files
        if path == paths[5]:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", read_text)
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / ".hidden").write_text("", encoding="utf-8")
    loaded, problems = load_runs(tmp_path)
    assert set(loaded) == {GRID[0], GRID[6], GRID[7]}
    assert len(problems) == len(GRID) - 3 + 1 and any("holiday.jpg" in problem for problem in problems)
    assert [f"{path.name} is damaged" for path in paths[1:4]] == problems[:3]
    assert [f"{path.name} cannot be read" for path in paths[4:6]] == problems[3:5]


def test_the_ladder_is_complete_and_the_book_is_split_without_loss():
    assert set(load_ladder()) == {"RNN from scratch", "GRU", "GRU, Adam, dropout"}
    assert all(len(rung["held_out"]) == 30 and min(rung["held_out"]) > 3 for rung in load_ladder().values())
    seen, unseen = ladder.split_book()
    assert len(unseen) == 17_378 and seen + unseen == clean(read_book()) and len(seen + unseen) == 173_783


def test_a_missing_or_damaged_ladder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ladder\.json"):
        load_ladder(tmp_path)
    whole = load_ladder()
    gru = whole["GRU"]
    curves = (gru["held_out"][:29], *([value] * 30 for value in (0.5, *IMPOSSIBLE)))
    damaged = [{**whole, "GRU": {**gru, "held_out": curve}} for curve in curves]
    damaged += [{**whole, "GRU": {"held_out": gru["held_out"]}}, {**whole, "GRU": {**gru, "seconds": math.nan}}]
    damaged += [{**whole, "CNN": gru}, {name: rung for name, rung in whole.items() if name != "GRU"}, {}, []]
    for text in ("", "[" * 200_000, *map(json.dumps, damaged)):
        (tmp_path / "ladder.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"ladder\.json is damaged"):
            load_ladder(tmp_path)


@pytest.mark.slow
def test_a_ladder_made_today_is_one_that_can_be_read(tmp_path, monkeypatch):
    text = clean(read_book())
    monkeypatch.setattr(ladder, "split_book", lambda: (text[:2200], text[2200:2400]))
    monkeypatch.setattr(files, "LADDER_EPOCHS", 6)
    made = ladder.make_ladder(6)
    files.write(tmp_path / "ladder.json", json.dumps(made))
    assert load_ladder(tmp_path) == made


def test_the_cures_are_complete_and_each_differs_in_one_thing():
    made = load_cures()
    assert set(made) == {*cures.RECIPES, *cures.LONG, *cures.CLOSER} and len(cures.RECIPES) == 2 + 2 * len(cures.CURES)
    for name, recipe in cures.RECIPES.items():
        alone, but = name in cures.CURES, name.startswith("all but ")
        assert len(recipe) == (1 if alone else 4 if but else 5 if name == "all five" else 0)
        assert set(recipe) <= set(cures.CURES) and (not but or name.removeprefix("all but ") not in recipe)
        assert list(made[name]["unseen"]) == [2, 4, 6, 8, 10] and len(made[name]["training"]) == 10
    assert all(len(made[name]["training"]) == 20 for name in cures.LONG)
    to_train, to_choose, to_score = cures.split_in_three(clean(read_book()))
    assert (to_train + to_choose, to_score) == ladder.split_book() and len(to_choose) == 173_783 // 20


def test_a_recipe_is_made_of_its_cures():
    plain, lr, schedule, method = cures.make_recipe((), 28)
    assert (plain.hidden_size, plain.dropout, lr, schedule(0.01), method) == (128, 0, 2, 1, cures.Descent)
    assert torch.equal(plain.params[0], torch.eye(28)) and len(plain.parameters()) == 6
    model, lr, schedule, method = cures.make_recipe(cures.CURES, 28)
    assert (model.hidden_size, model.dropout, model.params[0].shape) == (256, 0.3, (28, 64))
    assert (lr, schedule, method) == (0.004, cures.one_cycle, cures.Adam) and len(model.parameters()) == 7
    assert cures.make_recipe(cures.CURES, 28, 0.1)[0].dropout == 0.1
    long_rows = cures.make_recipe(vocab_size=28, **cures.CLOSER["Adam, rows 8 long"])[0]
    assert torch.equal(long_rows.params[0], 8 * torch.eye(28)) and long_rows.hidden_size == 128
    _, lr, schedule, _ = cures.make_recipe(vocab_size=28, **cures.CLOSER["all five, no rise"])
    assert (lr, schedule(0.0), schedule(0.5), schedule(1.0)) == (0.004, 1, pytest.approx(0.5), 0)
    w = torch.tensor([1.0], requires_grad=True)
    w.grad = torch.tensor([0.5])
    cures.Descent([w]).step(0.2)
    assert w.item() == pytest.approx(0.9)


def test_a_missing_or_damaged_recording_of_the_cures_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cures\.json is missing. Run: .* --cures"):
        load_cures(tmp_path)
    whole = json.loads((files.FOLDER / "cures.json").read_text())
    plain = whole["plain"]
    damaged = [{**whole, "plain": {**plain, "training": plain["training"][:9]}}, {**whole, "new": plain}, [], {}]
    damaged += [{**whole, "plain": {**plain, "unseen": unseen}} for unseen in ({}, {"2": 5.0}, {"10": 0.5}, {"x": 5})]
    for content in damaged:
        (tmp_path / "cures.json").write_text(json.dumps(content))
        with pytest.raises(ValueError, match=r"cures\.json is damaged"):
            load_cures(tmp_path)


@pytest.mark.slow
def test_cures_made_today_are_some_that_can_be_read(tmp_path, monkeypatch, capsys):
    make = cures.make_cures
    monkeypatch.setattr(command, "make_cures", lambda: make(num_chars=2200))
    command.main(["--folder", str(tmp_path), "--cures"])
    assert set(load_cures(tmp_path)) == {*cures.RECIPES, *cures.LONG, *cures.CLOSER}
    assert "all five:" in capsys.readouterr().out


def test_recording_resumes_where_it_stopped(tmp_path, monkeypatch, capsys):
    tiny = [replace(SMALL, num_epochs=2, hidden_size=size) for size in (2, 3)]
    for module in (command, files):
        monkeypatch.setattr(module, "GRID", tiny)
    # threads, because other processes would not see the small grid
    monkeypatch.setattr(command, "ProcessPoolExecutor", lambda processes, *_, **options: ThreadPoolExecutor(processes))
    first = tmp_path / f"{tiny[0].name}.json"
    command.main(["--folder", str(tmp_path), "--only", "h2_"])
    assert [*tmp_path.iterdir()] == [first]
    written = first.stat().st_mtime_ns
    command.main(["--folder", str(tmp_path)])
    assert "2 runs in the grid, 1 to record now" in capsys.readouterr().out
    assert first.stat().st_mtime_ns == written, "a finished run was recorded again"
    assert set(load_runs(tmp_path)[0]) == set(tiny)


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (["--help"], "--processes"),
        (["--processes", "0"], "at least 1"),
        (["--only", "h33"], "no run of the grid"),
        (["--folder", __file__], "is a file"),
    ],
)
def test_the_command_explains_itself_and_says_what_is_wrong(capsys, arguments, hint):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert hint in "".join(capsys.readouterr())


@pytest.mark.slow
def test_an_interrupt_ends_recording_at_once_and_leaves_no_half_written_file(tmp_path):
    in_the_background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # a shell's & has interrupts ignored
    record = [sys.executable, "-u", "-m", "helpers.runs", "--only", "h32_lr0.1_", "--folder"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    # Ctrl-C reaches every process of the group, kill only the first.
    for kill, number in ((os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)):
        folder = tmp_path / number.name
        process = subprocess.Popen([*in_the_background, *record, str(folder)], start_new_session=True, **pipes)
        try:
            assert "9 to record now" in process.stdout.readline()
            assert "epoch 100" in process.stdout.readline()  # it trains
            kill(process.pid, number)
            rest, _ = process.communicate(timeout=30)  # returns when the workers have ended, too
            assert process.returncode == 1 and "Start it again" in rest and "Traceback" not in rest
            assert [path.name for path in folder.glob("*") if path.suffix != ".json"] == []
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
