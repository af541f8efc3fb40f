"""From a prefix to its continuation."""

import numbers

import torch

from . import check_count
from .rnn import State
from .text import Vocab


def _check_fit(model, vocab: Vocab) -> None:
    if len(vocab) != model.vocab_size:
        raise ValueError(
            f"The vocabulary has {len(vocab)} entries, but the model was made for {model.vocab_size}: "
            "use the vocabulary that the model was trained with."
        )


def _check_temperature(temperature: float) -> None:
    if isinstance(temperature, bool) or not isinstance(temperature, numbers.Real):
        raise TypeError(f"temperature must be a number, but it is {temperature!r}.")
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature must be 0 (greedy) or a positive number, but it is {temperature}.")


def check_prefix(prefix: str, vocab: Vocab) -> None:
    """Raise ValueError when `prefix` is empty or has characters that `vocab` does not hold."""
    if not prefix:
        raise ValueError("The prefix is empty: the network needs at least one character to start from.")
    unknown = sorted({character for character in prefix if character not in vocab.index})
    if unknown:
        raise ValueError(
            f"The prefix has characters that the text never uses: {' '.join(map(repr, unknown))}. "
            f"Allowed are: {' '.join(map(repr, vocab.tokens[1:]))}. clean(prefix) leaves only those."
        )


def warm_up(prefix: str, model, vocab: Vocab) -> tuple[torch.Tensor, State]:
    """Read the whole prefix; return the outputs after its last character, (vocab,), and the state there.

    Raises ValueError when the prefix is empty or has unknown characters, or the vocabulary does not fit.
    """
    _check_fit(model, vocab)
    check_prefix(prefix, vocab)
    with torch.no_grad():
        outputs, state = model(vocab.encode(prefix)[None], model.initial_state(1))
    return outputs[-1, 0], state


def next_char_probs(outputs: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Probability of each next character: softmax of `outputs`, (vocab,), divided by the temperature.

    Temperature 0 is the limit: all probability on the largest output. `<unk>`, index 0, gets none,
    because it stands for no character. Raises ValueError when the temperature is negative.
    """
    _check_temperature(temperature)
    outputs = outputs.detach().cpu().double().clone()
    outputs[0] = -torch.inf
    if temperature == 0:
        return torch.nn.functional.one_hot(outputs.argmax(), len(outputs)).double()
    return torch.softmax((outputs - outputs.max()) / temperature, dim=0)


def generate(prefix: str, num_chars: int, model, vocab: Vocab, temperature: float = 0.0, seed: int = 0) -> str:
    """`prefix` and the `num_chars` characters that the model puts after it.

    Temperature 0 takes the most probable character each time (greedy); above 0 the next character
    is drawn from `next_char_probs`. The model's state before the call is not touched.
    """
    check_count("num_chars", num_chars, minimum=0)
    _check_temperature(temperature)
    outputs, state = warm_up(prefix, model, vocab)
    generator = torch.Generator().manual_seed(seed)
    indices = []
    with torch.no_grad():
        for _ in range(num_chars):
            probs = next_char_probs(outputs, temperature)
            indices.append(int(torch.multinomial(probs, 1, generator=generator)))
            outputs, state = model(torch.tensor([[indices[-1]]]), state)
            outputs = outputs[-1, 0]
    return prefix + vocab.decode(indices)
