"""The recorded run is the run that training makes today, and damage to its file is noticed."""

import json
import re
from pathlib import Path

import pytest

from helpers import record


def test_training_afresh_finds_the_recorded_curve_again():
    recorded = record.load_recording()
    fresh = record.record_run({**recorded["settings"], "num_epochs": 5}, look_at=(5,))
    # Five epochs agree to rounding on one kind of machine and to much better than 2 % on any other.
    assert fresh["perplexity"] == pytest.approx(recorded["perplexity"][:5], rel=0.02)
    assert fresh["grad_norm"] == pytest.approx(recorded["grad_norm"][:5], rel=0.05)
    assert fresh["unseen"]["5"] == pytest.approx(recorded["unseen"]["5"], rel=0.02)


def test_the_recording_is_complete():
    recorded = record.load_recording()
    assert recorded["settings"] == record.SETTINGS
    assert set(recorded["unseen"]) == set(recorded["samples"]) == {str(epoch) for epoch in record.LOOK_AT}
    assert all(sample.startswith("time traveller ") for sample in recorded["samples"].values())


def test_a_missing_or_damaged_recording_is_named(tmp_path):
    path = tmp_path / "run.json"
    with pytest.raises(FileNotFoundError, match=r"run\.json"):
        record.load_recording(path)
    whole = record.RECORDING.read_text(encoding="utf-8")
    short = {**json.loads(whole), "perplexity": [1.0]}
    for damaged in (whole[: len(whole) // 2], "[]", "{}", json.dumps(short)):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(ValueError, match=r"run\.json"):
            record.load_recording(path)


def test_the_readme_shows_samples_of_the_recorded_run():
    samples = record.load_recording()["samples"]
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^epoch +(\d+)   (.*)$", readme, flags=re.M)
    assert len(shown) >= 3
    assert all(samples[epoch].rstrip() == sample for epoch, sample in shown)
