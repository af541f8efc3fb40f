// The web edition's own script: figures that live in the page, the search, and folded answers on paper.

// ---- figures: a model without a kernel behind it

const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

/** What a figure's module asks of its model (anywidget), answered by the page. */
function standIn(state) {
  const heard = new Map();
  const tell = (event, ...rest) => {
    for (const callback of [...(heard.get(event) ?? [])]) callback(...rest);
  };
  const model = {
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      tell(`change:${name}`, model, value);
      tell("change", model);
    },
    save_changes() {},
    send() {},
    on: (event, callback) => heard.set(event, (heard.get(event) ?? new Set()).add(callback)),
    off: (event, callback) => heard.get(event)?.delete(callback),
  };
  return model;
}

async function enliven(place) {
  const { state, buffers } = JSON.parse(place.querySelector("script").textContent);
  for (const { path, data } of buffers) {
    const last = path.pop();
    path.reduce((within, key) => within[key], state)[last] = bytes(data);
  }
  // From a page on disk a browser imports no file, but what the page itself holds.
  const url = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
  const module = (await import(url)).default;
  URL.revokeObjectURL(url);
  const figure = typeof module === "function" ? await module() : module;
  const el = document.createElement("div");
  const style = Object.assign(document.createElement("style"), { textContent: state._css ?? "" });
  const model = standIn(state);
  await figure.initialize?.({ model });
  place.replaceChildren(style, el);
  await figure.render({ model, el });
  place.closest("figure").querySelector(".still")?.remove();
}

for (const place of document.querySelectorAll(".live")) enliven(place);

// ---- search: its index is a script, because a page on disk may not read other files

const field = document.getElementById("search");
const list = document.getElementById("found");
let index = null;

function load() {
  index ??= new Promise((resolve) => {
    const script = Object.assign(document.createElement("script"), { src: `${ROOT}index.js` });
    script.onload = () =>
      resolve(INDEX.map((entry) => ({ ...entry, low: `${entry.title} ${entry.words}`.toLowerCase() })));
    document.head.append(script);
  });
  return index;
}

/** Sections that hold all the words, those first that have them in their title or often. */
function find(entries, words) {
  const weight = ({ title, low }) =>
    words.reduce((sum, word) => sum + (title.toLowerCase().includes(word) ? 20 : 0) + low.split(word).length - 1, 0);
  const all = entries.filter(({ low }) => words.every((word) => low.includes(word)));
  return all
    .map((entry) => [weight(entry), entry])
    .sort((a, b) => b[0] - a[0])
    .slice(0, 12)
    .map(([, entry]) => entry);
}

function show(entry, word) {
  const item = document.createElement("li");
  const link = Object.assign(document.createElement("a"), { href: ROOT + entry.to });
  const at = Math.max(0, entry.words.toLowerCase().indexOf(word) - 40);
  const parts = [
    ["b", entry.title],
    ["small", entry.page],
    ["span", `${at ? "… " : ""}${entry.words.slice(at, at + 120)} …`],
  ];
  link.append(...parts.map(([name, textContent]) => Object.assign(document.createElement(name), { textContent })));
  item.append(link);
  return item;
}

async function search() {
  const entries = await load();
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length ? find(entries, words) : [];
  const none = Object.assign(document.createElement("li"), { textContent: "Nothing found." });
  list.replaceChildren(...(found.length ? found.map((entry) => show(entry, words[0])) : [none]));
  list.hidden = !words.length;
}

field.addEventListener("focus", load);
field.addEventListener("input", search);
document.addEventListener("click", (event) => {
  if (!event.target.closest("search")) list.hidden = true;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") list.hidden = true;
});

// ---- contents are folded on a narrow screen; answers are unfolded on paper

document.querySelector(".contents details").open = matchMedia("(min-width: 64rem)").matches;
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("main details:not([open])")];
  for (const answer of opened) answer.open = true;
});
addEventListener("afterprint", () => {
  for (const answer of opened) answer.open = false;
});
