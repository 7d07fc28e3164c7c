// Settings of the tree. None of them asks the server for anything but the export.

const FORMATS = [
  ["svg", "SVG picture"],
  ["png", "PNG picture"],
  ["pdf", "PDF picture"],
  ["json", "JSON tree"],
  ["graphml", "GraphML graph"],
  ["zip", "Bundle (ZIP)"],
];

function createControls(view) {
  const set = (name) => (value) => view.change({ [name]: value });
  const mode = segmented(
    "tree-mode",
    "mode",
    [
      ["flow", "flow", "rooted in the token that the classifier reads, all layers, the worthiest edges first"],
      ["paper", "paper", "the authors' algorithm with its threshold"],
    ],
    set("mode"),
  );
  const edges = slider(
    "tree-edges",
    "edges",
    [1, 100, 1],
    (value, limit) => value + " of " + limit,
    (value) => view.change({ edges: { ...view.state.edges, [view.state.mode]: value } }),
  );
  const threshold = slider(
    "tree-threshold",
    "threshold",
    [0, 1, 0.01],
    (value) => "≥ " + Math.round(100 * value) + " % of the strongest",
    set("threshold"),
  );
  const tau = slider("tree-tau", "τ", [0, 1, 0.05], (value) => value.toFixed(2), set("tau"));
  const words = checkbox("tree-words", "merge words", "add up the pieces of one word", set("words"));
  const key = make(
    "div",
    { class: "aa-sentence-key aa-quiet", "data-testid": "tree-sentence-key" },
    make("span", { class: "aa-key-a", text: "sentence A" }),
    make("span", { class: "aa-key-b", text: "sentence B" }),
  );
  const full = document.fullscreenEnabled
    ? plainButton("tree-full-screen", "Full screen", "Full screen", () =>
        document.fullscreenElement ? document.exitFullscreen() : view.root.requestFullscreen(),
      )
    : null;
  const start = (format) =>
    trigger("export_tree", { format, run: view.message.run, view: shownOptions(view.state), link: linkWords() });
  const node = make(
    "div",
    { class: "aa-controls", role: "group", "aria-label": "Tree settings", "data-testid": "tree-controls" },
    mode.node,
    edges.node,
    threshold.node,
    tau.node,
    words.node,
    key,
    make("div", { class: "aa-actions" }, full, shareMenu("tree-share"), exportMenu("tree", FORMATS, start)),
  );
  return {
    node,
    draw(message, state, tree) {
      mode.show(state.mode);
      const most = Math.max(1, tree.nWhole);
      edges.show(Math.min(state.edges[state.mode], most), most);
      threshold.show(state.threshold);
      tau.show(state.tau);
      words.show(state.words);
      threshold.node.hidden = state.mode !== "flow";
      tau.node.hidden = state.mode !== "paper";
      key.hidden = !tree.pair;
    },
  };
}

function createMass() {
  const fill = make("span", { class: "aa-label-fill" });
  const words = make("span", { class: "aa-number", "data-testid": "tree-mass" });
  const help = helpButton(
    "mass",
    "the kept attribution",
    "How much of all positive attribution between different tokens, over all layers, these edges hold. " +
      "A few edges often hold most of it; the deletion curve below shows what the model does without them.",
  );
  const track = make("span", { class: "aa-label-track", "aria-hidden": "true" }, fill);
  return {
    node: make("div", { class: "aa-tree-mass" }, words, track, help),
    draw(message, tree) {
      const n = tree.edges.length;
      words.textContent =
        n + (n === 1 ? " edge keeps " : " edges keep ") + formatPercent(tree.share) + " of the positive attribution";
      fill.style.width = 100 * Math.min(1, tree.share) + "%";
    },
  };
}
