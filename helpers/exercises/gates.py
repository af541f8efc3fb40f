"""Checks of notebook 09."""

import math

import torch

from .answer import Wrong, call
from .compare import agrees, as_tensor, describe
from .exercise import exercise, variants

# how the parts of the first exercise begin, for its hints
QUESTIONS = ("z = 1 for 50 steps", "z = 0.5 for 3 steps", "z = 0.5, 1 and 0.2", "the unit that starts at 0")


@exercise("warm-up", 3, "What is kept is a product of gates, one factor for each step: a single small one forgets.")
class what_is_left:
    def right():
        return [1.0, 0.125, 0.1, 0.4375]

    def otherwise(result):
        found = as_tensor(result)
        if found is None or found.shape != (4,):
            return f"Four numbers are asked for, [?, ?, ?, ?], not {describe(result)}."
        wrong = [agrees(ours, theirs) for ours, theirs in zip(found, what_is_left.right(), strict=True)].index(False)
        return (
            f"Number {wrong + 1}, for {QUESTIONS[wrong]}, is not right: go step by step, z times what the unit holds "
            "plus (1 − z) times the candidate."
        )

    def the_rest():
        """This is what has gone: what is left is asked for, and z is the share that stays."""
        return [0.0, 0.875, 0.9, 0.5625]

    def z_lets_in():
        """Here z is the share of the candidate. It is the share of the old value that stays."""
        return [0.0, 0.125, 0.0, 0.9375]

    def subtracted():
        """You subtract at each step: a share z of what is *there* stays, so multiply."""
        return [1.0, 0.0, 0.0, 0.5]

    def last_by_its_start():
        """The first three are right. In the last one, the second step keeps 0.75 of 0.25, and adds 0.25 again."""
        return [1.0, 0.125, 0.1, 0.25]


def _sigmoid(total: float) -> float:
    return 1 / (1 + math.exp(-total))


def _unit(x, h, w, b, how: str = "") -> float:
    """One step of a GRU with one unit; `how` names a mistake."""
    switch = {"no_sigmoid": float, "tanh_gates": math.tanh}.get(how, _sigmoid)
    squash = {"no_tanh": float, "sigmoid_candidate": _sigmoid}.get(how, math.tanh)
    r, z = (switch(x[k] + (w[k] * h if how != "gates_without_h" else 0) + b[k]) for k in (0, 1))
    r, z = (z, r) if how == "gates_swapped" else (r, z)
    inside = {
        "no_reset": x[2] + w[2] * h + b[2],
        "reset_all": r * (x[2] + w[2] * h + b[2]),
        "bias_outside": x[2] + r * w[2] * h + b[2],
        "reset_input": r * x[2] + w[2] * h + b[2],
    }.get(how, x[2] + r * (w[2] * h + b[2]))
    candidate = r * squash(x[2] + w[2] * h + b[2]) if how == "reset_outside" else squash(inside)
    if how == "candidate_alone":
        return candidate
    return (1 - z) * h + z * candidate if how == "z_lets_in" else z * h + (1 - z) * candidate


@exercise("core", 10, "Two soft switches and one tanh: the gates say how much, the candidate says what.")
class gru_unit:
    def cases(generator):
        def draw(count):
            return tuple((4 * torch.rand(count, generator=generator, dtype=torch.float64) - 2).tolist())

        easy = (0.0, 0.0, 1.0), 0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
        return [easy, *((draw(3), draw(1)[0] / 2, draw(3), draw(3)) for _ in range(5))]

    right = _unit

    def tells(x, h, w, b):
        return f"For x = {describe(x)}, h = {describe(h)}, w = {describe(w)}, b = {describe(b)}"

    @variants(
        how={
            "z_lets_in": "z and 1 − z are swapped: z is the share of the old state that stays.",
            "gates_swapped": "The gates are swapped: the first of the three numbers is the reset gate's, the second is "
            "that of z.",
            "no_reset": "The reset gate is missing: r multiplies what the candidate gets from h.",
            "reset_all": "r also multiplies the input's part of the candidate: it resets what comes from h, with its "
            "bias.",
            "reset_input": "r multiplies the input's part of the candidate: it belongs to the part from h.",
            "bias_outside": "r multiplies w · h alone. In this chapter's form, the bias is inside: r · (w · h + b).",
            "reset_outside": "r multiplies the candidate after tanh: it belongs inside, on the part from h.",
            "no_sigmoid": "The gates are plain sums: each goes through the sigmoid, so that it is between 0 and 1.",
            "tanh_gates": "The gates went through tanh and can be negative: a gate is a sigmoid, between 0 and 1.",
            "no_tanh": "The candidate is a plain sum: it goes through tanh.",
            "sigmoid_candidate": "The candidate went through the sigmoid: only gates do. It goes through tanh.",
            "gates_without_h": "The gates see the letter alone: w · h belongs into their sums, too.",
            "candidate_alone": "This is the candidate: a share z of the old state stays, and 1 − z of it comes in.",
        }
    )
    def slips(x, h, w, b, how):
        return _unit(x, h, w, b, how)


