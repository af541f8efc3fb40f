"""Wrong answers to the exercises of notebook 05, each with a pattern that the check's hint must match."""

import torch


def last_character_dropped(first, second, model):
    prefix = torch.cat([first, second], dim=1)[:, :-1]
    return model(prefix, model.initial_state(1))[0][-1, 0]


def state_reset(first, second, model):
    model(first, model.initial_state(1))
    return model(second, model.initial_state(1))[0][-1, 0]


def reset_at_each_character(first, second, model):
    for index in [*first[0], *second[0]]:
        outputs, _ = model(index.view(1, 1), model.initial_state(1))
    return outputs[-1, 0]


def first_output(first, second, model):
    _, state = model(first, model.initial_state(1))
    return model(second, state)[0][0, 0]


def whole_text_first_output(first, second, model):
    return model(torch.cat([first, second], dim=1), model.initial_state(1))[0][0, 0]


def time_left_out(first, second, model):
    _, state = model(first, model.initial_state(1))
    return model(second, state)[0]


def two_last_pieces(written):
    for p in range(1, len(written) // 2 + 1):
        if written.endswith(2 * written[-p:]):
            return p
    return 0


def goes_negative(written):
    p = 1
    while any(written[i] != written[i - p] for i in range((len(written) + 1) // 2, len(written))):
        p += 1
    return p


def up_to(last, start=lambda n: n - n // 2):
    """A circle_length whose p goes up to last(length); the last half begins at start(length)."""

    def circle_length(written):
        n = len(written)
        for p in range(1, last(n) + 1):
            if all(written[i] == written[i - p] for i in range(start(n), n)):
                return p
        return 0

    return circle_length


def begins_with_zero(written):
    half = len(written) // 2
    for p in range(half + 1):
        if written[half - p : len(written) - p] == written[half:]:
            return p
    return 0


def not_shared_out(outputs, k):
    probs = torch.softmax(outputs, dim=1)
    least = probs.topk(k, dim=1).values[:, -1:]
    return torch.where(probs >= least, probs, 0.0)


def zeros_before_softmax(outputs, k):
    least = outputs.topk(k, dim=1).values[:, -1:]
    return torch.softmax(torch.where(outputs >= least, outputs, 0.0), dim=1)


def the_smallest(outputs, k):
    greatest = outputs.topk(k, dim=1, largest=False).values[:, -1:]
    return torch.softmax(torch.where(outputs <= greatest, outputs, -torch.inf), dim=1)


def first_row_decides(outputs, k):
    best = outputs[0].topk(k).indices
    kept = torch.full_like(outputs, -torch.inf)
    kept[:, best] = outputs[:, best]
    return torch.softmax(kept, dim=1)


def one_bound_for_all(outputs, k):
    least = outputs.flatten().topk(k).values[-1]
    return torch.softmax(torch.where(outputs >= least, outputs, -torch.inf), dim=1)


WRONG = {
    "after_two_pieces": [
        (last_character_dropped, "one character too early"),
        (state_reset, "forgot the first"),
        (reset_at_each_character, "as though nothing stood before it"),
        (first_output, r"\*first\* character of the second piece"),
        (whole_text_first_output, "after the very first character"),
        (lambda a, b, m: m(a, m.initial_state(1))[0][-1, 0], "read the second, too"),
        (lambda a, b, m: m(b, m(a, m.initial_state(1)))[0][-1, 0], "raised AttributeError in line"),
        (lambda a, b, m: torch.softmax(m(torch.cat([a, b], 1), m.initial_state(1))[0][-1, 0], 0), "before the softmax"),
        (time_left_out, r"shape \(2, 1, 4\) instead of \(4,\)"),
    ],
    "sharpen": [
        (lambda p, alpha: p**alpha, "do not sum to 1"),
        (lambda p, alpha: (p / p.sum()) ** alpha, "divide by their sum, after"),
        (lambda p, alpha: torch.exp(alpha * (p.log() - p.sum().log())), "do not sum to 1"),
        (lambda p, alpha: torch.softmax(p.log() / alpha, dim=0), "other way round"),
        (lambda p, alpha: p / alpha / (p / alpha).sum(), "`probs` unchanged"),
        (lambda p, alpha: torch.softmax(alpha * p, dim=0), "it expects outputs"),
        (lambda p, alpha: torch.softmax(p**alpha, dim=0), "raises e to them once more"),
        (lambda p, alpha: torch.log_softmax(alpha * p.log(), dim=0), "logarithms of the probabilities"),
        (lambda p, alpha: (p + alpha) / (p + alpha).sum(), "For .* your result is .* expected"),
    ],
    "circle_length": [
        (two_last_pieces, "doubled letter"),
        (goes_negative, "negative"),
        (up_to(lambda n: n - 1), "negative"),
        (up_to(lambda n: n // 2 - 1), "stops too soon"),
        (up_to(lambda n: n // 2), "stops too soon"),
        (up_to(lambda n: n // 2, start=lambda n: n // 2), "length of the text is odd"),
        (up_to(lambda n: n - 1, start=lambda n: n // 2), "length of the text is odd"),
        (begins_with_zero, "Does your loop begin with p = 0"),
        (lambda w: 0, "comparison ever true"),
        (lambda w: next((p for p in range(1, len(w) // 2) if w.startswith(w[p:])), 0), "only after a while"),
        (lambda w: w[::-1].find(w[-1], 1) if w[-1] in w[:-1] else 0, "more than once in one circle"),
        (lambda w: 7, "For .* your result is 7, expected 2"),
    ],
    "top_k_probs": [
        (not_shared_out, "no longer sum to 1"),
        (zeros_before_softmax, "can still be drawn"),
        (lambda o, k: torch.softmax(not_shared_out(o, k), dim=1), "second softmax"),
        (lambda o, k: torch.softmax(torch.sort(o, dim=1, descending=True).values[:, :k], dim=1), "whose they are"),
        (lambda o, k: not_shared_out(-o, k), "For .* your result is .* expected"),
        (the_smallest, "the k smallest"),
        (one_bound_for_all, "its own k best"),
        (first_row_decides, "first row in all rows"),
        (lambda o, k: torch.softmax(o, dim=-1), "only k of each row"),
    ],
}
