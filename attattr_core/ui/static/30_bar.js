// The result bar: prediction, what is explained, the certificate of completeness, and how it was computed.

const MAX_LABELS = 6;
const GAUGE = { good: ["good", "✓", "complete, "], bad: ["bad", "✗", "not complete, "], open: ["open", "·", ""] };
const RULES = { "gauss-lobatto": "Gauss–Lobatto", "gauss-legendre": "Gauss–Legendre", left: "left Riemann sum", right: "right Riemann sum" };
const BASELINES = { zero: "attention set to zero", uniform: "uniform attention", unk: "text of [UNK] tokens" };

function labelRow(meta, index) {
  const predicted = index === meta.prediction;
  const explained = index === meta.target;
  const isValue = meta.output_kind === "regression"; // a value has no share of 1
  const share = Math.min(1, Math.max(0, meta.probabilities[index]));
  const fill = make("span", { class: "aa-label-fill" });
  fill.style.width = 100 * share + "%";
  return make(
    "div",
    { class: "aa-label" + (predicted ? " aa-predicted" : ""), "data-testid": "label-" + index },
    make("span", { class: "aa-label-name", title: meta.labels[index] }, make("bdi", { text: meta.labels[index] })),
    make("span", isValue ? {} : { class: "aa-label-track", "aria-hidden": "true" }, isValue ? null : fill),
    make("span", { class: "aa-number", text: isValue ? formatOutput(meta.probabilities[index]) : share.toFixed(3) }),
    make("span", { class: "aa-label-mark", text: explained ? "explained" : "" }),
  );
}

/** Bars of all probabilities, the largest first; the explained label is always among those shown. */
function labelBars(meta) {
  const order = meta.probabilities
    .map((_, k) => k)
    .sort((a, b) => meta.probabilities[b] - meta.probabilities[a] || a - b);
  const shown = order.slice(0, MAX_LABELS);
  if (!shown.includes(meta.target)) shown[shown.length - 1] = meta.target;
  const hidden = order.length - shown.length;
  const name = meta.output_kind === "regression" ? "Predicted values" : "Probabilities";
  return make(
    "div",
    { class: "aa-labels", role: "group", "aria-label": name, "data-testid": "bar-labels" },
    ...shown.map((k) => labelRow(meta, k)),
    hidden > 0 ? make("div", { class: "aa-quiet", text: "+" + hidden + " more", "data-testid": "bar-more" }) : null,
  );
}

/** The gap of a layer as a share of F(A) − F(A′), or null where the output does not change. */
function gapShare(meta, layer) {
  const change = meta.output - meta.baseline_output[layer];
  return Math.abs(change) > 1e-9 ? Math.abs(meta.delta[layer] / change) : null;
}

/** State, mark and explanation of a layer's cell in the gauge. */
function gaugeState(meta, layer) {
  const nodes = meta.nodes[layer];
  const name = "layer " + (layer + 1) + ": ";
  if (meta.delta[layer] === null) return ["pending", "…", name + "not computed yet"];
  const share = gapShare(meta, layer);
  const gap =
    share === null
      ? "gap " + formatSmall(meta.delta[layer]) + ", and F does not change"
      : "gap " + formatPercent(share) + " of F(A) − F(A′)";
  const converged = meta.converged[layer];
  const [state, mark, word] = converged === null ? GAUGE.open : converged ? GAUGE.good : GAUGE.bad;
  return [state, mark, name + word + gap + (nodes === null ? "" : ", " + nodes + " nodes")];
}

function drawGauge(gauge, meta) {
  while (gauge.children.length > meta.n_layers) gauge.lastChild.remove();
  while (gauge.children.length < meta.n_layers) gauge.append(make("span", { role: "listitem" }));
  Array.from(gauge.children).forEach((cell, layer) => {
    const [state, mark, hint] = gaugeState(meta, layer);
    cell.className = "aa-gauge-cell aa-" + state;
    cell.textContent = mark;
    cell.title = hint;
    cell.setAttribute("aria-label", hint);
    cell.dataset.testid = "gauge-" + (layer + 1);
  });
}

/** Layer numbers as words: 1–4, 6. */
function layerRanges(layers) {
  const ranges = [];
  for (const layer of layers) {
    const last = ranges[ranges.length - 1];
    if (last && layer === last[1] + 1) last[1] = layer;
    else ranges.push([layer, layer]);
  }
  const words = ranges.map(([from, to]) => (from === to ? String(from + 1) : from + 1 + "–" + (to + 1)));
  return (layers.length === 1 ? "layer " : "layers ") + words.join(", ");
}

function certificateSentence(meta) {
  const done = meta.delta.map((_, k) => k).filter((k) => meta.delta[k] !== null);
  if (done.length === 0) return "certificate: no layer is finished yet";
  const missed = done.filter((k) => meta.converged[k] === false);
  const shares = (missed.length ? missed : done).map((k) => gapShare(meta, k)).filter((share) => share !== null);
  const gap = shares.length ? "largest gap " + formatPercent(Math.max(...shares)) : "F does not change";
  if (missed.length) return "certificate: " + layerRanges(missed) + " ✗ " + gap + "; use more nodes";
  return "certificate: " + layerRanges(done) + (meta.converged[done[0]] ? " ✓ " : " ") + gap;
}

