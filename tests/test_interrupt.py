"""Interrupting a training cell in a real kernel leaves a usable model and a truthful plot."""

import pytest
from jupyter_client.manager import start_new_kernel

TRAIN = """
from helpers.figures.live_plot import LivePlot
from helpers.generate import generate
from helpers.rnn import RNN
from helpers.text import SequentialBatches, Vocab, clean, read_book
from helpers.train import train

text = clean(read_book())[:10_000]
vocab = Vocab(text)
model = RNN(len(vocab), 64, device="cpu")
batches = SequentialBatches(vocab.encode(text), 32, 35)
with LivePlot("a long run", 100_000) as live:
    for record in train(model, batches, 100_000, lr=1):
        live.add(record)
        if record.epoch == 3:
            print("three epochs", flush=True)
"""
CHECK = """
import math
assert len(live.records) >= 3 and [r.epoch for r in live.records] == list(range(1, len(live.records) + 1))
assert all(math.isfinite(r.perplexity) for r in live.records) and not live.finished
assert all(p.isfinite().all() for p in model.parameters())
print(len(generate("time ", 20, model, vocab)), "interrupted" in live.note)
"""


@pytest.fixture
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield manager, client
    finally:
        manager.shutdown_kernel(now=True)  # first, so that nothing that fails can leave it behind
        client.stop_channels()


def run(client, code, on_text=lambda text: None):
    """Output messages of one execution, until the kernel is idle again; `on_text` sees each printed text."""
    execution, found = client.execute(code), []
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != execution:
            continue
        found.append(message)
        if message["msg_type"] == "stream":
            on_text(message["content"]["text"])
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            assert not [message for message in found if message["msg_type"] == "error"]
            return found


def test_an_interrupted_run_leaves_a_usable_model_and_a_truthful_plot(kernel):
    manager, client = kernel

    def interrupt(text):
        if "three epochs" in text:
            manager.interrupt_kernel()

    messages = run(client, TRAIN, interrupt)
    texts = [message["content"]["data"]["text/plain"] for message in messages if "data" in message["content"]]
    assert any("interrupted" in text for text in texts)
    printed = []
    run(client, CHECK, printed.append)
    assert "".join(printed).strip() == "25 True"
