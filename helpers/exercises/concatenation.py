"""Checks of notebook 01."""

import torch

from .answer import PRODUCTS, Wrong, torch_calls
from .compare import as_tensor, by_name, describe
from .exercise import exercise, variants

AUTOGRAD = "The numbers are right, but PyTorch's autograd found them. Work them out with products alone."


def _draw(generator, shapes, *sizes):
    """Tensors of shapes such as "rx xh" for the sizes of r, x, h, z: whole float32 numbers from −9 to 9 without 0."""
    axes = dict(zip("rxhz", sizes, strict=False))
    drawn = [torch.randint(1, 19, [axes[axis] for axis in shape], generator=generator) for shape in shapes.split()]
    return tuple(torch.where(numbers > 9, numbers - 19, numbers).float() for numbers in drawn)


@exercise("warm-up", 2, "A sum may be cut anywhere: the place between `X` and `H` is only where the names change.")
class cut_anywhere:  # the pair of products whose sum is XH @ W, cut before column c
    def cases(generator):
        sizes = ((1, 2, 1, 1), (2, 5, 2, 2), (2, 5, 2, 0), (2, 5, 2, 5), (3, 4, 1, 3), (1, 1, 1, 1))
        return [(*_draw(generator, "rx xh", *axes), c) for *axes, c in sizes]

    def right(XH, W, c):
        return XH[:, :c] @ W[:c], XH[:, c:] @ W[c:]

    from_case = {
        lambda XH, W, c: (XH, W, c - 1): "The cut is one column too early: what does the slice `:c` stop before?",
        lambda XH, W, c: (XH, W, c + 1): "The cut is one column too late: columns are counted from 0, and `:c` stops "
        "before `c`.",
    }
    from_right = {
        sum: "This is the sum. The two products themselves are asked for, as a pair.",
        lambda r: r[::-1]: "Both products are right, but the other one comes first.",
    }

    def columns_of_W_cut(XH, W, c):
        """You cut `W` between two columns, so each half lacks some hidden units. Cut where the sum runs."""
        return XH @ W[:, :c], XH @ W[:, c:]

    def column_skipped(XH, W, c):
        """One column of `XH` is in neither part: where does the second part start?"""
        return XH[:, :c] @ W[:c], XH[:, c + 1 :] @ W[c + 1 :]


def _size(A, B, of="AaBb"):
    """The largest size of the numbers named in `of`: A, B for the greatest, a, b for the least; 1 of none."""
    numbers = {"A": A.max(), "B": B.max(), "a": A.min(), "b": B.min()}
    return max((numbers[name].abs() for name in of), default=1.0)


def _mean(D, power=1):
    return (D.abs() ** power).mean() ** (1 / power)


_ANY = ("AaBb", "Aa", "Bb", "")  # a mistake may be made with each of these sizes
_ROW, _MANY = [10.0, -20.0, 15.0, -5.0], [50.0 + i * 37 % 100 for i in range(100)]
_PAIRS = [  # A, B and the tolerance
    *[([1.0, 2.0], [0.8, 2.0], 1e-3), ([0.0, 0.0], [0.0, 0.0], 1e-6), ([4.0, 2.0], [3.0, 2.0], 0.25)],  # at the limit
    *[([5.0], [-5.0], 0.1), ([-5.0, -2.0, -1.0], [-5.35, -2.0, -1.0], 0.1)],
    *[p for C in ([1.4, -1.0], [1.0, -1.4]) for p in ((C, [1.0, -1.0], 0.3), ([1.0, -1.0], C, 0.3))],  # largest in one
    *[(_ROW, [10 + d, -20 - d, 15 + d, -5 - d], t) for d, t in ((1.4, 0.1), (3.0, 0.1), (2.0, 1e-3))],
    *[([2000.0, 1e-4], [2000.0, -1e-4], 1e-5), ([4.0, 1.0], [4.00002, 1.0], 1e-6)],  # too much with allclose's rtol
    *[([1e5, -2e5], [100003.0, -2e5], 1e-4), ([1e-6, -2e-6], [1e-6, -2.002e-6], 1e-4), ([1.0], [3.0], 0.45)],
    *[([[900.0, x], [y, 1.0]], [[900.0, x], [y, 1.5]], 1e-3) for x, y in ((1.0, 1000.0), (1000.0, 1.0))],
    *[(_MANY, _MANY[:-n] + [a + 0.7 for a in _MANY[-n:]], 1e-3) for n in (1, 2)],
    *[([x, 2 * x], [x, 4 * x], 0.1) for x in (1e30, 1e-30)],  # whose squares are inf and 0
]


