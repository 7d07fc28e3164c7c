// From decoded layers to what is shown: heads summed, pieces merged, special tokens hidden, flow filtered.

/** Which row and column each token goes to: of[t] is -1 for hidden tokens. */
function groupTokens(meta, mergeWords, showSpecials) {
  const groups = { of: new Int32Array(meta.tokens.length).fill(-1), labels: [], sentences: [], sizes: [], first: [] };
  let open = -1; // the word that the piece before belongs to
  meta.tokens.forEach((text, t) => {
    const word = meta.words[t];
    const special = meta.sentences[t] < 0;
    if (special && !showSpecials) return;
    const merged = mergeWords && !special && word >= 0;
    if (merged && word === open) {
      groups.of[t] = groups.labels.length - 1;
      groups.sizes[groups.of[t]] += 1;
      return;
    }
    groups.of[t] = groups.labels.length;
    open = merged ? word : -1;
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
  const side = (name) =>
    Uint8Array.from(groups.sentences, (s) => (name === undefined || s === (name === "A" ? 0 : 1) ? 1 : 0));
  const [sender, receiver] = flow === "all" ? [] : flow.split("→");
  return { rows: side(receiver), columns: side(sender) };
}

/** Room for one pair of maps; sparse ones note the touched entries, so that clearing and scanning stay cheap. */
function createBuffers(n, sparse) {
  const room = () => new Float32Array(n * n);
  return {
    attention: room(),
    attribution: room(),
    touched: sparse ? [] : null,
    seen: sparse ? new Uint8Array(n * n) : null,
  };
}

function clearBuffers(buffers) {
  if (!buffers.touched) {
    buffers.attention.fill(0);
    buffers.attribution.fill(0);
    return;
  }
  for (const at of buffers.touched) buffers.attention[at] = buffers.attribution[at] = buffers.seen[at] = 0;
  buffers.touched.length = 0;
}

function addSparseHead(map, head, nTokens, groups, weights, out, buffers) {
  const { of, n } = groups;
  for (let e = head * map.k; e < (head + 1) * map.k; e++) {
    const row = of[Math.floor(map.index[e] / nTokens)];
    const column = of[map.index[e] % nTokens];
    if (row < 0 || column < 0) continue;
    const at = row * n + column;
    out[at] += map.values[e] * weights[row];
    if (!buffers.seen[at]) {
      buffers.seen[at] = 1;
      buffers.touched.push(at);
    }
  }
}

function addDenseHead(map, head, nTokens, groups, weights, out) {
  const { of, n } = groups;
  const { values } = map;
  let position = head * nTokens * nTokens;
  for (let i = 0; i < nTokens; i++, position += nTokens) {
    if (of[i] < 0) continue;
    const start = of[i] * n;
    const weight = weights[of[i]];
    for (let j = 0; j < nTokens; j++) {
      const column = of[j];
      if (column >= 0) out[start + column] += values[position + j] * weight;
    }
  }
}

/**
 * Attention and attribution (n, n) of one head, or of all heads where `head` is null:
 * attribution is summed, attention averaged over heads and over the receiving pieces of a word.
 */
function reduceLayer(run, layer, head, groups, buffers) {
  const whole = buffers.touched ? null : run.whole.get(wholeKey(layer, head));
  const maps = whole || run.layers.get(layer);
  const heads = whole ? [0] : head === null ? Array.from({ length: run.meta.n_heads }, (_, h) => h) : [head];
  const weights = {
    attention: Float64Array.from(groups.sizes, (size) => 1 / size / heads.length),
    attribution: new Float64Array(groups.n).fill(1),
  };
  clearBuffers(buffers);
  const add = buffers.touched ? addSparseHead : addDenseHead;
  for (const h of heads) {
    for (const kind of ["attention", "attribution"])
      add(maps[kind], h, run.meta.tokens.length, groups, weights[kind], buffers[kind], buffers);
  }
  return buffers;
}

/** Positions (row * n + column) that the flow filter shows, in order. */
function shownPositions(sides, n) {
  const positions = [];
  for (let i = 0; i < n; i++) {
    if (!sides.rows[i]) continue;
    for (let j = 0; j < n; j++) if (sides.columns[j]) positions.push(i * n + j);
  }
  return Int32Array.from(positions);
}

function largestOf(values, positions) {
  let largest = 0;
  for (let k = 0; k < positions.length; k++) {
    const size = Math.abs(values[positions[k]]);
    if (size > largest) largest = size;
  }
  return largest;
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
  return remember(run, "groups|" + state.words + state.specials, () =>
    groupTokens(run.meta, state.words, state.specials),
  );
}

function isSparse(run, layer) {
  return Boolean(run.layers.get(layer).attention.index);
}

/** Whether only the strongest entries of what is selected are here. */
function lacksWhole(run, layer, head) {
  return isSparse(run, layer) && !run.whole.has(wholeKey(layer, head));
}

/** What the two pictures show: groups, values (n, n), positions, colour limits; null while the layer is not there. */
function shownMaps(run, state) {
  if (!run || !run.layers.has(state.layer)) return null;
  const { layer, head } = state;
  const sparse = lacksWhole(run, layer, head);
  const shown = remember(run, ["maps", layer, head, sparse, settingsKey(run, state)].join("|"), () => {
    const groups = groupsFor(run, state);
    const sides = flowSides(groups, effectiveFlow(run, state));
    const { attention, attribution } = reduceLayer(run, layer, head, groups, createBuffers(groups.n, sparse));
    const positions = shownPositions(sides, groups.n);
    const largest = { attention: largestOf(attention, positions), attribution: largestOf(attribution, positions) };
    return { attention, attribution, ...sides, positions, groups, n: groups.n, layer, head, largest, sparse };
  });
  if (state.scale === "common") {
    shown.limits = { attention: 1, attribution: commonLimit(run, head === null) };
  } else shown.limits = shown.largest;
  return shown;
}
