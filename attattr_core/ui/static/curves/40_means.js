// How much F falls on average over a data set when edges are removed.

function createMeans(root, kept) {
  let message = null;
  const measure = createMeasure("means", "Measure live", () =>
    trigger("measure", { run: treeRecord()?.message?.run, mode: kept.mode }),
  );
  const mode = segmented(
    "means-mode",
    "trees",
    [
      ["flow", "flow", ""],
      ["paper", "paper", "the authors' algorithm with τ = 0.4"],
    ],
    (value) => {
      kept.mode = value;
      redraw();
    },
  );
  const figures = () => message?.modes?.[kept.mode];
  const read = (k) => {
    const shown = figures();
    if (!shown) return [];
    if (k === null) return [make("span", { class: "aa-quiet", text: "Point at the chart to read a number of edges." })];
    const parts = [shown.counts[k] + (shown.counts[k] === 1 ? " edge" : " edges") + " removed, F falls by: "];
    ORDERS.forEach(([name, words], at) =>
      parts.push(
        (at ? ", " : "") + words + " ",
        make("span", { class: "aa-number aa-strong", text: formatOutput(shown[name].mean[k]) }),
        " (" + formatOutput(shown[name].low[k]) + " to " + formatOutput(shown[name].high[k]) + ")",
      ),
    );
    return parts;
  };
  const picture = createPicture("means", read);
  const legend = make("div", { class: "aa-chart-legend", "data-testid": "means-legend" });
  const source = make("p", { class: "aa-quiet", "data-testid": "means-source" });
  const table = createTable("means");
  const panel = panelOf(
    "means",
    "mean deletion over a data set",
    "How much F of the predicted label falls on average when so many edges are removed: the tree's, those of the largest " +
      "attention, or random ones; bands are 95 % intervals of the mean. The higher the tree lies above the others, the " +
      "more its edges matter to this model.",
    make("div", { class: "aa-measure-row" }, measure.node, mode.node),
    source,
    ...picture.nodes,
    legend,
    table.node,
  );
  panel.head.append(
    exportMenu("means", FORMATS, (format) => trigger("export_curves", { format, mode: kept.mode })),
  );
  root.replaceChildren(panel.node);

  function redraw() {
    const shown = figures();
    mode.show(kept.mode);
    source.textContent = sourceWords(shown);
    for (const node of [legend, table.node, panel.head.lastChild]) node.hidden = !shown;
    if (!shown) return picture.clear();
    const width = Math.max(220, picture.nodes[0].parentElement.clientWidth - 24);
    const all = ORDERS.flatMap(([name]) => [...shown[name].low, ...shown[name].high]);
    const [low, high] = [Math.min(0, ...all), Math.max(0.02, ...all)];
    const xs = shown.counts;
    const axes = createAxes(width, [0, xs[xs.length - 1]], [low, high * 1.04], ["edges removed", "mean drop of the " + message.unit]);
    const parts = [...ORDERS].reverse().flatMap(([name]) => [
      draw("path", { class: "aa-band aa-band-" + name, d: bandPath(axes, xs, shown[name].low, shown[name].high) }),
      draw("path", { class: "aa-line aa-line-" + name, d: linePath(axes, xs, shown[name].mean) }),
    ]);
    const wins = (name) => "trees of " + shown.n_edges.toFixed(0) + " edges win in " + formatPercent(shown.wins[name]);
    const label = "Mean drop of F by the number of edges removed, " + shown.n + " examples: against raw attention " + wins("attention") + ", against random ones " + wins("random");
    picture.show(width, axes, xs, label + ". Left and right arrows read it.", ...parts);
    legend.replaceChildren(
      legendItem("tree", kept.mode + " tree", null),
      legendItem("attention", "raw attention", wins("attention")),
      legendItem("random", "random", wins("random")),
    );
    const interval = (name, k) =>
      formatOutput(shown[name].mean[k]) + " (" + formatOutput(shown[name].low[k]) + " to " + formatOutput(shown[name].high[k]) + ")";
    table.draw(
      "Mean drop of F by the number of edges removed, " + shown.n + " examples, with 95 % intervals",
      ["edges", ...ORDERS.map(([, words]) => words)],
      xs.map((count, k) => [String(count), ...ORDERS.map(([name]) => interval(name, k))]),
    );
  }

  function sourceWords(shown) {
    if (!message || !message.modes) return "Nothing is computed beforehand for this checkpoint; measure it here over 100 of the project's sentences.";
    if (!shown) return "Not measured yet for " + kept.mode + " trees.";
    const live = message.mode === kept.mode && message.status !== "precomputed";
    return shown.n + " examples of " + message.data + ", " + message.model + (live ? ", measured now" : ", computed beforehand");
  }

  return {
    redraw,
    receive(next) {
      if (next?.status === "refused") {
        measure.show(false, "");
        return;
      }
      message = next;
      const busy = message?.status === "measuring";
      const n = message?.modes?.[message.mode]?.n ?? 0;
      const progress = n + " of " + message?.n_total + " examples";
      measure.show(busy, busy ? progress : message?.status === "stopped" ? "stopped · " + progress : "");
      redraw();
    },
    shown: () => message,
  };
}