@exercise("core", 10, "Every entry counts, up or down, and rounding is judged by the size of the numbers.")
class equal_within:  # whether two float32 tensors differ nowhere by more than a share of their largest entry
    def cases(generator):
        W, H = (torch.randn(shape, generator=generator) for shape in ((8, 500), (500, 8)))
        routes = W @ H, W[:, :99] @ H[:99] + W[:, 99:] @ H[99:], 1e-4
        return [*((torch.tensor(A), torch.tensor(B), tolerance) for A, B, tolerance in _PAIRS), routes]

    def otherwise(result, A, B, tolerance):
        found, told = as_tensor(result), f"but your function returns {describe(result)}"
        if found is None or found.dtype != torch.bool or isinstance(result, list):
            return f"True or False is expected, {told}."
        if found.numel() != 1:
            return f"One True or False for the whole tensors is asked for, {told}: one answer for each entry."
        return (
            f"For {describe(A, 7)}, {describe(B, 7)}, {tolerance:g} your result is {bool(found)}, expected {not found}."
        )

    def right(A, B, tolerance, size=None):
        size = _size(A, B) if size is None else size
        return bool((A.double() - B.double()).abs().max() <= tolerance * size.double())

    from_case = {
        lambda A, B, t: (A.abs(), B.abs(), t, _size(A, B)): "You take the signs off before you subtract: then 5 and −5 "
        "are equal.",
        lambda A, B, t: (A, B, t, _size(A, B, "Aa")): "The largest number of *both* tensors counts: it may well stand "
        "in `B`, which you do not look at.",
        lambda A, B, t: (A, B, t, _size(A, B, "Bb")): "The largest number of *both* tensors counts: it may well stand "
        "in `A`, which you do not look at.",
        lambda A, B, t: (A, B, t, _size(A, A) + _size(B, B)): "You add the largest numbers of the two tensors, and "
        "allow twice too much: the larger of them counts.",
    }

    def bit_for_bit(A, B, tolerance):
        """You compare bit for bit, so two right routes to one result count as different."""
        return torch.equal(A, B)

    @variants(of=("A", "B", "AB", "ABa", "ABb", "AaB", "aBb", "Ab", "aB"))
    def signs_counted(A, B, tolerance, of):
        """What is the largest number of 1, 2 and −5 here, or of a tensor in which all are negative? Its size counts."""
        return ((A - B).abs() <= tolerance * _size(A, B, of)).all()

    @variants(rtol=(0, 1e-5))
    def size_left_out(A, B, tolerance, rtol):
        """You allow the same difference whatever the size of the numbers. Near 100,000 the next `float32` is 0.008
        away, and among numbers near 0.000001 a difference of 0.0001 is huge."""
        return torch.allclose(A, B, rtol=rtol, atol=tolerance)

    @variants(own=(lambda A, B: A, lambda A, B: B, lambda A, B: torch.maximum(A.abs(), B.abs())))
    def share_of_each_entry(A, B, tolerance, own):
        """You allow each entry a share of itself. An entry near 0 that was left over from large numbers carries
        *their* rounding."""
        return ((A - B).abs() <= tolerance * own(A, B).abs()).all()

    @variants(other=(False, True))
    def mean_measured(A, B, tolerance, other):
        """You measure by the mean size of the numbers. The text asks for the largest one."""
        return ((A - B).abs() <= tolerance * (max(_mean(A), _mean(B)) if other else _mean(A))).all()

    def rtol_left_in(A, B, tolerance):
        """`allclose` adds a tolerance of its own, `rtol`, which is a share of each entry: set it to 0."""
        return torch.allclose(A, B, atol=float(tolerance * _size(A, B)))

    @variants(sign=(1, -1), of=_ANY)
    def one_way_only(A, B, tolerance, sign, of):
        """You compare `A - B` without its sign taken off: an entry that is far too small passes."""
        return (sign * (A - B) <= tolerance * _size(A, B, of)).all()

    @variants(power=(1, 2), of=_ANY)
    def mean_difference(A, B, tolerance, power, of):
        """You judge the mean of the differences. One entry that is far off hides among many good ones."""
        return _mean(A - B, power) <= tolerance * _size(A, B, of)

    @variants(taken=(torch.abs, torch.positive), of=_ANY)
    def opposites_cancel(A, B, tolerance, taken, of):
        """Differences up and down cancel one another in your mean, so two very different tensors pass."""
        return taken((A - B).mean()) <= tolerance * _size(A, B, of)

    @variants(powers=((1, 1), (2, 2), (2, 1)), of=("A", "B", "AB"))
    def whole_compared(A, B, tolerance, powers, of):
        """You compare whole tensors, by norms or means: one entry that is far off hides among many good ones."""
        return _mean(A - B, powers[0]) <= tolerance * max(_mean({"A": A, "B": B}[name], powers[1]) for name in of)

    @variants(divided=(True, False), of=_ANY[:3])
    def zeros_differ(A, B, tolerance, divided, of):
        """Two tensors of zeros count as different: “at most” takes in 0, and 0/0 is no number."""
        D, largest = (A - B).abs().max(), _size(A, B, of)
        return D / largest <= tolerance if divided else D < tolerance * largest

    @variants(of=_ANY)
    def one_is_enough(A, B, tolerance, of):
        """One entry that agrees is not enough: all must."""
        return ((A - B).abs() <= tolerance * _size(A, B, of)).any()

    def one_hides(A, B, tolerance):
        """One entry that is far off passes: look at each entry."""
        return (len(A) >= 10 and (A != B).sum() == 1) or equal_within.right(A, B, tolerance)


