"""Exercises in a real page: a student types an answer into the cell, runs it, and reads what the check says."""

import pytest

ANSWERS = [
    ("return torch.eye(vocab_size)[X]", "❌", "forget to transpose"),
    ("return 1 / 0", "❌", "ZeroDivisionError"),
    ("return torch.eye(vocab_size)[X.T]", "✅", "identity matrix"),
]


@pytest.fixture
def cell(open_book):
    book = open_book("02_one_hot.ipynb")
    book.run()
    assert book.page.locator(".jp-OutputArea-output", has_text="⬜").count() == 4, "an exercise is not waiting"
    yield book.page.locator(".jp-CodeCell", has_text="check.one_hot_by_hand(").first
    book.check()


def test_answers_are_judged_where_they_are_typed(cell):
    page = cell.page
    for body, mark, hint in ANSWERS:
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+a")
        # the editor completes brackets and indentation while one types, so the text goes in at once
        code = f"def one_hot_by_hand(X, vocab_size):\n    {body}\n\n\ncheck.one_hot_by_hand(one_hot_by_hand)"
        page.keyboard.insert_text(code)
        page.keyboard.press("Control+Enter")
        output = cell.locator(".jp-OutputArea-output", has_text=hint)
        output.wait_for(timeout=20_000)
        assert output.inner_text().startswith(mark)
        assert "Traceback" not in cell.inner_text()
