// From the message of Python to orders, ranks and masks.

function parseMessage(text) {
  const message = parseVersioned(text);
  if (message.status === "empty" || message.status === "refused") return message;
  const { n_layers: nLayers, n_heads: nHeads, importances, curves, layerwise } = message;
  if (!(nLayers > 0) || !(nHeads > 0)) throw new PayloadError("it names no layers or heads");
  if (!Array.isArray(importances) || !Array.isArray(curves) || !Array.isArray(layerwise)) throw new PayloadError("parts of it are missing");
  for (const importance of importances)
    if (importance.values?.length !== nLayers * nHeads) throw new PayloadError("an importance does not cover all heads");
  importances.sort((a, b) => b.is_own - a.is_own || methodOrder(a.method, b.method));
  for (const importance of importances) importance.rank = rankHeads(importance.values);
  return message;
}

/** The heads in the order in which they are pruned, as `HeadImportance.list_order` has it; equal values go by index. */
function listOrder(values, direction) {
  const sign = direction === "least-first" ? 1 : -1;
  return values.map((_, k) => k).sort((a, b) => sign * (values[a] - values[b]) || a - b);
}

/** The place of each head from the most important, 1, on; null for heads not measured yet. */
function rankHeads(values) {
  const rank = values.map(() => null);
  const known = values.map((_, k) => k).filter((k) => values[k] !== null);
  known.sort((a, b) => values[b] - values[a] || a - b).forEach((k, place) => (rank[k] = place + 1));
  return rank;
}

const ownImportances = (message) => message.importances.filter((importance) => importance.is_own);

function findImportance(message, method) {
  return ownImportances(message).find((importance) => importance.method === method) ?? null;
}

function findCurve(curves, method, direction) {
  // A random order has no most important heads: its curve serves both directions.
  return curves.find((curve) => curve.method === method && (curve.direction === direction || method === "random")) ?? null;
}

/** The mask of a state: which heads are pruned, and what was measured nearest to it. */
function findMask(message, state) {
  const importance = findImportance(message, state.method);
  const nAll = message.n_layers * message.n_heads;
  const n = Math.min(nAll, state.n ?? Math.floor(nAll * 0.3));
  const complete = importance && !importance.values.includes(null);
  const pruned = new Set(complete ? listOrder(importance.values, state.direction).slice(0, n) : []);
  const curve = findCurve(message.curves, state.method, state.direction);
  return { n, nAll, pruned, complete, curve, point: curve ? nearestPoint(curve, n) : null };
}

function nearestPoint(curve, n) {
  let best = 0;
  curve.n_pruned.forEach((count, k) => {
    if (Math.abs(count - n) < Math.abs(curve.n_pruned[best] - n)) best = k;
  });
  return best;
}

const percentOf = (n, all) => Math.round((100 * n) / all) + " %";
const formatMetric = (value) => (value === null ? "–" : formatOutput(value));
const intervalOf = (low, high) => "(" + formatMetric(low) + " to " + formatMetric(high) + ")";
