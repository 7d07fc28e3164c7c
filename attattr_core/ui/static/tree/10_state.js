// The state of the tree view; it outlives runs and remounting of the tab.

const INITIAL = { mode: "flow", words: true, edges: { flow: 16, paper: 100 }, threshold: 0, tau: 0.4 };

/** What is kept between mounts; the heatmap view has its record beside it. */
function keptRecord() {
  window.__attattr ||= {};
  window.__attattr.tree ||= { state: structuredClone(INITIAL), message: null, value: null };
  return window.__attattr.tree;
}

/** What Python needs to build the very tree that is shown. */
function shownOptions(state) {
  const { mode, words, threshold, tau } = state;
  return { mode, words, threshold, tau, n_edges: state.edges[mode] };
}

/** Shows the strongest head of an edge in the heatmap view, with the edge pinned. */
function openHeatmap(message, edge) {
  const { first } = message.views[edge.view];
  const pin = { row: first[edge.receiver], column: first[edge.sender] };
  const wanted = { run: message.run, layer: edge.layer, head: edge.heads[0][0], pin };
  window.__attattr.heatmaps?.open?.(wanted);
  trigger("show_heatmaps");
}
