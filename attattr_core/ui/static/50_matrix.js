// The matrix picture: rows receive, columns send.

const AXIS_BAND = 15;
const LARGEST_CELL = 40;
const EDGE = 7;

/** A cell size that is a whole number of device pixels where that costs little room. */
function snapCell(cell, ratio) {
  const device = cell * ratio;
  return device >= 1 && Math.floor(device) / device > 0.93 ? Math.floor(device) / ratio : cell;
}

/** For each of m × m dots the position of the largest entry under it, or -1. */
function strongestPerDot(shown, values, m) {
  const { n, positions } = shown;
  const pick = new Int32Array(m * m).fill(-1);
  const dots = Int32Array.from({ length: n }, (_, k) => Math.floor((k * m) / n));
  for (let k = 0; k < positions.length; k++) {
    const at = positions[k];
    const dot = dots[Math.floor(at / n)] * m + dots[at % n];
    if (pick[dot] < 0 || Math.abs(values[at]) > Math.abs(values[pick[dot]])) pick[dot] = at;
  }
  return pick;
}

/** The map as pixels; where cells are smaller than two device pixels, each dot shows the largest entry under it. */
function matrixImage(frame, pixels) {
  const { shown, kind, theme, cache } = frame;
  const limit = shown.limits[kind];
  const m = pixels < 2 * shown.n ? Math.max(1, Math.floor(pixels / 2)) : shown.n;
  const fresh = cache.shown === shown && cache.limit === limit && cache.theme === theme && cache.m === m;
  if (fresh) return cache.image;
  const data = new ImageData(m, m);
  const values = shown[kind];
  const drawn = m < shown.n ? strongestPerDot(shown, values, m) : null;
  const count = drawn ? drawn.length : shown.positions.length;
  for (let k = 0; k < count; k++) {
    const at = drawn ? drawn[k] : shown.positions[k];
    if (at < 0) continue;
    const [table, offset] = colourAt(theme, kind, values[at], limit);
    const pixel = 4 * (drawn ? k : at);
    data.data[pixel] = table[offset];
    data.data[pixel + 1] = table[offset + 1];
    data.data[pixel + 2] = table[offset + 2];
    data.data[pixel + 3] = 255;
  }
  const image = document.createElement("canvas");
  image.width = image.height = m;
  image.getContext("2d").putImageData(data, 0, 0);
  Object.assign(cache, { shown, limit, theme, m, image });
  return image;
}

/** A light hatch for entries that the flow filter leaves blank, unlike a zero. */
function hatch(frame) {
  const { theme, context, cache } = frame;
  if (cache.hatchTheme !== theme) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.strokeStyle = theme.border;
    pen.lineWidth = 1;
    pen.beginPath();
    for (const shift of [-8, 0, 8]) {
      pen.moveTo(shift, 8);
      pen.lineTo(shift + 8, 0);
    }
    pen.stroke();
    cache.hatchTheme = theme;
    cache.hatch = context.createPattern(tile, "repeat");
  }
  return cache.hatch;
}

function drawCells(frame, geometry) {
  const { context, theme, shown } = frame;
  const { left, top, cell } = geometry;
  const side = shown.n * cell;
  const [x, y] = [left - frame.scrollX, top - frame.scrollY];
  context.fillStyle = rgb(theme.surface, 0);
  context.fillRect(x, y, side, side);
  if (shown.rows.includes(0) || shown.columns.includes(0)) {
    context.fillStyle = hatch(frame);
    context.fillRect(x, y, side, side);
  }
  const image = matrixImage(frame, Math.max(1, Math.floor(side * frame.ratio)));
  context.imageSmoothingEnabled = false;
  context.drawImage(image, x, y, side, side);
  if (cell >= 9) {
    context.fillStyle = rgb(theme.surface, 0);
    for (let k = 1; k < shown.n; k++) {
      context.fillRect(x + k * cell - 0.5, y, 1, side);
      context.fillRect(x, y + k * cell - 0.5, side, 1);
    }
  }
  context.strokeStyle = theme.border;
  context.lineWidth = 1;
  context.strokeRect(x - 0.5, y - 0.5, side + 1, side + 1);
}

/** Fades everything but the pinned row and column. */
function fadeUnpinned(frame, geometry) {
  const { context, theme, shown, pin } = frame;
  if (!pin) return;
  const { left, top, cell } = geometry;
  const [x, y, side] = [left - frame.scrollX, top - frame.scrollY, shown.n * cell];
  const across = [
    [x, pin.column * cell],
    [x + (pin.column + 1) * cell, side - (pin.column + 1) * cell],
  ];
  const down = [
    [y, pin.row * cell],
    [y + (pin.row + 1) * cell, side - (pin.row + 1) * cell],
  ];
  context.globalAlpha = 0.82;
  context.fillStyle = rgb(theme.surface, 0);
  for (const [fromX, width] of across)
    for (const [fromY, height] of down) context.fillRect(fromX, fromY, width, height);
  context.globalAlpha = 1;
}

