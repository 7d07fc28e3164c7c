// The picture, built node by node; text from users is only ever set as text.

/** From the sender as it enters the layer up to the receiver as it leaves it. */
function edgePath(place, edge) {
  const [x0, y0] = [place.x(edge.sender), place.y(edge.layer)];
  const [x1, y1] = [place.x(edge.receiver), place.y(edge.layer + 1)];
  const bend = (y0 - y1) * 0.55;
  return "M" + [x0, y0].map(round) + "C" + [x0, y0 - bend, x1, y1 + bend, x1, y1].map(round);
}

function edgeWidth(tree, edge) {
  return 1.2 + 6.8 * (tree.limit > 0 ? edge.value / tree.limit : 0);
}

/** The colour of attribution, from a shade that a thin line can be seen in. */
function edgeColour(tree, edge, theme) {
  const share = tree.limit > 0 ? edge.value / tree.limit : 0;
  return rgb(...colourAt(theme, "attribution", 0.42 + 0.58 * share, 1));
}

function edgeName(message, tree, edge) {
  const { tokens } = tree.view;
  return (
    "layer " + (edge.layer + 1) + ": " + tokens[edge.receiver] + " receives from " + tokens[edge.sender] + ", " +
    formatAttribution(edge.value) + " " + message.unit + ", most in head " + (edge.heads[0][0] + 1)
  );
}

/** What a screen reader says of the whole tree. */
function treeName(message, tree) {
  const n = tree.edges.length;
  const strongest = tree.edges.reduce((best, edge) => (best && best.value >= edge.value ? best : edge), null);
  const keeps = "Attribution tree of " + n + (n === 1 ? " edge" : " edges") + ", " + formatPercent(tree.share) + " of the positive attribution. ";
  return keeps + (strongest ? "Strongest: " + edgeName(message, tree, strongest) + ". " : "") + "Arrow keys walk, Enter opens a head.";
}

/** The highest point of each token of the tree. */
function columnTops(tree, nLayers) {
  const tops = new Map([[tree.root, nLayers]]);
  const raise = (position, layer) => tops.set(position, Math.max(layer, tops.get(position) ?? 0));
  for (const edge of tree.edges) {
    raise(edge.sender, edge.layer);
    raise(edge.receiver, edge.layer + 1);
  }
  return tops;
}

function drawColumns(tree, place, nLayers) {
  const lines = [...columnTops(tree, nLayers)].map(([position, top]) =>
    draw("line", {
      class: "aa-tree-residual",
      x1: round(place.x(position)),
      x2: round(place.x(position)),
      y1: round(place.y(0)),
      y2: round(place.y(top)),
    }),
  );
  return draw("g", { "aria-hidden": "true" }, ...lines);
}

function drawEdges(message, tree, place, theme) {
  const order = tree.edges.map((_, k) => k).sort((a, b) => tree.edges[a].value - tree.edges[b].value);
  const shapes = order.map((k) => {
    const edge = tree.edges[k];
    const d = edgePath(place, edge);
    return draw(
      "g",
      {
        class: "aa-tree-edge",
        role: "button",
        tabindex: "-1",
        "data-edge": k,
        "data-testid": "tree-edge-" + k,
        "aria-label": edgeName(message, tree, edge),
      },
      draw("path", { class: "aa-tree-hit", d }),
      draw("path", {
        class: "aa-tree-line",
        d,
        stroke: edgeColour(tree, edge, theme),
        "stroke-width": round(edgeWidth(tree, edge)),
      }),
    );
  });
  return draw("g", {}, ...shapes); // the strongest on top
}

function drawNodes(tree, place, nLayers) {
  const dots = tree.edges.map((edge) => [edge.sender, edge.layer, 3]);
  dots.push([tree.root, nLayers, 5]);
  return draw(
    "g",
    { "aria-hidden": "true", class: "aa-tree-nodes" },
    ...dots.map(([position, layer, r]) => draw("circle", { cx: round(place.x(position)), cy: round(place.y(layer)), r })),
  );
}

/** Names beside the nodes that receive, where there is room: the eye need not follow their line to the bottom. */
function drawNames(message, tree, place) {
  const inner = new Map();
  for (const edge of tree.edges)
    if (edge.parent >= 0) inner.set(edge.parent, tree.edges[edge.parent]);
  const taken = [];
  const names = [];
  for (const edge of inner.values()) {
    const label = place.labels[edge.sender];
    const box = { x: place.x(edge.sender) + 6, y: place.y(edge.layer) + 13, width: label.width };
    if (box.x + box.width > place.width || edge.layer === 0) continue;
    if (taken.some((other) => Math.abs(other.y - box.y) < 14 && box.x < other.x + other.width && other.x < box.x + box.width))
      continue;
    taken.push(box);
    names.push(draw("text", { class: "aa-tree-name", x: round(box.x), y: round(box.y), text: label.text }));
  }
  const top = [place.x(tree.root), place.y(message.n_layers)];
  const right = top[0] > place.width / 2;
  names.push(
    draw("text", {
      class: "aa-tree-name aa-tree-root",
      "text-anchor": right ? "end" : "start",
      x: round(top[0] + (right ? -9 : 9)),
      y: round(top[1] - 8),
      text: place.labels[tree.root].text + " → " + message.label + " " + formatOutput(message.output),
    }),
  );
  return draw("g", { "aria-hidden": "true" }, ...names);
}

function drawTokens(tree, place) {
  const inTree = new Set([tree.root, ...tree.edges.flatMap((edge) => [edge.sender, edge.receiver])]);
  const tokens = place.labels.map((label, k) => {
    const [x, y] = [place.x(k), place.base];
    const sentence = tree.view.sentences[k];
    const half = Math.max(4, place.column / 2 - 2);
    const line = draw("line", {
      class: sentence === 0 ? "aa-tree-a" : "aa-tree-b",
      x1: round(x - half),
      x2: round(x + half),
      y1: y + 9,
      y2: y + 9,
    });
    const text = draw("text", {
      class: "aa-tree-token",
      x: round(place.angle === 90 ? x + 4 : x),
      y: round(y + (place.angle ? 18 : 25)),
      "text-anchor": place.angle ? "end" : "middle",
      transform: place.angle ? "rotate(" + [-place.angle, round(place.angle === 90 ? x + 4 : x + 3), y + 18] + ")" : null,
      text: label.text,
    });
    const shown = inTree.has(k);
    return draw(
      "g",
      { class: shown ? "aa-tree-leaf" : "aa-tree-leaf aa-tree-pale", "data-testid": "tree-token-" + k },
      draw("title", { text: tree.view.tokens[k] }),
      tree.pair && sentence >= 0 ? line : null,
      text,
    );
  });
  return draw("g", { "data-testid": "tree-tokens" }, ...tokens);
}

/** The bands of the layers and their numbers, which stay in sight while the tree moves sideways. */
function drawBands(message, place, width) {
  const parts = [];
  for (let layer = 0; layer < message.n_layers; layer++) {
    const y = place.y(layer + 1);
    parts.push(
      draw("rect", { class: layer % 2 ? "aa-tree-band" : "aa-tree-band aa-tree-odd", x: 0, y: round(y), width, height: round(place.band) }),
      draw("text", { class: "aa-tree-layer", x: 14, y: round(y + place.band / 2 + 4), "text-anchor": "middle", text: String(layer + 1) }),
    );
  }
  parts.push(draw("text", { class: "aa-tree-layer", x: 4, y: TOP - 8, text: "layer" }));
  return parts;
}
