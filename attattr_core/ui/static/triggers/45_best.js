// The three triggers that lower a class's accuracy most, and their mean, as the paper reports them: chosen on one half of
// the examples and confirmed on the other. Older files have no halves: their numbers are of all examples.

const BEST_COLUMNS = ["before", "trigger", "random"];

function createBest(pick, save) {
  const body = make("div", { class: "aa-best", "data-testid": "triggers-best" });
  const unsplit = make("p", { class: "aa-quiet", text: "Chosen on the very examples that they are shown for, so that a part of their effect is luck." });
  const node = make(
    "section",
    { class: "aa-panel", "aria-label": "The three best per class" },
    make(
      "header",
      { class: "aa-panel-head" },
      make("h2", { text: "the three best per class" }),
      helpButton(
        "best",
        "this list",
        "For each gold class the three triggers that lower its accuracy most, as the paper reports them, with as many random " +
          "tokens at the same places beside. They are chosen on every other example of a class, and the numbers are of the " +
          "rest, which chose nothing: accuracy before and with the trigger and, below, flips with their 95 % interval beside " +
          "the range of the random draws. More than chance is where that interval lies above every draw.",
      ),
      exportMenu("best", FORMATS.slice(0, 3), save),
    ),
    unsplit,
    body,
  );

  function line(study, row, k) {
    const isSplit = Boolean(row.study.confirmed_after);
    const random = row.study.controls.random;
    const draws = (isSplit ? random?.confirmed_accuracy : random?.accuracy) ?? [];
    const before = (isSplit ? study.confirmed_before : study.before).accuracy[k];
    const after = (isSplit ? row.study.confirmed_after : row.study.after).accuracy[k];
    const values = [before, after, meanOfList(draws.map((draw) => draw[k]))];
    const numbers = values.map((value, at) => make("span", { class: "aa-number" }, unseen(BEST_COLUMNS[at] + " "), percent(value)));
    const words = make("span", { class: "aa-best-words aa-quiet" }, ...(isSplit ? confirmedParts(study, row, k) : []));
    const button = make("button", { type: "button", class: "aa-item aa-best-row", "data-testid": "best-row", onclick: () => pick(row) }, chipsOf(row), ...numbers, words);
    return { node: button, values };
  }

  function group(mined, label, k) {
    const { study } = mined;
    const rows = study.best[k].map((at) => mined.rows[at]).filter((row) => row.study && !(triggersKept.hide && isLoaded(row)));
    const lines = rows.map((row) => line(study, row, k));
    const mean = [0, 1, 2].map((at) => meanOfList(lines.map((one) => one.values[at])));
    const n = study.n_confirming?.[k];
    const nothing = triggersKept.hide && study.best[k].length ? "All of them carry a label themselves." : study.n_by_class[k] ? "No trigger lowers its accuracy." : "No examples of this class.";
    return make(
      "div",
      { class: "aa-best-class" },
      make(
        "div",
        { class: "aa-best-row aa-quiet" },
        make("span", {}, make("bdi", { class: "aa-strong", text: label }), n ? " · confirmed on " + n : ""),
        ...BEST_COLUMNS.map((text) => make("span", { text })),
      ),
      ...lines.map((one) => one.node),
      lines.length
        ? make("div", { class: "aa-best-row aa-best-mean" }, make("span", { class: "aa-quiet", text: "mean" }), ...mean.map((value) => make("span", { class: "aa-number", text: percent(value) })))
        : make("p", { class: "aa-quiet", text: nothing }),
    );
  }
  return {
    node,
    draw(mined) {
      node.hidden = !mined?.study;
      if (node.hidden) return;
      unsplit.hidden = Boolean(mined.study.confirmed_before);
      body.replaceChildren(...mined.study.labels.map((label, k) => group(mined, label, k)));
    },
  };
}

/** What a trigger does to a class of the confirming half, beside the random draws. */
function confirmedParts(study, row, k) {
  if (!study.n_confirming[k]) return ["too few examples to confirm it on"];
  const { confirmed_success: success, controls, verdicts } = row.study;
  if (success.accuracy[k] === null) return ["none of the confirming examples was right before"];
  const parts = ["flips " + percent(success.accuracy[k]) + " (" + percent(success.low[k]) + " to " + percent(success.high[k]) + ")"];
  const draws = (controls.random?.confirmed_success ?? []).map((draw) => draw[k]).filter((share) => share !== null);
  if (draws.length) parts.push(", random " + percent(Math.min(...draws)) + " to " + percent(Math.max(...draws)));
  if (verdicts[k]) parts.push(": ", verdictNode(verdicts[k], study.few[k]));
  return parts;
}
