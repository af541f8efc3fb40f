// The explorer in the page: a map of all recorded runs, their curves, and what they wrote at the epoch in hand.
// Whatever names a setting, a label, a colour or a limit comes from explorer.py; lengths of the curves' picture stand here.

const PLOT = { left: 54, right: 16, top: 12, below: 40, gap: 16, norm: 84 };
const BESIDE = 760; // pixels from which the curves stand beside the map
const TALL = { beside: 300, below: 210 }; // the curves beside the map, and below it, where a phone shows both
const LARGE = 1050; // pixels from which all grows with the page
const SECONDS = 12; // of a play through all epochs

async function unpack(bytes) {
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

/** Numbers of three digits, sent as steps between their places in the row …, 9.99, 10.0, 10.1, …; see explorer.py. */
function numbers(steps) {
  let place = 0;
  return steps.map((step) => {
    place += step;
    return ((place % 900) + 100) * 10 ** (Math.floor(place / 900) - 402);
  });
}

function make(parent, name, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text; // never as HTML: it may come from a reader
  return parent.appendChild(node);
}

const show = (node, shown) => node.style.setProperty("display", shown ? "" : "none");
const say = (node, text) => node.textContent !== text && node.replaceChildren(text);
const put = (node, name, value) => node.getAttribute(name) !== value && node.setAttribute(name, value);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function three(value) {
  if (value === undefined) return "–";
  return value === Infinity ? "∞" : value < 1e5 ? String(Number(value.toPrecision(3))) : value.toExponential(2);
}

/** From a number to its height in the picture; what lies beyond the axis ends at its edge. */
function scale({ low, high, log }, top, height) {
  const at = log ? (value) => Math.log(Math.max(value, low)) : (value) => value;
  return (value) => top + height * (1 - clamp((at(value) - at(low)) / (at(high) - at(low)), 0, 1));
}

/** The axes for a width and a height; gives back where epochs and numbers stand on them. */
function drawAxes(svg, width, tall, { axes, labels, last, guess }, get) {
  const [bottom, right] = [PLOT.top + tall, width - PLOT.right];
  const above = get("log") ? axes.log : axes.linear;
  const areas = [{ ...above, top: PLOT.top, height: tall, name: labels.perplexity }];
  if (get("show_norm")) areas.push({ ...axes.norm, top: bottom + PLOT.gap, height: PLOT.norm, name: labels.norm });
  const end = areas.at(-1).top + areas.at(-1).height;
  const X = (epoch) => PLOT.left + (clamp(epoch, 0, last) / last) * (right - PLOT.left);
  const text = (x, y, kind, words, more = {}) => make(under, "text", { x, y, class: kind, ...more }, words);
  svg.setAttribute("viewBox", `0 0 ${width} ${end + PLOT.below}`);
  const [under, over] = [".under", ".over"].map((layer) => svg.querySelector(layer));
  under.replaceChildren();
  over.replaceChildren();
  for (const area of areas) {
    area.Y = scale(area, area.top, area.height);
    make(under, "path", { d: `M${X(0)},${area.top}v${area.height}H${right}`, class: "line" });
    for (const tick of area.ticks) text(X(0) - 6, area.Y(tick) + 4, "end", String(tick));
    text(0, 0, "", area.name, { transform: `translate(13 ${area.top + area.height / 2}) rotate(-90)` });
  }
  for (let epoch = 0; epoch <= last; epoch += last / 5) text(X(epoch), end + 17, "", String(epoch));
  text((X(0) + right) / 2, end + 34, "", labels.epoch);
  const [Y, N] = areas.map((area) => area.Y);
  for (const [name, value] of Object.entries({ ...guess, ...(get("show_ladder") ? get("ladder") : {}) })) {
    make(under, "path", { d: `M${X(0)},${Y(value)}H${right}`, class: "line dashed" });
    make(over, "text", { x: right, y: Y(value) - 4, class: "small end" }, `${name} ${three(value)}`);
  }
  const nothing = text((X(0) + right) / 2, PLOT.top + tall / 2, "large", labels.missing);
  return { X, Y, N, end, right, nothing, paths: new WeakMap() };
}

/** The lines of a run in the picture: training text, unseen text, norm and where it is clipped. */
function pathsOf(run, { X, Y, N, right, paths }) {
  const line = (values, height, epochs) =>
    values.map((v, i) => `${i ? "L" : "M"}${X(epochs?.[i] ?? i + 1).toFixed(1)},${height(v).toFixed(1)}`).join("");
  const norm = () => [line(run.norm, N), run.clip ? `M${X(0)},${N(run.clip)}H${right}` : ""];
  if (!paths.has(run)) paths.set(run, [line(run.training, Y), line(run.unseen, Y, run.looked), ...(N ? norm() : [])]);
  return paths.get(run);
}

async function render({ model, el }) {
  const data = await unpack(model.get("data"));
  const { cells, labels, last } = data;
  const kept = Object.fromEntries(data.view.map((name) => [name, model.get(name)])); // what is shown, by the hand's word
  const heard = { ...kept }; // what the kernel said last: an echo of an older word must not call the hand back
  const get = (name) => (name in kept ? kept[name] : model.get(name));
  const shadow = el.shadowRoot ?? el.attachShadow({ mode: "open" }); // the page's styles stay outside
  shadow.innerHTML = data.page; // from explorer_data.py: no word of a recording or of a reader is in it
  const one = (selector) => shadow.querySelector(selector);
  const all = (selector) => [...shadow.querySelectorAll(selector)];
  const [root, map, plot, choose] = [".explorer", ".map", ".plot", "select"].map(one);
  const [pinner, player] = [".pin", ".play"].map(one);
  const [boxes, marks, ticks, heads] = [".cell", ".cell + .mark", "input", "th"].map(all);
  const [groups, frames, rows] = [".track", ".frame", ".row"].map(all);
  const tracks = groups.map((group, i) => {
    const within = (node, selector) => [...node.querySelectorAll(selector)];
    const row = rows.at(i - 1); // that of the run in hand is the last, so that the others stand still
    const [curves, dots, words] = [within(group, ".curve"), within(group, ".dot"), within(row, ".words")];
    return { group, frame: frames[i], row, button: row.querySelector("button"), curves, dots, words };
  });
  const opened = new WeakMap(); // of what was sent, the runs with their numbers
  const timers = {};
  let [hover, over, width, tall, framed, axes, measure] = [null, null, 0, 0, "", null, null];
  const at = () => over ?? get("epoch"); // a look at an epoch ends where the mouse leaves the curves
  const later = (name, wait, act) => {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(act, wait);
  };
  const set = (name, value) => {
    const news = kept[name] !== value;
    kept[name] = value;
    draw();
    if (!news) return;
    later("save", 250, () => {
      model.set("shown", { ...kept }); // the kernel hears where the hand came to rest
      model.save_changes();
    });
  };
  const hear = () => {
    for (const name of data.view) {
      if (model.get(name) !== heard[name]) kept[name] = heard[name] = model.get(name);
    }
    draw();
  };

  function paint() {
    measure = data.measures.find(({ label }) => label === get("coloured"));
    for (const [i, { missing, cross }] of cells.entries()) {
      boxes[i].setAttribute("fill", missing ? "none" : measure.colors[i]);
      say(marks[i], cross || (measure.best.includes(i) ? "★" : ""));
    }
    one(".legend").innerHTML = measure.legend;
  }

  /** One shown run at the epoch in hand; gives back its reading in words. */
  function drawTrack(track, slot, mine) {
    const sent = typeof slot === "number" ? cells[slot] : slot;
    for (const part of [track.group, track.frame, track.row]) show(part, sent);
    if (!sent) return "";
    if (!opened.has(sent)) {
      const [training, unseen, norm] = [sent.training, sent.unseen, sent.norm].map(numbers);
      opened.set(sent, { ...sent, training, unseen, norm });
    }
    const run = opened.get(sent);
    const epoch = at();
    const before = (epochs) => (epoch > run.training.length ? -1 : epochs.findLastIndex((e) => e <= epoch));
    const [k, s] = [before(run.looked), before(run.sampled)];
    const on = [get("show_training"), get("show_unseen"), true, true];
    const paths = pathsOf(run, axes);
    const values = [run.training[epoch - 1], run.unseen[k]];
    for (const [i, curve] of track.curves.entries()) put(curve, "d", on[i] ? (paths[i] ?? "") : "");
    for (const [i, dot] of track.dots.entries()) {
      const seen = on[i] && values[i] !== undefined;
      const place = seen ? [axes.X(i ? run.looked[k] : epoch), axes.Y(values[i])] : [-99, 0]; // out of sight
      put(dot, "transform", `translate(${place})`);
    }
    for (const part of [track.group, track.row]) part.classList.toggle("mine", mine);
    put(track.frame, "transform", `translate(${run.x ?? -99} ${run.y ?? 0})`);
    put(track.button, "aria-label", `${labels.unpin} ${run.name}`);
    const aside = k < 0 || run.looked[k] === epoch ? "" : ` (${run.looked[k]})`;
    const words = [run.name, three(values[0]), three(values[1]) + aside, run.samples[s] ?? ""];
    for (const [i, node] of track.words.entries()) say(node, words[i]);
    const wrote = s < 0 ? "" : ` ${labels.writes} (${run.sampled[s]}): ${words[3]}`;
    return `${labels.epoch} ${epoch}: ${labels.training} ${words[1]}, ${labels.unseen} ${words[2]}.${wrote}`;
  }

  function draw() {
    const [slots, epoch, here] = [get("slots"), at(), hover ?? get("cell")];
    const wanted = JSON.stringify([width, tall, get("log"), get("show_norm"), get("show_ladder"), get("ladder")]);
    if (framed !== wanted) axes = drawAxes(plot, width, tall, data, get);
    framed = wanted;
    if (measure?.label !== get("coloured")) paint();
    const mine = slots.indexOf(here) + 1; // the run in hand has no second curve when it is pinned
    const said = tracks.map((track, i) => drawTrack(track, i ? slots[i - 1] : mine ? null : here, i === mine))[mine];
    const { name, missing, end, sampled } = cells[here];
    const s = sampled.findLastIndex((e) => e <= epoch);
    const writes = s < 0 ? labels.writes : `${labels.writes} (${labels.epoch} ${sampled[s]}): ${labels.prefix}`;
    const titles = ["", `${labels.epoch} ${epoch}`, labels.training, labels.unseen, writes];
    for (const [i, node] of heads.entries()) say(node, titles[i]);
    say(one(".reading"), `${name}: ${measure.label} ${measure.texts[here]}. ${end}`);
    later("speak", 500, () => say(one(".spoken"), `${one(".reading").textContent} ${said}`));
    show(axes.nothing, missing);
    one(".upright").setAttribute("d", `M${axes.X(epoch)},${PLOT.top}V${axes.end}`);
    plot.setAttribute("aria-valuenow", epoch);
    choose.value = measure.label;
    for (const tick of ticks) tick.checked = get(tick.name);
    const full = slots.filter((slot) => slot !== null).length === data.colors.length;
    say(pinner, slots.includes(get("cell")) ? labels.unpin : full ? labels.full : labels.pin);
  }

  function pin(cell) {
    const slots = [...get("slots")];
    const place = slots.indexOf(cell);
    const free = [...slots, null].indexOf(null);
    if (place >= 0) slots[place] = null;
    else if (free < data.colors.length && !cells[cell].missing) slots[free] = cell;
    set("slots", slots);
  }

  function play(on) {
    cancelAnimationFrame(timers.play);
    say(player, on ? labels.stop : labels.play);
    over = null;
    let [epoch, then] = [get("epoch") < last ? get("epoch") : 1, performance.now()];
    const step = (now) => {
      epoch = Math.min(epoch + (Math.max(0, now - then) * last) / (1000 * SECONDS), last);
      then = now;
      set("epoch", Math.floor(epoch));
      timers.play = epoch < last ? requestAnimationFrame(step) : play(false);
    };
    timers.play = on ? requestAnimationFrame(step) : 0;
    return timers.play;
  }

  function fit() {
    const pixels = root.clientWidth;
    if (!pixels) return; // on a page that is not shown
    const unit = Math.max(1, pixels / LARGE);
    const beside = pixels >= BESIDE;
    const room = beside ? pixels - (data.width + 15) * unit : pixels;
    root.style.fontSize = `${14 * unit}px`;
    root.classList.toggle("narrow", !beside);
    map.parentNode.style.width = `${data.width * unit}px`;
    plot.style.width = `${room}px`;
    [width, tall] = [room / unit, beside ? TALL.beside : TALL.below];
    draw();
  }

  function point({ clientX, clientY }) {
    const cell = shadow.elementFromPoint(clientX, clientY)?.dataset.cell;
    const found = cell === undefined ? null : Number(cell);
    if (found === hover) return;
    hover = found;
    draw();
  }

  function go(epoch, stay) {
    over = stay ? null : epoch;
    return stay ? set("epoch", clamp(epoch, 1, last)) : draw();
  }

  function scrub({ clientX, buttons }) {
    const box = plot.getBoundingClientRect();
    const x = ((clientX - box.left) * width) / box.width;
    go(clamp(Math.round(((x - PLOT.left) / (axes.right - PLOT.left)) * last), 1, last), buttons);
  }

  function press(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || ["Tab", "Escape"].includes(key)) return; // the page's
    if (target instanceof SVGElement && (key === " " || (key === "Enter" && event.shiftKey))) return;
    event.stopPropagation(); // the page would take a letter for a command
    const [next, step] = [cells[get("cell")].next[key], data.steps[key]];
    if (target === map && next !== undefined) set("cell", next);
    else if (target === map && key === "Enter") pin(get("cell"));
    else if (target === plot && step) go(at() + step, true);
    else return;
    event.preventDefault();
  }

  map.onpointermove = point;
  map.onpointerleave = point;
  map.onpointerdown = (event) => {
    point(event);
    if (hover === null) return;
    const known = get("cell") === hover || event.pointerType === "mouse"; // a first touch only shows
    set("cell", hover);
    if (known) pin(hover);
  };
  plot.onpointermove = (event) => timers.play || scrub(event);
  plot.onpointerleave = () => go(null);
  plot.onpointerdown = (event) => {
    play(false);
    scrub(event);
  };
  root.onkeydown = press;
  choose.onchange = () => set("coloured", choose.value);
  pinner.onclick = () => pin(get("cell"));
  player.onclick = () => play(!timers.play);
  one(".clear").onclick = () => set("slots", []);
  for (const tick of ticks) tick.onchange = () => set(tick.name, tick.checked);
  for (const [i, { button }] of tracks.entries()) button.onclick = () => set("slots", get("slots").with(i - 1, null));
  show(one("[name=show_ladder]").parentNode, Object.keys(get("ladder")).length);
  say(one(".problems"), data.problems);
  const observer = new ResizeObserver(fit);
  observer.observe(root);
  model.on("change", hear);
  return () => {
    observer.disconnect();
    model.off("change", hear);
    play(false);
    for (const timer of Object.values(timers)) clearTimeout(timer);
  };
}

export default { render };
