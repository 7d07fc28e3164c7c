// Edges in words: the line of what is pointed at, and the table behind the picture.

function headParts(edge) {
  return edge.heads.map(([head, value]) => "head " + (head + 1) + " " + formatAttribution(value)).join(", ");
}

function shareOfMass(tree, edge) {
  return tree.view.mass > 0 ? edge.value / tree.view.mass : 0;
}

function edgeParts(message, tree, edge) {
  const number = (text) => make("span", { class: "aa-number aa-strong", text });
  const { tokens } = tree.view;
  return [
    "layer " + (edge.layer + 1) + " · ",
    tokenNode(tokens[edge.receiver]),
    " ← ",
    tokenNode(tokens[edge.sender]),
    ": ",
    number(formatAttribution(edge.value)),
    " " + message.unit + ", ",
    number(formatPercent(shareOfMass(tree, edge))),
    " of all positive attribution · ",
    make("span", { "data-testid": "tree-heads", text: headParts(edge) }),
  ];
}

/** The edges as a table; each opens its strongest head. */
function createEdgeTable(open) {
  let shown = null;
  const fold = tableFold("tree", "", () => readEdges(shown, open));
  return {
    node: fold.node,
    draw(message, tree) {
      shown = { message, tree };
      fold.rename("The edges as a table (" + tree.edges.length + ")");
      fold.draw();
    },
  };
}

function readEdges({ message, tree }, open) {
  const tokens = nameTokens(tree.view.tokens);
  const row = (edge) => {
    const name = "Open head " + (edge.heads[0][0] + 1) + " of layer " + (edge.layer + 1);
    return [
      String(edge.layer + 1),
      make("span", {}, tokenNode(tokens[edge.receiver]), " ← ", tokenNode(tokens[edge.sender])),
      formatAttribution(edge.value),
      formatPercent(shareOfMass(tree, edge)),
      headParts(edge),
      make("button", { type: "button", class: "aa-button", text: "open", "aria-label": name, onclick: () => open(edge) }),
    ];
  };
  return {
    caption: "Edges of the attribution tree for " + message.label + ", the strongest first",
    titles: ["layer", "receiver ← sender", "attribution", "share", "heads that carry it most", "heatmap"],
    rows: [...tree.edges].sort((a, b) => b.value - a.value).map(row),
  };
}
