// From decoded layers to what is shown: heads summed, pieces merged, special tokens hidden, flow filtered; and the lists.

const LIST_LENGTH = 6;

/** Which row and column each token goes to: of[t] is -1 for hidden tokens. */
function groupTokens(meta, mergeWords, showSpecials) {
  const groups = { of: new Int32Array(meta.tokens.length).fill(-1), labels: [], sentences: [], sizes: [], first: [] };
  const byWord = new Map();
  meta.tokens.forEach((text, t) => {
    const word = meta.words[t];
    const special = meta.sentences[t] < 0;
    if (special && !showSpecials) return;
    const merged = mergeWords && !special && word >= 0;
    if (merged && byWord.has(word)) {
      groups.of[t] = byWord.get(word);
      groups.sizes[groups.of[t]] += 1;
      return;
    }
    groups.of[t] = groups.labels.length;
    if (merged) byWord.set(word, groups.of[t]);
    groups.labels.push(String(merged ? (meta.word_labels[word] ?? text) : text));
    groups.sentences.push(meta.sentences[t]);
    groups.sizes.push(1);
    groups.first.push(t);
  });
  groups.n = groups.labels.length;
  return groups;
}

/** Rows and columns that a flow such as "A→B" (sender → receiver) keeps. */
function flowSides(groups, flow) {
  const side = (name) => Uint8Array.from(groups.sentences, (s) => (name === undefined || s === (name === "A" ? 0 : 1) ? 1 : 0));
  const [sender, receiver] = flow === "all" ? [] : flow.split("→");
  return { rows: side(receiver), columns: side(sender) };
}

/** Adds one head's map into `out` (n, n); row i is weighted by weights[i] and `factor`. */
function addHead(map, head, nTokens, groups, weights, factor, out) {
  const { of, n } = groups;
  if (map.index) {
    for (let e = head * map.k; e < (head + 1) * map.k; e++) {
      const row = of[Math.floor(map.index[e] / nTokens)];
      const column = of[map.index[e] % nTokens];
      if (row >= 0 && column >= 0) out[row * n + column] += map.values[e] * factor * (weights ? weights[row] : 1);
    }
    return;
  }
  let position = head * nTokens * nTokens;
  for (let i = 0; i < nTokens; i++) {
    const row = of[i];
    if (row < 0) {
      position += nTokens;
      continue;
    }
    const scale = weights ? weights[row] * factor : factor;
    for (let j = 0; j < nTokens; j++, position++) {
      if (of[j] >= 0) out[row * n + of[j]] += map.values[position] * scale;
    }
  }
}

/**
 * Attention and attribution (n, n) of one head, or of all heads where `head` is null:
 * attribution is summed, attention averaged over heads and over the receiving pieces of a word.
 */
function reduceLayer(run, layer, head, groups, buffers = null) {
  const { attention, attribution } = run.layers.get(layer);
  const nTokens = run.meta.tokens.length;
  const heads = head === null ? Array.from({ length: run.meta.n_heads }, (_, h) => h) : [head];
  const out = buffers || { attention: new Float32Array(groups.n ** 2), attribution: new Float32Array(groups.n ** 2) };
  out.attention.fill(0);
  out.attribution.fill(0);
  const weights = groups.sizes.map((size) => 1 / size);
  for (const h of heads) {
    addHead(attention, h, nTokens, groups, weights, 1 / heads.length, out.attention);
    addHead(attribution, h, nTokens, groups, null, 1, out.attribution);
  }
  return out;
}

function forShown(sides, n, visit) {
  for (let i = 0; i < n; i++) {
    if (!sides.rows[i]) continue;
    for (let j = 0; j < n; j++) if (sides.columns[j]) visit(i * n + j);
  }
}

function largestShown(values, sides, n) {
  let largest = 0;
  forShown(sides, n, (at) => {
    const size = Math.abs(values[at]);
    if (size > largest) largest = size;
  });
  return largest;
}

