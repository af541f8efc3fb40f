"""Checks of notebook 05."""

import random

import torch

from ..rnn import RNN
from .answer import compare, exercise, fresh

NOTEBOOK = "05_prediction"


@exercise(
    NOTEBOOK,
    "warm-up",
    2,
    "All that the network keeps of the first piece is the state: hand it on, and the cut leaves no trace.",
)
def after_two_pieces(answer) -> None:
    """after_two_pieces(first, second, model): the outputs after a prefix that arrives in two pieces."""
    generator = fresh()
    cases = []
    for size, hidden_size, first, second in ((4, 4, 2, 2), (7, 6, 4, 3), (9, 8, 3, 6)):
        seed = int(torch.randint(2**31, (), generator=generator))
        model = RNN(size, hidden_size, sigma=0.7, seed=seed, device="cpu", dtype=torch.float64)
        prefix = torch.randperm(size, generator=generator)[None]  # all different, so that no mistake is right by chance
        cases.append((prefix[:, :first], prefix[:, first : first + second], model))

    def right(first, second, model):
        state = model.initial_state(1)
        for index in [*first[0], *second[0]]:  # one character at a time
            outputs, state = model(index.view(1, 1), state)
        return outputs[0, 0]

    def without(first, second, model):
        return model(first, model.initial_state(1))[1]

    mistakes = [
        (
            lambda a, b, m: right(a, b[:, :-1], m),
            "These are the outputs one character too early: the last character of the prefix must be read, too.",
        ),
        (
            lambda a, b, m: right(b[:, :0], b, m),
            "The second piece was read from the zero state, so the network forgot the first: hand its state on.",
        ),
        (
            lambda a, b, m: m(b[:, -1:], m.initial_state(1))[0][-1, 0],
            "The last character was read from the zero state, as though nothing stood before it.",
        ),
        (
            lambda a, b, m: m(b, without(a, b, m))[0][0, 0],
            "You return the outputs after the *first* character of the second piece: the first axis is time.",
        ),
        (
            lambda a, b, m: m(a, m.initial_state(1))[0][0, 0],
            "You return the outputs after the very first character: the first axis of `outputs` is time.",
        ),
        (lambda a, b, m: right(a, b[:, :0], m), "These are the outputs after the first piece: read the second, too."),
        (lambda a, b, m: right(b, a, m), "The pieces were read in the wrong order."),
        (
            lambda a, b, m: torch.softmax(right(a, b, m), dim=0),
            "These are the probabilities of the next character: the outputs are asked, before the softmax.",
        ),
        (
            lambda a, b, m: right(a, torch.cat([b, b[:, -1:]], dim=1), m),
            "The last character was read twice: the output after it came with the first reading.",
        ),
    ]
    compare(answer, right, cases, mistakes)


@exercise(
    NOTEBOOK,
    "core",
    10,
    "A power α of the probabilities is a temperature of 1/α: α above 1 is careful, α below 1 is bold.",
)
def sharpen(answer) -> None:
    """sharpen(probs, alpha): probabilities proportional to probs to the power of alpha."""
    generator = fresh()
    cases = [(torch.tensor([0.75, 0.25], dtype=torch.float64), 2.0)]
    for size, alpha in ((3, 3.0), (5, 0.5), (8, 1.7)):
        outputs = torch.randn(size, generator=generator, dtype=torch.float64)
        cases.append((torch.softmax(outputs, dim=0), alpha))

    def right(probs, alpha):
        return torch.softmax(probs.log() / (1 / alpha), dim=0)  # by way of the temperature

    mistakes = [
        (
            lambda p, a: p**a,
            "The powers are right, but they do not sum to 1: divide by their sum, after raising to the power.",
        ),
        (
            lambda p, a: right(p, 1 / a),
            "The other way round: you raise to the power of 1/alpha, which makes *alpha* the temperature.",
        ),
        (
            lambda p, a: p,
            "Your result is `probs` unchanged: a factor in front of all probabilities is lost when you divide by their "
            "sum. alpha is an exponent.",
        ),
        (
            lambda p, a: torch.softmax(a * p, dim=0),
            "You multiply the probabilities by alpha and take the softmax: it expects outputs, which are logarithms.",
        ),
        (
            lambda p, a: torch.softmax(p / a, dim=0),
            "You divide the probabilities by alpha and take the softmax: it expects outputs, which are logarithms.",
        ),
        (
            lambda p, a: torch.softmax(p**a, dim=0),
            "The powers are right, but the softmax raises e to them once more: divide them by their sum.",
        ),
        (lambda p, a: right(p, a).log(), "These are the logarithms of the probabilities, not the probabilities."),
        (
            lambda p, a: p**a / p.max() ** a,
            "Your largest entry is 1: divide by the sum of the powers, not by the largest of them.",
        ),
        (lambda p, a: p * a, "alpha is an exponent here, not a factor; and probabilities sum to 1."),
        (lambda p, a: p / a, "alpha is an exponent here, not a divisor; and probabilities sum to 1."),
    ]
    compare(answer, right, cases, mistakes)


