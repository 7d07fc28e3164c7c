// The prediction before and after, as two bars a label.

const MAX_OUTCOMES = 6;

function createOutcome() {
  const sentence = make("p", { class: "aa-outcome-verdict", "data-testid": "trial-verdict" });
  const rows = make("div", { class: "aa-outcome" });
  const legend = make(
    "div",
    { class: "aa-chart-legend aa-outcome-legend aa-quiet" },
    make("span", {}, make("span", { class: "aa-swatch aa-swatch-before" }), "as it is"),
    make("span", {}, make("span", { class: "aa-swatch aa-swatch-after" }), "with the words"),
  );
  const node = make("div", { "data-testid": "trial-outcome" }, sentence, rows, legend);

  function bar(name, value) {
    const fill = make("span", { class: "aa-outcome-fill aa-outcome-" + name });
    fill.style.width = 100 * Math.min(1, Math.max(0, value ?? 0)) + "%";
    const words = unseen(name === "before" ? "as it is " : "with the words ");
    return make("span", { class: "aa-outcome-line" }, make("span", { class: "aa-outcome-track", "aria-hidden": "true" }, fill), make("span", { class: "aa-number" }, words, value === null ? "…" : value.toFixed(3)));
  }

  return {
    node,
    draw(message) {
      node.hidden = !message?.before;
      if (node.hidden) return;
      const { labels, before, after } = message;
      const weight = (k) => Math.max(before[k], after ? after[k] : 0);
      const order = labels.map((_, k) => k).sort((a, b) => weight(b) - weight(a) || a - b).slice(0, MAX_OUTCOMES).sort((a, b) => a - b);
      rows.replaceChildren(
        ...order.map((k) =>
          make(
            "div",
            { class: "aa-outcome-row", "data-testid": "outcome-" + k },
            make("bdi", { class: "aa-label-name", text: labels[k], title: labels[k] }),
            make("span", { class: "aa-outcome-bars" }, bar("before", before[k]), bar("after", after ? after[k] : null)),
          ),
        ),
      );
      if (!after) return sentence.replaceChildren("…");
      const [from, to] = [message.prediction_before, message.prediction_after];
      const name = (k) => make("bdi", { class: "aa-strong", text: nameOf(labels, k) });
      const change = (k) => (after[k] - before[k] < 0 ? MINUS : "+") + Math.abs(after[k] - before[k]).toFixed(3);
      if (message.output_kind === "regression") sentence.replaceChildren("The value changes by ", change(0), ".");
      else if (from === to) sentence.replaceChildren("Still ", name(to), ": its probability changes by ", change(to), ".");
      else sentence.replaceChildren("Flipped: ", name(from), " becomes ", name(to), "; the probability of ", name(from), " changes by ", change(from), ".");
    },
  };
}
