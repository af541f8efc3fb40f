"""A book of one's own: letters of any script, what is refused and what is cut, and the panel."""

import random
import re
import time
import unicodedata
from collections import Counter
from datetime import UTC, datetime

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import text as core
from helpers.figures import own_book as figure
from helpers.figures.own_book import OwnBookPanel
from helpers.recipe import read_with_network
from helpers.runs import own_book
from helpers.runs.own_book import OwnBook, open_book
from helpers.table import read_with_table
from helpers.text import RARE, Vocab, clean_letters

WORDS = {
    "Russian": "машина времени путешественник сказал что ёлка стоит в лесу и он пошёл домой",
    "Greek": "ἐν ἀρχῇ ἦν ὁ λόγος καὶ ἡ μηχανή του χρόνου είναι εδώ",
    "Chinese": "道 可 道 非 常 名 天 地 之 始 万 物 母 时 间 机 器 旅 行 者",
    "Arabic": "كان يا ما كان في قديم الزمان آلة الزمن مُسافِر",
    "German": "größe übermut straße die zeitmaschine fährt über das äußere",
    "English": "the time machine was here and the traveller said it would go",
    "Hindi": "समय यंत्र हिन्दी में किताब है",
}


def book_of(words: str, num_chars: int = 6000, between: str = ", ") -> str:
    luck = random.Random(1)
    found = [luck.choice(words.split()) for _ in range(num_chars)]
    return between.join(found)[:num_chars]


