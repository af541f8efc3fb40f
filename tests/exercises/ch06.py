"""Wrong answers to the exercises of notebook 06, each with a pattern that the check's hint must match."""

import torch


def tensor_by_tensor(gradients, max_norm):
    return [g * min(1.0, max_norm / max(g.norm().item(), 1e-12)) for g in gradients]


def always_scaled(gradients, max_norm):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    return [g * max_norm / norm for g in gradients]


def no_zeros_thought_of(gradients, max_norm):
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    return always_scaled(gradients, max_norm) if not norm < max_norm or norm == 0 else gradients


def without_root(gradients, max_norm):
    norm = sum((g**2).sum() for g in gradients)
    return [g * torch.clamp(max_norm / norm, max=1) for g in gradients]


def sum_of_norms(gradients, max_norm):
    norm = sum(g.norm() for g in gradients)
    return [g * torch.clamp(max_norm / norm, max=1) for g in gradients]


def changes_in_place(gradients, max_norm):
    for g in gradients:
        g /= 2
    return gradients


def going_down(limit, zero=True, clip_first=False, sign=-1):
    """A descend that can be wrong in several ways; limit(gradients, max_norm) changes the gradients in place."""

    def descend(loss, params, lr, max_norm, num_steps):
        params = [p.clone().requires_grad_() for p in params]
        losses = []
        for _ in range(num_steps):
            if zero:
                for p in params:
                    p.grad = None
            here = loss(params)
            if clip_first and max_norm is not None:
                limit([p.grad for p in params if p.grad is not None], max_norm)
            here.backward()
            if not clip_first and max_norm is not None:
                limit([p.grad for p in params], max_norm)
            with torch.no_grad():
                for p in params:
                    p += sign * lr * p.grad
            losses.append(here.item())
        return losses

    return descend


def together(gradients, max_norm):
    norm = torch.cat([g.flatten() for g in gradients]).norm() if gradients else 0
    for g in gradients:
        g *= min(1, max_norm / norm)


def each_entry(gradients, max_norm):
    for g in gradients:
        g.clamp_(-max_norm, max_norm)


def each_tensor(gradients, max_norm):
    for g in gradients:
        together([g], max_norm)


def step_clipped(loss, params, lr, max_norm, num_steps):
    return going_down(lambda gs, n: together(gs, n / lr))(loss, params, lr, max_norm, num_steps)


def losses_after(loss, params, lr, max_norm, num_steps):
    return going_down(together)(loss, params, lr, max_norm, num_steps + 1)[1:]


def one_too_many(loss, params, lr, max_norm, num_steps):
    return going_down(together)(loss, params, lr, max_norm, num_steps + 1)


def through_time(activation, seen=lambda H: H.sum(), far=True, bias=True):
    """A relu_norms that can be wrong in several ways."""

    def relu_norms(W_hh, b_h, H_0, num_steps):
        start = H = H_0.clone().requires_grad_()
        states, gradients = [], []
        for _ in range(num_steps):
            before, H = H, activation(H @ W_hh + bias * b_h)
            (gradient,) = torch.autograd.grad(seen(H), start if far else before, retain_graph=True)
            states.append(H.norm().item())
            gradients.append(gradient.norm().item())
        return states, gradients

    return relu_norms


def with_start(one_more=False, gradients_too=True, tensors=False):
    """A relu_norms that begins with H_0; it can be right in the gradients, longer by one, or return tensors."""

    def relu_norms(W_hh, b_h, H_0, num_steps):
        start = H = H_0.clone().requires_grad_()
        states, gradients = [], []
        for _ in range(num_steps + one_more):
            after = torch.relu(H @ W_hh + b_h)
            states.append(H.norm() if tensors else H.norm().item())
            seen = H if gradients_too else after
            gradients.append(torch.autograd.grad(seen.sum(), start, retain_graph=True)[0].norm().item())
            H = after
        return states, gradients

    return relu_norms


def relu_too_early(W_hh, b_h, H_0, num_steps):
    H_0 = H = H_0.clone().requires_grad_()
    norms = []
    for _ in range(num_steps):
        H = torch.relu(H) @ W_hh + b_h
        norms.append((H.norm(), torch.autograd.grad(H.sum(), H_0, retain_graph=True)[0].norm()))
    return [[n.item() for n, _ in norms], [n.item() for _, n in norms]]


