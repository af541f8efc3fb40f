"""Wrong answers to the exercises of notebook 02, each with a pattern that the check's hint must match."""

import torch
from torch.nn import functional as F

WRONG = {
    "one_hot_by_hand": [
        (lambda X, n: F.one_hot(X, n).float(), "forget to transpose"),
        (lambda X, n: torch.eye(n)[X.reshape(X.shape[1], X.shape[0])], "`reshape` cuts anew"),
        (lambda X, n: 2 * torch.eye(n)[X.T], "For .* your result is .* expected"),
    ],
}
