// Draws and says what page.py sends: controls, line curves, bars and grids of boxes. Every name, label, colour and number
// comes from there. An answer that is known is drawn at once; for any other the kernel is asked.

const STYLE = `
:host { display: block; }
.figure { color: var(--jp-content-font-color1, CanvasText); font: 15px/1.45 var(--jp-content-font-family, sans-serif);
  container-type: inline-size; max-width: 1400px; }
.figure > * { font-size: clamp(14px, 1.45cqw, 20px); }
.controls { display: flex; flex-wrap: wrap; gap: 0.4em 1.4em; align-items: center; margin-bottom: 0.5em; }
.control { display: flex; flex-wrap: wrap; gap: 0.5em; align-items: center; border: 0; margin: 0; padding: 0; min-width: 0; }
.control > legend { float: left; padding: 0; }
.choice { position: relative; }
.choice input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
.choice span, button, input[type="text"] { display: inline-block; padding: 0.2em 0.7em; border: 1px solid #8a8a8a;
  border-radius: 4px; background: none; color: inherit; font: inherit; cursor: pointer; }
input[type="text"] { width: 14em; max-width: 70cqw; box-sizing: border-box; cursor: text; }
input[type="range"] { width: 9em; height: 1.6em; margin: 0; accent-color: var(--strong); cursor: pointer; }
output { min-width: 2.2em; font-variant-numeric: tabular-nums; }
.choice input:checked + span { background: var(--strong); border-color: var(--strong); color: #fff; }
:focus-visible, .choice input:focus-visible + span { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
.drawings { display: flex; flex-wrap: wrap; gap: 0.4em 1.6em; }
.drawing { min-width: 0; }
.title { font-size: 1.08em; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1.2em; font-size: 0.93em; white-space: pre-wrap; }
.legend i { display: inline-block; width: 0.9em; height: 0.9em; margin-right: 0.4em; vertical-align: -0.08em; }
.legend i.line { width: 1.6em; height: 0; border-top: 3px solid; vertical-align: 0.25em; }
.legend i.dotted { border-top-style: dotted; }
svg { display: block; width: 100%; touch-action: pan-y; user-select: none; cursor: crosshair; }
svg text { fill: currentColor; }
svg .lit { font-weight: bold; }
svg .pale { opacity: 0.5; }
.point { min-height: 1.45em; font-variant-numeric: tabular-nums; opacity: 0.85; }
.words { margin: 0.4em 0 0; white-space: pre-wrap; overflow-wrap: anywhere; transition: opacity 0.1s 0.2s; }
.words[aria-busy="true"] { opacity: 0.5; }
.words.error { border-left: 4px solid var(--error); padding: 0.5em 0.8em; }
.drawings[hidden], .words:empty { display: none; }`;
const GREY = "#8a8a8a";
const PATIENCE = 3000; // ms without an answer after which the page says what it waits for

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const three = (value) => (value === null ? "–" : String(Number(value.toPrecision(3))).replace("-", "−"));
const fill = (words, names) => words.replace(/\{(\w+)\}/g, (_, name) => names[name]);

function make(parent, name, attributes = {}, text = "") {
  const svg = name === "svg" || parent instanceof SVGElement;
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== "") node.textContent = text;
  return parent.appendChild(node);
}

