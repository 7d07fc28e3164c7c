// The table behind a picture: the same in numbers, for whoever cannot see the picture or wants to read it off.

/**
 * A fold with a table, which is built when it is opened, and anew when the picture changes after that.
 * `read` gives {caption, titles, rows}; each row begins with its name, and cells are texts or nodes.
 */
function tableFold(name, text, read) {
  const box = make("div", { class: "aa-table-scroll", role: "region", tabindex: "0" });
  const summary = make("summary", { text });
  const node = make("details", { class: "aa-table-fold", "data-testid": name + "-table" }, summary, box);

  function draw() {
    if (!node.open) return box.replaceChildren();
    const { caption, titles, rows } = read();
    box.setAttribute("aria-label", caption);
    const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col", text: title })));
    const body = rows.map(([first, ...rest]) =>
      make("tr", {}, make("th", { scope: "row" }, first), ...rest.map((cell) => make("td", { class: "aa-number" }, cell))),
    );
    box.replaceChildren(make("table", {}, make("caption", { text: caption }), make("thead", {}, head), make("tbody", {}, ...body)));
  }
  node.addEventListener("toggle", draw);
  return { node, draw, rename: (words) => (summary.textContent = words) };
}

/** Tokens by name: those that occur more than once with their place among all. */
function nameTokens(labels) {
  const count = new Map();
  for (const label of labels) count.set(label, (count.get(label) ?? 0) + 1);
  return labels.map((label, k) => (count.get(label) > 1 ? label + " #" + (k + 1) : label));
}

/** The positions of the largest sizes among some, the largest first; zeros are none. */
function strongestOf(values, positions, most) {
  const sizes = Float32Array.from(positions, (at) => Math.abs(values[at])).sort();
  const least = sizes[Math.max(0, sizes.length - most)];
  const strong = Array.from(positions.filter((at) => values[at] !== 0 && Math.abs(values[at]) >= least));
  return strong.sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b).slice(0, most);
}
