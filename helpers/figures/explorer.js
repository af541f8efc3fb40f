// The explorer in the page: a map of all recorded runs, their curves, and what they wrote at the epoch in hand.
// Whatever names a setting, a label, a colour or a limit comes from explorer.py; lengths of the curves' picture stand here.

const SVG = "http://www.w3.org/2000/svg";
const PLOT = { left: 54, right: 16, top: 12, height: 300, below: 40, gap: 16, norm: 84 };
const BESIDE = 760; // pixels from which the curves stand beside the map
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
  const drawn = parent.namespaceURI === SVG || name === "svg";
  const node = drawn ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text; // never as HTML: it may come from a reader
  return parent.appendChild(node);
}

const show = (node, shown) => node.style.setProperty("display", shown ? "" : "none");
const say = (node, text) => node.textContent !== text && node.replaceChildren(text);
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

/** The map, drawn once; its cells get their colours later. */
function makeMap(parent, { map, cells, labels }) {
  const focus = { tabindex: 0, role: "application", "aria-label": labels.map };
  const svg = make(parent, "svg", { viewBox: `0 0 ${map.width} ${map.height}`, ...focus });
  for (const [x, y, kind, words] of map.texts) make(svg, "text", { x, y, class: kind }, words);
  const boxes = cells.map(({ x, y, missing, cross }) => {
    const inset = missing ? 4 : 0.5;
    const side = map.cell - 2 * inset;
    const place = { x: x + inset, y: y + inset, width: side, height: side };
    const box = make(svg, "rect", { ...place, class: missing ? "empty" : "" });
    return { box, mark: make(svg, "text", { x: x + map.cell / 2, y: y + 15, class: "mark" }, cross) };
  });
  return { svg, boxes };
}

/** What belongs to one shown run: curves, dots, a frame on the map, a line of the table. Number 0 is the run in hand. */
function makeTrack(layer, map, side, body, color, number) {
  const curves = ["", "dotted", ""].map((kind) => make(layer, "path", { class: `curve ${kind}`, stroke: color }));
  const dots = [color, "var(--paper)"].map((fill, i) => {
    const dot = make(layer, "g");
    make(dot, "circle", { r: 7, fill, stroke: color, "stroke-width": 2.5 });
    make(dot, "text", { y: 3.5, class: "number", style: i ? "fill: currentColor" : "" }, number || "");
    return dot;
  });
  const frame = make(map, "g");
  for (const [stroke, width] of Object.entries({ "var(--paper)": 6, [color]: 3 })) {
    const around = { x: -1, y: -1, width: side + 2, height: side + 2, fill: "none" };
    make(frame, "rect", { ...around, stroke, "stroke-width": width });
  }
  make(frame, "text", { x: 4, y: 9, class: "mark", style: "font-size: 10px" }, number || "");
  const row = make(body, "tr");
  const button = make(make(row, "td"), "button", { style: `background: ${color}` }, number ? `${number} ✕` : "");
  button.disabled = !number;
  const words = ["name", "", "", "writes"].map((kind) => make(row, "td", { class: kind }));
  return { curves, dots, frame, row, button, words };
}

/** The axes for a width; gives back where epochs and numbers stand on them. */
function drawAxes(svg, under, width, { axes, labels, last, guess }, get) {
  const [bottom, right] = [PLOT.top + PLOT.height, width - PLOT.right];
  const above = get("log") ? axes.log : axes.linear;
  const areas = [{ ...above, top: PLOT.top, height: PLOT.height, name: labels.perplexity }];
  if (get("show_norm")) areas.push({ ...axes.norm, top: bottom + PLOT.gap, height: PLOT.norm, name: labels.norm });
  const end = areas.at(-1).top + areas.at(-1).height;
  const X = (epoch) => PLOT.left + (clamp(epoch, 0, last) / last) * (right - PLOT.left);
  const text = (x, y, kind, words, more = {}) => make(under, "text", { x, y, class: kind, ...more }, words);
  svg.setAttribute("viewBox", `0 0 ${width} ${end + PLOT.below}`);
  under.replaceChildren();
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
    text(right, Y(value) - 4, "small end", `${name} ${three(value)}`);
  }
  const nothing = text((X(0) + right) / 2, PLOT.top + PLOT.height / 2, "large", labels.missing);
  return { X, Y, N, end, right, nothing, paths: new WeakMap() };
}

/** The lines of a run in the picture: training text, unseen text, norm and where it is clipped. */
function pathsOf(run, { X, Y, N, right, paths }) {
  const line = (values, height, epochs) =>
    values.map((v, i) => `${i ? "L" : "M"}${X(epochs?.[i] ?? i + 1).toFixed(1)},${height(v).toFixed(1)}`).join("");
  if (paths.has(run)) return paths.get(run);
  const limit = run.clip ? `M${X(0)},${N?.(run.clip)}H${right}` : "";
  const norm = N ? line(run.norm, N) + limit : "";
  paths.set(run, [line(run.training, Y), line(run.unseen, Y, run.looked), norm]);
  return paths.get(run);
}

