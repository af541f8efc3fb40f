"""The package that the notebooks lean on: the core (text, rnn, train, generate), plot, figures, runs and exercises.

Importing it sets torch to one thread, because several students often share one machine: six
training processes with two threads each slow one another about five times. Alone on a machine, call
``torch.set_num_threads(2)`` after the imports, or set the environment variable OMP_NUM_THREADS.
"""

import os

import torch

if "OMP_NUM_THREADS" not in os.environ:
    torch.set_num_threads(1)
