// Entries where attention and attribution disagree, of one map or of all finished layers, and the common colour limit.

const LIST_LENGTH = 6;

function comesFirst(a, b) {
  return a.rank - b.rank || b.layer - a.layer || (b.head ?? -1) - (a.head ?? -1) || b.at - a.at;
}

/** Keeps the highest-ranked entries in order, equal ones by layer, head and position; returns the rank to beat. */
function keepBest(list, entry) {
  list.push(entry);
  list.sort((a, b) => comesFirst(b, a));
  if (list.length > LIST_LENGTH) list.pop();
  return rankToBeat(list);
}

function rankToBeat(list) {
  return list.length === LIST_LENGTH ? list[LIST_LENGTH - 1].rank : 0;
}

/** Adds a map's entries to the three lists: much attended but irrelevant, little attended but decisive, strongest. */
function collectEntries(lists, maps, positions, n, layer, head) {
  const { attention, attribution } = maps;
  const largest = largestOf(attribution, positions);
  const [much, little, irrelevant, decisive] = [2 / n, 1 / n, 0.01 * largest, 0.1 * largest];
  const beat = { irrelevant: 0, decisive: 0, strongest: 0 };
  for (const name of Object.keys(beat)) beat[name] = rankToBeat(lists[name]);
  const keep = (name, rank, at) => {
    const entry = { rank, layer, head, at, row: Math.floor(at / n), column: at % n };
    beat[name] = keepBest(lists[name], { ...entry, attention: attention[at], attribution: attribution[at] });
  };
  for (let k = 0; k < positions.length; k++) {
    const at = positions[k];
    const size = Math.abs(attribution[at]);
    const share = attention[at];
    if (size <= irrelevant && share >= much && share >= beat.irrelevant) keep("irrelevant", share, at);
    if (size >= decisive && share <= little && size >= beat.decisive && size > 0) keep("decisive", size, at);
    if (size >= beat.strongest && size > 0) keep("strongest", size, at);
  }
  return largest;
}

function emptyLists() {
  return { irrelevant: [], decisive: [], strongest: [] };
}

/** The lists over the heads of one layer. */
function scanLayer(run, state, layer) {
  const groups = groupsFor(run, state);
  const { n } = groups;
  const sides = flowSides(groups, effectiveFlow(run, state));
  const buffers = createBuffers(n, isSparse(run, layer));
  const all = buffers.touched ? null : shownPositions(sides, n);
  const isShown = (at) => sides.rows[Math.floor(at / n)] && sides.columns[at % n];
  const lists = emptyLists();
  for (let head = 0; head < run.meta.n_heads; head++) {
    const maps = reduceLayer(run, layer, head, groups, buffers);
    collectEntries(lists, maps, all || maps.touched.filter(isShown), n, layer, head);
  }
  return lists;
}

/** The lists of a layer; they are made once for each choice of settings. */
function scanOf(run, state, layer) {
  const key = layer + "|" + settingsKey(run, state);
  if (!run.scans.has(key)) run.scans.set(key, scanLayer(run, state, layer));
  return run.scans.get(key);
}

/** Scans one layer that is still to be scanned; false when there is none. */
function scanNext(run, state) {
  const next = [...run.layers.keys()].find((layer) => !run.scans.has(layer + "|" + settingsKey(run, state)));
  if (next !== undefined) scanOf(run, state, next);
  return next !== undefined;
}

/** The lists over all heads of all finished layers. */
function listsOfAll(run, state) {
  const lists = emptyLists();
  for (const layer of run.layers.keys()) {
    const scan = scanOf(run, state, layer);
    for (const [name, list] of Object.entries(lists)) for (const entry of scan[name]) keepBest(list, entry);
  }
  return lists;
}

function largestIn(values) {
  let largest = 0;
  for (let k = 0; k < values.length; k++) largest = Math.max(largest, Math.abs(values[k]));
  return largest;
}

/** The largest |attribution| over all finished layers as computed: of any head, or of any sum over heads. */
function commonLimit(run, summed) {
  let largest = 0;
  for (const layer of run.layers.keys()) {
    const key = "limit|" + summed + "|" + layer;
    if (!run.scans.has(key)) run.scans.set(key, layerLimit(run, layer, summed));
    largest = Math.max(largest, run.scans.get(key));
  }
  return largest;
}

function layerLimit(run, layer, summed) {
  if (!summed) return largestIn(run.layers.get(layer).attribution.values);
  const groups = groupTokens(run.meta, false, true);
  return largestIn(reduceLayer(run, layer, null, groups, createBuffers(groups.n, isSparse(run, layer))).attribution);
}

/** The lists of the map shown. */
function listsOfMap(shown) {
  if (!shown.lists) {
    shown.lists = emptyLists();
    collectEntries(shown.lists, shown, shown.positions, shown.n, shown.layer, shown.head);
  }
  return shown.lists;
}
