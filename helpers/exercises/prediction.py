"""Checks of notebook 05."""

import torch

from ..rnn import RNN
from .compare import describe
from .exercise import exercise, variants


@exercise(
    "warm-up", 2, "All that the network keeps of the first piece is the state: hand it on, and the cut leaves no trace."
)
class after_two_pieces:
    def cases(generator):
        options = {"seed": int(torch.randint(2**31, (), generator=generator)), "device": "cpu", "dtype": torch.float64}
        models = [RNN(size, hidden_size, sigma=0.7, **options) for size, hidden_size in ((4, 4), (7, 6), (9, 8))]
        # all characters are different, so that no mistake is right by chance
        prefixes = [torch.randperm(model.vocab_size, generator=generator)[None] for model in models]
        cuts = zip(models, prefixes, (2, 4, 3), strict=True)
        return [(prefix[:, :cut], prefix[:, cut:], model) for model, prefix, cut in cuts]

    def tells(first, second, model):
        return f"For the pieces {describe(first)} and {describe(second)}"

    def right(first, second, model):
        return model(torch.cat([first, second], dim=1), model.initial_state(1))[0][-1, 0]

    from_case = {
        lambda a, b, model: (a, b[:, :-1], model): "These are the outputs one character too early: the last character "
        "of the prefix must be read, too.",
        lambda a, b, model: (a[:, :0], b, model): "The second piece was read from the zero state, so the network "
        "forgot the first: hand its state on.",
        lambda a, b, model: (a[:, :0], b[:, -1:], model): "The last character was read from the zero state, as though "
        "nothing stood before it.",
        lambda a, b, model: (a, b[:, :1], model): "You return the outputs after the *first* character of the second "
        "piece: the first axis is time.",
        lambda a, b, model: (a[:, :1], b[:, :0], model): "You return the outputs after the very first character: the "
        "first axis of `outputs` is time.",
        lambda a, b, model: (a, b[:, :0], model): "These are the outputs after the first piece: read the second, too.",
        lambda a, b, model: (b, a, model): "The pieces were read in the wrong order.",
        lambda a, b, model: (a, torch.cat([b, b[:, -1:]], dim=1), model): "The last character was read twice: the "
        "output after it came with the first reading.",
    }
    from_right = {
        lambda r: r.softmax(dim=0): "These are the probabilities of the next character: the outputs are asked, before "
        "the softmax.",
    }


@exercise(
    "core", 10, "A power α of the probabilities is a temperature of 1/α: α above 1 is careful, α below 1 is bold."
)
class sharpen:
    def cases(generator):
        outputs = [torch.randn(size, generator=generator, dtype=torch.float64) for size in (3, 5, 8)]
        drawn = [(torch.softmax(o, dim=0), alpha) for o, alpha in zip(outputs, (3.0, 0.5, 1.7), strict=True)]
        return [(torch.tensor([0.75, 0.25], dtype=torch.float64), 2.0), *drawn]

    def right(probs, alpha):
        return torch.softmax(probs.log() / (1 / alpha), dim=0)  # by way of the temperature

    from_case = {
        lambda probs, alpha: (probs, 1 / alpha): "The other way round: you raise to the power of 1/alpha, which makes "
        "*alpha* the temperature.",
        lambda probs, alpha: (probs, 1): "Your result is `probs` unchanged: a factor in front of all probabilities is "
        "lost when you divide by their sum. alpha is an exponent.",
    }
    from_right = {
        torch.log: "These are the logarithms of the probabilities, not the probabilities.",
        lambda r: r / r.max(): "Your largest entry is 1: divide by the sum of the powers, not by the largest of them.",
    }

    @variants(
        formula={
            lambda p, alpha: p**alpha: "The powers are right, but they do not sum to 1: divide by their sum, after "
            "raising to the power.",
            lambda p, alpha: torch.softmax(alpha * p, dim=0): "You multiply the probabilities by alpha and take the "
            "softmax: it expects outputs, which are logarithms.",
            lambda p, alpha: torch.softmax(p / alpha, dim=0): "You divide the probabilities by alpha and take the "
            "softmax: it expects outputs, which are logarithms.",
            lambda p, alpha: torch.softmax(p**alpha, dim=0): "The powers are right, but the softmax raises e to them "
            "once more: divide them by their sum.",
            lambda p, alpha: p * alpha: "alpha is an exponent here, not a factor; and probabilities sum to 1.",
            lambda p, alpha: p / alpha: "alpha is an exponent here, not a divisor; and probabilities sum to 1.",
        }
    )
    def other_formula(probs, alpha, formula):
        return formula(probs, alpha)