def _weights(kind: str, vocab_size: int, hidden_size: int, biases: int = 2, how: str = "") -> int:
    """How many numbers a network learns; `how` names a mistake."""
    blocks = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
    if how == "gates_only":
        blocks = max(blocks - 1, 1)
    h, biases = hidden_size, 1 if kind == "RNN" else biases
    output = 0 if how == "no_output" else h * vocab_size + vocab_size
    one = {"no_input": h * h, "no_memory": vocab_size * h}.get(how, vocab_size * h + h * h)
    whole = blocks * (one + biases * h)
    return blocks * (one + biases * h + output) if how == "output_in_blocks" else whole + output


@exercise(
    "core", 10, "Each gate costs as much as a whole RNN's recurrent part: three of them in a GRU, four in an LSTM."
)
class count_weights:
    def cases(generator):
        sizes = torch.randint(2, 40, (3, 2), generator=generator).tolist()
        return [(kind, *size) for size in ([1, 1], [28, 256], *sizes) for kind in ("RNN", "GRU", "LSTM")]

    right = _weights

    from_right = {lambda r: [r]: "A single number is asked for, without brackets."}

    def one_bias(kind, vocab_size, hidden_size):
        """Nearly: GRU and LSTM of this chapter have two biases, `b_x` and `b_h`."""
        return _weights(kind, vocab_size, hidden_size, biases=1)

    @variants(
        how={
            "no_output": "The output layer is missing: `W_hq` and `b_q` are learned, too.",
            "output_in_blocks": "The output layer is there once, not once for each block.",
            "gates_only": "The candidate is missing: it is a block as well, beside the two or three gates.",
            "no_input": "`W_xh` is missing: it has a row for each token.",
            "no_memory": "`W_hh` is missing: it has a row for each hidden unit.",
        }
    )
    def slips(kind, vocab_size, hidden_size, how):
        return _weights(kind, vocab_size, hidden_size, how=how)


BIG = 20.0  # σ(20) is 1 within a billionth


def _cell(answer, text: str) -> list[float]:
    """What one cell of an LSTM holds after each character, from the sums that `answer` gives for it."""
    cell, held = 0.0, []
    for character in text:
        sums = as_tensor(call(answer, character))
        if sums is None or sums.shape != (3,) or sums.is_complex():
            raise Wrong(f"For {character!r}, three sums are asked for: f, i and candidate. Yours: {describe(sums)}.")
        f, i, candidate = sums.double()
        cell = (torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(candidate)).item()
        held.append(cell)
    return held


@exercise("stretch", 25, "f keeps, i adds, and f shut clears: an LSTM's cell can count, a GRU's state cannot.")
class counting_sums:
    atol = 0.05

    run = _cell

    def cases(generator):
        drawn = torch.randint(4, (3, 12), generator=generator).tolist()
        return [
            ("a",),
            ("aa",),
            ("ab",),
            ("a b",),
            ("a banana",),
            *(("".join("aab "[n] for n in row),) for row in drawn),
        ]

    def right(character):
        return BIG if character != " " else -BIG, BIG if character == "a" else -BIG, BIG

    def tells(text):
        return f"After each character of {text!r}, the cell should hold the count of a's in the word:"

    def never_cleared(character):
        """The count goes on through spaces: at a space the cell has to be cleared. Which gate does that?"""
        return BIG, BIG if character == "a" else -BIG, BIG

    def all_counted(character):
        """Every letter is counted, not only the a's: which gate keeps a b out?"""
        return BIG if character != " " else -BIG, BIG if character != " " else -BIG, BIG

    def forgets(character):
        """At every a the cell holds 1: it forgets what it had counted. Which gate keeps it?"""
        return -BIG, BIG if character == "a" else -BIG, BIG

    def others_clear(character):
        """Every other letter clears the count, not only the space."""
        return BIG if character == "a" else -BIG, BIG if character == "a" else -BIG, BIG

    def space_counts(character):
        """The space clears the cell, but adds 1 itself: its i must be shut as well."""
        return BIG if character != " " else -BIG, BIG if character in "a " else -BIG, BIG

    def half_open(character):
        """Where a sum is 0 its gate is half open, σ(0) = 0.5: for a gate that is shut, the sum must be far below 0."""
        return BIG if character != " " else 0.0, BIG if character == "a" else 0.0, BIG

    @variants(candidate=(0.0, 1.0))
    def gates_themselves(character, candidate):
        """These are the gates, 0 and 1. The sums in front of them are asked for: σ(1) is only 0.73."""
        return float(character != " "), float(character == "a"), max(candidate, float(character == "a"))

    def counts_down(character):
        """It counts downwards: the candidate's sign decides what is added."""
        return BIG if character != " " else -BIG, BIG if character == "a" else -BIG, -BIG
