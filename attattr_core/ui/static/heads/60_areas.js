// Areas under the curves: numbers with intervals, and the same as dots with whiskers.

function whiskerCell(curve, low, high) {
  const width = 110;
  const x = (value) => round(4 + ((value - low) / (high - low || 1)) * (width - 8));
  if (!curve || curve.area === null) return make("td");
  const parts = [draw("line", { class: "aa-whisker-axis", x1: 4, x2: width - 4, y1: 8, y2: 8 })];
  if (curve.area_low !== null) parts.push(draw("line", { class: "aa-whisker aa-stroke-" + colourClass(curve.method), x1: x(curve.area_low), x2: x(curve.area_high), y1: 8, y2: 8 }));
  parts.push(draw("circle", { class: "aa-point-" + colourClass(curve.method), cx: x(curve.area), cy: 8, r: 3.6 }));
  return make("td", {}, draw("svg", { width, height: 16, "aria-hidden": "true", class: "aa-whiskers" }, ...parts));
}

const formatChange = (value) => signed(value, Math.abs(value).toFixed(3));

function createAreas(view) {
  const body = make("div", { class: "aa-table-scroll aa-areas", role: "region", "aria-label": "Areas", tabindex: "0", "data-testid": "heads-areas" });
  const panel = panelOf(
    "heads-areas",
    "area under the curves",
    "The mean metric from no head pruned to all of them, with 95 % intervals. " +
      "With the least important heads first, larger is better; with the most important first, smaller is. Differences pair the examples; those whose interval leaves out zero are bold.",
    body,
  );

  /** Differences of areas, method against method: strong where the interval leaves out zero. */
  function differenceTable(message) {
    const shown = message.differences.filter((row) => !row.layerwise);
    if (!shown.length) return null;
    const pairs = [...new Map(shown.map((row) => [row.method + "|" + row.other, row])).values()];
    const cells = ({ method, other }) =>
      DIRECTIONS.flatMap(([direction]) => {
        const row = shown.find((found) => found.method === method && found.other === other && found.direction === direction);
        if (!row) return [make("td"), make("td")];
        const isClear = row.low > 0 || row.high < 0;
        return [
          make("td", { class: "aa-number" + (isClear ? " aa-strong" : ""), text: formatChange(row.difference) }),
          make("td", { class: "aa-number aa-quiet", text: formatChange(row.low) + " to " + formatChange(row.high) }),
        ];
      });
    const rows = pairs.map((pair) => make("tr", {}, make("th", { scope: "row", text: methodName(pair.method) + " − " + methodName(pair.other) }), ...cells(pair)));
    const titles = ["difference on the same examples", ...DIRECTIONS.map(([, words]) => words)];
    const head = make("tr", {}, ...titles.map((text, k) => make("th", { scope: k ? "colgroup" : "col", colspan: k ? 2 : null, text })));
    const caption = make("caption", { text: "Differences of areas with 95 % intervals" });
    return make("table", { "data-testid": "heads-differences" }, caption, make("thead", {}, head), make("tbody", {}, ...rows));
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
        return make("tr", { "data-testid": "heads-area-" + method }, make("th", { scope: "row", text: methodName(method) }), ...curves.flatMap(cellsOf));
      });
      const titles = make("tr", {}, make("th", { scope: "col", text: "by" }), ...DIRECTIONS.map(([, words], k) => make("th", { scope: "colgroup", colspan: 3, text: words + (k ? " (smaller is better)" : " (larger is better)") })));
      const caption = make("caption", { text: "Areas with 95 % intervals" });
      body.replaceChildren(...[make("table", {}, caption, make("thead", {}, titles), make("tbody", {}, ...rows)), differenceTable(message)].filter(Boolean));
    },
  };
}
