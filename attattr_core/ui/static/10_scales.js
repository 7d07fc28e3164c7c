// Colours and numbers. Zero is always the colour of the surface; blue and orange stay apart for colour-blind readers.

const RAMPS = {
  light: {
    attention: ["#d9e8f5", "#9cc6e3", "#4a97c9", "#1c64a8", "#08306b"],
    negative: ["#c9e0f2", "#7fb5dc", "#3583c0", "#0b4a8f"],
    positive: ["#fde3c0", "#f8b766", "#dd7716", "#8f3f04"],
  },
  dark: {
    attention: ["#1c3d61", "#25619c", "#4495d6", "#8cc5f3", "#e6f3ff"],
    negative: ["#1c446f", "#2a72b8", "#5aa9ea", "#c2e1ff"],
    positive: ["#5c3712", "#a35c14", "#e8933a", "#ffdcae"],
  },
};

const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Any CSS colour as [red, green, blue]. */
function parseColour(colour) {
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  return Array.from(probe.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

/** `size` colours along the given stops, as a flat array of red, green, blue. */
function buildRamp(stops, size) {
  const table = new Uint8Array(size * 3);
  for (let k = 0; k < size; k++) {
    const place = (k / (size - 1)) * (stops.length - 1);
    const at = Math.min(Math.floor(place), stops.length - 2);
    for (let c = 0; c < 3; c++) table[3 * k + c] = stops[at][c] + (stops[at + 1][c] - stops[at][c]) * (place - at);
  }
  return table;
}

/** The colours of the present theme, read from the page: ramps of 256 steps, and the colours canvases draw with. */
function readTheme(node) {
  const style = getComputedStyle(node);
  const surface = parseColour(style.backgroundColor);
  const dark = surface.reduce((sum, part) => sum + part) < 384; // not the theme's class: the system may force colours
  const ramps = RAMPS[dark ? "dark" : "light"];
  const build = (stops) => buildRamp([surface, ...stops.map(parseColour)], 256);
  const variable = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  return {
    dark,
    surface,
    attention: build(ramps.attention),
    negative: build(ramps.negative),
    positive: build(ramps.positive),
    text: style.color,
    quiet: variable("--aa-quiet", "#5b6068"),
    border: variable("--border-color-primary", "#d4d4d8"),
    accent: variable("--aa-mark", "#111827"),
    senderA: variable("--aa-a", "#009e73"),
    senderB: variable("--aa-b", "#c2569b"),
    inserted: variable("--aa-tree", "#c2610c"),
    mono: variable("--font-mono", "monospace"),
    sans: style.fontFamily,
  };
}

/** Colour of one value as [table, offset]: blue below zero, orange above it for attribution; blue for attention. */
function colourAt(theme, kind, value, limit) {
  const table = kind === "attention" ? theme.attention : value < 0 ? theme.negative : theme.positive;
  const share = limit > 0 ? Math.min(1, Math.abs(value) / limit) : 0;
  return [table, 3 * Math.round(share * 255)];
}

function rgb(table, offset) {
  return "rgb(" + table[offset] + "," + table[offset + 1] + "," + table[offset + 2] + ")";
}

/** A CSS gradient that repeats the colours of a scale for its legend; "head" is the positive half of attribution. */
function gradientOf(theme, kind) {
  const stops = [];
  for (let k = 0; k <= 16; k++) {
    const value = kind === "attribution" ? k / 8 - 1 : k / 16;
    stops.push(rgb(...colourAt(theme, kind === "head" ? "attribution" : kind, value, 1)));
  }
  return "linear-gradient(to right, " + stops.join(", ") + ")";
}

const MINUS = "−";

function signed(value, text) {
  return (value < 0 ? MINUS : "+") + text;
}

/** A number with four decimals or so, tiny ones as a power of ten. */
function formatSmall(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 100) return size.toFixed(0);
  if (size >= 1) return size.toFixed(2);
  if (size >= 0.001) return size.toFixed(4);
  if (size >= 1e-5) return size.toFixed(5);
  return size.toExponential(1).replace("e-", "e" + MINUS);
}

function formatAttribution(value) {
  return value === 0 ? "0" : signed(value, formatSmall(value));
}

function formatAttention(value) {
  if (value === 0 || value >= 0.995) return value.toFixed(value === 0 ? 0 : 2);
  return value >= 0.01 ? value.toFixed(2) : value >= 0.001 ? value.toFixed(4) : "< 0.001";
}

/** A number of the model's output, null where a file does not say it: its sign only where it is negative. */
function formatOutput(value) {
  if (value === null) return "unknown";
  return (value < 0 ? MINUS : "") + Math.abs(value).toFixed(3);
}

/** A share of one as a percentage. */
function formatPercent(share) {
  const percent = Math.abs(share) * 100;
  return (
    (percent >= 10
      ? percent.toFixed(0)
      : percent >= 0.1
        ? percent.toFixed(1).replace(".0", "")
        : percent > 0
          ? "< 0.1"
          : "0") + " %"
  );
}

function formatSeconds(seconds) {
  return seconds >= 60
    ? Math.floor(seconds / 60) + " min " + Math.round(seconds % 60) + " s"
    : (seconds >= 10 ? seconds.toFixed(0) : seconds.toFixed(2)) + " s";
}
