// F of the shown input against the number of edges removed from, or added to, the model's attention.

function createCurves(root, kept) {
  let message = null;
  const measure = createMeasure("curves", "Measure deletion", () =>
    trigger("measure", { run: treeRecord()?.message?.run, view: treeOptions() }),
  );
  const kind = segmented(
    "curves-kind",
    "show",
    [
      ["deletion", "deletion", "edges are removed from the whole model"],
      ["insertion", "insertion", "edges are added to a model without any"],
    ],
    (value) => {
      kept.kind = value;
      redraw();
    },
  );
  const read = (k) => {
    if (!message?.counts) return [];
    if (k === null) return [make("span", { class: "aa-quiet", text: "Point at the chart to read a number of edges." })];
    const values = message[kept.kind];
    const random = values.random.map((row) => row[k]);
    const number = (value) => make("span", { class: "aa-number aa-strong", text: formatOutput(value) });
    return [
      message.counts[k] + (message.counts[k] === 1 ? " edge " : " edges ") + (kept.kind === "deletion" ? "removed" : "added") + ": tree ",
      number(values.tree[k]),
      ", raw attention ",
      number(values.attention[k]),
      ", random ",
      number(meanOf(values.random)[k]),
      " (" + formatOutput(Math.min(...random)) + " to " + formatOutput(Math.max(...random)) + ")",
    ];
  };
  const picture = createPicture("curves", read);
  const legend = make("div", { class: "aa-chart-legend", "data-testid": "curves-legend" });
  const table = createTable("curves");
  const panel = panelOf(
    "curves",
    "deletion curve of this input",
    "The edges of the tree are taken out of the model one after the other, the strongest first: a tree that matters " +
      "makes F fall faster than as many edges of the largest attention, or of 10 random orders (band). " +
      "Insertion starts from a model whose tokens see only themselves and adds edges: there the tree should rise first.",
    make("div", { class: "aa-measure-row" }, measure.node, kind.node),
    ...picture.nodes,
    legend,
    table.node,
  );
  panel.head.append(
    exportMenu("curves", FORMATS, (format) => trigger("export_curves", { format, run: message?.run, kind: kept.kind })),
  );
  root.replaceChildren(panel.node);

  function redraw() {
    const has = Boolean(message?.counts?.length);
    for (const node of [kind.node, legend, table.node, panel.head.lastChild]) node.hidden = !has;
    kind.show(kept.kind);
    if (!has) return picture.clear();
    const width = Math.max(220, picture.nodes[0].parentElement.clientWidth - 24);
    const values = message[kept.kind];
    const [low, high] = message.counts.length > 1 ? [0, 1].map((end) => edge([...values.random, values.tree, values.attention], end)) : [0, 1];
    const verb = kept.kind === "deletion" ? "edges removed" : "edges added";
    const last = Math.max(1, message.counts[message.counts.length - 1]);
    const axes = createAxes(width, [0, last], [low, high], [verb, message.unit + " of “" + message.label + "”"]);
    const columns = message.counts.map((_, k) => values.random.map((row) => row[k]));
    const xs = message.counts;
    picture.show(
      width,
      axes,
      xs,
      panel.node.getAttribute("aria-label") + ": " + summary(),
      draw("path", { class: "aa-band aa-band-random", d: bandPath(axes, xs, columns.map((c) => Math.min(...c)), columns.map((c) => Math.max(...c))) }),
      draw("path", { class: "aa-line aa-line-random", d: linePath(axes, xs, meanOf(values.random)) }),
      draw("path", { class: "aa-line aa-line-attention", d: linePath(axes, xs, values.attention) }),
      draw("path", { class: "aa-line aa-line-tree", d: linePath(axes, xs, values.tree) }),
    );
    const area = (name) => "area to the tree " + formatAttribution(message.areas[kept.kind][name]) + " " + message.unit;
    legend.replaceChildren(
      legendItem("tree", message.mode + " tree", null),
      legendItem("attention", "raw attention", area("attention")),
      legendItem("random", "random, " + values.random.length + " orders", area("random")),
    );
    table.draw(
      verb + ": " + message.unit + " of " + message.label,
      ["edges", "tree", "raw attention", "random, mean", "random, range"],
      xs.map((count, k) => [
        String(count),
        ...[values.tree[k], values.attention[k], meanOf(values.random)[k]].map(formatOutput),
        formatOutput(Math.min(...columns[k])) + " to " + formatOutput(Math.max(...columns[k])),
      ]),
    );
  }

  function edge(rows, end) {
    const all = rows.flat();
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = 0.04 * (high - low || 0.1);
    // A probability has its natural limits; other units take what they need.
    if (message.unit === "probability") return end ? Math.min(1, high + room) : Math.max(0, Math.min(low - room, high - 0.1));
    return end ? high + room : low - room;
  }

  const summary = () =>
    ORDERS.slice(1)
      .map(([name, words]) => "area between tree and " + words + " " + formatAttribution(message.areas[kept.kind][name]))
      .join(", ");

  return {
    redraw,
    receive(next) {
      if (next?.status === "refused") {
        measure.show(false, message ? words() : "");
        return;
      }
      message = next;
      const busy = message?.status === "measuring";
      measure.show(busy, words());
      redraw();
    },
    shown: () => message,
  };

  function words() {
    if (!message) return "not measured yet";
    const progress = message.n_done + " of " + message.n_total + " points";
    if (message.status === "measuring") return progress;
    if (message.status === "stopped") return "stopped · " + progress;
    return message.status === "example" ? "of the " + message.mode + " tree, computed beforehand" : "of the " + message.mode + " tree";
  }
}