function methodParts(meta) {
  const used = meta.nodes.filter((n) => n !== null && n !== undefined);
  const [least, most] = [Math.min(...used), Math.max(...used)];
  const nodes = used.length === 0 ? "" : (least === most ? least : least + "–" + most) + " nodes a layer";
  const parts = ["baseline: " + (BASELINES[meta.baseline] || meta.baseline), RULES[meta.rule] || meta.rule, nodes];
  if (meta.tolerance !== null && meta.tolerance !== undefined) parts.push("tolerance " + formatPercent(meta.tolerance));
  if (meta.precision && meta.precision !== "float32") parts.push(meta.precision);
  const shown = parts.filter(Boolean);
  return shown.map((text, k) =>
    make("span", { class: "aa-unbroken", text: text + (k < shown.length - 1 ? " · " : "") }),
  );
}

/** The state of the run in words, or "" when it is simply done. */
function progressSentence(meta) {
  const done = countDone(meta);
  const count = done + " of " + meta.n_layers + " layers";
  if (meta.status === "running") {
    const left = done > 0 && meta.seconds > 0 ? (meta.seconds / done) * (meta.n_layers - done) : null;
    return (
      "running · " +
      count +
      (left === null ? "" : left < 1 ? " · a moment left" : " · about " + Math.ceil(left) + " s left")
    );
  }
  if (meta.status === "stopped") return "stopped · " + count;
  const origin = { opened: "opened from a file", example: "an example, computed beforehand" }[meta.status];
  return origin ? origin + (done < meta.n_layers ? " · " + count : "") : "";
}

function createProgress() {
  const words = make("span");
  const fill = make("span", { class: "aa-progress-fill" });
  const node = make(
    "div",
    { role: "status", "data-testid": "progress" },
    words,
    make("span", { class: "aa-progress-track", "aria-hidden": "true" }, fill),
  );
  return {
    node,
    draw(meta) {
      const sentence = progressSentence(meta);
      node.hidden = !sentence;
      node.className = "aa-progress aa-status-" + meta.status;
      if (words.textContent !== sentence) words.textContent = sentence;
      fill.style.width = (100 * countDone(meta)) / meta.n_layers + "%";
    },
  };
}

function explainedNode(meta) {
  const unit = meta.function === "probability" ? "probability " : meta.function + " ";
  return make(
    "div",
    { class: "aa-explained", "data-testid": "bar-explained" },
    "explained: ",
    make("bdi", { class: "aa-strong", text: String(meta.labels[meta.target] ?? meta.target) }),
    ", F = " + unit,
    make("span", { class: "aa-number aa-strong", text: formatOutput(meta.output) }),
  );
}

function sourceNode(meta) {
  const revision = meta.revision ? " @ " + String(meta.revision).slice(0, 10) : "";
  const model = make("span", { class: "aa-model", title: meta.model + (meta.revision ? " @ " + meta.revision : "") });
  model.append(make("bdi", { text: meta.model }), revision);
  return make(
    "div",
    { class: "aa-quiet aa-source", "data-testid": "bar-source" },
    model,
    make("span", { text: meta.device, "data-testid": "bar-device" }),
    make("span", { class: "aa-number", text: meta.seconds ? formatSeconds(meta.seconds) : "", "data-testid": "bar-time" }),
  );
}

/** The certificate as a table: what its cells say, and their titles for the pointer alone. */
function readCertificate(meta) {
  const cells = (layer) => {
    if (meta.delta[layer] === null) return ["…", "", "", "not computed yet"];
    const [share, converged] = [gapShare(meta, layer), meta.converged[layer]];
    const state = converged === null ? "" : converged ? "yes" : "no";
    return [formatAttribution(meta.delta[layer]), share === null ? "" : formatPercent(share), String(meta.nodes[layer] ?? ""), state];
  };
  return {
    caption: "Completeness of each layer",
    titles: ["layer", "gap", "of F(A) − F(A′)", "nodes", "within the tolerance"],
    rows: meta.delta.map((_, layer) => [String(layer + 1), ...cells(layer)]),
  };
}

function createBar() {
  let shown = null;
  const table = tableFold("gauge", "The certificate as a table", () => readCertificate(shown));
  const labels = make("div");
  const middle = make("div", { class: "aa-bar-middle" });
  const gauge = make("div", {
    class: "aa-gauge",
    role: "list",
    "aria-label": "Completeness of each layer",
    "data-testid": "gauge",
  });
  const help = helpButton(
    "certificate",
    "the certificate",
    "The attributions of a layer must add up to F(A) − F(A′), the change of the output from the baseline attention. " +
      "A tick says that the gap is within the tolerance; point at a cell for the gap and the nodes of its layer.",
  );
  const certificate = make("div", { class: "aa-certificate", "data-testid": "certificate" });
  const progress = createProgress();
  const notice = make("div", { class: "aa-notice", role: "note", "data-testid": "notice" });
  const right = make(
    "div",
    { class: "aa-bar-right" },
    make("div", { class: "aa-gauge-line" }, gauge, help),
    certificate,
    table.node,
    progress.node,
  );
  const node = make(
    "section",
    { class: "aa-bar", "aria-label": "Result", "data-testid": "bar" },
    labels,
    middle,
    right,
    notice,
  );
  return {
    node,
    draw({ meta }) {
      shown = meta;
      table.draw();
      labels.replaceChildren(labelBars(meta));
      const method = make("div", { class: "aa-quiet", "data-testid": "bar-method" }, ...methodParts(meta));
      middle.replaceChildren(explainedNode(meta), method, sourceNode(meta));
      drawGauge(gauge, meta);
      certificate.textContent = certificateSentence(meta);
      progress.draw(meta);
      notice.textContent = meta.notice || "";
      notice.hidden = !meta.notice;
    },
  };
}
