"""From a prefix to its continuation."""

import torch
from torch.nn import functional as F

from .require import require, require_count, require_positive, require_prefix
from .rnn import State
from .text import Vocab


def warm_up(prefix: str, model, vocab: Vocab) -> tuple[torch.Tensor, State]:
    """Read the whole prefix; return the outputs after its last character, (vocab,), and the state there.

    Raises ValueError when the prefix is empty or has unknown characters, or the vocabulary does not fit.
    """
    require(
        len(vocab) == model.vocab_size,
        f"The vocabulary has {len(vocab)} entries, but the model was made for {model.vocab_size}: "
        "use the vocabulary that the model was trained with.",
    )
    require_prefix(prefix, vocab)
    X = vocab.encode(prefix)[None]
    with torch.no_grad():
        outputs, state = model(X, model.initial_state(1))
    return outputs[-1, 0], state


def next_char_probs(outputs: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Probability of each next character: softmax of `outputs`, (vocab,), divided by the temperature.

    Temperature 0 is the limit: all probability on the largest output. `<unk>`, index 0, gets none,
    because it stands for no character. Raises ValueError when the temperature is negative.
    """
    require_positive("temperature", temperature, or_zero=True)
    outputs = outputs.detach().cpu().double().clone()
    outputs[0] = -torch.inf
    if temperature == 0:
        return F.one_hot(outputs.argmax(), len(outputs)).double()
    return torch.softmax((outputs - outputs.max()) / temperature, dim=0)


def generate(prefix: str, num_chars: int, model, vocab: Vocab, temperature: float = 0.0, seed: int = 0) -> str:
    """`prefix` and the `num_chars` characters that the model puts after it.

    Temperature 0 takes the most probable character each time (greedy); above 0 the next character
    is drawn from `next_char_probs`. The model's state before the call is not touched.
    """
    require_count("num_chars", num_chars, minimum=0)
    require_positive("temperature", temperature, or_zero=True)
    outputs, state = warm_up(prefix, model, vocab)
    generator = torch.Generator().manual_seed(seed)
    written = prefix
    for _ in range(num_chars):
        drawn = int(torch.multinomial(next_char_probs(outputs, temperature), 1, generator=generator))
        written += vocab.tokens[drawn]
        with torch.no_grad():
            outputs, state = model(torch.tensor([[drawn]]), state)
        outputs = outputs[-1, 0]
    return written
