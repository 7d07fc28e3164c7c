// The maps as tables.

const MOST_ROWS = 100;

/** The strongest entries of a map by what one of the two pictures shows. */
function readEntries(kind, { n, groups, positions, attention, attribution, layer, head }) {
  const values = kind === "attention" ? attention : attribution;
  const order = strongestOf(values, positions, MOST_ROWS);
  const names = nameTokens(groups.labels);
  const all = positions.filter((at) => values[at] !== 0).length;
  const count = order.length < all ? "the " + order.length + " strongest of " + all.toLocaleString("en") : "all " + all;
  return {
    caption: headName(layer, head) + ": " + count + " entries by " + (kind === "attention" ? kind : "size of the attribution"),
    titles: ["token", "receives from", "attention", "attribution"],
    rows: order.map((at) => [
      tokenNode(names[Math.floor(at / n)]),
      tokenNode(names[at % n]),
      formatAttention(attention[at]),
      formatAttribution(attribution[at]),
    ]),
  };
}

/** The table below one of the two pictures; `current` gives what is shown. */
function createEntries(kind, current) {
  return tableFold("entries-" + kind, "The strongest entries as a table", () => readEntries(kind, current()));
}
