// Small parts of charts, built node by node; text is only ever set as text.

/** Round numbers from `low` to `high`, some `n` of them. */
function ticksOf(low, high, n, whole) {
  const raw = (high - low) / n || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  let step = [1, 2, 5, 10].map((k) => k * power).find((candidate) => candidate >= raw * 0.999);
  if (whole) step = Math.max(1, Math.round(step));
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-6; tick += step) ticks.push(tick);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

const HEIGHT = 250;
const MARGIN = { top: 10, right: 12, bottom: 34, left: 46 };

const tickText = (tick, digits) => (tick < -1e-12 ? MINUS : "") + Math.abs(tick).toFixed(digits);

/** Scales of a chart and its axes with their titles; `broken` allows numbers between the whole ones below. */
function createAxes(width, [x0, x1], [y0, y1], titles, options = {}) {
  const height = options.height || HEIGHT;
  const box = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const x = (value) => box.left + ((value - x0) / (x1 - x0 || 1)) * (box.right - box.left);
  const y = (value) => box.bottom - ((value - y0) / (y1 - y0 || 1)) * (box.bottom - box.top);
  const parts = [];
  const horizontal = ticksOf(Math.min(x0, x1), Math.max(x0, x1), Math.max(3, (box.right - box.left) / 55), !options.broken);
  for (const tick of horizontal.ticks)
    parts.push(draw("text", { class: "aa-axis", x: round(x(tick)), y: box.bottom + 14, "text-anchor": "middle", text: tickText(tick, horizontal.digits) }));
  const vertical = options.rows
    ? { ticks: options.rows, digits: 0 }
    : ticksOf(Math.min(y0, y1), Math.max(y0, y1), 5);
  for (const tick of vertical.ticks) {
    if (!options.rows) parts.push(draw("line", { class: "aa-gridline", x1: box.left, x2: box.right, y1: round(y(tick)), y2: round(y(tick)) }));
    const text = tickText(tick, vertical.digits);
    parts.push(draw("text", { class: "aa-axis", x: box.left - 6, y: round(y(tick)) + 4, "text-anchor": "end", text }));
  }
  parts.push(draw("line", { class: "aa-baseline", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }));
  parts.push(draw("text", { class: "aa-axis", x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle", text: titles[0] }));
  const middle = (box.top + box.bottom) / 2;
  parts.push(draw("text", { class: "aa-axis", x: 11, y: middle, "text-anchor": "middle", transform: "rotate(-90 11 " + middle + ")", text: titles[1] }));
  return { box, x, y, height, node: draw("g", { "aria-hidden": "true" }, ...parts) };
}

function linePath(axes, xs, ys) {
  return xs.map((value, k) => (k ? "L" : "M") + round(axes.x(value)) + " " + round(axes.y(ys[k]))).join("");
}

function bandPath(axes, xs, low, high) {
  const back = [...xs.keys()].reverse().map((k) => "L" + round(axes.x(xs[k])) + " " + round(axes.y(low[k])));
  return linePath(axes, xs, high) + back.join("") + "Z";
}

/** The line of a legend: a stroke as in the chart, a name, and a number. */
function legendItem(name, text, number) {
  const stroke = draw("svg", { width: 26, height: 10, "aria-hidden": "true" }, draw("line", { class: "aa-line aa-line-" + name, x1: 1, x2: 25, y1: 5, y2: 5 }));
  return make(
    "div",
    { class: "aa-chart-item" },
    stroke,
    make("span", { text }),
    number === null ? null : make("span", { class: "aa-number aa-quiet", text: number }),
  );
}

const ORDERS = [
  ["tree", "tree"],
  ["attention", "raw attention"],
  ["random", "random"],
];

const meanOf = (rows) => rows[0].map((_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);