/** Keeps the best LIST_LENGTH entries in order; earlier entries win ties. */
function keepBest(list, rank, build) {
  if (list.length === LIST_LENGTH && rank <= list[LIST_LENGTH - 1].rank) return;
  let at = list.length;
  while (at > 0 && list[at - 1].rank < rank) at -= 1;
  list.splice(at, 0, { rank, ...build() });
  if (list.length > LIST_LENGTH) list.pop();
}

/** Adds a map's entries to the three lists: much attended but irrelevant, little attended but decisive, strongest. */
function collectEntries(lists, maps, sides, n, layer, head) {
  const largest = largestShown(maps.attribution, sides, n);
  forShown(sides, n, (at) => {
    const attention = maps.attention[at];
    const attribution = maps.attribution[at];
    const size = Math.abs(attribution);
    const build = () => ({ layer, head, row: Math.floor(at / n), column: at % n, attention, attribution });
    if (attention >= 2 / n && size <= 0.01 * largest) keepBest(lists.irrelevant, attention, build);
    if (largest > 0 && attention <= 1 / n && size >= 0.1 * largest) keepBest(lists.decisive, size, build);
    if (size > 0) keepBest(lists.strongest, size, build);
  });
  return largest;
}

function emptyLists() {
  return { irrelevant: [], decisive: [], strongest: [] };
}

function remember(run, key, compute) {
  if (!run.cache.has(key)) {
    if (run.cache.size > 24) run.cache.clear();
    run.cache.set(key, compute());
  }
  return run.cache.get(key);
}

function effectiveFlow(run, state) {
  return isPair(run.meta) ? state.flow : "all";
}

/** Settings that change the numbers, as a key. */
function settingsKey(run, state) {
  return [state.words, state.specials, effectiveFlow(run, state)].join("|");
}

function groupsFor(run, state) {
  return remember(run, "groups|" + state.words + state.specials, () => groupTokens(run.meta, state.words, state.specials));
}

/** One pass over all finished layers: the largest |attribution| of any map, and the lists over single heads. */
function scanLayers(run, state, summed) {
  const key = ["scan", summed, run.version, settingsKey(run, state)].join("|");
  return remember(run, key, () => {
    const groups = groupsFor(run, state);
    const sides = flowSides(groups, effectiveFlow(run, state));
    const lists = emptyLists();
    const buffers = { attention: new Float32Array(groups.n ** 2), attribution: new Float32Array(groups.n ** 2) };
    let largest = 0;
    for (const layer of [...run.layers.keys()].sort((a, b) => a - b)) {
      for (const head of summed ? [null] : Array.from({ length: run.meta.n_heads }, (_, h) => h)) {
        const maps = reduceLayer(run, layer, head, groups, buffers);
        largest = Math.max(largest, collectEntries(lists, maps, sides, groups.n, layer, head));
      }
    }
    return { largest, lists };
  });
}

/** What the two pictures show: groups, values (n, n), colour limits; null while the layer is not there. */
function shownMaps(run, state) {
  if (!run || !run.layers.has(state.layer)) return null;
  const { layer, head } = state;
  const common = state.scale === "common";
  const shown = remember(run, ["maps", layer, head, settingsKey(run, state)].join("|"), () => {
    const groups = groupsFor(run, state);
    const sides = flowSides(groups, effectiveFlow(run, state));
    const maps = reduceLayer(run, layer, head, groups);
    const largest = { attention: largestShown(maps.attention, sides, groups.n), attribution: largestShown(maps.attribution, sides, groups.n) };
    return { ...maps, ...sides, groups, n: groups.n, layer, head, largest, sparse: Boolean(run.layers.get(layer).attention.index) };
  });
  shown.limits = common ? { attention: 1, attribution: scanLayers(run, state, head === null).largest } : shown.largest;
  return shown;
}

/** The lists of the map shown. */
function listsOfMap(shown) {
  if (!shown.lists) {
    shown.lists = emptyLists();
    collectEntries(shown.lists, shown, shown, shown.n, shown.layer, shown.head);
  }
  return shown.lists;
}
