"""``python -m helpers.runs --processes 2`` trains the whole GRID into recordings/, one file for each run.

It takes about an hour and a half. Interrupt it at any time: started again, it goes on with the runs that
are not there yet. Delete a recording to have it made anew.
"""

import argparse
import json
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from .cures import make_cures
from .files import COMMAND, CURES_FILE, FOLDER, LADDER_FILE, load_runs, save_run, write
from .ladder import make_ladder
from .networks import make_networks, save_networks
from .recording import make_run
from .settings import GRID, Settings


def _make_runs(missing: list[Settings], folder: Path, processes: int) -> None:
    context = multiprocessing.get_context("spawn")  # a forked torch may hang
    # an interrupt reaches the workers too; they leave it to this process, which ends them
    pool = ProcessPoolExecutor(processes, context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        jobs = [pool.submit(make_run, settings, aloud=True) for settings in missing]
        for number, job in enumerate(as_completed(jobs), 1):
            run = job.result()
            save_run(run, folder)
            end = run.stopped or f"perplexity {run.perplexity[-1]:.4g}, unseen text {run.unseen[max(run.unseen)]:.4g}"
            print(f"{number}/{len(missing)} {run.settings.name}: {end}", flush=True)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Train and record the grid of runs.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files go (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="runs at a time, one thread each (default: 1)")
    parser.add_argument("--only", default="", help="only runs whose name contains this, such as h32 or lr0.1_")
    parser.add_argument("--ladder", action="store_true", help="the networks of the ladder (10 minutes) instead")
    parser.add_argument("--networks", action="store_true", help="the two of notebook 11 (4 minutes) instead")
    parser.add_argument("--cures", action="store_true", help="the small trainings of notebook 10 (10 minutes) instead")
    options = parser.parse_args(arguments)
    if options.processes < 1:
        parser.error(f"--processes must be at least 1, but it is {options.processes}")
    wanted = [settings for settings in GRID if options.only in settings.name]
    if not wanted:
        parser.error(f"no run of the grid has {options.only!r} in its name, such as {GRID[0].name}")
    if options.folder.exists() and not options.folder.is_dir():
        parser.error(f"--folder must be a folder, but {options.folder} is a file")
    try:
        for wanted_one, name, make in (
            (options.ladder, LADDER_FILE, make_ladder),
            (options.cures, CURES_FILE, make_cures),
        ):
            if wanted_one:
                write(options.folder / name, json.dumps(make(), indent=1) + "\n")
                return
        if options.networks:
            save_networks(make_networks(), options.folder)
            return
        whole, _ = load_runs(options.folder)
        missing = [settings for settings in wanted if settings not in whole]  # a damaged file is recorded again
        print(f"{len(GRID)} runs in the grid, {len(missing)} to record now", flush=True)
        _make_runs(missing, options.folder, options.processes)
    except KeyboardInterrupt:
        raise SystemExit("Interrupted. Start it again to go on with what is not there yet.") from None


if __name__ == "__main__":
    # Started in the background, a process is told to ignore interrupts; and a plain kill must end the workers too.
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.default_int_handler)
    main()
