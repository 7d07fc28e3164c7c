// The metric against the share of heads that are pruned: one chart a direction, all methods in each.

function colourClass(method) {
  return METHODS[method] ? method : "other";
}

/** A legend whose items switch lines on and off. */
function createLegend(view) {
  const node = make("div", { class: "aa-heads-legend", role: "group", "aria-label": "Lines shown", "data-testid": "heads-legend" });
  const lines = make("div", { class: "aa-heads-legend" });
  const bands = segmented(
    "heads-bands",
    "95 % bands",
    [
      ["chosen", "chosen method", "the bands of the method that prunes, and of random orders"],
      ["all", "all", ""],
    ],
    (value) => view.change({ bands: value }),
  );
  node.append(lines, bands.node);
  return {
    node,
    draw(methods) {
      bands.show(view.state.bands);
      const shown = methods.map((method) => {
        const isOn = !isHidden(view.state, method);
        const stroke = draw("svg", { width: 26, height: 10, "aria-hidden": "true" }, draw("line", { class: "aa-line aa-line-" + colourClass(method), x1: 1, x2: 25, y1: 5, y2: 5 }));
        const toggle = () => view.change({ hidden: { ...view.state.hidden, [method]: isOn } });
        const words = method === "random" ? randomWords(view.message) : methodName(method);
        return make("button", { type: "button", class: "aa-legend-item", "aria-pressed": String(isOn), title: METHODS[method]?.[1] ?? "", "data-testid": "heads-legend-" + method, onclick: toggle }, stroke, make("span", { text: words }));
      });
      const focused = lines.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
      lines.replaceChildren(...shown);
      if (focused) shown.find((item) => item.dataset.testid === focused)?.focus();
    },
  };
}

/** What the line of random orders and its band are. */
function randomWords({ curves, n_seeds: n }) {
  const isMean = curves.some((curve) => curve.method === "random" && curve.interval === "seeds");
  return isMean ? "random: mean of " + n + " orders, band: 95 % of them" : "random: one order";
}

/** What all charts of a study share on their vertical axis. */
function metricRange(message, curves) {
  const all = curves.flatMap((curve) => [...curve.low, ...curve.high, ...curve.metric]).filter((value) => value !== null);
  if (!all.length) return [0, 1];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = 0.04 * (high - low || 0.1);
  return [message.metric === "accuracy" ? Math.max(0, low - room) : low - room, Math.min(1, high + room)];
}

/** Lines with their bands, the first method on top. */
function drawCurves(axes, curves, share, hasBand) {
  const parts = [];
  const sorted = [...curves].sort((a, b) => methodOrder(b.method, a.method));
  for (const curve of sorted.filter(hasBand)) parts.push(draw("path", { class: "aa-band aa-band-" + colourClass(curve.method), d: bandPath(axes, share(curve), curve.low, curve.high) }));
  for (const curve of sorted) {
    parts.push(draw("path", { class: "aa-line aa-line-" + colourClass(curve.method), d: linePath(axes, share(curve), curve.metric) }));
    const isSparse = curve.n_pruned.length <= 24;
    if (isSparse) for (const [k, x] of share(curve).entries()) parts.push(draw("circle", { class: "aa-point aa-point-" + colourClass(curve.method), cx: round(axes.x(x)), cy: round(axes.y(curve.metric[k])), r: 2 }));
  }
  return parts;
}