@exercise("core", 10, "Any sum of products is one product of joined matrices, whatever the number of terms.")
class join_three:  # X @ W_xh + H @ W_hh + Z @ W_zh as one product
    tells = by_name("X H Z W_xh W_hh W_zh")

    def cases(generator):
        sizes = (1, 1, 1, 1), (2, 3, 3, 3)  # no mistake is an error
        return [_draw(generator, "rx rh rz xh hh zh", *axes) for axes in sizes]

    def then(generator):
        return [_draw(generator, "rx rh rz xh hh zh", *sizes) for sizes in ((2, 3, 4, 5), (1, 4, 2, 3), (3, 1, 1, 1))]

    def also(answer, generator):
        called = torch_calls(answer, *_draw(generator, "rx rh rz xh hh zh", 2, 3, 4, 5))
        products = sum(name in PRODUCTS for name in called)
        if products > 1:
            raise Wrong(f"The numbers are right, but your function makes {products} matrix products. One is enough.")
        if not products:
            raise Wrong("The numbers are right, but no product of PyTorch's tensors made them: stay with those.")

    def right(X, H, Z, W_xh, W_hh, W_zh):
        return X @ W_xh + H @ W_hh + Z @ W_zh

    @variants(order=((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)))
    def in_another_order(*six, order):
        """A right shape and wrong numbers: the inputs stand in another order than their weights."""
        return torch.cat([six[i] for i in order], dim=1) @ torch.cat(six[3:], dim=0)

    def both_added(X, H, Z, W_xh, W_hh, W_zh):
        """You add the inputs, and add the weights: then `X` meets `W_hh` too."""
        return (X + H + Z) @ (W_xh + W_hh + W_zh)

    def inputs_added(X, H, Z, W_xh, W_hh, W_zh):
        """You add the inputs: then `H` and `Z` meet the weights of `X`."""
        return (X + H + Z) @ W_xh

    def Z_missing(X, H, Z, W_xh, W_hh, W_zh):
        """The third input, `Z`, is missing from your result."""
        return X @ W_xh + H @ W_hh

    def stacked(*six):
        """You stack the inputs and lay the weights side by side. Which axis does the sum run along?"""
        return torch.cat(six[:3], dim=0) @ torch.cat(six[3:], dim=1)