def _circle(written: str, lengths=None, start=None) -> int:
    """The first of `lengths` that the text from `start`, its last half, repeats with; 0 when there is none."""
    start = len(written) - len(written) // 2 if start is None else start
    for p in range(1, start + 1) if lengths is None else lengths:
        if all(written[i] == written[i - p] for i in range(start, len(written))):
            return p
    return 0


def _from_the_start(written: str, end: int) -> int:
    return next((p for p in range(1, end) if written[p:] == written[:-p]), 0)


def _last_two(written: str, end: int) -> int:
    return next((p for p in range(1, end) if written[-p:] == written[-2 * p : -p]), 0)


def _last_character(written: str) -> int:
    place = written.rfind(written[-1], 0, len(written) - 1)
    return len(written) - 1 - place if place >= 0 else 0


@exercise(
    NOTEBOOK,
    "core",
    10,
    "Nothing is drawn, so nothing leads out: the state comes back, up to rounding, and the same letters with it.",
)
def circle_length(answer) -> None:
    """circle_length(written): after how many characters the end of a text repeats itself."""
    rng = random.Random(fresh().initial_seed())

    def letters(alphabet, count):
        return "".join(rng.sample(alphabet, count))

    a, b = letters("aeiou", 2)
    c, d, e = letters("bcdfghlmnst", 3)
    lead = letters("pqrvwxyz", 5)
    cases = [
        (a + c) * 2,
        a + c + a + a,  # no circle, but the index i - 3 becomes negative and finds one
        d + (a + c) * 2,  # an odd length
        (a + c + d) * 2,  # the circle is as long as the half
        e + c + a + e + c,  # the circle is longer than the half
        (a + c) * 3,
        b + a + c * 5,
        lead + (c + a + " " + d + b + " ") * 4,  # two words of two letters
        lead[::-1] + ("s" + a + " " + b + c + c) * 5,  # the doubled letter is not the circle
        lead + a + (d + e + a + e + " ") * 6 + d,
        letters("abcdefghijklmnopqrstuvwxyz", 16),  # no circle
    ]
    # where a loop over p may end, for a text of n characters
    ends = (lambda n: n // 2, lambda n: n // 2 + 1, lambda n: (n + 1) // 2, lambda n: (n + 1) // 2 + 1, lambda n: n)
    mistakes = [
        (
            lambda w: 0,
            "You always return 0. Does your loop begin with p = 0? There every character equals itself. Else: is your "
            "comparison ever true?",
        ),
        *(
            (
                lambda w, last=last: _from_the_start(w, last(len(w))),
                "You ask the whole text to go round, but a greedy text gets into its circle only after a while: "
                "compare its last half alone.",
            )
            for last in ends
        ),
        *(
            (
                lambda w, last=last: _last_two(w, last(len(w))),
                "You compare only the last p characters with the p before them, so a doubled letter at the end passes "
                "for a circle: compare all of the last half.",
            )
            for last in ends
        ),
        (
            _last_character,
            "You look where the last character stood before, but it may stand more than once in one circle: compare "
            "all of the last half.",
        ),
        (
            lambda w: _circle(w, range(len(w) - len(w) // 2, 0, -1)),
            "A text that repeats after p characters repeats after 2p, too: the *smallest* p is asked.",
        ),
        *(
            (
                lambda w, more=more: _circle(w, range(1, len(w) + more)),
                "In a text without a circle, your p grows until the index is negative, and Python counts from the "
                "end: stop at the text's first character.",
            )
            for more in (0, 1)
        ),
        *(
            (
                lambda w, last=last: _circle(w, range(1, last(len(w)))),
                "Your p stops too soon: it can be as large as the number of characters in front of the last half.",
            )
            for last in ends
        ),
        *(
            (
                lambda w, last=last: _circle(w, range(1, last(len(w))), start=len(w) // 2),
                "When the length of the text is odd, your last half is one character too long: only its last "
                "`len(written) // 2` characters are compared.",
            )
            for last in ends
        ),
        (
            lambda w: len(set(w[len(w) - len(w) // 2 :])) if _circle(w) else 0,
            "You count the different characters, but one may stand more than once in a circle.",
        ),
        (lambda w: max(_circle(w) - 1, 0), "One too small: the circle leads back to where it began."),
        (
            lambda w: w[len(w) - _circle(w) :] if _circle(w) else "",
            "You return the characters of the circle: its length is asked.",
        ),
    ]
    compare(answer, _circle, [(written,) for written in cases], mistakes)


def _kept(outputs: torch.Tensor, k: int, largest: bool = True) -> torch.Tensor:
    """Where the k largest entries of each row are."""
    places = torch.topk(outputs, k, dim=-1, largest=largest).indices
    return torch.zeros_like(outputs, dtype=torch.bool).scatter(-1, places, True)


@exercise(
    NOTEBOOK,
    "stretch",
    20,
    "The long tail of improbable characters can no longer be drawn, and the k best keep their order and their ratios.",
)
def top_k_probs(answer) -> None:
    """top_k_probs(outputs, k): probabilities of the k most probable characters of each row, 0 for the others."""
    generator = fresh()
    cases = []
    for rows, size, k in ((1, 3, 2), (1, 4, 1), (2, 4, 2), (3, 6, 4), (2, 5, 5)):
        outputs = torch.randn(rows, size, generator=generator, dtype=torch.float64)
        while rows > 1 and k < size and (_kept(outputs, k) == _kept(outputs[:1], k)).all():  # the rows must differ
            outputs = torch.randn(rows, size, generator=generator, dtype=torch.float64)
        best = outputs.argmax(dim=1, keepdim=True)
        cases.append((outputs.scatter_add(1, best, torch.full_like(best, 3, dtype=torch.float64)), k))

    def right(outputs, k):
        weights = outputs.exp() * _kept(outputs, k)
        return weights / weights.sum(dim=1, keepdim=True)

    def of_all_rows(outputs, k):
        bound = outputs.flatten().topk(k).values[-1]
        return torch.softmax(outputs.masked_fill(outputs < bound, -torch.inf), dim=1)

    mistakes = [
        (
            lambda o, k: torch.softmax(o, dim=1) * _kept(o, k),
            "The right characters are left, but the rows no longer sum to 1: share out what you took away.",
        ),
        (
            lambda o, k: torch.softmax(o * _kept(o, k), dim=1),
            "The dropped outputs are 0 before the softmax, and e to the power of 0 is 1: those characters can still be "
            "drawn.",
        ),
        (
            lambda o, k: torch.softmax(torch.softmax(o, dim=1) * _kept(o, k), dim=1),
            "A second softmax does more than make the rows sum to 1: it lets the dropped characters in again.",
        ),
        (
            lambda o, k: torch.softmax(o.topk(k, dim=1).values, dim=1),
            "You return only k probabilities for each row, in order of size, so nobody knows whose they are: the shape "
            "must be (batch, vocab).",
        ),
        (
            lambda o, k: torch.softmax(o.masked_fill(~_kept(o, k, largest=False), -torch.inf), dim=1),
            "You keep the k smallest outputs instead of the k largest.",
        ),
        (
            of_all_rows,
            "You keep the k largest outputs of the whole minibatch: each row has its own k best.",
        ),
        (
            lambda o, k: torch.softmax(o.masked_fill(~_kept(o[:1], k), -torch.inf), dim=1),
            "You keep the best characters of the first row in all rows: each row has k best of its own.",
        ),
        (
            lambda o, k: o * _kept(o, k) / (o * _kept(o, k)).sum(dim=1, keepdim=True),
            "You divide the outputs themselves by their sum: outputs can be negative, and are no probabilities yet.",
        ),
        (
            lambda o, k: right(o, min(k + 1, o.shape[1])),
            "You keep k + 1 characters in each row.",
        ),
        (lambda o, k: torch.softmax(o, dim=1), "Every character can still be drawn: only k of each row may."),
    ]
    compare(answer, right, cases, mistakes)
