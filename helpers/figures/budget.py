"""A budget of time, for what is done beside training."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Budget:
    """Keeps what is done again and again below a `share` of the time: the dearer it was, the longer it rests."""

    def __init__(self, share: float, clock: Callable[[], float]):
        self.share, self.clock = share, clock
        self.spent, self._due = 0.0, float("-inf")

    def allows(self) -> bool:
        """Whether it may be done now."""
        return self.clock() >= self._due

    def expect(self, seconds: float) -> None:
        """From now on, rest as long as something that takes `seconds` asks for."""
        self._due = self.clock() + seconds * (1 / self.share - 1)

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Book what the block costs, also when it fails."""
        start = self.clock()
        try:
            yield
        finally:
            seconds = self.clock() - start
            self.spent += seconds
            self.expect(seconds)
