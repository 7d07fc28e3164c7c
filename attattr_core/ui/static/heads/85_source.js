// What is shown and where it comes from: provenance, progress, and the smaller model.

/** Where the numbers come from, in unbroken parts. */
function sourceParts(message) {
  const parts = [[message.model, message.revision.slice(0, 10)].filter(Boolean).join(" @ ")];
  const own = ownImportances(message);
  const counts = [...new Set(own.map((importance) => importance.n_examples).filter(Boolean))].sort((a, b) => a - b);
  const data = (name, sha) => name + (sha ? " (sha256 " + sha.slice(0, 10) + "…)" : "");
  if (own.length) parts.push("importance from " + (counts.length ? rangeOf(counts) + " examples of " : "") + (data(own[0].data, own[0].data_sha256) || "an unnamed data set"));
  if (message.curves.length) parts.push("curves on " + message.n_examples + " examples" + (message.data === own[0]?.data ? "" : " of " + data(message.data, message.data_sha256 === own[0]?.data_sha256 ? "" : message.data_sha256)));
  const kinds = [...new Set([...message.curves, ...message.layerwise].map((curve) => curve.interval))];
  if (kinds.length) parts.push("bands 95 %: " + kinds.map((kind) => INTERVALS[kind] ?? kind).join(", "));
  if (ORIGINS[message.status]) parts.push(ORIGINS[message.status]);
  return parts.map((text, k) => make("span", { class: "aa-source-part", text: text + (k < parts.length - 1 ? " · " : "") }));
}

const INTERVALS = { wilson: "Wilson over examples", bootstrap: "bootstrap over examples", seeds: "over the random orders themselves" };
const ORIGINS = { precomputed: "computed beforehand", opened: "opened from a file", done: "measured now", stopped: "stopped: what is there stays" };
const rangeOf = (counts) => (counts.length > 1 ? counts[0] + "–" + counts[counts.length - 1] : String(counts[0]));

/** How far a measurement is. */
function createProgress(name) {
  const words = make("span");
  const fill = make("span", { class: "aa-progress-fill" });
  const stop = make("button", { type: "button", class: "aa-button", text: "Stop", "data-testid": name + "-stop", onclick: () => trigger("stop_heads", {}) });
  const sentenceNode = make("span", { role: "status", "data-testid": name + "-progress" }, words);
  const node = make("div", { class: "aa-progress" }, sentenceNode, make("span", { class: "aa-progress-track", "aria-hidden": "true" }, fill), stop);
  return {
    node,
    draw({ progress }) {
      node.hidden = !progress;
      if (node.hidden) return;
      const { n_done: n, n_total: all, seconds_left: left } = progress;
      const time = left === null ? "" : " · " + (left < 1 ? "a moment" : "about " + formatLeft(left)) + " left";
      const sentence = progress.words + (all ? ": " + n.toLocaleString("en") + " of " + all.toLocaleString("en") + " " + progress.unit : "") + time;
      if (words.textContent !== sentence) words.textContent = sentence;
      fill.style.width = (all ? (100 * n) / all : 0) + "%";
    },
  };
}

const formatLeft = (seconds) => (seconds >= 90 ? Math.round(seconds / 60) + " min" : Math.ceil(seconds) + " s");

/** What the smaller model is, beside the one it was made from. */
function createSmaller() {
  const body = make("div", { class: "aa-table-scroll", role: "region", tabindex: "0", "aria-label": "Before and after" });
  const words = make("p");
  const node = make("div", { class: "aa-smaller", "data-testid": "heads-smaller" }, make("h3", { text: "the smaller model" }), words, body);
  return {
    node,
    draw({ smaller }) {
      node.hidden = !smaller;
      if (!smaller) return;
      words.textContent = smaller.sentence;
      const cells = (row) => row.map((text, k) => make(k ? "td" : "th", { class: k ? "aa-number" : null, scope: k ? null : "row", text }));
      const head = make("thead", {}, make("tr", {}, ...["measure", "before", "after", "change"].map((text) => make("th", { scope: "col", text }))));
      body.replaceChildren(make("table", {}, head, make("tbody", {}, ...smaller.rows.map((row) => make("tr", {}, ...cells(row))))));
    },
  };
}