@exercise("stretch", 20, "Joining forwards is cutting backwards: one product gives the gradients of both blocks.")
class gradient_blocks:  # the gradients of W_xh and W_hh for the loss tanh([X, H] @ W).square().mean(), by hand
    forbidden = {("backward", "grad", "_make_dual"): AUTOGRAD}

    atol, tells = 1e-5, by_name("X H W_xh W_hh")

    def cases(generator):
        sizes = (1, 2, 1), (2, 3, 2), (3, 2, 4), (1, 1, 3), (1, 1, 1)  # not always as many rows as hidden units
        return [tuple(part / 9 for part in _draw(generator, "rx rh xh hh", *axes)) for axes in sizes]

    def right(X, H, W_xh, W_hh):
        W_xh, W_hh = (W.clone().requires_grad_() for W in (W_xh, W_hh))
        return torch.autograd.grad(torch.tanh(X @ W_xh + H @ W_hh).square().mean(), (W_xh, W_hh))

    from_right = {
        lambda r: r[::-1]: "Both gradients are right, but swapped: the rows of `W_xh` come first in the joined matrix.",
        lambda r: [g.T for g in r]: "Both gradients are transposed: a gradient has the shape of its matrix.",
        torch.cat: "This is the gradient of the joined matrix: it still has to be cut.",
    }

    def cut_at_wrong_row(X, H, W_xh, W_hh):
        """The cut is at the wrong row: how many rows does `W_xh` have?"""
        joined = torch.cat(gradient_blocks.right(X, H, W_xh, W_hh))
        return joined[: len(W_hh)], joined[len(W_hh) :]

    @variants(
        rule={  # the gradient of the sums S, from them and from A = tanh(S)
            lambda S, A: 2 * A / A.numel(): "The tanh is missing on the way back: how fast does it change where its "
            "value is already near 1?",
            lambda S, A: 2 * A * (1 - S**2) / A.numel(): "The slope of the tanh is wrong: it depends on the *value* of "
            "the tanh. You put in the sum before it.",
            lambda S, A: A * (1 - A**2) / A.numel(): "Half of what it should be: the loss holds a square.",
            lambda S, A: 2 * A * (1 - A**2): "Your loss is the sum of the squares. The loss of the text is their mean.",
            lambda S, A: 2 * A * (1 - A**2) / A.shape[0]: "You divide by the number of rows. The mean runs over all "
            "entries, rows times hidden units.",
            lambda S, A: 2 * A * (1 - A**2) / A.shape[1]: "You divide by the number of hidden units. The mean runs "
            "over all entries, rows times hidden units.",
            lambda S, A: (1 - A**2) / A.numel(): "You have the slope of the tanh, but not that of the square: the loss "
            "holds tanh(S) *squared*.",
            lambda S, A: A**2 * (1 - A**2) / A.numel(): "The square itself stands in your gradient, where its slope "
            "belongs.",
            lambda S, A: 2 * S * (1 - A**2) / A.numel(): "The slope of the square is wrong: what is squared is the "
            "tanh. You put in the sum before it.",
        }
    )
    def other_rule(X, H, W_xh, W_hh, rule):
        S = X @ W_xh + H @ W_hh
        G = rule(S, torch.tanh(S))
        return X.T @ G, H.T @ G