async function unpack(bytes) {
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

/** Probabilities from the network's outputs: softmax at a temperature, whose limit 0 puts all on the largest. */
function softmax(outputs, temperature) {
  const largest = Math.max(...outputs);
  if (temperature === 0) return outputs.map((_, i) => (i === outputs.indexOf(largest) ? 1 : 0));
  const powers = outputs.map((output) => Math.exp((output - largest) / temperature));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/** Draw axes with their ticks and names; return where a place of the data is on the picture, and back. */
function axes(svg, d, size) {
  const { wide, high, em } = size;
  const longest = Math.max(0, ...d.y.ticks.map(([, label]) => label.length));
  const left = em * (0.9 + 0.6 * longest + (d.y.label ? 1.5 : 0));
  const [right, top, bottom] = [wide - 0.7 * em, 0.6 * em, high - em * (d.x.label ? 2.9 : 1.6)];
  const share = ({ low, high, log }, v) => (log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low));
  const X = (v) => left + (right - left) * share(d.x, v);
  const Y = (v) => bottom + (top - bottom) * share(d.y, v);
  for (const [line, label] of d.lines ?? []) {
    make(svg, "path", { d: `M${left},${Y(line)}H${right}`, stroke: GREY, "stroke-dasharray": "6 4" });
    make(svg, "text", { x: right, y: Y(line) - 0.3 * em, "text-anchor": "end", "font-size": 0.85 * em }, label);
  }
  make(svg, "path", { d: `M${left},${top}V${bottom}H${right}`, fill: "none", stroke: GREY });
  for (const [tick, label, style = ""] of d.x.ticks) {
    make(svg, "text", { x: X(tick), y: bottom + 1.2 * em, "text-anchor": "middle", class: style }, label);
  }
  for (const [tick, label] of d.y.ticks) {
    make(svg, "text", { x: left - 0.4 * em, y: Y(tick) + 0.35 * em, "text-anchor": "end" }, label);
  }
  const name = { "text-anchor": "middle" };
  if (d.x.label) make(svg, "text", { ...name, x: (left + right) / 2, y: bottom + 2.5 * em }, d.x.label);
  const turned = `translate(${1.1 * em} ${(top + bottom) / 2}) rotate(-90)`;
  if (d.y.label) make(svg, "text", { ...name, transform: turned }, d.y.label);
  const back = (axis, part) => axis.low + part * (axis.high - axis.low); // of linear axes
  return { X, Y, top, bottom, place: (x, y) => [back(d.x, (x - left) / (right - left)), back(d.y, (y - bottom) / (top - bottom))] };
}

// Each draws on an empty svg, and returns what is under the pointer: `count` places, of which the arrow keys reach the
// next and, `stride` places on, the one beside it; the place near a point of the data; its words and its mark.
const DRAW = {
  curves(svg, d, size) {
    const { X, Y, top, bottom, place } = axes(svg, d, size);
    const height = (v) => Y(clamp(v, d.y.low, d.y.high)); // what lies beyond ends at the edge
    const dot = (parent, series, i) =>
      series.y[i] === null ||
      make(parent, "circle", { cx: X(series.x[i]), cy: height(series.y[i]), r: 0.36 * size.em, fill: series.color });
    for (const series of d.series) {
      let path = "";
      series.y.forEach((v, i) => v !== null && (path += `${path ? "L" : "M"}${X(series.x[i]).toFixed(1)},${height(v).toFixed(1)}`));
      const dashes = series.style.includes("dotted") ? { "stroke-dasharray": "3 4" } : {};
      make(svg, "path", { d: path, fill: "none", stroke: series.color, "stroke-width": 2.5, "stroke-linejoin": "round", ...dashes });
      if (series.x.length) dot(svg, series, series.x.length - 1);
    }
    const xs = d.series.map((s) => s.x).reduce((a, b) => (b.length > a.length ? b : a), []);
    return {
      count: xs.length, stride: 1, place,
      near: (x) => xs.reduce((best, v, i) => (Math.abs(v - x) < Math.abs(xs[best] - x) ? i : best), 0),
      tell(i, mark) {
        make(mark, "path", { d: `M${X(xs[i])},${top}V${bottom}`, stroke: GREY });
        const values = d.series.flatMap((series) => {
          const k = series.x.findLastIndex((v) => v <= xs[i]);
          if (k < 0) return [];
          dot(mark, series, k);
          return [`${series.label} ${three(series.y[k])}${series.x[k] === xs[i] ? "" : ` (${d.x.label} ${series.x[k]})`}`];
        });
        return fill(d.point, { x: xs[i], values: values.join(", ") });
      },
    };
  },

  bars(svg, d, size, values) {
    const heights = d.series.map((series) => softmax(series.outputs, values[d.temperature] ?? 1));
    const highest = d.labels.map((_, i) => Math.max(...heights.map((h) => h[i])));
    const order = d.labels.map((_, i) => i).sort((i, j) => highest[j] - highest[i]).slice(0, d.top);
    order.sort((i, j) => heights[0][j] - heights[0][i]);
    const x = { low: -0.6, high: order.length - 0.4, ticks: order.map((n, i) => [i, d.labels[n]]) };
    const { X, Y, place } = axes(svg, { ...d, x: { ...d.x, ...x } }, size);
    const wide = 0.8 / heights.length;
    heights.forEach((h, k) =>
      order.forEach((n, i) => {
        const [from, to] = [X(i - 0.4 + k * wide), X(i - 0.4 + (k + 1) * wide)];
        make(svg, "rect", { x: from, width: to - from, y: Y(h[n]), height: Y(0) - Y(h[n]), fill: d.series[k].color });
      }),
    );
    return {
      count: order.length, stride: 1, place,
      near: (x) => clamp(Math.round(x), 0, order.length - 1),
      tell(i, mark) {
        make(mark, "rect", { x: X(i - 0.48), width: X(0.96) - X(0), y: Y(1), height: Y(0) - Y(1), fill: GREY, "fill-opacity": 0.18 });
        const said = heights.map((h, k) => fill(d.series[k].point, { value: three(h[order[i]]) }));
        return fill(d.point, { x: d.labels[order[i]], values: said.join(", ") });
      },
    };
  },

  grid(svg, d, size) {
    // A box: its left end, its row, its column of cells or its minibatch, its colour. Those of the lit one stand out; of
    // the others, cells to come are not shown, and minibatches are pale.
    const shade = (v) => d.palette[Math.round(((v + 1) / 2) * (d.palette.length - 1))];
    const boxes = (d.cells ?? d.starts).flatMap((column, n) =>
      column.map((v, row) => (d.cells ? { x: n - 0.5, row, n, v, color: shade(v) } : { x: v, row, n, v, color: d.palette[n] })),
    );
    const [wide, tall, gap] = d.cells ? [1, 1, 0] : [d.wide, 0.8, 1];
    const strength = (box) => (box.n === d.lit || (d.cells && box.n < d.lit) ? 1 : d.cells ? 0 : 0.25);
    const style = (v) => (v === d.lit ? "lit" : v > d.lit ? "pale" : "");
    const ticks = d.x.ticks.map(([v, label]) => [v, label, d.cells ? style(v) : ""]);
    const { X, Y, place } = axes(svg, { ...d, x: { ...d.x, ticks } }, size);
    const shape = (box) =>
      `M${(X(box.x) + gap).toFixed(1)},${Y(box.row - tall / 2).toFixed(1)}H${(X(box.x + wide) - gap).toFixed(1)}` +
      `V${Y(box.row + tall / 2).toFixed(1)}H${(X(box.x) + gap).toFixed(1)}Z`;
    const paths = new Map(); // one for all boxes of a colour: there may be thousands
    for (const box of boxes.filter(strength)) {
      const key = `${box.color} ${strength(box)}`;
      paths.set(key, (paths.get(key) ?? "") + shape(box));
    }
    for (const [key, path] of paths) {
      const [fill, opacity] = key.split(" ");
      make(svg, "path", { d: path, fill, "fill-opacity": opacity, "shape-rendering": "crispEdges" });
    }
    const middle = { "text-anchor": "middle", "font-weight": "bold" };
    const room = X(wide) - X(0);
    for (const box of d.cells || room < 2 * size.em ? [] : boxes) {
      const at = { x: X(box.x + wide / 2), y: Y(box.row) + 0.35 * size.em };
      make(svg, "text", { ...at, ...(box.n === d.lit ? { ...middle, style: "fill:#fff" } : { "text-anchor": "middle" }) }, box.n);
    }
    for (const box of d.badge ? boxes.filter((box) => box.n === d.lit) : []) {
      const [x, y] = [X(box.x), Y(box.row)];
      make(svg, "circle", { cx: x, cy: y, r: 0.72 * size.em, fill: d.badge.color, stroke: "#fff", "stroke-width": 1.5 });
      make(svg, "text", { ...middle, x, y: y + 0.36 * size.em, style: "fill:#fff" }, d.badge.text);
    }
    const frame = { fill: "none", stroke: "currentColor", "stroke-width": 3 };
    if (d.cells) {
      const [from, to] = [X(d.lit - 0.5), X(d.lit + 0.5)];
      make(svg, "rect", { ...frame, x: from, width: to - from, y: Y(d.y.high), height: Y(d.y.low) - Y(d.y.high) });
    }
    return {
      count: boxes.filter(strength).length, stride: (d.cells ?? d.starts)[0].length, place,
      near: (x, y) => boxes.findIndex((b) => b.x <= x && x < b.x + wide && Math.abs(b.row - y) <= tall / 2 && strength(b)),
      tell(i, mark) {
        const { n, row, v } = boxes[i];
        make(mark, "path", { ...frame, "stroke-width": 2, d: shape(boxes[i]) });
        return fill(d.point, { n, row, value: three(v), last: v + wide - 1, x: d.x.ticks[n]?.[1] });
      },
    };
  },
};

/** A place for one drawing after another: title, legend, picture, and the words about what is under the pointer. */
function makePlace(parent) {
  const box = make(parent, "div", { class: "drawing" });
  const [title, legend] = ["title", "legend"].map((name) => make(box, "div", { class: name }));
  const svg = make(box, "svg", { tabindex: 0, role: "img" });
  const point = make(box, "div", { class: "point", "aria-live": "polite" });
  let [size, under, spot, mark] = [{}, { count: 0 }, -1, null];

  function tell(place) {
    spot = place;
    mark?.replaceChildren();
    point.textContent = spot >= 0 && spot < under.count ? under.tell(spot, mark) : "";
  }
  const move = (event) => {
    const place = svg.getBoundingClientRect();
    const scale = size.wide / place.width;
    if (under.count) tell(under.near(...under.place((event.clientX - place.left) * scale, (event.clientY - place.top) * scale)));
  };
  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerdown", move);
  svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && tell(-1));
  svg.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -under.stride, ArrowRight: under.stride, ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    tell(clamp(spot < 0 ? 0 : spot + steps[event.key], 0, under.count - 1));
  });

  return (d, em, values) => {
    box.style.flex = `${d.share ?? 1} 1 ${(d.share ?? 1) * 14 * em}px`;
    title.textContent = d.title ?? "";
    svg.setAttribute("aria-label", d.name);
    legend.replaceChildren();
    for (const [label, color, style] of d.legend ?? (d.series ?? []).filter((s) => s.label).map((s) => [s.label, s.color, s.style])) {
      const item = make(legend, "span");
      make(item, "i", { class: style, style: style === "square" ? `background:${color}` : `border-color:${color}` });
      item.append(label);
    }
    size = { wide: box.clientWidth || 600, high: (d.high ?? 16) * em, em };
    svg.setAttribute("viewBox", `0 0 ${size.wide} ${size.high}`);
    svg.setAttribute("font-size", em);
    svg.replaceChildren();
    under = DRAW[d.kind](svg, d, size, values);
    mark = make(svg, "g", { "pointer-events": "none" });
    tell(spot);
  };
}

