// How far the strongest edges of each layer reach: dots of this input over the distribution of a data set.

function createField(root) {
  let message = null;
  const table = createTable("field");
  const svg = draw("svg", { class: "aa-chart-svg", role: "img", "data-testid": "field-picture", direction: "ltr" });
  const legend = make("div", { class: "aa-chart-legend" });
  const panel = panelOf(
    "field",
    "receptive field",
    "Each dot is one of the five strongest edges of a layer, placed by how many tokens lie between sender and receiver. " +
      "Boxes show the same over a data set: the middle half, its median, and 5 to 95 % as a thin line; the layers near " +
      "the output often reach further than those near the text.",
    svg,
    legend,
    table.node,
  );
  root.replaceChildren(panel.node);

  function redraw() {
    panel.node.hidden = !message;
    if (!message) return;
    const width = Math.max(220, panel.node.clientWidth - 24);
    const { n_layers: nLayers, shown, quantiles } = message;
    const known = (quantiles || []).filter((row) => row.every((value) => value !== null));
    const furthest = Math.max(2, ...shown.flat(), ...known.flat());
    const rows = Array.from({ length: nLayers }, (_, k) => k + 1);
    const height = Math.max(HEIGHT, nLayers * 17 + MARGIN.top + MARGIN.bottom);
    const axes = createAxes(width, [0, furthest * 1.03], [0.4, nLayers + 0.6], ["distance in tokens", "layer"], { rows, height });
    const unit = axes.y(1) - axes.y(2);
    const parts = [];
    (quantiles || []).forEach((row, layer) => {
      if (row.includes(null)) return;
      const [q5, q25, q50, q75, q95] = row.map(axes.x);
      const y = axes.y(layer + 1);
      const half = Math.min(8, unit * 0.3);
      parts.push(draw("line", { class: "aa-box-whisker", x1: round(q5), x2: round(q95), y1: round(y), y2: round(y) }));
      parts.push(draw("rect", { class: "aa-box", x: round(q25), y: round(y - half), width: Math.max(1, round(q75 - q25)), height: round(2 * half) }));
      parts.push(draw("line", { class: "aa-box-median", x1: round(q50), x2: round(q50), y1: round(y - half), y2: round(y + half) }));
    });
    shown.forEach((distances, layer) => {
      distances.forEach((distance, k) => {
        const y = axes.y(layer + 1) + (k - (distances.length - 1) / 2) * Math.min(3.4, unit / 6);
        parts.push(draw("circle", { class: "aa-dot", cx: round(axes.x(distance)), cy: round(y), r: 2.6 }));
      });
    });
    svg.setAttribute("width", width);
    svg.setAttribute("height", height);
    const reach = shown.map((row) => Math.max(-1, ...row));
    const far = reach.indexOf(Math.max(...reach));
    svg.setAttribute("aria-label", "Distance of the strongest edges by layer; the furthest, " + reach[far] + " tokens, is in layer " + (far + 1) + ".");
    svg.replaceChildren(axes.node, ...parts);
    const dot = draw("svg", { width: 12, height: 10, "aria-hidden": "true" }, draw("circle", { class: "aa-dot", cx: 6, cy: 5, r: 3 }));
    const box = draw("svg", { width: 26, height: 10, "aria-hidden": "true" }, draw("line", { class: "aa-box-whisker", x1: 1, x2: 25, y1: 5, y2: 5 }), draw("rect", { class: "aa-box", x: 7, y: 1, width: 12, height: 8 }));
    legend.replaceChildren(
      make("div", { class: "aa-chart-item" }, dot, make("span", { text: "this input" })),
      ...(quantiles ? [make("div", { class: "aa-chart-item" }, box, make("span", { text: message.n + " examples of " + message.data }))] : []),
    );
    const list = (row) => (row && !row.includes(null) ? row.map((value) => String(Math.round(value * 10) / 10)) : message.names.map(() => ""));
    table.draw(
      "Distance in tokens of the five strongest edges of each layer",
      ["layer", "this input", ...(quantiles ? message.names.map((name) => name + " %") : [])],
      rows.map((row, k) => [String(row), shown[k].join(", ") || "none", ...(quantiles ? list(quantiles[k]) : [])]),
    );
  }

  return {
    redraw,
    receive(next) {
      message = next;
      redraw();
    },
    shown: () => message,
  };
}
