"""The cures of chapter 10: small trainings that differ from the plain recipe in one thing, or lack one of five."""

import math
import time

import torch

from ..recipe import Adam, DropoutGRU, fit, one_cycle
from ..text import SequentialBatches, Vocab, clean, read_book
from ..train import evaluate, sgd_step
from .recording import rounded

CURES_EPOCHS, LONG_EPOCHS = 10, 20
CURES = ("rise and fall", "Adam", "vectors", "dropout", "more units")
RECIPES = {"plain": (), **{cure: (cure,) for cure in CURES}, "all five": CURES}
RECIPES |= {f"all but {cure}": tuple(other for other in CURES if other != cure) for cure in CURES}
LONG = {f"dropout {share:g}": share for share in (0.0, 0.1, 0.3)}  # with all other cures, for LONG_EPOCHS


def one_fall(done: float) -> float:
    """`one_cycle` without its rise: the rate as a share of its highest, from which it begins."""
    return (1 + math.cos(math.pi * done)) / 2


CLOSER = {  # what in a cure it is that helps, by arguments of make_recipe
    "plain, rows 8 long": {"cures": (), "length": 8.0},
    "Adam, rows 8 long": {"cures": ("Adam",), "length": 8.0},
    "all five, no rise": {"cures": CURES, "cycle": one_fall},
}


class Descent:
    """Plain gradient descent, to be called as `Adam` is."""

    def __init__(self, params):
        self.params = list(params)

    def step(self, lr: float) -> None:
        sgd_step(self.params, lr)


class OneHotGRU(DropoutGRU):
    """The same network with one-hot rows, times `length`, in place of learned vectors: its first matrix is fixed."""

    def __init__(self, vocab_size: int, hidden_size: int, dropout: float, length: float = 1.0):
        super().__init__(vocab_size, hidden_size, vocab_size, dropout)
        self.params = (length * torch.eye(vocab_size), *self.params[1:])

    def parameters(self) -> list[torch.Tensor]:
        return list(self.params[1:])


def split_in_three(text: str) -> tuple[str, str, str]:
    """The last tenth to score, the twentieth before it to choose, and before both what is there to train on."""
    score = len(text) - len(text) // 10
    choose = score - len(text) // 20
    return text[:choose], text[choose:score], text[score:]


def make_recipe(cures: tuple[str, ...], vocab_size: int, share: float = 0.3, length: float = 1.0, cycle=one_cycle):
    """The network, its highest learning rate and how the rate goes, and the method, with some of CURES.

    share: of the numbers that dropout blanks; length: of the one-hot rows. A rate that goes by `cycle` has half its
    highest value on average, so its highest is twice the steady one.
    """
    hidden_size, dropout = 256 if "more units" in cures else 128, share if "dropout" in cures else 0.0
    if "vectors" in cures:
        model = DropoutGRU(vocab_size, hidden_size, dropout=dropout)
    else:
        model = OneHotGRU(vocab_size, hidden_size, dropout, length)
    lr, method = (0.002, Adam) if "Adam" in cures else (2.0, Descent)
    cycles = "rise and fall" in cures
    return model, 2 * lr if cycles else lr, cycle if cycles else lambda done: 1.0, method


def make_cures(num_chars: int | None = None) -> dict[str, dict]:
    """Train RECIPES, LONG and CLOSER: for each the processor's seconds, and perplexities by epoch.

    `training` has one for each epoch, on the part to train; `unseen` has those of every second one, on the part to
    choose. num_chars: of both parts, all if None.
    """
    text = clean(read_book())
    vocab = Vocab(text)
    seen_text, unseen_text, _ = split_in_three(text)
    corpus, unseen = vocab.encode(seen_text)[:num_chars], vocab.encode(unseen_text)[:num_chars]
    runs = {name: ({"cures": cures}, CURES_EPOCHS) for name, cures in RECIPES.items()}
    runs |= {name: ({"cures": CURES, "share": share}, LONG_EPOCHS) for name, share in LONG.items()}
    runs |= {name: (options, CURES_EPOCHS) for name, options in CLOSER.items()}
    made = {}
    for name, (options, num_epochs) in runs.items():
        start = time.process_time()
        model, lr, schedule, method = make_recipe(vocab_size=len(vocab), **options)
        training, chosen = [], {}
        batches = SequentialBatches(corpus, 32, 64)
        for record in fit(model, batches, num_epochs, lr, schedule=schedule, method=method):
            training.append(rounded(record.perplexity))
            if record.epoch % 2 == 0:
                chosen[record.epoch] = rounded(evaluate(model, unseen))
        made[name] = {"seconds": round(time.process_time() - start), "training": training, "unseen": chosen}
        print(f"{name}: {training[-1]} on its training text, {chosen} on unseen text", flush=True)
    return made
