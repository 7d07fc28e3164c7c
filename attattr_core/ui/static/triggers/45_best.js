// The three triggers that lower a class's accuracy most, and their mean, as the paper reports them.

function createBest(pick, save) {
  const body = make("div", { class: "aa-best", "data-testid": "triggers-best" });
  const node = make(
    "section",
    { class: "aa-panel", "aria-label": "The three best per class" },
    make(
      "header",
      { class: "aa-panel-head" },
      make("h3", { text: "the three best per class" }),
      helpButton(
        "best",
        "this list",
        "For each gold class the three triggers that lower its accuracy most, as the paper reports them, with the same " +
          "number of random tokens beside. They were chosen on the very data that they are shown for, so a part of their " +
          "effect is luck: the random draws were not chosen.",
      ),
      exportMenu("best", FORMATS.slice(0, 3), save),
    ),
    body,
  );

  function line(row, k, before) {
    const after = row.study.after.accuracy[k];
    const random = row.study.controls.random ? meanOfList(row.study.controls.random.accuracy.map((draw) => draw[k])) : null;
    const button = make("button", { type: "button", class: "aa-item aa-best-row", "data-testid": "best-row", onclick: () => pick(row) }, chipsOf(row));
    button.append(...[before, after, random].map((value) => make("span", { class: "aa-number", text: percent(value) })));
    return { node: button, values: [before, after, random] };
  }

  function group(mined, label, k) {
    const { study } = mined;
    const rows = study.best[k].map((at) => mined.rows[at]).filter((row) => row.study && !(triggersKept.hide && isLoaded(row)));
    const lines = rows.map((row) => line(row, k, study.before.accuracy[k]));
    const mean = [0, 1, 2].map((at) => meanOfList(lines.map((one) => one.values[at])));
    return make(
      "div",
      { class: "aa-best-class" },
      make(
        "div",
        { class: "aa-best-row aa-quiet" },
        make("span", {}, make("bdi", { class: "aa-strong", text: label })),
        ...["before", "trigger", "random"].map((text) => make("span", { text })),
      ),
      ...lines.map((one) => one.node),
      lines.length
        ? make("div", { class: "aa-best-row aa-best-mean" }, make("span", { class: "aa-quiet", text: "mean" }), ...mean.map((value) => make("span", { class: "aa-number", text: percent(value) })))
        : make("p", { class: "aa-quiet", text: triggersKept.hide ? "All three carry a label themselves." : "No examples of this class." }),
    );
  }
  return {
    node,
    draw(mined) {
      node.hidden = !mined?.study;
      if (node.hidden) return;
      body.replaceChildren(...mined.study.labels.map((label, k) => group(mined, label, k)));
    },
  };
}
