// Effectiveness: as many heads out of every layer, in the order within the layer.

function createLayerwise(view) {
  const direction = segmented(
    "heads-layerwise",
    "first",
    [
      ["least-first", "least", "the least important heads of each layer go first"],
      ["most-first", "most", "the most important heads of each layer go first"],
    ],
    (value) => view.change({ layerwise: value }),
  );
  const chart = createCurveChart(
    view,
    "heads-effectiveness",
    "effectiveness, layer by layer",
    "As many heads are taken out of every layer, in the order within the layer by attribution or by attention. " +
      "Where the line of attribution lies above the other with the least important first, attribution knows better which heads a layer can spare.",
    {
      select: (message, state) => ownMethods(message.layerwise).map((method) => findCurve(message.layerwise, method, state.layerwise)).filter(Boolean),
      share: (curve) => curve.n_pruned,
      xTitle: "heads pruned in every layer",
      xLast: (message) => message.n_heads,
      pointWords: (n) => n + (n === 1 ? " head" : " heads") + " of every layer",
    },
  );
  chart.head.after(make("div", { class: "aa-measure-row" }, direction.node));
  return {
    node: chart.node,
    draw() {
      const { message, state } = view;
      chart.node.hidden = !message.layerwise.length;
      if (chart.node.hidden) return;
      const known = new Set(message.layerwise.filter((curve) => curve.method !== "random").map((curve) => curve.direction));
      direction.node.hidden = known.size < 2;
      direction.show(state.layerwise);
      chart.draw(metricRange(message, message.layerwise));
    },
  };
}
