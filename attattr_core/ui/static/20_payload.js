// From the JSON string that Python sends to arrays: base64 → zlib → int16 → float32.

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) bytes[k] = raw.charCodeAt(k);
  return bytes;
}

async function inflate(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** The places of the entries that are sent of each head, {index: (H, k), k}; null where all are. */
async function decodePlaces(layer) {
  return layer.index ? { index: new Uint32Array(await inflate(layer.index)), k: layer.k } : null;
}

/**
 * Decodes the maps of one layer.
 * @returns {values: Float32Array (H, T, T)} or, with places, {values, index: (H, k), k}.
 */
async function decodeMap(map, nHeads, nTokens, places = null) {
  const perHead = places ? places.k : nTokens * nTokens;
  const integers = new Int16Array(await inflate(map.data));
  const complete = integers.length === nHeads * perHead && map.scale.length === nHeads;
  if (!complete || (places && places.index.length !== integers.length))
    throw new PayloadError("its size does not fit the text");
  const values = new Float32Array(integers.length);
  for (let h = 0; h < nHeads; h++) {
    const unit = map.scale[h] / 32767;
    for (let k = h * perHead; k < (h + 1) * perHead; k++) values[k] = integers[k] * unit;
  }
  return { values, ...places };
}

const PER_LAYER = ["baseline_output", "delta", "nodes", "converged", "head_max"];
const PER_TOKEN = ["sentences", "words"];

/** Parses a message and checks what the drawing relies on. */
function parseMessage(text) {
  const message = parseVersioned(text);
  const { n_layers: nLayers, n_heads: nHeads, tokens, labels, probabilities } = message;
  if (!(nLayers > 0) || !(nHeads > 0)) throw new PayloadError("it names no layers or heads");
  if (!Array.isArray(tokens) || tokens.length === 0) throw new PayloadError("it holds no tokens");
  const fits = (names, n) => names.every((name) => Array.isArray(message[name]) && message[name].length === n);
  if (!fits(PER_TOKEN, tokens.length)) throw new PayloadError("its tokens, sentences and words differ in number");
  if (!fits(PER_LAYER, nLayers)) throw new PayloadError("its certificate does not cover " + nLayers + " layers");
  if (!Array.isArray(labels) || !Array.isArray(probabilities) || labels.length !== probabilities.length) {
    throw new PayloadError("its labels and probabilities differ in number");
  }
  return message;
}

/** One run: what is known about it, and the maps of the layers decoded so far. */
function createRun(message) {
  return {
    id: message.run,
    meta: message,
    layers: new Map(),
    whole: new Map(), // of long texts: maps of heads that were selected
    failed: new Map(),
    waiting: new Set(),
    version: 0,
    cache: new Map(),
    scans: new Map(),
  };
}

/** Decodes the layers of a message that the run has not got yet, the selected one first. */
async function decodeLayers(run, maps, first, arrived) {
  const isNew = (layer) => layer >= 0 && layer < run.meta.n_layers && !run.layers.has(layer) && !run.waiting.has(layer);
  const order = Object.keys(maps || {})
    .map(Number)
    .filter(isNew);
  order.sort((a, b) => (b === first) - (a === first) || a - b);
  for (const layer of order) run.waiting.add(layer);
  const nTokens = run.meta.tokens.length;
  for (const layer of order) {
    try {
      const pair = maps[layer];
      const places = await decodePlaces(pair);
      const attention = await decodeMap(pair.attention, run.meta.n_heads, nTokens, places);
      const attribution = await decodeMap(pair.attribution, run.meta.n_heads, nTokens, places);
      run.layers.set(layer, { attention, attribution });
      run.failed.delete(layer);
    } catch (error) {
      const reason = error instanceof PayloadError ? error.message : "its numbers are damaged";
      run.failed.set(layer, "Layer " + (layer + 1) + " could not be read: " + reason + ".");
    }
    run.waiting.delete(layer);
    run.version += 1;
    arrived(layer);
  }
}

const MOST_WHOLE = 16;

const wholeKey = (layer, head) => layer + "|" + head;

/** Decodes the whole map of one head, or of a layer's sum, and keeps it; tells whether it belongs to the run. */
async function decodeWhole(run, text) {
  const message = parseVersioned(text);
  if (!run || run.id !== message.run) return false;
  const nTokens = run.meta.tokens.length;
  const attention = await decodeMap(message.attention, 1, nTokens);
  const attribution = await decodeMap(message.attribution, 1, nTokens);
  if (run.whole.size >= MOST_WHOLE) run.whole.delete(run.whole.keys().next().value);
  run.whole.set(wholeKey(message.layer, message.head), { attention, attribution });
  return true;
}

function countDone(meta) {
  return meta.head_max.filter((row) => row !== null).length;
}

/** The head with the largest attribution among the layers that are there, or null. */
function strongestHead(meta) {
  let best = null;
  meta.head_max.forEach((row, layer) => {
    (row || []).forEach((value, head) => {
      if (best === null || value > best.value) best = { layer, head, value };
    });
  });
  return best;
}

function isPair(meta) {
  return meta.sentences.includes(1);
}
