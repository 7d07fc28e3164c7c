// Where things lie: tokens along the bottom, one band a layer, the root above the last layer.

const BAND = [26, 66];
const COLUMN = [14, 84];
const LABEL_SIZE = 12;
const LONGEST_LABEL = 130;
const TOP = 34;

/** Labels cut to a width, and their widths. */
function measureTokens(tokens, theme) {
  probe.font = LABEL_SIZE + "px " + theme.mono;
  const width = (text) => probe.measureText(text).width;
  return tokens.map((token) => {
    const letters = Array.from(token);
    let n = letters.length;
    while (n > 1 && width(letters.slice(0, n).join("") + (n < letters.length ? "…" : "")) > LONGEST_LABEL) n -= 1;
    const text = n < letters.length ? letters.slice(0, n).join("") + "…" : token;
    return { text, width: Math.max(4, width(text)) };
  });
}

/** Positions of everything, in units of the picture at zoom 1. */
function layOut(message, tree, width, room, theme) {
  const labels = measureTokens(tree.view.tokens, theme);
  const n = labels.length;
  const widest = Math.max(...labels.map((label) => label.width));
  const gutter = 30; // the numbers of the layers
  const fit = (width - gutter - 24) / n;
  const column = Math.min(COLUMN[1], Math.max(COLUMN[0], fit));
  const angle = widest <= column - 8 ? 0 : column >= 18 ? 50 : 90;
  const lean = (angle * Math.PI) / 180;
  const reach = (label) => (angle ? Math.sin(lean) * label.width + Math.cos(lean) * LABEL_SIZE : LABEL_SIZE);
  const below = Math.max(...labels.map(reach)) + 22;
  // A leaning label reaches to the left of its column: the first ones need room.
  const overhang = angle ? Math.max(...labels.map((label, k) => Math.cos(lean) * label.width - k * column)) : 0;
  const left = gutter + Math.max(column / 2, overhang - 4) + 4;
  const natural = Math.min(BAND[1], Math.max(BAND[0], 400 / message.n_layers));
  const band = room ? Math.max(natural, (room - TOP - below) / message.n_layers) : natural;
  const base = TOP + band * message.n_layers;
  return {
    labels,
    angle,
    column,
    band,
    base,
    gutter,
    width: Math.max(width, left + (n - 0.5) * column + 16),
    height: base + below,
    x: (position) => left + column * position,
    y: (layer) => base - band * layer, // where a token enters a layer; the root is above the last one
  };
}
