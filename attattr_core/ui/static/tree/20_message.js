// From the message of Python to the tree that is shown: the beginning of a list of edges, without the weak ones.

/** A message that cannot be shown; its text is a sentence for the reader. */
class PayloadError extends Error {}

function parseMessage(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    throw new PayloadError("it is not valid JSON");
  }
  if (message === null || typeof message !== "object") throw new PayloadError("it is not an object");
  if (message.version !== 1)
    throw new PayloadError("its version " + message.version + " is unknown to this page; reload it");
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
 * The tree that is shown, as `attattr_core.tree_cut.cut_tree` cuts it: the first edges, without those below the
 * threshold and what hangs on them. Edges carry the index of the edge above them, -1 for the root.
 */
function shownTree(message, state) {
  const name = state.words ? "words" : "pieces";
  const view = message.views[name];
  const whole = wholeTree(message, state);
  const values = whole.edges.map((id) => view.edges[id].value);
  const limit = Math.max(0, ...values);
  const least = state.mode === "flow" ? state.threshold * limit : 0;
  const edges = [];
  const places = new Map([[-1, -1]]);
  whole.edges.slice(0, state.edges[state.mode]).forEach((id, k) => {
    const parent = whole.parents[k];
    if (!places.has(parent) || values[k] < least) return;
    places.set(k, edges.length);
    edges.push({ ...view.edges[id], parent: places.get(parent), view: name });
  });
  const kept = edges.reduce((sum, edge) => sum + edge.value, 0);
  return {
    view,
    root: whole.root,
    edges,
    limit,
    nWhole: whole.edges.length,
    share: view.mass > 0 ? kept / view.mass : 0,
    pair: view.sentences.includes(1),
  };
}
