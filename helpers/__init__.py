"""The small package that the notebooks lean on: text, rnn, generate, train, plot.

Importing it sets torch to one thread, because several students often share one machine: six
training processes with two threads each slow one another about five times. Alone on a machine, call
``torch.set_num_threads(2)`` after the imports, or set the environment variable OMP_NUM_THREADS.
"""

import numbers
import os

import torch

if "OMP_NUM_THREADS" not in os.environ:
    torch.set_num_threads(1)


def check_count(name: str, value: int, minimum: int = 1) -> int:
    """Return `value` as an int, or say in one sentence why it is no count.

    Raises TypeError when it is not a whole number, ValueError when it is below `minimum`.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number, but it is {value!r}.")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, but it is {value}.")
    return int(value)


def check_positive(name: str, value: float) -> float:
    """Return `value` as a float, or raise ValueError or TypeError if it is no positive number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, but it is {value!r}.")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a positive, finite number, but it is {value}.")
    return float(value)
