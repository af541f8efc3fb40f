"""How results are compared with what is expected, and how a difference is told."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch


def as_tensor(result) -> torch.Tensor | None:
    """The result as a tensor on the CPU: tensors, arrays, numbers and lists of these; None for anything else."""
    if isinstance(result, torch.Tensor):
        return result.detach().cpu()
    try:
        if isinstance(result, Fraction):
            return torch.tensor(float(result), dtype=torch.float64)
        holds = (torch.Tensor, Fraction, list, tuple)
        if isinstance(result, (list, tuple)) and any(isinstance(part, holds) for part in result):
            parts = [as_tensor(part) for part in result]
            return None if any(part is None for part in parts) else torch.stack(parts)
        if isinstance(result, (str, dict, set)):
            return None
        return torch.as_tensor(np.asarray(result))
    except (TypeError, ValueError, RuntimeError):
        return None


def agrees(result, expected, atol: float = 1e-6) -> bool:
    """Whether a result equals what is expected, within `atol` (absolute, and relative for large numbers)."""
    if isinstance(expected, (tuple, list)) and not _is_numbers(expected):
        as_long = isinstance(result, (tuple, list)) and len(result) == len(expected)
        return as_long and all(agrees(r, e, atol) for r, e in zip(result, expected, strict=True))
    if isinstance(expected, (str, set, frozenset)) or isinstance(result, (str, set, frozenset)):
        return type(result) is type(expected) and result == expected
    if isinstance(expected, bool):
        single = isinstance(result, (torch.Tensor, np.ndarray)) and math.prod(result.shape) == 1
        return (single or isinstance(result, (bool, np.bool_))) and bool(result) == expected
    expected, found = as_tensor(expected), as_tensor(result)  # of numbers in double precision
    if expected is None or found is None or found.shape != expected.shape or found.is_complex():
        return False
    return torch.allclose(found.double(), expected.double(), rtol=atol, atol=atol)


def _is_numbers(values) -> bool:
    return bool(values) and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def describe(thing, digits: int = 4) -> str:
    """A short text for a value: numbers rounded, large tensors by their shape."""
    if isinstance(thing, (torch.Tensor, np.ndarray, np.generic)):
        long = math.prod(thing.shape) > 12
        return f"a tensor of shape {tuple(thing.shape)}" if long else describe(thing.tolist(), digits)
    if isinstance(thing, (tuple, list)):
        if len(thing) > 12:
            return f"a {type(thing).__name__} of {len(thing)}"
        inside = ", ".join(describe(part, digits) for part in thing)
        return f"({inside}{',' if len(thing) == 1 else ''})" if isinstance(thing, tuple) else f"[{inside}]"
    if isinstance(thing, dict):
        return "{" + ", ".join(f"{key!r}: {describe(part, digits)}" for key, part in thing.items()) + "}"
    if isinstance(thing, float):
        return str(float(f"{thing:.{digits}g}"))
    if isinstance(thing, str):
        return repr(thing if len(thing) <= 60 else thing[:57] + "…")
    if isinstance(thing, (int, bool, type(None), Fraction)):
        return str(thing)
    if thing is ...:
        return "`...`"
    name = type(thing).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def by_name(names: str) -> Callable[..., str]:
    """A `tells` for tensors of these names: "For " and their numbers where they are few, else their shapes."""

    def tells(*tensors: torch.Tensor) -> str:
        if sum(tensor.numel() for tensor in tensors) <= 8:
            return f"For {', '.join(map(describe, tensors))}"
        return f"For {', '.join(f'{n} {tuple(t.shape)}' for n, t in zip(names.split(), tensors, strict=True))}"

    return tells


def describe_apart(found, expected) -> tuple[str, str]:
    """Two different values in so many digits that they look different."""
    for digits in (4, 8, 12, 17):
        texts = describe(found, digits), describe(expected, digits)
        if texts[0] != texts[1]:
            break
    return texts


def explain_difference(result, expected, asked: str) -> str:
    """One sentence on how a result differs from what is expected; `asked` says for which input."""
    if isinstance(expected, (tuple, list)) and not _is_numbers(expected):
        return _explain_parts(result, expected, asked)
    found, wanted = as_tensor(result), as_tensor(expected)
    if wanted is None or found is None:
        if isinstance(expected, torch.Tensor):
            shape = tuple(expected.shape)
            return f"{asked} a tensor of shape {shape} is expected, but your result is {describe(result)}."
    elif found.is_floating_point() and torch.isnan(found).any() and not torch.isnan(wanted).any():
        return f"{asked} your result holds NaN, which is no number: look for 0/0, inf − inf or the log of 0."
    elif found.is_complex():
        return f"{asked} your result holds complex numbers."
    elif found.shape != wanted.shape and wanted.dim():
        return f"{asked} your result has the shape {tuple(found.shape)} instead of {tuple(wanted.shape)}."
    elif wanted.numel() > 12:
        difference = (found.double() - wanted.double()).abs()
        place = tuple(map(int, np.unravel_index(int(difference.argmax()), wanted.shape)))
        asked, result, expected = f"{asked} entry {list(place)} of", found[place].item(), wanted[place].item()
    here, there = describe_apart(result, expected)
    return f"{asked} your result is {here}, expected {there}."


def _explain_parts(result, expected, asked: str) -> str:
    """The difference where several things are expected, such as a pair."""
    if not isinstance(result, (tuple, list)) or len(result) != len(expected):
        several = {1: "one thing", 2: "a pair", 3: "three things"}.get(len(expected), f"{len(expected)} things")
        shape = f", one tensor of shape {tuple(result.shape)}" if isinstance(result, torch.Tensor) else ""
        return f"{asked} {several} should come back, as a tuple or a list; your result is {describe(result)}{shape}."
    for number, (found, wanted) in enumerate(zip(result, expected, strict=True), start=1):
        if not agrees(found, wanted):
            return explain_difference(found, wanted, f"Part {number} of {len(expected)}: {asked[0].lower()}{asked[1:]}")
    return f"{asked} your result is {describe(result)}, expected {describe(expected)}."
