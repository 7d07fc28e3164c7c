// What is pointed at, in words.

/** The line that puts what is pointed at into words. */
function hoverParts(shown, hover, pin, flow) {
  const mark = hover || pin;
  if (!mark) return [make("span", { class: "aa-quiet", text: "Point at a cell, or an arc, to read its values; click to pin it." })];
  const prefix = (hover ? "" : "pinned · ") + headName(shown.layer, shown.head) + " · ";
  const { n, groups, attention, attribution } = shown;
  const number = (text) => make("span", { class: "aa-number", text });
  if (mark.row === null || mark.column === null) return [prefix, ...labelParts(shown, mark, number)];
  const at = mark.row * n + mark.column;
  const start = [
    prefix,
    tokenNode(groups.labels[mark.row]),
    " receives from ",
    tokenNode(groups.labels[mark.column]),
    ": ",
  ];
  if (!shown.rows[mark.row] || !shown.columns[mark.column]) return [...start, "not part of " + flow];
  return [
    ...start,
    "attention ",
    number(formatAttention(attention[at])),
    ", attribution ",
    number(formatAttribution(attribution[at])),
  ];
}

/** For a token's label: its strongest partner in each map. */
function labelParts(shown, mark, number) {
  const { n, groups } = shown;
  const isRow = mark.row !== null;
  const best = (values) => {
    let most = -1;
    for (let k = 0; k < n; k++) {
      const [row, column] = isRow ? [mark.row, k] : [k, mark.column];
      const at = row * n + column;
      const visible = shown.rows[row] && shown.columns[column];
      if (visible && (most < 0 || Math.abs(values[at]) > Math.abs(values[most]))) most = at;
    }
    return most;
  };
  const [attended, decisive] = [best(shown.attention), best(shown.attribution)];
  const token = tokenNode(groups.labels[isRow ? mark.row : mark.column]);
  if (attended < 0) return [token, ": not part of this flow"];
  const partner = (at) => tokenNode(groups.labels[isRow ? at % n : Math.floor(at / n)]);
  return [
    token,
    isRow ? " receives most from " : " sends most to ",
    partner(attended),
    " (attention ",
    number(formatAttention(shown.attention[attended])),
    ") and ",
    partner(decisive),
    " (attribution ",
    number(formatAttribution(shown.attribution[decisive])),
    ")",
  ];
}