/** One chart of curves; `read` words come from the points that are measured there. */
function createCurveChart(view, name, title, help, { select, share, xTitle, xLast, pointWords, pick, mark }) {
  let curves = [];
  let points = [];
  const line = (k) => {
    if (!curves.length) return [];
    if (k === null) return [make("span", { class: "aa-quiet", text: "Point at the chart to read it" + (pick ? "; click to prune so many." : ".") })];
    const parts = [pointWords(points[k]) + ": "];
    let first = true;
    for (const curve of curves) {
      const at = curve.n_pruned.indexOf(points[k]);
      if (at < 0) continue;
      parts.push((first ? "" : ", ") + methodName(curve.method) + " ", make("span", { class: "aa-number aa-strong", text: formatMetric(curve.metric[at]) }), " " + intervalOf(curve.low[at], curve.high[at]));
      first = false;
    }
    return parts;
  };
  const picture = createPicture(name, line, pick && ((k) => pick(points[k])));
  const table = createTable(name);
  const panel = panelOf(name, title, help, ...picture.nodes, table.node);
  return {
    node: panel.node,
    head: panel.head,
    draw(range) {
      const { message, state } = view;
      curves = select(message, state).filter((curve) => curve.n_pruned.length && !isHidden(state, curve.method));
      points = [...new Set(curves.flatMap((curve) => curve.n_pruned))].sort((a, b) => a - b);
      table.node.hidden = !curves.length;
      const width = Math.max(220, picture.nodes[0].parentElement.clientWidth - 24);
      const axes = createAxes(width, [0, xLast(message)], range, [xTitle, METRICS[message.metric]], { height: 270 });
      const xs = points.map((n) => share({ n_pruned: [n] }, message)[0]);
      const level = select(message, state).find((curve) => curve.n_pruned[0] === 0)?.metric[0];
      const unpruned = level === undefined ? null : draw("line", { class: "aa-unpruned", x1: axes.box.left, x2: axes.box.right, y1: round(axes.y(level)), y2: round(axes.y(level)) });
      const isChosen = ({ method }) => state.bands === "all" || method === "random" || method === state.method || curves.length < 3;
      const lines = drawCurves(axes, curves, (curve) => share(curve, message), isChosen);
      const label = title + ": " + METRICS[message.metric] + " by heads pruned";
      const areas = curves.filter((curve) => curve.area !== null && curve.area !== undefined).map((curve) => methodName(curve.method) + " " + formatMetric(curve.area));
      const known = areas.length ? "; areas under the curves: " + areas.join(", ") : "";
      picture.show(width, axes, xs, label + known + ". Left and right arrows read it" + (pick ? ", Enter prunes so many." : "."), unpruned, ...lines, ...(mark ? mark(axes) : []));
      table.draw(
        label,
        ["heads", ...curves.map((curve) => methodName(curve.method))],
        points.map((n) => [
          String(n),
          ...curves.map((curve) => {
            const at = curve.n_pruned.indexOf(n);
            return at < 0 ? "" : formatMetric(curve.metric[at]) + " " + intervalOf(curve.low[at], curve.high[at]);
          }),
        ]),
      );
    },
  };
}

const CURVE_HELP = {
  "least-first":
    "The metric without the least important heads, more and more of them; bands are 95 % intervals over examples, but the grey one, which holds 95 % of the random orders. " +
    "A good order keeps its line up for long: the area under it is the mean metric.",
  "most-first":
    "The metric without the most important heads, more and more of them; bands are 95 % intervals over examples, but the grey one, which holds 95 % of the random orders. " +
    "A good order makes its line fall at once.",
};

function createDirectionChart(view, [direction, title]) {
  return createCurveChart(view, "heads-" + direction, title, CURVE_HELP[direction], {
    select: (message) => ownMethods(message.curves).map((method) => findCurve(message.curves, method, direction)).filter(Boolean),
    share: (curve, message) => curve.n_pruned.map((n) => (100 * n) / (message.n_layers * message.n_heads)),
    xTitle: "heads pruned, %",
    xLast: () => 100,
    pointWords: (n) => n + (n === 1 ? " head (" : " heads (") + percentOf(n, view.mask.nAll) + ")",
    pick: (n) => view.change({ n, direction }),
    mark(axes) {
      const { mask, state } = view;
      if (direction !== state.direction && state.method !== "random") return [];
      const x = round(axes.x((100 * mask.n) / mask.nAll));
      const parts = [draw("line", { class: "aa-rate-line", x1: x, x2: x, y1: axes.box.top, y2: axes.box.bottom })];
      if (mask.curve && mask.point !== null && mask.curve.n_pruned.length && !isHidden(state, state.method)) {
        const at = { cx: round(axes.x((100 * mask.curve.n_pruned[mask.point]) / mask.nAll)), cy: round(axes.y(mask.curve.metric[mask.point])) };
        parts.push(draw("circle", { class: "aa-rate-point", ...at, r: 4.5 }));
      }
      return parts;
    },
  });
}

/** The methods of some curves, each once, in the order of the page. */
function ownMethods(curves) {
  return [...new Set(curves.map((curve) => curve.method))].sort(methodOrder);
}