async function render({ model, el }) {
  const data = await unpack(model.get("data"));
  const get = (name) => model.get(name);
  const { cells, labels, last } = data;
  const shadow = el.shadowRoot ?? el.attachShadow({ mode: "open" }); // the page's styles stay outside
  shadow.replaceChildren();
  make(shadow, "style", {}, data.style);
  const root = make(shadow, "div", { class: "explorer" });
  const opened = new WeakMap(); // of what was sent, the runs with their numbers
  const timers = {};
  let [hover, width, framed, axes, measure] = [null, 0, "", null, null];
  const later = (name, wait, act) => {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(act, wait);
  };
  const set = (name, value) => {
    model.set(name, value);
    later("save", 250, () => model.save_changes()); // the kernel hears where the hand came to rest
  };

  const bar = make(root, "div", { class: "bar" });
  const choose = make(make(bar, "label", {}, `${labels.coloured} `), "select");
  for (const { label } of data.measures) make(choose, "option", {}, label);
  choose.onchange = () => set("coloured", choose.value);
  const button = (words, act) => Object.assign(make(bar, "button", {}, words), { onclick: act });
  const pinner = button(labels.pin, () => pin(get("cell")));
  button(labels.clear, () => set("slots", []));
  const player = button(labels.play, () => play(!timers.play));
  const ticks = Object.entries(data.ticks).map(([name, words]) => {
    const label = make(bar, "label");
    const box = make(label, "input", { type: "checkbox" });
    label.append(` ${words}`);
    show(label, name !== "show_ladder" || Object.keys(get("ladder")).length);
    box.onchange = () => set(name, box.checked);
    return [name, box];
  });
  const pictures = make(root, "div", { class: "pictures" });
  const left = make(pictures, "div");
  const { svg: map, boxes } = makeMap(left, data);
  const legend = make(left, "p", { class: "legend" });
  const slider = { role: "slider", "aria-label": labels.epoch, "aria-valuemin": 1, "aria-valuemax": last };
  const plot = make(pictures, "svg", { tabindex: 0, ...slider });
  const under = make(plot, "g");
  const upright = make(plot, "path", { class: "line" });
  const layer = make(plot, "g");
  const body = make(make(root, "table"), "tbody");
  const top = make(body, "tr");
  const heads = ["", "name", "", "", "writes"].map((kind) => make(top, "th", { class: kind }));
  const { cell: side } = data.map;
  const tracks = ["currentColor", ...data.colors].map((color, i) => makeTrack(layer, map, side, body, color, i));
  const reading = make(root, "p");
  make(root, "p", {}, data.problems);
  const spoken = make(root, "div", { class: "spoken", "aria-live": "polite" });

  function paint() {
    measure = data.measures.find(({ label }) => label === get("coloured"));
    for (const [i, { box, mark }] of boxes.entries()) {
      if (!cells[i].missing) box.setAttribute("fill", measure.colors[i]);
      if (!cells[i].cross) say(mark, measure.best.includes(i) ? "★" : "");
    }
    legend.replaceChildren();
    for (const [color, words] of measure.legend) {
      if (color) make(legend, "i", { style: `background: ${color}` }, " ");
      legend.append(words);
    }
  }

  /** One shown run at the epoch in hand; gives back its reading in words. */
  function drawTrack(track, slot, thick) {
    const [sent, onMap] = typeof slot === "number" ? [cells[slot], true] : [slot, false];
    show(track.row, sent);
    show(track.frame, sent && onMap);
    for (const node of [...track.curves, ...track.dots]) show(node, false);
    if (!sent) return "";
    if (!opened.has(sent)) {
      const [training, unseen, norm] = [sent.training, sent.unseen, sent.norm].map(numbers);
      opened.set(sent, { ...sent, training, unseen, norm });
    }
    const run = opened.get(sent);
    const epoch = get("epoch");
    const before = (epochs) => (epoch > run.training.length ? -1 : epochs.findLastIndex((e) => e <= epoch));
    const [k, s] = [before(run.looked), before(run.sampled)];
    const on = [get("show_training"), get("show_unseen"), get("show_norm")];
    const values = [run.training[epoch - 1], run.unseen[k]];
    if (onMap) track.frame.setAttribute("transform", `translate(${run.x} ${run.y})`);
    for (const [i, path] of pathsOf(run, axes).entries()) {
      track.curves[i].setAttribute("d", path);
      track.curves[i].classList.toggle("thick", thick);
      show(track.curves[i], on[i]);
    }
    for (const [i, value] of values.entries()) {
      if (!on[i] || value === undefined) continue;
      track.dots[i].setAttribute("transform", `translate(${axes.X(i ? run.looked[k] : epoch)} ${axes.Y(value)})`);
      show(track.dots[i], true);
    }
    const aside = k < 0 || run.looked[k] === epoch ? "" : ` (${run.looked[k]})`;
    const words = [run.name, three(values[0]), three(values[1]) + aside, run.samples[s] ?? ""];
    for (const [i, node] of track.words.entries()) say(node, words[i]);
    track.row.classList.toggle("on", thick);
    track.button.setAttribute("aria-label", `${labels.unpin} ${run.name}`);
    const wrote = s < 0 ? "" : ` ${labels.writes} (${run.sampled[s]}): ${words[3]}`;
    return `${labels.epoch} ${epoch}: ${labels.training} ${words[1]}, ${labels.unseen} ${words[2]}.${wrote}`;
  }

  function draw() {
    const [slots, epoch, here] = [get("slots"), get("epoch"), hover ?? get("cell")];
    const wanted = JSON.stringify([width, get("log"), get("show_norm"), get("show_ladder"), get("ladder")]);
    if (framed !== wanted) axes = drawAxes(plot, under, width, data, get);
    framed = wanted;
    if (measure?.label !== get("coloured")) paint();
    const mine = slots.indexOf(here) + 1; // the run in hand has no second curve when it is pinned
    const said = tracks.map((track, i) => drawTrack(track, i ? slots[i - 1] : mine ? null : here, i === mine))[mine];
    const { name, missing, end, sampled } = cells[here];
    const s = sampled.findLastIndex((e) => e <= epoch);
    const writes = labels.writes + (s < 0 ? "" : ` (${labels.epoch} ${sampled[s]})`);
    const titles = ["", `${labels.epoch} ${epoch}`, labels.training, labels.unseen, writes];
    for (const [i, node] of heads.entries()) say(node, titles[i]);
    say(reading, `${name}. ${measure.label}: ${measure.texts[here]}. ${end}`);
    later("speak", 500, () => say(spoken, `${name}. ${end} ${said}`));
    show(axes.nothing, missing);
    upright.setAttribute("d", `M${axes.X(epoch)},${PLOT.top}V${axes.end}`);
    plot.setAttribute("aria-valuenow", epoch);
    choose.value = measure.label;
    for (const [tick, box] of ticks) box.checked = get(tick);
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
    let epoch = get("epoch") < last ? get("epoch") : 1;
    let then = performance.now();
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
    const room = beside ? pixels - (data.map.width + 15) * unit : pixels;
    root.style.fontSize = `${14 * unit}px`;
    root.classList.toggle("narrow", !beside);
    left.style.width = beside ? `${data.map.width * unit}px` : "";
    map.style.width = `${data.map.width * unit}px`;
    plot.style.width = `${room}px`;
    width = room / unit;
    draw();
  }

  /** Where the pointer is in a picture, in the picture's own lengths. */
  const inside = (svg, { clientX, clientY }) => {
    const box = svg.getBoundingClientRect();
    const unit = svg.viewBox.baseVal.width / box.width;
    return [(clientX - box.left) * unit, (clientY - box.top) * unit];
  };
  const point = (found) => {
    if (found === hover) return;
    hover = found;
    draw();
  };
  map.onpointermove = (event) => {
    const [x, y] = inside(map, event);
    const found = cells.findIndex((cell) => x >= cell.x && x < cell.x + side && y >= cell.y && y < cell.y + side);
    point(found < 0 ? null : found);
  };
  map.onpointerleave = () => point(null);
  map.onpointerdown = (event) => {
    map.onpointermove(event);
    if (hover === null) return;
    const known = get("cell") === hover || event.pointerType === "mouse"; // a first touch only shows
    set("cell", hover);
    if (known) pin(hover);
  };
  plot.onpointerdown = (event) => {
    play(false);
    const share = (inside(plot, event)[0] - PLOT.left) / (axes.right - PLOT.left);
    set("epoch", clamp(Math.round(share * last), 1, last));
  };
  plot.onpointermove = (event) => timers.play || plot.onpointerdown(event);
  root.onkeydown = (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || ["Tab", "Escape"].includes(key)) return; // the page's
    if (target instanceof SVGElement && (key === " " || (key === "Enter" && event.shiftKey))) return;
    event.stopPropagation();
    const [next, step] = [cells[get("cell")].next[key], data.steps[key]];
    if (target === map && next !== undefined) set("cell", next);
    else if (target === map && key === "Enter") pin(get("cell"));
    else if (target === plot && step) set("epoch", clamp(get("epoch") + step, 1, last));
    else return;
    event.preventDefault();
  };
  tracks.forEach(({ button }, i) => {
    button.onclick = () => set("slots", get("slots").with(i - 1, null));
  });
  const observer = new ResizeObserver(fit);
  observer.observe(root);
  model.on("change", draw);
  return () => {
    observer.disconnect();
    model.off("change", draw);
    play(false);
    for (const timer of Object.values(timers)) clearTimeout(timer);
  };
}

export default { render };