@exercise(
    "core",
    10,
    "Nothing is drawn, so nothing leads out: the state comes back, up to rounding, and the same letters with it.",
)
class circle_length:
    # where a loop over p may end, for a text of n characters; the first three are too soon for some
    _ENDS = (lambda n: n // 2, lambda n: n // 2 + 1, lambda n: (n + 1) // 2, lambda n: (n + 1) // 2 + 1, lambda n: n)

    def cases(generator):
        letters = "".join(chr(ord("a") + place) for place in torch.randperm(26, generator=generator)[:16])  # no circle
        a, b, c, d, e, f = letters[:6]
        short = [2 * (a + c), a + c + a + a, d + 2 * (a + c), 2 * (a + c + d), e + c + a + e + c, 3 * (a + c)]
        # among them: no circle unless an index is negative, an odd length, a circle as long as the half, a longer one
        greedy = [
            b + a + e + 4 * c,  # an odd length, and the circle begins with the last half
            letters[6:] + 4 * (c + a + " " + d + b + " "),  # two words of two letters
            letters[6:] + 5 * (f + a + " " + b + c + c),  # the doubled letter is not the circle
            letters[6:] + a + 6 * (d + e + a + e + " ") + d,
        ]
        return [(written,) for written in (*short, *greedy, letters)]

    def then(generator):
        return [("oo",), ("so",), ("aha",), ("the time machine and " + 9 * "the wings of the night in the ",)]

    def right(written, lengths=None, start=None):
        start = len(written) - len(written) // 2 if start is None else start
        for p in range(1, start + 1) if lengths is None else lengths:
            if all(written[i] == written[i - p] for i in range(start, len(written))):
                return p
        return 0

    from_case = {
        lambda written: (written, range(len(written) - len(written) // 2, 0, -1)): "A text that repeats after p "
        "characters repeats after 2p, too: the *smallest* p is asked.",
    }
    from_right = {
        lambda r: 0: "You always return 0. Does your loop begin with p = 0? There every character equals itself. Else: "
        "is your comparison ever true?",
        lambda r: max(r - 1, 0): "One too small: the circle leads back to where it began.",
    }

    @variants(end=_ENDS)
    def from_the_start(written, end):
        """You ask the whole text to go round, but a greedy text gets into its circle only after a while: compare its
        last half alone."""
        return next((p for p in range(1, end(len(written))) if written[p:] == written[:-p]), 0)

    @variants(end=_ENDS)
    def last_two_rounds(written, end):
        """You compare only the last p characters with the p before them, so a doubled letter at the end passes for a
        circle: compare all of the last half."""
        return next((p for p in range(1, end(len(written))) if written[-p:] == written[-2 * p : -p]), 0)

    def last_character(written):
        """You look where the last character stood before, but it may stand more than once in one circle: compare all
        of the last half."""
        return max(written[::-1].find(written[-1], 1), 0)

    @variants(more=(0, 1))
    def negative_index(written, more):
        """In a text without a circle, your p grows until the index is negative, and Python counts from the end: stop
        at the text's first character."""
        return circle_length.right(written, range(1, len(written) + more))

    @variants(end=_ENDS[:3])
    def stopped_too_soon(written, end):
        """Your p stops too soon: it can be as large as the number of characters in front of the last half."""
        return circle_length.right(written, range(1, end(len(written))))

    @variants(end=_ENDS)
    def half_too_long(written, end):
        """When the length of the text is odd, your last half is one character too long: only its last
        `len(written) // 2` characters are compared."""
        return circle_length.right(written, range(1, end(len(written))), start=len(written) // 2)

    def different_characters(written):
        """You count the different characters, but one may stand more than once in a circle."""
        return len(set(written[len(written) - len(written) // 2 :])) if circle_length.right(written) else 0

    def the_characters(written):
        """You return the characters of the circle: its length is asked."""
        return written[len(written) - circle_length.right(written) :] if circle_length.right(written) else ""


def _kept(outputs: torch.Tensor, k: int, largest: bool = True) -> torch.Tensor:
    """Where the k largest entries of each row are."""
    places = torch.topk(outputs, k, dim=-1, largest=largest).indices
    return torch.zeros_like(outputs, dtype=torch.bool).scatter(-1, places, True)


def _draw_outputs(generator: torch.Generator, rows: int, size: int) -> torch.Tensor:
    """Outputs whose k largest are at other places in each row; the largest of each is among the k largest of all."""
    sizes = 0.5 * torch.arange(size) + 0.2 * torch.rand(rows, size, generator=generator, dtype=torch.float64)
    sizes[:, -1] += 3
    places = torch.randperm(size, generator=generator)
    return torch.stack([sizes[row, places.roll(row)] for row in range(rows)]) - 0.3 * size


@exercise(
    "stretch",
    20,
    "The long tail of improbable characters can no longer be drawn, and the k best keep their order and their ratios.",
)
class top_k_probs:
    def cases(generator):
        shapes = ((1, 3, 2), (1, 4, 1), (2, 4, 2), (3, 6, 4), (2, 5, 5))
        return [(_draw_outputs(generator, rows, size), k) for rows, size, k in shapes]

    def then(generator):
        zeros, outputs = torch.tensor([[0.0, -1, 2, -3], [-4, -2, -1, 0]]), _draw_outputs(generator, 2, 6)
        return [(zeros, 2), (_draw_outputs(generator, 3, 28), 1), (outputs - 1000, 3), (outputs + 1000, 3)]

    def right(outputs, k, kept=None, dropped=-torch.inf):
        kept = _kept(outputs, k) if kept is None else kept
        return torch.softmax(outputs.masked_fill(~kept, dropped), dim=1)

    from_case = {
        lambda outputs, k: (outputs, min(k + 1, outputs.shape[1])): "You keep k + 1 characters in each row.",
        lambda outputs, k: (outputs, outputs.shape[1]): "Every character can still be drawn: only k of each row may.",
        lambda outputs, k: (outputs, k, _kept(outputs, k, largest=False)): "You keep the k smallest outputs instead of "
        "the k largest.",
        lambda outputs, k: (outputs, k, outputs >= outputs.flatten().topk(k).values[-1]): "You keep the k largest "
        "outputs of the whole minibatch: each row has its own k best.",
        lambda outputs, k: (outputs, k, _kept(outputs[:1], k).expand_as(outputs)): "You keep the best characters of "
        "the first row in all rows: each row has k best of its own.",
        lambda outputs, k: (outputs, k, _kept(outputs, k) & (outputs != 0)): "You drop every output that is 0, but an "
        "output of 0 can be among the k best: ask for its place, not for its value.",
    }

    def not_shared_out(outputs, k):
        """The right characters are left, but the rows no longer sum to 1: share out what you took away."""
        return torch.softmax(outputs, dim=1) * _kept(outputs, k)

    def zeros_before_softmax(outputs, k):
        """The dropped outputs are 0 before the softmax, and e to the power of 0 is 1: those characters can still be
        drawn."""
        return torch.softmax(outputs * _kept(outputs, k), dim=1)

    def second_softmax(outputs, k):
        """A second softmax does more than make the rows sum to 1: it lets the dropped characters in again."""
        return torch.softmax(torch.softmax(outputs, dim=1) * _kept(outputs, k), dim=1)

    def only_k_returned(outputs, k):
        """You return only k probabilities for each row, in order of size, so nobody knows whose they are: the shape
        must be (batch, vocab)."""
        return torch.softmax(outputs.topk(k, dim=1).values, dim=1)

    def no_softmax(outputs, k):
        """You divide the outputs themselves by their sum: outputs can be negative, and are no probabilities yet."""
        kept = outputs * _kept(outputs, k)
        return kept / kept.sum(dim=1, keepdim=True)

    @variants(number=(-50.0, -100.0, -500.0))
    def masked_with_a_number(outputs, k, number):
        """What is dropped must be −∞ before the softmax: outputs can be smaller than any number you choose."""
        return top_k_probs.right(outputs, k, dropped=number)