def graph_freed(W_hh, b_h, H_0, num_steps):
    H_0 = H = H_0.clone().requires_grad_()
    for _ in range(num_steps):
        H = torch.relu(H @ W_hh + b_h)
        torch.autograd.grad(H.sum(), H_0)


def state_sums(*arguments, gradients=False):
    W_hh, b_h, H, num_steps = arguments
    right, start = through_time(torch.relu)(*arguments), H.clone().requires_grad_()
    sums, H = [[], []], start
    for _ in range(num_steps):
        H = torch.relu(H @ W_hh + b_h)
        sums[0].append(H.sum().item())
        sums[1].append(torch.autograd.grad(H.sum(), start, retain_graph=True)[0].sum().item())
    return sums if gradients else (sums[0], right[1])


def transposed(*arguments):
    return torch.tensor(through_time(torch.relu)(*arguments)).T


def gradients_first(*arguments):
    return through_time(torch.relu)(*arguments)[::-1]


WRONG = {
    "clipped_by_hand": [
        ([(0.6, 0.8), (3, 4), (6, 8)], "never makes one longer"),
        ([(1, 1), (3, 4), (3, 4)], "entry by entry"),
        ([(0.43, 0.57), (2.14, 2.86), (3, 4)], r"not 3 \+ 4"),
        ([(0.75, 1), (3, 4), (3, 4)], "largest entry"),
        (torch.tensor([(3.0, 4.0), (0.6, 0.8), (0.3, 0.4)]), "divide the gradient by θ"),
        ([(0.6, 0.8)] * 3, "length 1 each time"),
        ([(0.6, 0.8), (3, 4), (3, 5)], r"At θ = 10 it is not \[3.0, 5.0\]"),
        ([0.6, 3, 3], "Three gradients of two numbers"),
    ],
    "clip_together": [
        (tensor_by_tensor, "clipped on its own"),
        (lambda gradients, max_norm: [g.clamp(-max_norm, max_norm) for g in gradients], "one by one"),
        (always_scaled, "make short gradients longer: "),
        (no_zeros_thought_of, r"For \[\[0.0, 0.0\], .* nan"),
        (without_root, "take its root"),
        (sum_of_norms, "squares add up"),
        (changes_in_place, "in place"),
        (lambda gradients, max_norm: [g / 2 for g in gradients], "For .* your result is .* expected"),
    ],
    "descend": [
        (going_down(lambda gradients, max_norm: None), "losses without clipping"),
        (going_down(together, clip_first=True), "losses without clipping"),
        (going_down(together, zero=False), "set it to None"),
        (going_down(each_entry), "entry by entry"),
        (going_down(each_tensor), "clipped on its own"),
        (going_down(together, sign=1), r"\*against\* the gradient"),
        (step_clipped, "You clip the step"),
        (losses_after, "asked before"),
        (one_too_many, r"shape \(4,\) instead of \(3,\)"),
        (lambda loss, params, lr, max_norm, num_steps: [loss(params)] * num_steps, "do not move"),
    ],
    "relu_norms": [
        (through_time(torch.tanh), "with tanh"),
        (through_time(lambda H: H), "no ReLU in your network"),
        (relu_too_early, "too early"),
        (through_time(torch.relu, far=False), "one step only"),
        (through_time(torch.relu, seen=lambda H: H[0, 0]), "first unit alone"),
        (through_time(torch.relu, seen=lambda H: H.mean()), "mean of the units"),
        (through_time(torch.relu, seen=lambda H: H.norm()), r"states are right.*\*norm\*"),
        (with_start(), "begins with H_0"),
        (with_start(one_more=True), "begins with H_0"),
        (with_start(gradients_too=False), "begins with H_0"),
        (with_start(tensors=True), "begins with H_0"),
        (state_sums, "gradients are right. In the states: you add the entries up"),
        (lambda *a: state_sums(*a, gradients=True), "You add the entries up"),
        (
            lambda *a: (through_time(torch.relu)(*a)[0], state_sums(*a, gradients=True)[1]),
            "states are right. In the gr",
        ),
        (through_time(torch.relu, bias=False), "b_h is missing"),
        (gradients_first, "come first"),
        (transposed, r"must be \(2, num_steps\)"),
        (graph_freed, "raised RuntimeError"),
        (through_time(torch.sigmoid), "expected"),
    ],
}
