"""The files of recordings: written whole or not at all, and read with care, because anyone may have changed them."""

import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from ..require import require
from .cures import CLOSER, CURES_EPOCHS, LONG, LONG_EPOCHS, RECIPES
from .ladder import LADDER_EPOCHS, RUNGS
from .recording import Run
from .settings import CLASSIC, GRID, Settings

FOLDER = Path(__file__).parent / "recordings"
LADDER_FILE, CURES_FILE, NETWORKS_FILE = "ladder.json", "cures.json", "networks.npz"
COMMAND = "python -m helpers.runs"
DAMAGED = "damaged"  # _load says which file it is


def write(path: Path, content: str) -> None:
    """Put `content` into the file, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        unfinished.write_text(content, encoding="utf-8")
        os.replace(unfinished, path)  # in one move, so that no half-written file is ever read
    finally:
        unfinished.unlink(missing_ok=True)


def save_run(run: Run, folder: Path = FOLDER) -> Path:
    """Write the run's file, and return its path."""
    content = asdict(run)
    # strict JSON has no infinity: null stands for a perplexity too large to be written
    content["unseen"] = {epoch: value if math.isfinite(value) else None for epoch, value in run.unseen.items()}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    path = folder / f"{run.settings.name}.json"
    write(path, f"{{\n{lines}\n}}\n")
    return path


def _numbers(values: Iterable[float], minimum: float, num_epochs: int) -> list[float]:
    # NaN is neither above the minimum nor below infinity
    require(len(values) == num_epochs and all(minimum <= value < math.inf for value in values), DAMAGED)
    return [float(value) for value in values]


def _as_run(content: dict, settings: Settings) -> Run:
    run = Run(**{**content, "settings": Settings(**content["settings"])})
    num_epochs = len(run.perplexity)
    require(run.settings == settings and isinstance(run.stopped, str), DAMAGED)
    require(num_epochs < settings.num_epochs if run.stopped else num_epochs == settings.num_epochs, DAMAGED)
    run.perplexity = _numbers(run.perplexity, 1, num_epochs)
    run.grad_norm = _numbers(run.grad_norm, 0, num_epochs)
    require(all(value is None or value >= 1 for value in run.unseen.values()), DAMAGED)
    run.unseen = {int(epoch): math.inf if value is None else float(value) for epoch, value in run.unseen.items()}
    run.samples = {int(epoch): str(sample) for epoch, sample in run.samples.items()}
    require(set(run.samples) <= set(run.unseen) <= set(range(1, num_epochs + 1)), DAMAGED)
    return run


def _as_ladder(content: dict) -> dict[str, dict]:
    require(content.keys() == RUNGS.keys(), DAMAGED)
    for rung in content.values():
        rung["held_out"] = _numbers(rung["held_out"], 1, LADDER_EPOCHS)
        require(isinstance(rung["settings"], str) and 0 <= rung["seconds"] < math.inf, DAMAGED)
    return content


def _as_cures(content: dict) -> dict[str, dict]:
    num_epochs = dict.fromkeys([*RECIPES, *CLOSER], CURES_EPOCHS) | dict.fromkeys(LONG, LONG_EPOCHS)
    require(content.keys() == num_epochs.keys(), DAMAGED)
    for name, recipe in content.items():
        recipe["training"] = _numbers(recipe["training"], 1, num_epochs[name])
        recipe["unseen"] = {int(epoch): value for epoch, value in recipe["unseen"].items()}
        require(list(recipe["unseen"]) == list(range(2, num_epochs[name] + 1, 2)), DAMAGED)
        _numbers(recipe["unseen"].values(), 1, num_epochs[name] // 2)
        require(0 <= recipe["seconds"] < math.inf, DAMAGED)
    return content


def _load(path: Path, understand: Callable, command: str):
    try:
        return understand(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FileNotFoundError(f"The recording {path} is missing. Run: {command}") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise ValueError(f"The recording {path} is damaged. Delete it and run: {command}") from None


def load_run(settings: Settings = CLASSIC, folder: Path = FOLDER) -> Run:
    """One recorded run; raises FileNotFoundError, ValueError or OSError: its file is missing, damaged, unreadable."""
    path = folder / f"{settings.name}.json"
    if settings not in GRID and not path.exists():
        sizes, rates, norms = (sorted({str(getattr(s, n)) for s in GRID}) for n in ("hidden_size", "lr", "max_norm"))
        raise FileNotFoundError(
            f"{settings.name} was never recorded. Recorded are hidden_size {', '.join(sizes)}; lr {', '.join(rates)}; "
            f"max_norm {', '.join(norms)}; not all together. make_run(settings) trains any other."
        )
    return _load(path, lambda content: _as_run(content, settings), COMMAND)


def load_runs(folder: Path = FOLDER) -> tuple[dict[Settings, Run], list[str]]:
    """Every whole recording of GRID in `folder`, and what is wrong with each other file."""
    runs, problems = {}, []
    for settings in GRID:
        try:
            runs[settings] = load_run(settings, folder)
        except FileNotFoundError:
            problems.append(f"{settings.name}.json is missing")
        except OSError:
            problems.append(f"{settings.name}.json cannot be read")
        except ValueError:
            problems.append(f"{settings.name}.json is damaged")
    known = {LADDER_FILE, CURES_FILE, NETWORKS_FILE, *(f"{settings.name}.json" for settings in GRID)}
    for path in sorted(folder.glob("[!.]*")):
        if path.name not in known and path.suffix != ".tmp":  # .tmp: a recording that is being written
            problems.append(f"{path.name} is no recording of this course")
    return runs, problems


def load_ladder(folder: Path = FOLDER) -> dict[str, dict]:
    """What `make_ladder` returned when it was recorded; raises FileNotFoundError, ValueError or OSError as load_run."""
    return _load(folder / LADDER_FILE, _as_ladder, f"{COMMAND} --ladder")


def load_cures(folder: Path = FOLDER) -> dict[str, dict]:
    """What `make_cures` returned when it was recorded, with epochs as numbers; raises as load_ladder."""
    return _load(folder / CURES_FILE, _as_cures, f"{COMMAND} --cures")
