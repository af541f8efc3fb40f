// A guessing game in the page: hidden text, letter by letter. Whoever plays guesses until it is right, then sees at which
// guess the others had it. Passages, their ranks, every word and colour come from beating_the_table.py.

const SPACE = "␣";
const seen = (letter) => (letter === " " ? SPACE : letter);
const fill = (words, names) => words.replace(/\{(\w+)\}/g, (whole, name) => names[name] ?? whole);
const say = (node, text) => node.textContent !== text && node.replaceChildren(text);

function make(parent, name, attributes = {}, text = "") {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return parent.appendChild(node);
}

/** Shannon's upper bound, in bits a letter: the entropy of the ranks. */
function bits(ranks) {
  const counts = {};
  for (const rank of ranks) counts[rank] = (counts[rank] ?? 0) + 1;
  const shares = Object.values(counts).map((count) => count / ranks.length);
  return -shares.reduce((sum, share) => sum + share * Math.log2(share), 0);
}

/** The cells of one player's row after `count` letters. */
function row(name, firsts, ranks, count) {
  if (!count) return [name, "", "", "", ""];
  const once = ranks.filter((rank) => rank === 1).length / count;
  const entropy = Math.abs(bits(ranks)).toFixed(2);
  return [name, seen(firsts[count - 1]), String(ranks[count - 1]), `${Math.round(100 * once)} %`, entropy];
}

function render({ model, el }) {
  const { passages, letters, labels, style } = model.get("frame");
  el.classList.add("page-figure"); // the page's styles stay outside
  const shadow = el.shadowRoot ?? el.attachShadow({ mode: "open" });
  shadow.replaceChildren();
  make(shadow, "style", {}, style);
  const root = make(shadow, "div", { class: "game", tabindex: 0, role: "application", "aria-label": labels.game });
  const text = make(root, "p", { class: "text" });
  const [before, found, last, hole] = ["before", "found", "last", "hole"].map((name) =>
    make(text, "span", { class: name }),
  );
  const words = make(root, "p", { class: "words", "aria-live": "polite" });
  const board = make(root, "div", { class: "board" });
  const keys = letters.map((letter) => make(board, "button", { tabindex: -1, "data-letter": letter }, seen(letter)));
  const bar = make(root, "div", { class: "bar" });
  const giveUp = make(bar, "button", { class: "wide" }, labels.give_up);
  const again = make(bar, "button", { class: "wide" }, labels.again);
  const table = make(root, "table");
  const head = make(make(table, "thead"), "tr");
  for (const title of labels.heads) make(head, "th", { scope: "col" }, title);
  const body = make(table, "tbody");
  const rows = [null, ...passages[0].players].map(() => {
    const line = make(body, "tr");
    return labels.heads.map((_, i) => make(line, i ? "td" : "th", i ? {} : { scope: "row" }));
  });
  const note = make(root, "p", { class: "note" });
  let passage = -1;
  let [tried, mine, firsts] = [[], [], []]; // guesses at the letter in hand; rank and first guess of each before

  function draw(message) {
    const { shown, hidden, players } = passages[passage];
    const count = mine.length;
    const over = count === hidden.length;
    say(before, shown);
    say(found, hidden.slice(0, Math.max(0, count - 1)));
    say(last, count ? hidden[count - 1] : "");
    say(hole, over ? "" : "?");
    say(words, over ? fill(labels.end, { last: message }) : message);
    for (const key of keys) {
      key.classList.toggle("wrong", tried.includes(key.dataset.letter));
      key.disabled = over;
    }
    giveUp.disabled = over;
    const lines = [row(labels.you, firsts, mine, count)];
    for (const { name, firsts: guesses, ranks } of players)
      lines.push(row(name, guesses, ranks.slice(0, count), count));
    for (const [i, line] of lines.entries()) {
      for (const [k, cell] of rows[i].entries()) say(cell, line[k]);
    }
    say(note, fill(labels.count, { count }));
  }

  function finish(rank, label) {
    const letter = seen(passages[passage].hidden[mine.length]);
    firsts.push(tried[0] ?? "–");
    mine.push(rank);
    tried = [];
    draw(fill(label, { letter, rank }));
  }

  function guess(letter) {
    const { hidden } = passages[passage];
    if (mine.length === hidden.length) return;
    const again = tried.includes(letter);
    if (!again) tried.push(letter);
    if (letter === hidden[mine.length]) finish(tried.length, labels.right);
    else draw(fill(again ? labels.tried : labels.wrong, { letter: seen(letter) }));
  }

  function reveal() {
    if (mine.length < passages[passage].hidden.length) finish(letters.length, labels.given);
  }

  function start() {
    passage = (passage + 1) % passages.length;
    [tried, mine, firsts] = [[], [], []];
    draw(labels.start);
  }

  root.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the page's
    const letter = event.key.toLowerCase();
    if (letters.includes(letter)) guess(letter);
    else if (event.key === "Enter") reveal();
    else if (event.key === "Home") start();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the page would take a letter for a command
  };
  const press = (button, act) => {
    button.onclick = () => {
      act();
      root.focus({ preventScroll: true }); // so that the next key is a guess again
    };
  };
  for (const key of keys) press(key, () => guess(key.dataset.letter));
  press(giveUp, reveal);
  press(again, start);
  start();
}

export default { render };
