// What all charts have: a title with its "?", buttons, a picture whose points can be read, and a table behind it.

const FORMATS = [
  ["svg", "SVG picture"],
  ["png", "PNG picture"],
  ["pdf", "PDF picture"],
  ["json", "JSON numbers"],
  ["csv", "CSV table"],
];

/** Measure and Stop, and how far it is. */
function createMeasure(name, text, start) {
  const button = make("button", { type: "button", class: "aa-button", text, "data-testid": name + "-measure" });
  const stop = make("button", { type: "button", class: "aa-button", text: "Stop", "data-testid": name + "-stop", hidden: true });
  const words = make("span", { class: "aa-quiet", role: "status", "data-testid": name + "-progress" });
  let waiting = false;
  button.addEventListener("click", () => {
    waiting = true;
    draw();
    start();
  });
  stop.addEventListener("click", () => {
    waiting = false;
    trigger("stop_measure");
  });

  function draw(sentence) {
    button.disabled = waiting;
    stop.hidden = !waiting;
    words.textContent = sentence ?? (waiting ? "starting …" : "");
  }
  return {
    node: make("div", { class: "aa-measure" }, button, stop, words),
    show(isBusy, sentence) {
      waiting = isBusy;
      draw(sentence);
    },
    rename: (words) => (button.textContent = words),
  };
}

/** A picture that the pointer and the arrow keys read point by point; a click or Enter picks one, where that means something. */
function createPicture(name, read, pick) {
  const svg = draw("svg", { class: "aa-chart-svg", role: "img", tabindex: "0", "data-testid": name + "-picture", direction: "ltr" });
  const cursor = draw("line", { class: "aa-cursor", visibility: "hidden" });
  const line = make("p", { class: "aa-hover", "aria-live": "polite", "data-testid": name + "-hover" });
  let points = [];
  let axes = null;
  let at = null;

  function point(k) {
    at = k;
    const shown = k !== null && axes && points.length;
    cursor.setAttribute("visibility", shown ? "visible" : "hidden");
    line.replaceChildren(...read(shown ? k : null));
    if (!shown) return;
    for (const [key, value] of Object.entries({ x1: axes.x(points[k]), x2: axes.x(points[k]), y1: axes.box.top, y2: axes.box.bottom }))
      cursor.setAttribute(key, round(value));
  }
  svg.addEventListener("pointermove", (event) => {
    if (!axes || !points.length) return;
    const away = points.map((value) => Math.abs(axes.x(value) - event.offsetX));
    point(away.indexOf(Math.min(...away)));
  });
  svg.addEventListener("pointerleave", () => point(null));
  svg.addEventListener("blur", () => point(null));
  svg.addEventListener("click", () => at !== null && pick?.(at));
  svg.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && at !== null) pick?.(at);
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -points.length, End: points.length }[event.key];
    if (!step || !points.length) return;
    const from = at ?? (step > 0 ? -1 : 0);
    point(Math.min(points.length - 1, Math.max(0, from + step)));
    event.preventDefault();
  });
  return {
    nodes: [svg, line],
    show(width, newAxes, xs, label, ...parts) {
      axes = newAxes;
      points = xs;
      line.hidden = false;
      svg.setAttribute("width", width);
      svg.setAttribute("height", axes.height);
      svg.setAttribute("aria-label", label);
      svg.replaceChildren(axes.node, ...parts, cursor);
      point(at !== null && at < xs.length ? at : null);
    },
    clear() {
      axes = null;
      points = [];
      svg.replaceChildren();
      svg.setAttribute("height", 0);
      line.hidden = true;
    },
  };
}

/** The numbers of a chart as a table. */
function createTable(name) {
  let content = null;
  const fold = tableFold(name, "The numbers as a table", () => content);
  return {
    node: fold.node,
    draw(caption, titles, rows) {
      content = { caption, titles, rows };
      fold.draw();
    },
  };
}

function panelOf(name, title, help, ...children) {
  const head = make("header", { class: "aa-panel-head" }, make("h2", { text: title }), helpButton(name, "this chart", help));
  return { head, node: make("section", { class: "aa-panel", "aria-label": title }, head, ...children) };
}

/** The record of the tree view: its message, and what its sliders say. */
const treeRecord = () => window.__attattr?.tree;

function treeOptions() {
  const { mode, words, threshold, tau, edges } = treeRecord().state;
  return { mode, words, threshold, tau, n_edges: edges[mode] };
}
