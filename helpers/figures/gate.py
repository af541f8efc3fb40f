"""A gate that a live run passes again and again: shut, it holds the run; stopped, it ends it."""

import threading
import time
from collections.abc import Callable, Iterator

import torch


class Stopped(Exception):
    """Raised at the gate to end the run."""


class Gate:
    """What pauses and stops a run, which asks it; `tell(waits)` is called when the run begins or ends to wait."""

    def __init__(self, tell: Callable[[bool], None] = lambda waits: None):
        self.tell, self.stopped, self.seconds_waiting = tell, False, 0.0
        self._open = threading.Event()
        self.pause, self.resume = self._open.clear, self._open.set
        self.resume()

    def stop(self) -> None:
        """End the run when it asks next, or now when it waits; for good, whatever is asked for later."""
        self.stopped = True

    def ask(self) -> None:
        """Wait here while the run is paused; raise Stopped once it was stopped."""
        if not self._open.is_set() and not self.stopped:
            start = time.perf_counter()
            self.tell(True)
            while not self.stopped and not self._open.wait(timeout=0.05):
                pass
            self.seconds_waiting += time.perf_counter() - start
            if not self.stopped:
                self.tell(False)
        if self.stopped:
            raise Stopped

    def clock(self) -> float:
        """Seconds that pass while the run does not wait."""
        return time.perf_counter() - self.seconds_waiting


class GatedBatches:
    """Minibatches that ask the gate before each of them is handed out."""

    def __init__(self, batches, gate: Gate):
        self.batches, self.gate = batches, gate
        self.carries_state, self.corpus = batches.carries_state, batches.corpus

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for X, Y in self.batches:
            self.gate.ask()
            yield X, Y
