// Two importances of the same shape, head against head.

function createScatter(view) {
  const chooser = (axis, caption) => {
    const select = make("select", { class: "aa-select", "data-testid": "heads-scatter-" + axis, "aria-label": caption, onchange: () => view.change({ [axis]: select.value }) });
    return { select, node: make("label", { class: "aa-field" }, make("span", { text: axis }), select) };
  };
  const [across, up] = [chooser("x", "Across"), chooser("y", "Upward")];
  const scale = segmented(
    "heads-axes",
    "axes",
    [
      ["value", "value", "importances in their own units"],
      ["rank", "rank", "places in the order, 1 is the most important"],
    ],
    (value) => view.change({ axes: value }),
  );
  const svg = draw("svg", { class: "aa-chart-svg", role: "img", tabindex: "0", "data-testid": "heads-scatter", direction: "ltr" });
  const ring = draw("circle", { class: "aa-scatter-ring", r: 6, visibility: "hidden" });
  const line = make("p", { class: "aa-hover", "aria-live": "polite", "data-testid": "heads-scatter-hover" });
  const words = make("p", { "data-testid": "heads-correlation" });
  const table = tableFold("heads-scatter", "The dots as a table", () => readHeads(view, pair, labelOf, " by the two axes"));
  const panel = panelOf(
    "heads-scatter",
    "two importances compared",
    "Each dot is a head; hollow dots are pruned at the rate above. Pearson's r asks whether the values rise together, " +
      "Spearman's ρ whether the orders agree: two methods on one checkpoint, or one method on two checkpoints of the same shape.",
    make("div", { class: "aa-measure-row aa-scatter-row" }, across.node, up.node, scale.node),
    words,
    svg,
    line,
    table.node,
  );
  let places = [];
  let pair = null;

  const labelOf = (importance) => {
    const several = new Set(view.message.importances.map((other) => other.model)).size > 1;
    return methodName(importance.method) + (several ? " · " + importance.model : "");
  };

  /** The two that are compared: those chosen, else attribution against the next best thing. */
  function choosePair() {
    const { message, state } = view;
    const all = message.importances;
    const byKey = (key) => all.find((importance) => importance.key === key);
    const x = byKey(state.x) ?? all.find((importance) => importance.method === "attattr") ?? all[0];
    const rest = all.filter((importance) => importance !== x && importance.method !== "random");
    const y = byKey(state.y) ?? rest.find((importance) => importance.method === "taylor") ?? rest.find((importance) => importance.is_own) ?? rest[0];
    return y ? [x, y] : null;
  }

  function correlationWords([x, y]) {
    if (x === y) return ["The same importance on both axes."];
    const known = view.message.correlations.find(([a, b]) => (a === x.key && b === y.key) || (a === y.key && b === x.key));
    if (!known || known[2] === null) return ["Not all heads are measured yet."];
    const strong = (value) => make("span", { class: "aa-number aa-strong", text: (value < 0 ? MINUS : "") + Math.abs(value).toFixed(2) });
    return ["Pearson's r ", strong(known[2]), " · Spearman's ρ ", strong(known[3]), " over " + x.values.length + " heads"];
  }

  function point(index) {
    const place = index === null || !pair ? null : places[index];
    ring.setAttribute("visibility", place ? "visible" : "hidden");
    if (place) for (const [name, value] of Object.entries({ cx: place[0], cy: place[1] })) ring.setAttribute(name, round(value));
    if (!place) return line.replaceChildren(make("span", { class: "aa-quiet", text: "Point at a dot to read it; click it to open its head." }));
    const value = (importance) => labelOf(importance) + " " + formatSigned(importance, importance.values[index]) + " (rank " + importance.rank[index] + ")";
    line.replaceChildren(headName(view.message, index) + ": " + value(pair[0]) + ", " + value(pair[1]));
  }

  function nearest(event) {
    let best = null;
    let least = 24 ** 2;
    places.forEach((place, k) => {
      const away = place ? (place[0] - event.offsetX) ** 2 + (place[1] - event.offsetY) ** 2 : Infinity;
      if (away < least) [best, least] = [k, away];
    });
    return best;
  }
  svg.addEventListener("pointermove", (event) => view.point(nearest(event)));
  svg.addEventListener("pointerleave", () => view.point(null));
  svg.addEventListener("blur", () => view.point(null));
  svg.addEventListener("click", (event) => {
    const index = nearest(event);
    if (index !== null) view.pick(index, event);
  });
  svg.addEventListener("keydown", (event) => {
    const order = places.map((_, k) => k).filter((k) => places[k]).sort((a, b) => places[a][0] - places[b][0] || a - b);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Enter" && view.pointed !== null) view.open(view.pointed);
    else if (step && order.length) view.point(order[Math.min(order.length - 1, Math.max(0, order.indexOf(view.pointed) + step))]);
    else return;
    event.preventDefault();
  });

  function axisOf(importance) {
    const isRank = view.state.axes === "rank";
    const values = isRank ? importance.rank : importance.values;
    const known = values.filter((value) => value !== null);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const room = 0.05 * (high - low || 1);
    // Rank 1 lies where large values lie.
    return { values, range: isRank ? [high + room, low - room] : [low - room, high + room], title: labelOf(importance) + (isRank ? ", rank" : "") };
  }

  return {
    node: panel.node,
    point,
    pair: () => pair?.map((importance) => importance.key) ?? null,
    draw() {
      const { message, state, mask } = view;
      pair = choosePair();
      panel.node.hidden = !pair;
      if (!pair) return;
      for (const [chosen, { select }] of [
        [pair[0], across],
        [pair[1], up],
      ]) {
        const options = message.importances.map((importance) => make("option", { value: importance.key, text: labelOf(importance) }));
        if (Array.from(select.options, (option) => option.value).join() !== options.map((option) => option.value).join()) select.replaceChildren(...options);
        select.value = chosen.key;
      }
      scale.show(state.axes);
      words.replaceChildren(...correlationWords(pair));
      const [x, y] = pair.map(axisOf);
      const width = Math.max(220, svg.parentElement.clientWidth - 24);
      const axes = createScatterAxes(width, x, y, 270);
      places = x.values.map((value, k) => (value === null || y.values[k] === null ? null : [axes.x(value), axes.y(y.values[k])]));
      const dots = places.map((place, k) => place && draw("circle", { class: "aa-scatter-dot" + (mask.pruned.has(k) ? " aa-scatter-pruned" : ""), cx: round(place[0]), cy: round(place[1]), r: 3.2 }));
      svg.setAttribute("width", width);
      svg.setAttribute("height", axes.height);
      svg.setAttribute("aria-label", x.title + " against " + y.title + ": " + words.textContent + ". Left and right arrows walk the heads, Enter opens one.");
      svg.replaceChildren(axes.node, ...dots.filter(Boolean), ring);
      table.draw();
      point(view.pointed);
    },
  };
}

function createScatterAxes(width, x, y, height) {
  return createAxes(width, x.range, y.range, [x.title, y.title], { height, broken: true });
}
