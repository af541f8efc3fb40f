"""The speed of the course's training, measured as ratios that travel from machine to machine.

    python tests/benchmark.py            speed of three models, six processes at once, the live plot (about 5 minutes)
    python tests/benchmark.py --quick    the same with fewer rounds and seconds (about 1 minute)
    python tests/benchmark.py --seeds    the classic recipe over 5 seeds as well (about 100 s for each)
    python tests/benchmark.py --only X   one part: speed, processes, live, seeds, or notebooks (about 6 minutes)

Nothing here is a test: a target that is missed is printed as such, and the exit status stays 0.
"""

import argparse
import contextlib
import io
import multiprocessing
import os
import platform
import re
import statistics
import subprocess
import time
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient

from helpers.figures.live_plot import LivePlot
from helpers.generate import generate
from helpers.rnn import RNN, TorchRNN, forward_loop, one_hot
from helpers.runs.settings import CLASSIC
from helpers.text import SequentialBatches, Vocab, clean, read_book
from helpers.train import train, train_epoch

BATCH_SIZE, NUM_STEPS, HIDDEN_SIZE = CLASSIC.batch_size, CLASSIC.num_steps, CLASSIC.hidden_size
LR, MAX_NORM = CLASSIC.lr, CLASSIC.max_norm


class TextbookRNN(RNN):
    """The same five tensors, with one-hot vectors and both products inside the loop."""

    def forward(self, X, state):
        return forward_loop(one_hot(X, self.vocab_size).to(self.device), state, self.params)

    __call__ = forward


class UntilTime:
    """Minibatches, epoch after epoch, for a number of seconds."""

    def __init__(self, batches, seconds):
        self.batches, self.seconds, self.carries_state = batches, seconds, batches.carries_state

    def __iter__(self):
        end = time.perf_counter() + self.seconds
        while True:
            for pair in self.batches:
                if time.perf_counter() >= end:
                    return
                yield pair


def classic_batches(seed=0):
    """The vocabulary of the book, and sequential minibatches of its first 10,000 characters."""
    text = clean(read_book())
    vocab = Vocab(text)
    return vocab, SequentialBatches(vocab.encode(text[: CLASSIC.num_chars]), BATCH_SIZE, NUM_STEPS, seed)


def verdict(ratio, target):
    return f"{ratio:5.2f}   target ≥ {target:.2f}   {'met' if ratio >= target else 'MISSED'}"


def print_machine():
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"  # Windows has none
    print(f"machine: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, load before: {load}")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s) unless told otherwise")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none beside the CPU"
    print(f"accelerator: {device}")


def epoch_seconds(model, batches):
    """Seconds and tokens of one epoch."""
    start = time.perf_counter()
    _, _, num_tokens = train_epoch(model, batches, LR, MAX_NORM)
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, num_tokens