function outline(frame, geometry, mark, lineWidth, dash) {
  const { context, theme, shown } = frame;
  if (!mark) return;
  const { left, top, cell } = geometry;
  const [x, y, side] = [left - frame.scrollX, top - frame.scrollY, shown.n * cell];
  context.strokeStyle = theme.accent;
  context.setLineDash(dash);
  context.lineWidth = 1;
  context.globalAlpha = 0.55;
  if (mark.row !== null) context.strokeRect(x - 0.5, y + mark.row * cell - 0.5, side + 1, cell + 1);
  if (mark.column !== null) context.strokeRect(x + mark.column * cell - 0.5, y - 0.5, cell + 1, side + 1);
  context.globalAlpha = 1;
  context.setLineDash([]);
  if (mark.row === null || mark.column === null) return;
  const size = Math.max(cell, 5);
  const shift = (cell - size) / 2;
  context.lineWidth = lineWidth;
  context.strokeRect(x + mark.column * cell + shift - 1, y + mark.row * cell + shift - 1, size + 2, size + 2);
}

/** Labels that are always shown, hovered, pinned or inserted ones, with the rest thinned out so that none overlap. */
function drawAxis(frame, geometry, axis) {
  const { context, shown, hover, pin } = frame;
  const { left, top, cell, fontSize, cap } = geometry;
  const measured = measureLabels(frame, fontSize, cap);
  const step = Math.ceil((fontSize + 1) / cell);
  const isRow = axis === "row";
  const marked = new Set(
    [hover, pin]
      .filter(Boolean)
      .map((mark) => mark[axis])
      .filter((k) => k !== null),
  );
  const scrolled = isRow ? frame.scrollY : frame.scrollX;
  const room = isRow ? frame.height - top : frame.width - left;
  const from = Math.max(0, Math.floor(scrolled / cell));
  const to = Math.min(shown.n - 1, Math.ceil((scrolled + room) / cell));
  const drawOne = (k, strong) => {
    const centre = (isRow ? top : left) + (k + 0.5) * cell - scrolled;
    if (centre < (isRow ? top : left)) return;
    context.save();
    if (isRow) context.translate(left - 6, centre);
    else {
      context.translate(centre, top - 6);
      context.rotate(-Math.PI / 2);
    }
    drawLabel(frame, measured, k, strong ? Math.max(fontSize, 11) : fontSize, isRow ? "right" : "left", strong);
    context.restore();
  };
  const inserted = step > 1 ? [...shown.groups.labels.keys()].filter((k) => shown.groups.inserted?.[k]) : [];
  const isFree = (k) => !marked.has(k) && !inserted.some((other) => Math.abs(other - k) < step);
  for (let k = from; k <= to; k++) if (k % step === 0 && isFree(k)) drawOne(k, false);
  for (const k of inserted) marked.add(k);
  for (const k of marked) if (k >= from && k <= to) drawOne(k, true);
}

function drawCaptions(frame, geometry) {
  const { context, theme } = frame;
  context.font = "11px " + theme.sans;
  context.fillStyle = theme.quiet;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillText("columns send", geometry.left, 7);
  context.save();
  context.translate(7, geometry.top);
  context.rotate(-Math.PI / 2);
  context.textAlign = "right";
  context.fillText("rows receive", 0, 0);
  context.restore();
}

const matrixPicture = {
  layout(frame, readable) {
    const { available, shown, ratio } = frame;
    const cap = Math.min(96, 0.19 * available);
    const roomFor = (fontSize) => Math.ceil(measureLabels(frame, fontSize, cap).widest) + AXIS_BAND + 8;
    const fit = (available - roomFor(available / shown.n > 20 ? 12 : 9) - EDGE) / shown.n;
    const cell = snapCell(Math.min(LARGEST_CELL, readable ? Math.max(fit, READABLE_CELL) : fit), ratio);
    const fontSize = Math.min(12, Math.max(9, Math.floor(cell - 1)));
    const left = roomFor(fontSize);
    const content = left + shown.n * cell + EDGE;
    return {
      cell,
      fontSize,
      cap,
      left,
      top: left,
      contentWidth: content,
      contentHeight: content,
      viewHeight: readable ? Math.min(content + 16, Math.max(available, 320)) : content,
    };
  },

  paint(frame, geometry) {
    const { context } = frame;
    context.save();
    context.beginPath();
    context.rect(geometry.left - 2, geometry.top - 2, frame.width, frame.height);
    context.clip();
    drawCells(frame, geometry);
    fadeUnpinned(frame, geometry);
    outline(frame, geometry, frame.pin, 1.5, []);
    outline(frame, geometry, frame.hover, 2, []);
    context.restore();
    drawAxis(frame, geometry, "row");
    drawAxis(frame, geometry, "column");
    drawCaptions(frame, geometry);
  },

  hit(frame, { left, top, cell }, x, y) {
    const column = Math.floor((x - left + frame.scrollX) / cell);
    const row = Math.floor((y - top + frame.scrollY) / cell);
    const inside = (k) => k >= 0 && k < frame.shown.n;
    if (x >= left && y >= top) return inside(row) && inside(column) ? { row, column } : null;
    if (x < left && y >= top && inside(row)) return { row, column: null };
    return y < top && x >= left && inside(column) ? { row: null, column } : null;
  },

  reveal(frame, { left, top, cell }, scroll, mark) {
    const shift = (position, start, room) => Math.min(position, Math.max(start, position + cell - room));
    scroll.scrollLeft = shift(mark.column * cell, scroll.scrollLeft, frame.width - left);
    scroll.scrollTop = shift(mark.row * cell, scroll.scrollTop, frame.height - top);
  },
};
