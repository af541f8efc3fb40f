"""Wrong answers to the exercises of notebook 03, each with a pattern that the check's hint must match."""

import math
from collections import Counter

WRONG = {
    "count_parameters": [
        (lambda V, h: V * h + h * h + h * V, "also learns its biases"),
        (lambda V, h: V * h + h * h + h + h * h + V, "counted as a square"),
        (lambda V, h: V * h + h + h * V + V, "`W_hh` is missing"),
        (lambda V, h: h * (V + h + V) + h + h, "To what is `b_q` added"),
        (lambda V, h: V * h + h * h + h, "how to read the outputs"),
        (lambda V, h: V * h + h * h + h + h * V + 2 * V, "`b_q` is counted twice"),
        (lambda V, h: V * h + h * h + 2 * h + h * V + V, "`b_h` is counted twice"),
        (lambda V, h: (V + h) ** 2, "For 3, 2 your result is 25, expected 21"),
    ],
    "zero_output_weights": [
        ((["b_q"], ["b_q"]), "everything is zero"),
        ((["W_xh", "W_hh", "b_h", "W_hq", "b_q"],) * 2, "What does a matrix of zeros let through"),
        ((["W_xh", "W_hh", "b_h"], ["W_hq", "b_q"]), "turned round"),
        ((["W_hq", "b_q"], ["W_hq", "b_q"]), "not the same again"),
        (({"W_hq"}, {"W_hq", "b_q"}), "`b_q` is missing"),
        ((["W_hq", "b_q"], ["W_xh", "b_h", "W_hq", "b_q"]), "ask again for `W_hh`"),
        ((["W_hq", "b_q"], ["W_hh", "W_hq", "b_q"]), "whether anything on its way is zero"),
        (["W_hq", "b_q"], "Two lists are asked for, one for each step.* 'W_hq'"),
        (("b_q", "W_hq"), "Two lists are asked for, one for each step.* 'b_q'"),
        ((["W_hq", "b_q"], "W_xh, W_hh, b_h, W_hq, b_q"), "Two lists are asked for, one for each step"),
        ((["W_hq", "b_x"], []), "no tensor called 'b_x'"),
    ],
    "frequency_perplexity": [
        (lambda known, new: -sum(math.log(known.count(c) / len(known)) for c in new) / len(new), "This is the loss"),
        (
            lambda known, new: math.exp(-sum(math.log2(known.count(c) / len(known)) for c in new) / len(new)),
            "in bits, and `exp` undoes `log`",
        ),
        (lambda known, new: len(new) / sum(known.count(c) / len(known) for c in new), "average the probabilities"),
        (
            lambda known, new: math.exp(
                -sum(n / len(known) * math.log(n / len(known)) for n in Counter(known).values())
            ),
            "You score the model on `known`",
        ),
        (
            lambda known, new: math.exp(-sum(math.log(known.count(c) / len(known)) for c in set(new)) / len(set(new))),
            "average over the different characters",
        ),
        (
            lambda known, new: math.prod(known.count(c) / len(known) for c in new) ** (1 / len(new)),
            "A sign is lost",
        ),
        (lambda known, new: 26.0, "For 'aab', 'ab' your result is 26.0, expected 2.121"),
    ],
    "moderate_start": [
        (lambda hidden_size: 0.01, "too small. One sigma for all sizes"),
        (lambda hidden_size: 0.1, "One sigma for all sizes"),
        (lambda hidden_size: 40 / hidden_size, "falls too fast"),
        (lambda hidden_size: hidden_size**-0.5, "too small. It changes with the size as it should"),
        (lambda hidden_size: 8 / math.sqrt(hidden_size), "too large. It changes with the size as it should"),
        (lambda hidden_size: hidden_size / 1000, "grows with the size"),
        (lambda hidden_size: 0.3 / math.log(hidden_size), "falls too slowly"),
        (lambda hidden_size: 1 / math.sqrt(hidden_size + 28), "too small. It changes with the size as it should, or"),
        (lambda hidden_size: 0.26 if hidden_size < 70 else 0.13 if hidden_size < 220 else 0.066, "not a table"),
        (lambda hidden_size: {32: 0.26, 128: 0.13, 512: 0.066}[hidden_size], "KeyError"),
        (lambda hidden_size: 1.5 / math.sqrt(hidden_size) if hidden_size in (32, 512) else 0, "do not go one way"),
        (lambda hidden_size: -1, "must be 0 or more"),
    ],
}
