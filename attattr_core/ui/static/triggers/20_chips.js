// A trigger's tokens as chips, and a strip that shows where in the sentences they go.

function chipNode(part) {
  const hint = part.loaded ? "carries a label itself" : null;
  return make(
    "span",
    { class: "aa-chip" + (part.sentence ? " aa-chip-b" : "") + (part.loaded ? " aa-chip-loaded" : ""), title: hint },
    tokenNode(part.token),
  );
}

const chipsOf = (row) => make("span", { class: "aa-chips" }, ...row.tokens.map(chipNode));

/** Sentence A as a solid line, B as a dashed one; a tick for each token, from the start to the end of its sentence. */
function stripNode(row, pair) {
  const [width, height, gap] = [96, 14, 8];
  const length = pair ? (width - gap) / 2 : width;
  const start = (sentence) => (sentence ? length + gap : 0) + 2;
  const parts = [];
  for (const sentence of pair ? [0, 1] : [0]) {
    const line = { x1: start(sentence), x2: start(sentence) + length - 4, y1: height - 3, y2: height - 3 };
    parts.push(draw("line", { class: sentence ? "aa-strip-b" : "aa-strip-a", ...line }));
  }
  for (const part of row.tokens) {
    const x = start(part.sentence) + Math.min(1, Math.max(0, part.place)) * (length - 4);
    parts.push(draw("path", { class: "aa-strip-tick", d: "M" + round(x) + " " + (height - 4) + "l-3.2 -7h6.4z" }));
  }
  const words = row.tokens.map((part) => part.token + " at " + percent(part.place) + (pair ? " of sentence " + "AB"[part.sentence] : "")).join(", ");
  return draw("svg", { class: "aa-strip", width, height, role: "img", "aria-label": words, direction: "ltr" }, draw("title", { text: words }), ...parts);
}
