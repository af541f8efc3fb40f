"""The guessing game in JupyterLab: twenty letters played, its score against Python's, keys, themes, widths, speed."""

import math
import random
import re

import pytest
import torch

from helpers.figures.beating_the_table import BEFORE, LABELS, GuessingGame
from helpers.text import Vocab

from .conftest import PageFigure, measured

MAKE = """import torch
from helpers.figures.beating_the_table import GuessingGame
from helpers.text import Vocab
from helpers.text import clean, read_book
text = clean(read_book())[5000:6400]
vocab = Vocab("abcdefghijklmnopqrstuvwxyz ")
generator = torch.Generator().manual_seed(0)
shares = {}
for name, sharp in (("table", 2.0), ("network", 4.0)):
    outputs = torch.randn(len(text) - 1, len(vocab), generator=generator, dtype=torch.float64)
    outputs[torch.arange(len(text) - 1), vocab.encode(text)[1:]] += sharp
    outputs[:, 0] = -torch.inf
    shares[name] = torch.softmax(outputs, dim=1)"""
CELLS = [MAKE, "game = GuessingGame(text, shares, vocab)\ngame", "pass"]
LETTERS = " abcdefghijklmnopqrstuvwxyz"
PAINTED = """root => {
    window.answers = [];
    root.addEventListener("keydown", event => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.answers.push(performance.now() - event.timeStamp);
        channel.port2.postMessage(0);
    }));
}"""


def made() -> tuple[str, dict[str, torch.Tensor]]:
    names: dict = {}
    exec(MAKE, names)
    return names["text"], names["shares"]


TEXT, SHARES = made()


def place_of(passage: dict) -> int:
    """Where in the text the hidden letters of a passage begin."""
    return TEXT.index(passage["shown"] + passage["hidden"]) + BEFORE


PASSAGES = GuessingGame(TEXT, SHARES, Vocab(LETTERS)).passages


def rank_by_hand(name: str, place: int) -> int:
    """One more than the number of letters that have a larger share than the right one."""
    row = SHARES[name][place - 1].tolist()
    right = row[1 + LETTERS.index(TEXT[place])]
    return 1 + sum(share > right for share in row[1:])


def entropy(ranks: list[int]) -> float:
    return sum(ranks.count(rank) / len(ranks) * math.log2(len(ranks) / ranks.count(rank)) for rank in set(ranks))


class Game(PageFigure):
    def key(self, letter: str) -> None:
        self.page.keyboard.press("Space" if letter == " " else letter)
        self.painted()

    def rows(self) -> dict[str, list[str]]:
        self.painted()
        rows = [row.locator("th, td").all_inner_texts() for row in self.box.locator("tbody tr").all()]
        return {name: values for name, *values in rows}

    def says(self) -> str:
        self.painted()
        return self.box.locator(".game").inner_text()

    def words(self) -> str:
        self.painted()
        return self.box.locator(".words").inner_text()

    def text(self) -> str:
        return "".join(self.box.locator(".text span").all_text_contents())


@pytest.fixture
def game(book) -> Game:
    book.wait_for(lambda: book.page.locator(".page-figure .game").count() == 1, "the game is on the page")
    game = Game(book.page, book.page.locator(".page-figure"))
    game.box.scroll_into_view_if_needed()
    game.box.locator(".words").click()
    return game


def check_rows(game: Game, mine: list[int], firsts: list[str], start: int) -> None:
    rows, count = game.rows(), len(mine)
    for name in ("you", *SHARES):
        ranks = mine if name == "you" else [rank_by_hand(name, start + i) for i in range(count)]
        first, rank, once, bits = rows[name]
        assert int(rank) == ranks[-1] and float(bits) == pytest.approx(entropy(ranks), abs=0.0051), (name, rows)
        assert int(once.split()[0]) == pytest.approx(100 * ranks.count(1) / count, abs=0.51)
        if name == "you":
            assert first == firsts[-1].replace(" ", "␣")
        else:
            assert first == LETTERS[SHARES[name][start + count - 2][1:].argmax()].replace(" ", "␣")


