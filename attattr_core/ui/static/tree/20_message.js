// From the message of Python to the tree that is shown: the beginning of a list of edges, without the weak ones.

function parseMessage(text) {
  const message = parseVersioned(text);
  if (!message.views?.words?.tokens?.length || !message.views?.pieces?.tokens?.length)
    throw new PayloadError("it holds no tokens");
  return message;
}

/** The whole tree of a state, before it is cut. */
function wholeTree(message, state) {
  const view = message.views[state.words ? "words" : "pieces"];
  return state.mode === "flow" ? view.flow : view.paper[Math.round(state.tau * (message.taus.length - 1))];
}

/**
 * For each edge that still reaches the root, the edge above it, or -1 for the root. In the flow mode an edge hangs on
 * the receiver's node nearest above it, which may have joined later; in the paper's mode a token has one node.
 */
function findParents(edges, root, nLayers, isFlow) {
  const nodes = new Map([[root, [{ layer: nLayers, edge: -1 }]]]);
  const parents = new Map();
  const order = edges.map((_, k) => k);
  if (isFlow) order.sort((a, b) => edges[b].layer - edges[a].layer || a - b);
  for (const k of order) {
    const { layer, receiver, sender } = edges[k];
    const above = (nodes.get(receiver) || []).filter((node) => !isFlow || node.layer > layer);
    if (!above.length) continue;
    parents.set(k, above.reduce((near, node) => (node.layer < near.layer ? node : near)).edge);
    nodes.set(sender, [...(nodes.get(sender) || []), { layer, edge: k }]);
  }
  return parents;
}

/** The tree that is shown, cut as `attattr_core.tree_cut.cut_tree` cuts it. */
function shownTree(message, state) {
  const name = state.words ? "words" : "pieces";
  const view = message.views[name];
  const whole = wholeTree(message, state);
  const isFlow = state.mode === "flow";
  const all = whole.edges.map((id) => view.edges[id]);
  const limit = Math.max(0, ...all.map((edge) => edge.value));
  const least = isFlow ? state.threshold * limit : 0;
  const strong = all.slice(0, state.edges[state.mode]).filter((edge) => edge.value >= least);
  const parents = findParents(strong, whole.root, message.n_layers, isFlow);
  const kept = strong.map((_, k) => k).filter((k) => parents.has(k));
  const places = new Map([[-1, -1], ...kept.map((k, place) => [k, place])]);
  const edges = kept.map((k) => ({ ...strong[k], parent: places.get(parents.get(k)), view: name }));
  const sum = edges.reduce((total, edge) => total + edge.value, 0);
  return {
    view,
    root: whole.root,
    edges,
    limit,
    nWhole: all.length,
    share: view.mass > 0 ? sum / view.mass : 0,
    pair: view.sentences.includes(1),
  };
}
