// The arcs picture: the left column receives, the right column sends; width and colour show the value.

const MAX_ARCS = 1500;
const ARC_TOP = 22;

/** Entries worth a line, weakest first: at least 1 % of the largest, at most MAX_ARCS. */
function arcEntries(frame) {
  const { shown, kind } = frame;
  shown.arcs ||= {};
  if (shown.arcs[kind]) return shown.arcs[kind];
  const values = shown[kind];
  const least = 0.01 * shown.largest[kind];
  let entries = Array.from(shown.positions.filter((at) => values[at] !== 0 && Math.abs(values[at]) >= least));
  if (entries.length > MAX_ARCS) {
    const sizes = Float32Array.from(entries, (at) => Math.abs(values[at])).sort();
    const cut = sizes[sizes.length - MAX_ARCS];
    entries = entries.filter((at) => Math.abs(values[at]) >= cut);
  }
  entries.sort((a, b) => Math.abs(values[a]) - Math.abs(values[b]));
  shown.arcs[kind] = entries;
  return entries;
}

/** Whether an entry belongs to what is pointed at or pinned; a label stands for all its lines. */
function touches(mark, row, column) {
  if (mark.row !== null && mark.column !== null) return mark.row === row && mark.column === column;
  return mark.row === row || mark.column === column;
}

function isLit(frame, row, column) {
  const { hover, pin } = frame;
  if (hover && touches(hover, row, column)) return true;
  return pin ? pin.row === row || pin.column === column : !hover || (hover.row !== null && hover.column !== null);
}

function arcEnds(frame, geometry, at) {
  const { n } = frame.shown;
  const height = (k) => geometry.top + (k + 0.5) * geometry.cell - frame.scrollY;
  return [height(Math.floor(at / n)), height(at % n)];
}

function drawArcs(frame, geometry) {
  const { context, theme, shown, kind } = frame;
  const values = shown[kind];
  const limit = shown.limits[kind];
  const most = Math.min(8, Math.max(3, geometry.cell * 0.45));
  const strokeOne = (at) => {
    const [from, to] = arcEnds(frame, geometry, at);
    const share = limit > 0 ? Math.min(1, Math.abs(values[at]) / limit) : 0;
    context.lineWidth = 0.6 + (most - 0.6) * share;
    context.strokeStyle = rgb(...colourAt(theme, kind, values[at], limit));
    context.beginPath();
    context.moveTo(geometry.left, from);
    context.lineTo(geometry.right, to);
    context.stroke();
  };
  const entries = arcEntries(frame);
  const lit = (at) => isLit(frame, Math.floor(at / shown.n), at % shown.n);
  context.globalAlpha = 0.12;
  for (const at of entries) if (!lit(at)) strokeOne(at);
  context.globalAlpha = 0.92;
  for (const at of entries) if (lit(at)) strokeOne(at);
  context.globalAlpha = 1;
  const mark = frame.hover || frame.pin;
  if (mark && mark.row !== null && mark.column !== null) markArc(frame, geometry, mark);
}

function markArc(frame, geometry, mark) {
  const { context, theme, shown } = frame;
  const [from, to] = arcEnds(frame, geometry, mark.row * shown.n + mark.column);
  context.strokeStyle = theme.accent;
  context.lineWidth = 1;
  context.setLineDash([4, 3]);
  context.beginPath();
  context.moveTo(geometry.left, from);
  context.lineTo(geometry.right, to);
  context.stroke();
  context.setLineDash([]);
}

function drawColumn(frame, geometry, axis) {
  const { context, shown, hover, pin } = frame;
  const { cell, fontSize, cap, left, right, top } = geometry;
  const measured = measureLabels(frame, fontSize, cap);
  const step = Math.ceil((fontSize + 2) / cell);
  const marked = new Set(
    [hover, pin]
      .filter(Boolean)
      .map((mark) => mark[axis])
      .filter((k) => k !== null),
  );
  const drawOne = (k, strong) => {
    const centre = top + (k + 0.5) * cell - frame.scrollY;
    if (centre < top || centre > frame.height + cell) return;
    context.save();
    context.translate(axis === "row" ? left - 6 : right + 6, centre);
    drawLabel(frame, measured, k, fontSize, axis === "row" ? "right" : "left", strong);
    context.restore();
  };
  for (let k = 0; k < shown.n; k++) if (k % step === 0 && !marked.has(k)) drawOne(k, false);
  for (const k of marked) drawOne(k, true);
}

function nearestArc(frame, geometry, x, y) {
  const share = (x - geometry.left) / (geometry.right - geometry.left);
  let best = null;
  let distance = 5;
  for (const at of arcEntries(frame)) {
    const [from, to] = arcEnds(frame, geometry, at);
    const away = Math.abs(from + (to - from) * share - y);
    if (away <= distance) [best, distance] = [at, away];
  }
  return best === null ? null : { row: Math.floor(best / frame.shown.n), column: best % frame.shown.n };
}

const arcsPicture = {
  layout(frame, readable) {
    const { available, shown } = frame;
    const cap = Math.min(120, 0.28 * available);
    const fit = Math.min(22, (Math.max(360, available) - ARC_TOP) / shown.n);
    const cell = readable ? Math.max(fit, READABLE_CELL) : fit;
    const fontSize = Math.min(12, Math.max(9, Math.floor(cell - 1)));
    const label = Math.ceil(measureLabels(frame, fontSize, cap).widest) + 10;
    const height = ARC_TOP + shown.n * cell + 4;
    const width = readable ? available - 14 : available;
    return {
      cell,
      fontSize,
      cap,
      top: ARC_TOP,
      left: label,
      right: width - label,
      contentWidth: width,
      contentHeight: height,
      viewHeight: readable ? Math.min(height, Math.max(available, 360)) : height,
    };
  },

  paint(frame, geometry) {
    const { context, theme } = frame;
    context.save();
    context.beginPath();
    context.rect(0, ARC_TOP, frame.width, frame.height);
    context.clip();
    drawArcs(frame, geometry);
    drawColumn(frame, geometry, "row");
    drawColumn(frame, geometry, "column");
    context.restore();
    context.font = "11px " + theme.sans;
    context.fillStyle = theme.quiet;
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillText("receives", geometry.left - 6, 9);
    context.textAlign = "left";
    context.fillText("sends", geometry.right + 6, 9);
  },

  hit(frame, geometry, x, y) {
    const k = Math.floor((y - geometry.top + frame.scrollY) / geometry.cell);
    if (y < geometry.top || k < 0 || k >= frame.shown.n) return null;
    if (x < geometry.left) return { row: k, column: null };
    return x > geometry.right ? { row: null, column: k } : nearestArc(frame, geometry, x, y);
  },

  reveal(frame, geometry, scroll, mark) {
    const room = frame.height - geometry.top;
    const position = mark.row * geometry.cell;
    scroll.scrollTop = Math.min(position, Math.max(scroll.scrollTop, position + geometry.cell - room));
  },
};