def test_twenty_letters_are_played_and_scored_as_in_python(game):
    luck, hidden, start = random.Random(1), PASSAGES[0]["hidden"], place_of(PASSAGES[0])
    mine, firsts = [], []
    for i in range(20):
        wrong = luck.sample([letter for letter in LETTERS if letter != hidden[i]], luck.choice([0, 0, 0, 1, 3, 26]))
        for letter in wrong:
            game.key(letter)
            assert game.words() == LABELS["wrong"].format(letter=letter.replace(" ", "␣"))
        assert game.box.locator(".wrong").count() == len(wrong)
        if wrong:
            game.key(wrong[0])  # a letter that was tried costs nothing
            assert "tried already" in game.words()
        game.key(hidden[i])
        mine.append(len(wrong) + 1)
        firsts.append((wrong or [hidden[i]])[0])
        assert game.words() == LABELS["right"].format(letter=hidden[i].replace(" ", "␣"), rank=mine[-1])
        check_rows(game, mine, firsts, start)
    assert game.text() == PASSAGES[0]["shown"] + hidden[:20] + "?"
    assert "letters guessed: 20" in game.says()


def test_nothing_hidden_is_on_the_page(game):
    assert game.text() == PASSAGES[0]["shown"] + "?"
    assert game.says() and PASSAGES[0]["hidden"][:12] not in game.says()
    assert all(values == [""] * 4 for values in game.rows().values())


def test_keys_give_up_start_again_and_stay_inside(book, game):
    cells = book.page.locator(".jp-Cell").count()
    for letter in "dda xxm zb":  # in the page these would be commands
        game.key(letter)
    assert book.page.locator(".jp-Cell").count() == cells
    game.page.keyboard.press("Home")
    assert game.text() == PASSAGES[1]["shown"] + "?" and game.words() == LABELS["start"]
    game.page.keyboard.press("Enter")
    letter = PASSAGES[1]["hidden"][0].replace(" ", "␣")
    assert game.words() == LABELS["given"].format(letter=letter, rank=27)
    assert game.rows()["you"] == ["–", "27", "0 %", "0.00"]
    for _ in range(len(PASSAGES[1]["hidden"]) - 1):
        game.page.keyboard.press("Enter")
    assert game.text() == PASSAGES[1]["shown"] + PASSAGES[1]["hidden"] and "That was the last letter" in game.words()
    game.key("e")
    game.page.keyboard.press("Enter")
    assert "That was the last letter" in game.words()
    for _ in range(len(PASSAGES) - 1):
        game.page.keyboard.press("Home")
    assert game.text() == PASSAGES[0]["shown"] + "?", "the passages do not go round"


def test_buttons_do_what_the_keys_do(game):
    hidden = PASSAGES[0]["hidden"]
    game.box.locator(f"[data-letter='{hidden[0]}']").click()
    assert game.words() == LABELS["right"].format(letter=hidden[0].replace(" ", "␣"), rank=1)
    game.key(hidden[1])  # the next key is a guess at once
    assert game.text().endswith(hidden[:2] + "?")
    game.button(LABELS["give_up"]).click()
    assert "given up" in game.words()
    game.button(LABELS["again"]).click()
    assert game.text() == PASSAGES[1]["shown"] + "?"


def test_a_key_is_answered_at_once(game):
    game.box.locator(".game").evaluate(PAINTED)
    for letter in PASSAGES[0]["hidden"][:30]:
        for key in ("q", letter):
            game.key(key)
    game.page.wait_for_timeout(50)
    answers = sorted(game.page.evaluate("window.answers"))
    for milliseconds in answers:
        measured("guessing game, key to paint, ms", milliseconds)
    assert len(answers) >= 50 and answers[len(answers) // 2] < 50, answers


def test_themes_and_widths(book, game):
    colors = "box => [getComputedStyle(box).color, getComputedStyle(box.querySelector('button')).color]"
    for theme, bright in (("JupyterLab Dark", True), ("JupyterLab Light", False)):
        book.command(theme)
        game.wait_until(
            lambda bright=bright: all(
                (int(re.findall(r"\d+", color)[0]) > 128) == bright
                for color in game.box.locator(".game").evaluate(colors)
            ),
            theme,
        )
    game.page.keyboard.press("Control+b")  # away with the list of files
    for width, height in ((1920, 1080), (400, 800)):
        game.page.set_viewport_size({"width": width, "height": height})
        game.page.wait_for_timeout(300)
        game.check_nothing_is_cut_off()
        inside = "root => [root.scrollWidth, root.clientWidth]"
        wide, room = game.box.locator(".game").evaluate(inside)
        assert wide <= room, f"{wide} pixels wide in a place of {room}"
    game.page.set_viewport_size({"width": 1280, "height": 720})
    game.page.keyboard.press("Control+b")
