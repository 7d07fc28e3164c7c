// The rate: which heads go, and what was measured without them. Nothing here asks the server.

function createRate(view) {
  const method = make("select", { class: "aa-select", "data-testid": "heads-method", "aria-label": "Prune by", onchange: () => view.change({ method: method.value }) });
  const direction = segmented(
    "heads-direction",
    "first",
    [
      ["least-first", "least important", "the least important heads go first"],
      ["most-first", "most important", "the most important heads go first"],
    ],
    (value) => view.change({ direction: value }),
  );
  const rate = slider("heads-rate", "pruned", [0, 1, 1], (n, all) => n + " of " + all + " heads, " + percentOf(n, all), (n) => view.change({ n }));
  const words = make("p", { class: "aa-heads-metric", role: "status", "data-testid": "heads-metric" });
  const save = make("button", { type: "button", class: "aa-button", text: "Save a smaller model", "data-testid": "heads-save", onclick: () => view.save() });
  const help = helpButton(
    "rate",
    "the rate",
    "The crossed heads are those that the chosen order takes out at this rate; their attention probabilities are set to zero. " +
      "The metric beside it was measured, never interpolated: where the rate lies between two measured points, the nearer one is told.",
  );
  const node = make(
    "div",
    { class: "aa-heads-rate", role: "group", "aria-label": "Pruning" },
    make("label", { class: "aa-field" }, make("span", { text: "prune by" }), method),
    direction.node,
    rate.node,
    help,
    words,
    make("div", { class: "aa-actions" }, save),
  );
  let names = "";

  function metricParts({ n, nAll, curve, point, complete }) {
    const { message, state } = view;
    if (!complete) return ["The importance by " + methodName(state.method) + " is not complete yet."];
    if (!curve || !curve.n_pruned.length) return [message.status === "done" || message.status === "precomputed" ? "No curve of this order was measured." : "No curve of this order is measured yet."];
    const measured = curve.n_pruned[point];
    const strong = (text) => make("span", { class: "aa-number aa-strong", text });
    const parts = [METRICS[message.metric] + " ", strong(formatMetric(curve.metric[point])), " " + intervalOf(curve.low[point], curve.high[point])];
    if (measured !== n) parts.push(make("span", { class: "aa-quiet", text: ", measured at " + measured + " heads (" + percentOf(measured, nAll) + "), the nearest point" }));
    if (state.method === "random") parts.push(make("span", { class: "aa-quiet", text: ", mean over " + message.n_seeds + " random orders" }));
    else if (curve.n_pruned[0] === 0) parts.push(make("span", { class: "aa-quiet", text: " · whole model " + formatMetric(curve.metric[0]) }));
    return parts;
  }

  return {
    node,
    draw() {
      const { message, state, mask } = view;
      const own = ownImportances(message).map((importance) => importance.method);
      if (own.join("|") !== names) method.replaceChildren(...own.map((name) => make("option", { value: name, text: methodName(name) })));
      names = own.join("|");
      method.value = state.method;
      direction.show(state.direction);
      rate.show(mask.n, mask.nAll);
      words.replaceChildren(...metricParts(mask));
      save.hidden = !message.can_save;
      save.disabled = view.saving || Boolean(message.progress) || !mask.complete || mask.n === 0 || mask.n === mask.nAll;
    },
  };
}
