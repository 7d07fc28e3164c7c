// What the tab remembers between messages and mounts, and the words for methods and orders.

const INITIAL = {
  method: "attattr",
  direction: "least-first",
  n: null,
  colour: "value",
  hidden: {},
  bands: "chosen",
  layerwise: "least-first",
  x: null,
  y: null,
  axes: "value",
};

/** The methods in the order in which they are shown: name, explanation, and the colours of their grids. */
const METHODS = {
  __proto__: null, // names come from files, and one may be that of what objects have of themselves
  attattr: ["attribution", "AttAttr: the head's largest attribution entry, summed over the examples, for the gold label", "attribution"],
  taylor: ["Taylor", "how much the loss reacts to the head's output (Michel et al. 2019), each layer by its own norm", "attribution"],
  "taylor-authors": ["Taylor (authors’)", "as the published script has it: of the logits, by its own norms", "attribution"],
  ablation: ["one head off", "what the metric loses when this head alone is taken out; below zero where it gains", "attribution"],
  attention: ["attention", "the head's largest attention probability, mean over the examples", "attention"],
  random: ["random", "no order at all, for comparison", "grey"],
};
const DIRECTIONS = [
  ["least-first", "least important first"],
  ["most-first", "most important first"],
];
const METRICS = { accuracy: "accuracy", matthews: "Matthews correlation", pearson: "Pearson correlation" };

const isHidden = (state, method) => Object.hasOwn(state.hidden, method) && state.hidden[method];
const methodName = (method) => METHODS[method]?.[0] ?? method;
const methodKind = (method) => METHODS[method]?.[2] ?? "attribution";
const placeOf = (method) => (METHODS[method] ? Object.keys(METHODS).indexOf(method) : 99);
const methodOrder = (a, b) => placeOf(a) - placeOf(b);

function keptRecord() {
  window.__attattr ||= {};
  window.__attattr.heads ||= { state: structuredClone(INITIAL), message: null, value: null };
  return window.__attattr.heads;
}

function headName(message, index) {
  return "layer " + (Math.floor(index / message.n_heads) + 1) + " · head " + ((index % message.n_heads) + 1);
}

/** Shows a head of the explained text in the heatmap view; a sentence where that text is of another checkpoint. */
function openHead(message, index) {
  const maps = window.__attattr?.heatmaps;
  const shown = maps?.run?.meta;
  if (!shown) return "There is no result in Heatmaps yet: press Run, then choose a head.";
  const isSame = message.model
    ? shown.model === message.model && (!message.revision || shown.revision === message.revision)
    : shown.n_layers === message.n_layers && shown.n_heads === message.n_heads;
  if (!isSame) return "The text in Heatmaps is explained with another checkpoint (" + shown.model + "): press Run, then choose a head.";
  const wanted = { layer: Math.floor(index / message.n_heads), head: index % message.n_heads };
  maps.open?.({ run: shown.run, ...wanted, pin: maps.state.pin });
  trigger("show_heatmaps");
  return "";
}
