// Examples that the picked trigger flipped, with what was inserted marked.

function createFlips(use) {
  const list = make("ol", { class: "aa-flips", "data-testid": "triggers-flips" });
  const note = make("p", { class: "aa-quiet", "data-testid": "flips-note" });
  const node = make(
    "section",
    { class: "aa-panel", "aria-label": "Examples that flipped" },
    make(
      "header",
      { class: "aa-panel-head" },
      make("h2", { text: "examples that flipped" }),
      helpButton(
        "flips",
        "these examples",
        "Examples that were classified right and are not with the trigger in them; inserted tokens are framed, and the " +
          "numbers are the probability of the gold class before and after. Click one to put its own text into the header " +
          "and the trigger into it below.",
      ),
    ),
    note,
    list,
  );

  function item(flip, labels, row) {
    const inserted = new Set(flip.inserted);
    const tokens = flip.tokens.flatMap((token, k) => [
      k ? " " : "",
      inserted.has(k) ? make("span", { class: "aa-chip" }, tokenNode(token)) : tokenNode(token),
    ]);
    const change = make(
      "span",
      { class: "aa-flip-change" },
      make("bdi", { text: nameOf(labels, flip.before) }),
      make("span", { class: "aa-number", text: " " + percent(flip.probability_before) + " → " + percent(flip.probability_after) + " · now " }),
      make("bdi", { class: "aa-strong", text: nameOf(labels, flip.after) }),
    );
    const button = make("button", { type: "button", class: "aa-item aa-flip", "data-testid": "flip", onclick: () => use(row, flip) }, make("span", { class: "aa-flip-text" }, ...tokens), change);
    return make("li", {}, button);
  }

  return {
    node,
    draw(mined, row) {
      const result = row?.study;
      const total = result ? result.n_flips.reduce((sum, n) => sum + n, 0) : 0;
      node.hidden = !result;
      if (!result) return;
      const shown = result.flips.length;
      const words = total + (total === 1 ? " example" : " examples") + " of " + mined.study.n + " flipped";
      note.textContent = shown ? words + (shown < total ? ", " + shown + " are shown." : ".") : words + (total ? ". Figures that come with the project hold no texts: evaluate below to see them." : ".");
      list.replaceChildren(...result.flips.map((flip) => item(flip, mined.study.labels, row)));
    },
  };
}
