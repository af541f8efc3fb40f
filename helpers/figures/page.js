// Draws and says what page.py sends: controls, line curves, bars and grids of boxes. Every name, label, colour and number
// comes from there. An answer that is known is drawn at once; for any other the kernel is asked.

const GREY = "#8a8a8a";
const PATIENCE = 3000; // ms without an answer after which the page says what it waits for

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const three = (value) =>
  value === null ? "–" : value >= 1e300 ? "∞" : String(Number(value.toPrecision(3))).replace("-", "−");
const fill = (words, names) => words.replace(/\{(\w+)\}/g, (whole, name) => names[name] ?? whole);

function make(parent, name, attributes = {}, text = "") {
  const svg = name === "svg" || parent instanceof SVGElement;
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== "") node.textContent = text;
  return parent.appendChild(node);
}

function rect(parent, [from, to], [low, high], attributes) {
  return make(parent, "rect", { x: from, width: to - from, y: high, height: low - high, ...attributes });
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
  return {
    X,
    Y,
    top,
    bottom,
    place: (x, y) => [back(d.x, (x - left) / (right - left)), back(d.y, (y - bottom) / (top - bottom))],
  };
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
      const points = series.y.flatMap((v, i) =>
        v === null ? [] : [`${X(series.x[i]).toFixed(1)},${height(v).toFixed(1)}`],
      );
      make(svg, "path", { class: series.style, d: points.length ? `M${points.join("L")}` : "", stroke: series.color });
      if (series.x.length) dot(svg, series, series.x.length - 1);
    }
    const xs = d.series.map((s) => s.x).reduce((a, b) => (b.length > a.length ? b : a), []);
    return {
      count: xs.length,
      stride: 1,
      place,
      near: (x) => xs.reduce((best, v, i) => (Math.abs(v - x) < Math.abs(xs[best] - x) ? i : best), 0),
      tell(i, mark) {
        make(mark, "path", { d: `M${X(xs[i])},${top}V${bottom}`, stroke: GREY });
        const values = d.series.flatMap((series) => {
          const k = series.x.findLastIndex((v) => v <= xs[i]);
          if (k < 0) return [];
          dot(mark, series, k);
          const when = series.x[k] === xs[i] ? "" : ` (${d.x.label} ${series.x[k]})`;
          return [`${series.label} ${three(series.y[k])}${when}`];
        });
        return fill(d.point, { x: xs[i], values: values.join(", ") });
      },
    };
  },

  bars(svg, d, size, values) {
    const heights = d.series.map((series) => softmax(series.outputs, values[d.temperature] ?? 1));
    const highest = d.labels.map((_, i) => Math.max(...heights.map((h) => h[i])));
    const order = [...d.labels.keys()].sort((i, j) => highest[j] - highest[i]).slice(0, d.top);
    order.sort((i, j) => heights[0][j] - heights[0][i]);
    const x = { low: -0.6, high: order.length - 0.4, ticks: order.map((n, i) => [i, d.labels[n]]) };
    const { X, Y, place } = axes(svg, { ...d, x: { ...d.x, ...x } }, size);
    const wide = 0.8 / heights.length;
    for (const [k, h] of heights.entries()) {
      for (const [i, n] of order.entries()) {
        const from = i - 0.4 + k * wide;
        rect(svg, [X(from), X(from + wide)], [Y(0), Y(h[n])], { fill: d.series[k].color });
      }
    }
    return {
      count: order.length,
      stride: 1,
      place,
      near: (x) => clamp(Math.round(x), 0, order.length - 1),
      tell(i, mark) {
        rect(mark, [X(i - 0.48), X(i + 0.48)], [Y(0), Y(1)], { fill: GREY, "fill-opacity": 0.18 });
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
      column.map((v, row) =>
        d.cells ? { x: n - 0.5, row, n, v, color: shade(v) } : { x: v, row, n, v, color: d.palette[n] },
      ),
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
    const write = (x, row, text, style) =>
      make(svg, "text", { "text-anchor": "middle", x, y: Y(row) + 0.35 * size.em, class: style }, text);
    for (const { x, row, n } of d.cells || X(wide) - X(0) < 2 * size.em ? [] : boxes) {
      write(X(x + wide / 2), row, n, n === d.lit ? "lit on" : "");
    }
    for (const { x, row } of d.badge ? boxes.filter((box) => box.n === d.lit) : []) {
      make(svg, "circle", { class: "badge", cx: X(x), cy: Y(row), r: 0.72 * size.em, fill: d.badge.color });
      write(X(x), row, d.badge.text, "lit on");
    }
    if (d.cells) rect(svg, [X(d.lit - 0.5), X(d.lit + 0.5)], [Y(d.y.low), Y(d.y.high)], { class: "frame" });
    return {
      count: boxes.filter(strength).length,
      stride: (d.cells ?? d.starts)[0].length,
      place,
      near: (x, y) =>
        boxes.findIndex((b) => b.x <= x && x < b.x + wide && Math.abs(b.row - y) <= tall / 2 && strength(b)),
      tell(i, mark) {
        const { n, row, v } = boxes[i];
        make(mark, "path", { class: "frame", d: shape(boxes[i]) });
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
    if (under.count)
      tell(under.near(...under.place((event.clientX - place.left) * scale, (event.clientY - place.top) * scale)));
  };
  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerdown", move);
  svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && tell(-1));
  svg.addEventListener("keydown", (event) => {
    const { stride, count } = under;
    const steps = { ArrowLeft: -stride, ArrowRight: stride, ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (!count || step === undefined) return;
    event.preventDefault();
    const from = spot < 0 ? (Number.isFinite(step) ? -step : 0) : Math.min(spot, count - 1); // the first key shows the first
    tell(clamp(from + step, 0, count - 1));
  });

  return (d, em, values) => {
    box.style.flex = `${d.share ?? 1} 1 ${(d.share ?? 1) * 14 * em}px`;
    title.textContent = d.title ?? "";
    svg.setAttribute("aria-label", d.name);
    legend.replaceChildren();
    for (const [label, color, style] of d.legend ?? []) {
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
    return (value) => {
      for (const input of inputs) input.checked = input.value === value;
    };
  }
  const input = make(box, "input", { type: control.kind, spellcheck: false, autocomplete: "off" });
  if (control.kind === "text") {
    input.addEventListener("input", () => moved(input.value));
    return (value) => {
      if (input.value !== value) input.value = value; // the cursor stays
    };
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
  const { controls, style, waiting } = model.get("frame");
  make(shadow, "style", {}, style);
  const root = make(shadow, "div", { class: "figure" });
  const row = make(root, "div", { class: "controls" });
  const stage = make(root, "div", { class: "drawings" });
  const words = make(root, "p", { class: "words", role: "status" });
  const places = [];
  const names = Object.keys(controls).filter((name) => !controls[name].chooses);
  const chooser = Object.keys(controls).find((name) => controls[name].chooses); // of a frame
  let values = { ...model.get("values") };
  let position = controls[chooser]?.value ?? 0;
  let answer = model.get("answer");
  let [known, patience, timer] = [{}, 0, 0];

  const asked = () => JSON.stringify(names.map((name) => values[name]));
  const answered = () => JSON.stringify(answer.asked) === asked();
  const choose = (value) => {
    position = value;
    draw();
  };
  const shown = Object.entries(controls).map(([name, control]) => {
    const moved = (value) => (name === chooser ? choose(value) : ask({ [name]: value }));
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

  function ask(moved) {
    if (timer) stop();
    values = { ...values, ...moved };
    answer = known[asked()] ?? answer;
    if (!answered()) {
      model.set("values", values);
      model.save_changes();
      clearTimeout(patience);
      patience = setTimeout(() => {
        if (!answered()) words.textContent = waiting;
      }, PATIENCE);
    }
    draw();
  }

  function draw() {
    const frames = answer.frames ?? [{}];
    const { low = 0, high = null } = controls[chooser] ?? {};
    const last = answer.frames ? low + frames.length - 1 : position;
    if (high === null) position = clamp(position, low, last);
    for (const [name, show] of shown) {
      if (name === chooser) show(position, high ?? last);
      else show(values[name]);
    }
    const frame = frames[clamp(position - low, 0, frames.length - 1)];
    stage.hidden = Boolean(answer.error);
    words.classList.toggle("error", stage.hidden);
    words.setAttribute("aria-busy", !answered());
    words.textContent = answer.error ?? frame.words ?? answer.words ?? "";
    const em = parseFloat(getComputedStyle(stage).fontSize) || 16; // it may not be on the page yet
    for (const [i, drawing] of (answer.drawings ?? []).entries()) {
      places[i] ??= makePlace(stage);
      places[i]({ ...drawing, ...frame.drawings?.[i] }, em, values);
    }
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
  root.addEventListener("keydown", (event) => {
    if (!["Tab", "Escape"].includes(event.key)) event.stopPropagation(); // else JupyterLab would act on it
  });
  model.on("change:answer", heard);
  model.on("change:values", put);
  let width = 0;
  const resized = new ResizeObserver(() => {
    if (root.clientWidth !== width) draw();
    width = root.clientWidth;
  });
  resized.observe(root);
  const load = async () => {
    known = await unpack(model.get("known"));
  };
  if (model.get("known").byteLength) load();
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