@pytest.mark.parametrize("language", WORDS)
def test_every_script_keeps_its_letters_is_learned_and_continued(language, tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("\ufeff" + book_of(WORDS[language].title()), encoding="utf-8")
    read, cut = open_book(str(path))
    book = OwnBook(read, hidden_size=16)
    assert not cut and set(book.vocab.tokens[1:]) == set(clean_letters(read)[0])
    assert set(unicodedata.normalize("NFC", WORDS[language])) <= set(book.vocab.index)
    records = list(book.learn(3))
    assert len(records) == book.epochs == 3 and records[-1].perplexity < records[0].perplexity
    found = book.scores()
    assert list(found) == [f"table ({book.n}-gram)", "network", "both"] and all(v > 1 for v in found.values())
    assert found["both"] < max(found.values())
    written = book.write(60)
    assert len(written) == 80 and set(written) <= set(book.vocab.tokens) and written == book.write(60)


def test_letters_that_look_alike_are_one_and_marks_stay():
    assert clean_letters("Cafe\u0301")[0] == clean_letters("CAFÉ")[0] == "café"
    assert clean_letters("Wells’ 1895 – time!\n\nII. _Now_")[0] == "wells time ii now"
    assert clean_letters("हिन्दी")[0] == "हिन्दी"
    assert clean_letters(" 道可道,非常道。")[0] == "道可道 非常道"


@given(st.text(min_size=1), st.integers(2, 8))
def test_cleaning_keeps_letters_alone_and_the_limit(content, most):
    if not any(map(str.isalpha, content)):
        with pytest.raises(ValueError, match="no letters of any script"):
            clean_letters(content, most)
        return
    try:
        cleaned, rare = clean_letters(content, most)
    except ValueError as error:  # a letter whose small form is none
        assert "no letters" in str(error)
        return
    whole, none = clean_letters(content, 10_000)
    assert not none and len(cleaned) == len(whole) and "  " not in whole and whole == whole.strip()
    assert len(set(cleaned) - {RARE}) <= most and cleaned.count(RARE) == rare.total()
    assert all(kept == RARE or kept == full for kept, full in zip(cleaned, whole, strict=True))
    counts = Counter(whole)
    assert all(counts[lost] == n for lost, n in rare.items())
    assert not rare or max(rare.values()) <= min(counts[c] for c in set(cleaned) - {RARE})
    assert clean_letters(whole)[0] == whole, "cleaned twice it is another text"


def test_clean_stays_as_it_was_and_reading_names_the_way_out(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("Größe", encoding="utf-8")
    with pytest.warns(UserWarning, match=r"clean_letters\(\) keeps them: ß ö$"):
        assert core.clean(core.read_text(path)) == "gr e"
    with pytest.raises(ValueError, match="too much for a small machine"):
        clean_letters("a" * (core.MAX_CHARS + 1))
    with pytest.raises(ValueError, match="most must be at least 2"):
        clean_letters("abc", 1)


def test_a_large_vocabulary_is_bounded_and_it_says_so():
    luck = random.Random(0)
    text = "".join(chr(0x4E00 + min(int(luck.paretovariate(0.6)), 3000)) for _ in range(8000))
    book = OwnBook(text, most=50, hidden_size=8)
    assert len(book.vocab) == 52 and RARE in book.vocab.index
    told = re.search(r"(\d+) rarer symbols ([\d.]+)% of the text", book.words.replace(",", ""))
    _, rare = clean_letters(text, 50)
    assert int(told[1]) == len(rare) and float(told[2]) == pytest.approx(100 * rare.total() / len(text), abs=0.06)


REFUSED = {
    "too short": ("the time machine " * 20, "339 characters after cleaning, but 3,000 are needed"),
    "empty": ("", "no letters of any script"),
    "no letters": ("12, 34; 5!\n" * 900, "no letters of any script"),
    "mostly one letter": ("aaaa aaab " * 900, "“a” makes up 7[0-9]% of the text"),
    "one letter": ("z" * 5000, "“z” makes up 100% of the text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_learned_is_refused_in_one_sentence(name):
    content, sentence = REFUSED[name]
    with pytest.raises(ValueError, match=sentence) as error:
        OwnBook(content)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_one_long_line_is_a_book_like_any_other():
    text = book_of(WORDS["English"], between=" ")
    assert "\n" not in text and OwnBook(text, hidden_size=4).n > 1


def test_files_that_are_none_are_named(tmp_path):
    path = tmp_path / "x.txt"
    for missing in (path, tmp_path):
        with pytest.raises(FileNotFoundError, match="There is no text file at"):
            open_book(missing)
    for data in ("café".encode("latin-1"), "text".encode("utf-16"), "text".encode("utf-16-le"), b"\x89PNG\r\n\x1a\n"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"x\.txt is not UTF-8 text"):
            open_book(path)
        with pytest.raises(ValueError, match=r"^book is not UTF-8 text"):
            open_book(data, "book")


def test_a_large_file_is_cut_and_says_so_even_inside_a_letter(tmp_path):
    path = tmp_path / "large.txt"
    with path.open("wb") as file:  # 50 MB, of which only the beginning is read
        file.write(b"a" + "я".encode() * (own_book.MOST_BYTES // 2))
        file.truncate(50_000_000)
    start = time.perf_counter()
    text, cut = open_book(path)
    assert time.perf_counter() - start < 1 and text == "a" + "я" * (own_book.MOST_BYTES // 2 - 1)
    assert f"first {own_book.MOST_BYTES:,} bytes" in cut


def test_parts_follow_one_another_and_n_is_chosen_on_its_own_part():
    text = clean_letters(book_of(WORDS["English"]))[0]
    words, held_out = text[: -(len(text) // 10)], text[-(len(text) // 10) :]
    text = words + "".join(random.Random(0).sample(held_out, len(held_out))).replace(" ", "e")  # to score: no words
    book, whole = OwnBook(text, hidden_size=8), text
    assert book.to_learn + book.to_choose + book.to_score == whole
    assert len(book.to_choose) == len(book.to_score) == len(whole) // 10

    def score(n, text):
        found = read_with_table(text, n, book.table, book.vocab)[1:]
        return found.gather(1, book.vocab.encode(text[1:])[:, None]).log().mean().neg().exp().item()

    best_of = {
        part: min(range(1, 8), key=lambda n, part=part: score(n, part)) for part in (book.to_choose, book.to_score)
    }
    assert book.n == best_of[book.to_choose] != best_of[book.to_score]
    found = book.scores()
    assert found[f"table ({book.n}-gram)"] == pytest.approx(score(book.n, book.to_score))
    shares = read_with_network(book.to_score, book.network, book.vocab)
    shares = (shares + read_with_table(book.to_score, book.n, book.table, book.vocab)[1:]) / 2
    came = shares.gather(1, Vocab(whole).encode(book.to_score[1:])[:, None])
    assert found["both"] == pytest.approx(came.log().mean().neg().exp().item())


def test_a_plan_fits_the_time(monkeypatch):
    book = OwnBook(book_of(WORDS["English"]), hidden_size=8)
    speeds = iter([100.0, 2000.0] * 2)
    monkeypatch.setattr(own_book, "fit", lambda *a, **o: iter([own_book.Record(1, 5.0, 1.0, next(speeds))]))
    assert book.plan(10) == (20_000 // len(book.to_learn), len(book.to_learn))
    assert book.plan(1) == (1, 2000), "it learns for longer than was asked"
    with pytest.raises(ValueError, match="seconds must be"):
        book.plan(0)


@settings(max_examples=5)
@given(st.integers(0, 3))
def test_stopping_early_keeps_what_was_learned(stop):
    book = OwnBook(book_of(WORDS["English"], 4000), hidden_size=8)
    for record in book.learn(5):
        if record.epoch > stop:
            break
    assert book.epochs == stop + 1
    assert book.scores() == book.scores(), "dropout is on while it is scored"


# The panel

NOW = datetime.now(UTC)


def said(panel: OwnBookPanel) -> str:
    return re.sub(r"<[^>]*>", " ", panel.status.value)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(book_of(WORDS["Russian"]), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(figure, "OwnBook", lambda text: OwnBook(text, hidden_size=8))


def test_a_file_is_read_learned_scored_and_continued(path):
    panel = OwnBookPanel(str(path), seconds=0.5)
    assert panel.phase == "ready" and panel.buttons["stop"].disabled
    threads = torch.get_num_threads()
    panel.buttons["start"].click()
    panel.start()  # while it is on, nothing happens
    panel.wait(60)
    assert panel.phase == "finished", said(panel)
    assert "symbols" in said(panel) and "both" in panel.scores.value and "It writes: " in panel.sample.value
    assert panel.scores.value.count("<td>") == 6 and panel.book.epochs >= 1
    assert not panel.buttons["start"].disabled and panel.buttons["stop"].disabled
    assert torch.get_num_threads() == threads


def test_an_upload_is_taken_and_what_is_wrong_is_said(tmp_path):
    panel = OwnBookPanel(seconds=0.2)

    def answer(content: bytes) -> str:
        panel.upload.value = ({"name": "mine.txt", "type": "", "size": 1, "last_modified": NOW, "content": content},)
        panel.start()
        panel.wait(60)
        return said(panel)

    panel.start()
    panel.wait(10)
    assert "No text yet" in said(panel) and panel.phase == "failed"
    assert "finished" in answer(memoryview(book_of(WORDS["Greek"]).encode()))
    assert "mine.txt is not UTF-8" in answer("café".encode("latin-1"))
    assert "are needed" in answer(b"short text") and not panel.scores.value
    panel.path.value = str(tmp_path / "<b>.txt")
    assert "There is no text file" in answer(b"") and "<b>.txt" not in panel.status.value


def test_stop_ends_the_learning_and_scores_what_it_has(path, monkeypatch):
    monkeypatch.setattr(OwnBook, "plan", lambda self, seconds: (10**6, len(self.to_learn)))
    panel = OwnBookPanel(str(path), seconds=600)
    panel.start()
    end = time.monotonic() + 30
    while "epoch 2" not in said(panel) and time.monotonic() < end:
        time.sleep(0.01)
    panel.buttons["stop"].click()
    panel.wait(20)
    assert panel.phase == "finished" and "Stopped" in said(panel) and panel.book.epochs >= 2
    assert "both" in panel.scores.value


def test_a_closed_panel_ends_its_run(path, monkeypatch):
    monkeypatch.setattr(OwnBook, "plan", lambda self, seconds: (10**6, len(self.to_learn)))
    panel = OwnBookPanel(str(path), seconds=600)
    panel.start()
    time.sleep(0.2)
    panel.close()
    panel.wait(20)
    assert not panel.is_on
