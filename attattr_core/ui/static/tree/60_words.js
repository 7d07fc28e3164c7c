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

function createTable(open) {
  const summary = make("summary", {});
  const body = make("tbody");
  const titles = ["layer", "receiver ← sender", "attribution", "share", "heads that carry it most", ""];
  const head = make("thead", {}, make("tr", {}, ...titles.map((text) => make("th", { scope: "col", text }))));
  const scroll = make("div", { class: "aa-tree-table" }, make("table", {}, head, body));
  const node = make("details", { "data-testid": "tree-table" }, summary, scroll);

  function row(message, tree, edge) {
    const { tokens } = tree.view;
    const name = "Open head " + (edge.heads[0][0] + 1) + " of layer " + (edge.layer + 1);
    const words = make("td", {}, tokenNode(tokens[edge.receiver]), " ← ", tokenNode(tokens[edge.sender]));
    const numbers = [formatAttribution(edge.value), formatPercent(shareOfMass(tree, edge))];
    return make(
      "tr",
      {},
      make("td", { class: "aa-number", text: String(edge.layer + 1) }),
      words,
      ...numbers.map((text) => make("td", { class: "aa-number", text })),
      make("td", { class: "aa-number", text: headParts(edge) }),
      make("td", {}, make("button", { type: "button", class: "aa-button", text: "open", "aria-label": name, onclick: () => open(edge) })),
    );
  }

  return {
    node,
    draw(message, tree) {
      summary.textContent = "The edges as a table (" + tree.edges.length + ")";
      const strongest = [...tree.edges].sort((a, b) => b.value - a.value);
      body.replaceChildren(...strongest.map((edge) => row(message, tree, edge)));
    },
  };
}
