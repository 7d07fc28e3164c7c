// Areas under the curves: numbers with intervals, and the same as dots with whiskers.

function whiskerCell(curve, low, high) {
  const width = 150;
  const x = (value) => round(4 + ((value - low) / (high - low || 1)) * (width - 8));
  if (!curve || curve.area === null) return make("td");
  const parts = [draw("line", { class: "aa-whisker-axis", x1: 4, x2: width - 4, y1: 8, y2: 8 })];
  if (curve.area_low !== null) parts.push(draw("line", { class: "aa-whisker aa-stroke-" + colourClass(curve.method), x1: x(curve.area_low), x2: x(curve.area_high), y1: 8, y2: 8 }));
  parts.push(draw("circle", { class: "aa-point-" + colourClass(curve.method), cx: x(curve.area), cy: 8, r: 3.6 }));
  return make("td", {}, draw("svg", { width, height: 16, "aria-hidden": "true", class: "aa-whiskers" }, ...parts));
}

function createAreas(view) {
  const body = make("div", { class: "aa-tree-table aa-areas", "data-testid": "heads-areas" });
  const panel = panelOf(
    "heads-areas",
    "area under the curves",
    "The mean metric from no head pruned to all of them, with 95 % intervals. " +
      "With the least important heads first, larger is better; with the most important first, smaller is.",
    body,
  );

  function differenceRows(message) {
    if (!message.differences.some((row) => !row.layerwise)) return null;
    const rows = message.differences.filter((row) => !row.layerwise).map((row) =>
      make(
        "tr",
        {},
        make("td", { text: methodName(row.method) + " − " + methodName(row.other) }),
        make("td", { text: DIRECTIONS.find(([name]) => name === row.direction)?.[1] ?? row.direction }),
        make("td", { class: "aa-number", text: formatAttribution(row.difference) }),
        make("td", { class: "aa-number aa-quiet", text: formatAttribution(row.low) + " to " + formatAttribution(row.high) }),
      ),
    );
    const head = make("thead", {}, make("tr", {}, ...["difference, on the same examples", "heads pruned", "area", "95 %"].map((text) => make("th", { scope: "col", text }))));
    return make("table", {}, head, make("tbody", {}, ...rows));
  }

  return {
    node: panel.node,
    draw() {
      const { message } = view;
      const known = message.curves.filter((curve) => curve.area !== null);
      panel.node.hidden = !known.length;
      const ends = known.flatMap((curve) => [curve.area, curve.area_low ?? curve.area, curve.area_high ?? curve.area]);
      const [low, high] = [Math.min(...ends), Math.max(...ends)];
      const cellsOf = (curve) => [
        make("td", { class: "aa-number" + (curve ? " aa-strong" : ""), text: curve ? formatMetric(curve.area) : "" }),
        make("td", { class: "aa-number aa-quiet", text: curve && curve.area_low !== null ? formatMetric(curve.area_low) + " to " + formatMetric(curve.area_high) : "" }),
        whiskerCell(curve, low, high),
      ];
      const rows = ownMethods(known).map((method) => {
        const curves = DIRECTIONS.map(([direction]) => known.find((curve) => curve.method === method && curve.direction === direction));
        return make("tr", { "data-testid": "heads-area-" + method }, make("td", { text: methodName(method) }), ...curves.flatMap(cellsOf));
      });
      const titles = make("tr", {}, make("th", { scope: "col", text: "by" }), ...DIRECTIONS.map(([, words], k) => make("th", { scope: "colgroup", colspan: 3, text: words + (k ? " (smaller is better)" : " (larger is better)") })));
      body.replaceChildren(...[make("table", {}, make("thead", {}, titles), make("tbody", {}, ...rows)), differenceRows(message)].filter(Boolean));
    },
  };
}