/** One control of the row; `moved(value)` is called when a hand moves it. Returns what puts it where it stands. */
function makeControl(parent, control, moved) {
  const box = make(parent, control.kind === "choice" ? "fieldset" : "label", { class: "control" });
  make(box, control.kind === "choice" ? "legend" : "span", {}, control.label);
  if (control.kind === "choice") {
    const inputs = control.options.map(([key, name]) => {
      const option = make(box, "label", { class: "choice" });
      const input = make(option, "input", { type: "radio", name: control.label, value: key });
      make(option, "span", {}, name);
      input.addEventListener("change", () => moved(key));
      return input;
    });
    return (value) => inputs.forEach((input) => (input.checked = input.value === value));
  }
  const input = make(box, "input", { type: control.kind === "text" ? "text" : "range", spellcheck: false, autocomplete: "off" });
  if (control.kind === "text") {
    input.addEventListener("input", () => moved(input.value));
    return (value) => input.value === value || (input.value = value);
  }
  const shown = make(box, "output");
  input.step = control.step;
  input.addEventListener("input", () => moved(Number(input.value)));
  return (value, high = control.high) => {
    Object.assign(input, { min: control.low, max: high, value });
    shown.textContent = value.toFixed((String(control.step).split(".")[1] ?? "").length);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
}

function render({ model, el }) {
  el.classList.add("page-figure");
  const shadow = el.shadowRoot ?? el.attachShadow({ mode: "open" });
  shadow.replaceChildren();
  make(shadow, "style", {}, STYLE);
  const { controls, colors, waiting } = model.get("frame");
  const root = make(shadow, "div", { class: "figure", style: `--strong:${colors.strong};--focus:${colors.focus};--error:${colors.error}` });
  const row = make(root, "div", { class: "controls" });
  const stage = make(root, "div", { class: "drawings" });
  const words = make(root, "p", { class: "words", role: "status" });
  const places = [];
  const names = Object.keys(controls).filter((name) => !controls[name].chooses);
  const chooser = Object.keys(controls).find((name) => controls[name].chooses); // among the frames of an answer
  let values = { ...model.get("values") };
  let position = controls[chooser]?.value ?? 0;
  let answer = model.get("answer");
  let [known, patience, timer] = [{}, 0, 0];

  const asked = () => JSON.stringify(names.map((name) => values[name]));
  const answered = () => JSON.stringify(answer.asked) === asked();
  const choose = (value) => { position = value; draw(); };
  const shown = Object.entries(controls).map(([name, control]) => {
    const moved = name === chooser ? choose : (value) => { values[name] = value; ask(); };
    return [name, makeControl(row, control, moved)];
  });
  const play = controls[chooser]?.play && make(row, "button", { "aria-pressed": false }, controls[chooser].play.label);
  if (play) play.addEventListener("click", () => (timer ? stop() : start(controls[chooser])));

  function start({ low, play: { interval } }) {
    if (position >= low + answer.frames.length - 1) choose(low);
    play.setAttribute("aria-pressed", true);
    timer = setInterval(() => {
      choose(position + 1);
      if (position >= low + answer.frames.length - 1) stop();
    }, interval);
  }
  function stop() {
    timer = clearInterval(timer);
    play?.setAttribute("aria-pressed", false);
  }

  function ask() {
    if (timer) stop();
    answer = known[asked()] ?? answer;
    if (!answered()) {
      model.set("values", { ...values });
      model.save_changes();
      clearTimeout(patience);
      patience = setTimeout(() => answered() || (words.textContent = waiting), PATIENCE);
    }
    draw();
  }

  function draw() {
    const frames = answer.frames ?? [{}];
    const { low = 0, high = null } = controls[chooser] ?? {};
    const last = low + frames.length - 1;
    if (high === null) position = clamp(position, low, last);
    for (const [name, show] of shown) name === chooser ? show(position, high ?? last) : show(values[name]);
    const frame = frames[clamp(position - low, 0, frames.length - 1)];
    stage.hidden = Boolean(answer.error);
    words.classList.toggle("error", stage.hidden);
    words.setAttribute("aria-busy", !answered());
    words.textContent = answer.error ?? frame.words ?? answer.words ?? "";
    const em = parseFloat(getComputedStyle(stage).fontSize);
    (answer.drawings ?? []).forEach((drawing, i) => {
      places[i] ??= makePlace(stage);
      places[i]({ ...drawing, ...frame.drawings?.[i] }, em, values);
    });
  }

  const heard = () => {
    const before = answer;
    answer = model.get("answer");
    if (answered()) draw();
    else answer = before; // what was asked for has changed meanwhile
  };
  const put = () => {
    const before = asked();
    values = { ...model.get("values") };
    if (asked() !== before) draw();
  };
  root.addEventListener("keydown", (event) => ["Tab", "Escape"].includes(event.key) || event.stopPropagation());
  model.on("change:answer", heard);
  model.on("change:values", put);
  let width = 0;
  const resized = new ResizeObserver(() => {
    if (root.clientWidth !== width) draw();
    width = root.clientWidth;
  });
  resized.observe(root);
  if (model.get("known").byteLength) unpack(model.get("known")).then((answers) => (known = answers));
  draw();
  return () => {
    stop();
    clearTimeout(patience);
    resized.disconnect();
    model.off("change:answer", heard);
    model.off("change:values", put);
  };
}

export default { render };
