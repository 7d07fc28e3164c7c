// What the charts below the tree know of it.

const ORDERS = [
  ["tree", "tree"],
  ["attention", "raw attention"],
  ["random", "random"],
];

const meanOf = (rows) => rows[0].map((_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);

/** The record of the tree view: its message, and what its sliders say. */
const treeRecord = () => window.__attattr?.tree;

function treeOptions() {
  const { mode, words, threshold, tau, edges } = treeRecord().state;
  return { mode, words, threshold, tau, n_edges: edges[mode] };
}