def compare_speeds(hidden_size, num_rounds, targets):
    """Train three models in turn, one epoch each a round, so that whatever else the machine does hits all alike."""
    vocab, _ = classic_batches()
    models = {
        "course RNN": RNN(len(vocab), hidden_size, device="cpu"),
        "textbook loop": TextbookRNN(len(vocab), hidden_size, device="cpu"),
        "torch.nn.RNN": TorchRNN("RNN", len(vocab), hidden_size, device="cpu"),
    }
    batches = {name: classic_batches()[1] for name in models}
    for name, model in models.items():
        epoch_seconds(model, batches[name])  # warm up
    speeds = {name: [] for name in models}
    names = list(models)
    for i in range(num_rounds):
        for name in names[i % 3 :] + names[: i % 3]:  # each goes first in every third round
            seconds, num_tokens = epoch_seconds(models[name], batches[name])
            speeds[name].append(num_tokens / seconds)
    print(f"\ntraining speed, h {hidden_size}, B {BATCH_SIZE}, T {NUM_STEPS}, 1 thread, median of {num_rounds} rounds")
    for name in names:
        print(f"  {name:14} {statistics.median(speeds[name]):9,.0f} tokens/s")
    for other, target in targets.items():
        ratios = [course / theirs for course, theirs in zip(speeds["course RNN"], speeds[other], strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        label = f"course / {other}"
        print(f"  {label:24} {verdict(statistics.median(ratios), target)}   (half of the rounds: {low:.2f}–{high:.2f})")


def speed_on_cuda(hidden_size, num_rounds):
    vocab, batches = classic_batches()
    model = RNN(len(vocab), hidden_size, device="cuda")
    epoch_seconds(model, batches)
    speeds = []
    for _ in range(num_rounds):
        seconds, num_tokens = epoch_seconds(model, batches)
        speeds.append(num_tokens / seconds)
    print(f"\ncourse RNN on CUDA, h {hidden_size}: {statistics.median(speeds):,.0f} tokens/s")


def train_for(seconds, num_threads, barrier, results):
    """One process among several: set up, wait for the others, train, report tokens per second."""
    torch.set_num_threads(num_threads)
    vocab, batches = classic_batches()
    model = RNN(len(vocab), HIDDEN_SIZE, device="cpu")
    train_epoch(model, UntilTime(batches, 0.5), LR, MAX_NORM)  # warm up
    barrier.wait()
    start = time.perf_counter()
    _, _, num_tokens = train_epoch(model, UntilTime(batches, seconds), LR, MAX_NORM)
    results.put(num_tokens / (time.perf_counter() - start))


def total_speed(num_processes, seconds, num_threads):
    """Tokens per second of all processes together, which start to train at the same moment."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(num_processes), context.Queue()
    arguments = seconds, num_threads, barrier, results
    processes = [context.Process(target=train_for, args=arguments, daemon=True) for _ in range(num_processes)]
    for process in processes:
        process.start()
    total = sum(results.get(timeout=120 + 10 * seconds) for _ in processes)
    for process in processes:
        process.join()
    return total


def compare_processes(num_processes, seconds, target=1.3):
    print(f"\n{num_processes} training processes at once, h {HIDDEN_SIZE}, {seconds:g} s each")
    for num_threads in (1, 2):
        alone = total_speed(1, seconds, num_threads)
        together = total_speed(num_processes, seconds, num_threads)
        # The target is for the single thread that the course sets; two are printed to show why.
        ratio = verdict(together / alone, target) if num_threads == 1 else f"{together / alone:5.2f}   for comparison"
        print(f"  {num_threads} thread(s) each: alone {alone:9,.0f}, together {together:9,.0f} tokens/s, ratio {ratio}")


def classic_recipe(num_seeds, max_epochs, wanted=1.1):
    """Epochs and seconds of the classic recipe until the perplexity is first below `wanted`."""
    print(f"\nclassic recipe, h {HIDDEN_SIZE}, sequential: epochs until the perplexity is below {wanted}")
    for seed in range(num_seeds):
        vocab, batches = classic_batches(seed)
        model = RNN(len(vocab), HIDDEN_SIZE, seed=seed, device="cpu")
        start = time.perf_counter()
        for record in train(model, batches, max_epochs, LR, MAX_NORM):
            if record.perplexity < wanted:
                break
        seconds = time.perf_counter() - start
        outcome = "reached" if record.perplexity < wanted else "NOT REACHED"
        print(f"  seed {seed}: {outcome}, epoch {record.epoch}, perplexity {record.perplexity:.3f}, {seconds:.0f} s")


def share_of_live_plot(num_epochs, target=0.05):
    """Train as notebook 07 does, and add up the time that the plot and the samples take."""
    vocab, batches = classic_batches()
    model = RNN(len(vocab), HIDDEN_SIZE, device="cpu")
    start, training = time.perf_counter(), 0.0
    with contextlib.redirect_stdout(io.StringIO()), LivePlot("a run", num_epochs) as live:
        clock = time.perf_counter()
        for record in train(model, batches, num_epochs, LR, MAX_NORM):
            training += time.perf_counter() - clock
            sample = generate("time traveller ", 50, model, vocab) if record.epoch % 20 == 0 else None
            live.add(record, sample)
            clock = time.perf_counter()
    share = 1 - training / (time.perf_counter() - start)
    print(
        f"\nlive plot and samples, {num_epochs} epochs, h {HIDDEN_SIZE}: {share:.1%} of the time, target ≤ {target:.0%}"
    )


def peak_memory_mib(pid):
    """The most memory that the process `pid` ever held, in MiB; Linux only."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


def measure_notebooks():
    """Run every notebook from a fresh kernel; print its seconds and the peak memory of its kernel."""
    print("\nnotebook                   seconds   peak memory (targets: 20 s, 07: 300 s, 1024 MiB)")
    for path in sorted(Path(__file__).parents[1].glob("notebooks/*.ipynb")):
        start = time.perf_counter()
        client = NotebookClient(nbformat.read(path, 4), timeout=900, resources={"metadata": {"path": path.parent}})
        with client.setup_kernel(stderr=subprocess.DEVNULL):  # a warning about TCP for each
            for index, cell in enumerate(client.nb.cells):
                client.execute_cell(cell, index)
            seconds, memory = time.perf_counter() - start, peak_memory_mib(client.km.provisioner.process.pid)
        print(f"{path.name:25} {seconds:8.1f} {memory:10.0f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description="How fast the course trains, as ratios.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer seconds")
    parser.add_argument("--only", choices=["speed", "processes", "live", "seeds", "notebooks"], help="one part alone")
    parser.add_argument("--rounds", type=int, help="rounds of the speed comparison (default 60, quick 12)")
    parser.add_argument("--processes", type=int, default=6, help="training processes at once (default 6)")
    parser.add_argument("--seconds", type=float, help="seconds that each process trains (default 10, quick 3)")
    parser.add_argument("--seeds", type=int, nargs="?", const=5, help="the classic recipe over so many seeds (5)")
    parser.add_argument("--max-epochs", type=int, default=500, help="epochs after which a seed is given up (500)")
    options = parser.parse_args()
    num_rounds = options.rounds or (12 if options.quick else 60)
    seconds = options.seconds or (3.0 if options.quick else 10.0)

    print_machine()
    torch.set_num_threads(1)
    if options.only in (None, "speed"):
        compare_speeds(256, num_rounds, {"textbook loop": 1.10, "torch.nn.RNN": 0.95})
        compare_speeds(512, num_rounds, {"textbook loop": 1.03, "torch.nn.RNN": 0.95})
        if torch.cuda.is_available():
            speed_on_cuda(512, num_rounds)
    if options.only in (None, "processes"):
        compare_processes(options.processes, seconds)
    if options.only in (None, "live"):
        share_of_live_plot(20 if options.quick else 100)
    if options.only == "notebooks":
        measure_notebooks()
    if options.only == "seeds" or (options.seeds and options.only is None):
        classic_recipe(options.seeds or 5, options.max_epochs)


if __name__ == "__main__":
    main()
