"""Checks of notebook 05."""

import torch

from ..rnn import RNN
from .compare import describe
from .exercise import exercise, variants


def _outputs(prefix: torch.Tensor, model) -> torch.Tensor:
    """The outputs after each character of a prefix, (time, vocab), read from the zero state."""
    return model(prefix, model.initial_state(1))[0][:, 0]


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
        return _outputs(torch.cat([first, second], dim=1), model)[-1]

    def last_character_left_out(first, second, model):
        """These are the outputs one character too early: the last character of the prefix must be read, too."""
        return _outputs(torch.cat([first, second], dim=1), model)[-2]

    def state_reset(first, second, model):
        """The second piece was read from the zero state, so the network forgot the first: hand its state on."""
        return _outputs(second, model)[-1]

    def reset_at_each_character(first, second, model):
        """The last character was read from the zero state, as though nothing stood before it."""
        return _outputs(second[:, -1:], model)[-1]

    def first_of_the_second(first, second, model):
        """You return the outputs after the *first* character of the second piece: the first axis is time."""
        return _outputs(torch.cat([first, second], dim=1), model)[first.shape[1]]

    def very_first(first, second, model):
        """You return the outputs after the very first character: the first axis of `outputs` is time."""
        return _outputs(first, model)[0]

    def second_not_read(first, second, model):
        """These are the outputs after the first piece: read the second, too."""
        return _outputs(first, model)[-1]

    def wrong_order(first, second, model):
        """The pieces were read in the wrong order."""
        return _outputs(torch.cat([second, first], dim=1), model)[-1]

    def softmax_taken(first, second, model):
        """These are the probabilities of the next character: the outputs are asked, before the softmax."""
        return torch.softmax(after_two_pieces.right(first, second, model), dim=0)

    def last_read_twice(first, second, model):
        """The last character was read twice: the output after it came with the first reading."""
        return _outputs(torch.cat([first, second, second[:, -1:]], dim=1), model)[-1]


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

    def not_normalised(probs, alpha):
        """The powers are right, but they do not sum to 1: divide by their sum, after raising to the power."""
        return probs**alpha

    def upside_down(probs, alpha):
        """The other way round: you raise to the power of 1/alpha, which makes *alpha* the temperature."""
        return sharpen.right(probs, 1 / alpha)

    def unchanged(probs, alpha):
        """Your result is `probs` unchanged: a factor in front of all probabilities is lost when you divide by their
        sum. alpha is an exponent."""
        return probs

    def softmax_of_the_product(probs, alpha):
        """You multiply the probabilities by alpha and take the softmax: it expects outputs, which are logarithms."""
        return torch.softmax(alpha * probs, dim=0)

    def softmax_of_the_quotient(probs, alpha):
        """You divide the probabilities by alpha and take the softmax: it expects outputs, which are logarithms."""
        return torch.softmax(probs / alpha, dim=0)

    def softmax_of_the_powers(probs, alpha):
        """The powers are right, but the softmax raises e to them once more: divide them by their sum."""
        return torch.softmax(probs**alpha, dim=0)

    def logarithms(probs, alpha):
        """These are the logarithms of the probabilities, not the probabilities."""
        return sharpen.right(probs, alpha).log()

    def divided_by_the_largest(probs, alpha):
        """Your largest entry is 1: divide by the sum of the powers, not by the largest of them."""
        return (probs / probs.max()) ** alpha

    def multiplied(probs, alpha):
        """alpha is an exponent here, not a factor; and probabilities sum to 1."""
        return probs * alpha

    def divided(probs, alpha):
        """alpha is an exponent here, not a divisor; and probabilities sum to 1."""
        return probs / alpha


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

    def always_zero(written):
        """You always return 0. Does your loop begin with p = 0? There every character equals itself. Else: is your
        comparison ever true?"""
        return 0

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

    def largest(written):
        """A text that repeats after p characters repeats after 2p, too: the *smallest* p is asked."""
        return circle_length.right(written, range(len(written) - len(written) // 2, 0, -1))

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

    def one_too_small(written):
        """One too small: the circle leads back to where it began."""
        return max(circle_length.right(written) - 1, 0)

    def the_characters(written):
        """You return the characters of the circle: its length is asked."""
        return written[len(written) - circle_length.right(written) :] if circle_length.right(written) else ""


def _kept(outputs: torch.Tensor, k: int, largest: bool = True) -> torch.Tensor:
    """Where the k largest entries of each row are."""
    places = torch.topk(outputs, k, dim=-1, largest=largest).indices
    return torch.zeros_like(outputs, dtype=torch.bool).scatter(-1, places, True)


def _softmax_where(kept: torch.Tensor, outputs: torch.Tensor, dropped: float = -torch.inf) -> torch.Tensor:
    return torch.softmax(outputs.masked_fill(~kept, dropped), dim=1)


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

    def right(outputs, k):
        return _softmax_where(_kept(outputs, k), outputs)

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

    def smallest_kept(outputs, k):
        """You keep the k smallest outputs instead of the k largest."""
        return _softmax_where(_kept(outputs, k, largest=False), outputs)

    def one_bound_for_all(outputs, k):
        """You keep the k largest outputs of the whole minibatch: each row has its own k best."""
        return _softmax_where(outputs >= outputs.flatten().topk(k).values[-1], outputs)

    def first_row_decides(outputs, k):
        """You keep the best characters of the first row in all rows: each row has k best of its own."""
        return _softmax_where(_kept(outputs[:1], k).expand_as(outputs), outputs)

    def no_softmax(outputs, k):
        """You divide the outputs themselves by their sum: outputs can be negative, and are no probabilities yet."""
        kept = outputs * _kept(outputs, k)
        return kept / kept.sum(dim=1, keepdim=True)

    def one_too_many(outputs, k):
        """You keep k + 1 characters in each row."""
        return top_k_probs.right(outputs, min(k + 1, outputs.shape[1]))

    def all_kept(outputs, k):
        """Every character can still be drawn: only k of each row may."""
        return torch.softmax(outputs, dim=1)

    def zero_dropped(outputs, k):
        """You drop every output that is 0, but an output of 0 can be among the k best: ask for its place, not for its
        value."""
        return _softmax_where(_kept(outputs, k) & (outputs != 0), outputs)

    @variants(number=(-50.0, -100.0, -500.0))
    def masked_with_a_number(outputs, k, number):
        """What is dropped must be −∞ before the softmax: outputs can be smaller than any number you choose."""
        return _softmax_where(_kept(outputs, k), outputs, number)
