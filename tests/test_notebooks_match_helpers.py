"""What a notebook defines and the core has too is the same code: the notebook's, plus docstring, types and guards.

Both syntax trees are compared after these are taken away; a change on one side alone fails here.
"""

import ast
import importlib
from pathlib import Path

import pytest
import torch
from course import TOP, cells_of, find_chapters, read_notebook, source

CORE = ("text", "rnn", "train", "generate", "gates", "recipe", "table")
# What must differ, and the words with which its notebook says so.
DIFFERENT = {"RNN": "it also takes a device and a dtype"}


class Bare(ast.NodeTransformer):
    """Takes docstrings, types, guards and decorators that guard away."""

    def visit_FunctionDef(self, node):
        node.returns = None
        node.decorator_list = [d for d in node.decorator_list if not is_guard(d)]
        return self.visit_ClassDef(node)

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return node

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_Expr(self, node):
        return None if is_guard(node.value) else node


def is_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("require")


def definitions(code: str) -> dict[str, str]:
    """The bare source of every function and class at the top of some code, by name."""
    wanted = (ast.FunctionDef, ast.ClassDef)
    return {node.name: ast.unparse(Bare().visit(node)) for node in ast.parse(code).body if isinstance(node, wanted)}


def text_of(notebook: Path, kind: str) -> str:
    return "\n".join(source(cell) for _, cell in cells_of(read_notebook(notebook), kind))


HELPERS = {
    name: code for module in CORE for name, code in definitions((TOP / f"helpers/{module}.py").read_text()).items()
}
NOTEBOOKS = {chapter.notebook: definitions(text_of(chapter.notebook, "code")) for chapter in find_chapters()}
SHARED = [(path, name) for path, defined in NOTEBOOKS.items() for name in defined if name in HELPERS]


def test_the_notebooks_define_what_the_core_is_made_of():
    taught = {name for _, name in SHARED}
    assert len(taught) == len(SHARED), "something is defined in two notebooks"
    beside = {"TorchRNN", "Record", "choose_device", "param_shapes", "book_path", "read_text", "read_book"}
    assert set(HELPERS) - taught == beside, "the core holds what no notebook shows"


@pytest.mark.parametrize(("path", "name"), SHARED, ids=lambda value: getattr(value, "stem", value))
def test_notebook_and_helper_are_the_same_code(path, name):
    if name not in DIFFERENT:
        assert NOTEBOOKS[path][name] == HELPERS[name]
        return
    assert NOTEBOOKS[path][name] != HELPERS[name], "they need not differ any more"
    assert DIFFERENT[name] in " ".join(text_of(path, "markdown").split()), "the notebook does not say that they differ"


def test_the_class_of_the_notebook_computes_what_that_of_the_helpers_does():
    (path,) = [path for path, name in SHARED if name == "RNN"]
    rnn = importlib.import_module("helpers.rnn")
    (written,) = [n for n in ast.parse(text_of(path, "code")).body if isinstance(n, ast.ClassDef) and n.name == "RNN"]
    namespace = dict(vars(rnn))
    exec(compile(ast.Module([written], type_ignores=[]), str(path), "exec"), namespace)
    ours, theirs = namespace["RNN"](6, 5, 0.5, 3), rnn.RNN(6, 5, 0.5, 3, device="cpu")
    X = torch.randint(6, (3, 4), generator=torch.Generator().manual_seed(0))
    for a, b in ((ours.parameters(), theirs.parameters()), (ours.initial_state(3), theirs.initial_state(3))):
        torch.testing.assert_close(list(a), list(b), rtol=0, atol=0)
    (outputs, state), expected = ours(X, ours.initial_state(3)), theirs(X, theirs.initial_state(3))
    # the notebook's class takes the loop, the helper's the faster way: the same up to rounding
    torch.testing.assert_close((outputs, state), expected)
