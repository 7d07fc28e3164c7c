// One layer × head grid a method; a head that is pointed at in one is marked in all of them.

const MOVES = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Colours of an importance: its own scale by value, or its order by rank. */
function paintOf(theme, importance, colour) {
  const kind = methodKind(importance.kind);
  const known = importance.values.filter((value) => value !== null);
  const least = Math.min(...known);
  const most = Math.max(...known);
  const limit = Math.max(Math.abs(Math.min(0, least)), Math.max(0, most));
  const at = (share) => {
    if (kind === "grey") return greyAt(theme, share);
    return rgb(...colourAt(theme, kind === "attention" ? "attention" : "attribution", share, 1));
  };
  if (colour === "rank") return { ends: ["least", "most"], low: 0, at, share: (k) => 1 - (importance.rank[k] - 1) / importance.values.length };
  const low = least < 0 ? -1 : 0;
  const ends = [low ? formatAttribution(-limit) : "0", low ? formatAttribution(limit) : formatSmall(limit)];
  return { ends, low, at, share: (k) => (limit > 0 ? importance.values[k] / limit : 0) };
}

function greyAt(theme, share) {
  const end = theme.dark ? 214 : 70;
  return "rgb(" + theme.surface.map((part) => Math.round(part + (end - part) * Math.max(0, Math.min(1, share)))).join(",") + ")";
}

/** Black or white, whichever stands out more (WCAG's relative luminance; at least 4.5 to 1 on any colour). */
function inkOn(colour) {
  const [red, green, blue] = colour.match(/[0-9]+/g).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

function gradientFor(paint) {
  const stops = Array.from({ length: 17 }, (_, k) => paint.at(paint.low + ((1 - paint.low) * k) / 16));
  return "linear-gradient(to right, " + stops.join(", ") + ")";
}

function createGrid(view, method) {
  const title = make("button", { type: "button", class: "aa-grid-title", title: METHODS[method]?.[1] ?? "", "data-testid": "heads-title-" + method, onclick: () => view.change({ method }) });
  const state = make("span", { class: "aa-quiet aa-number" });
  const table = make("div", { class: "aa-grid", role: "grid", "aria-label": "Importance by " + methodName(method), "data-testid": "heads-grid-" + method });
  const readout = make("div", { class: "aa-heads-readout aa-quiet", "data-testid": "heads-readout-" + method });
  const [low, high] = [make("span", { class: "aa-number" }), make("span", { class: "aa-number" })];
  const bar = make("span", { class: "aa-legend-bar" });
  const node = make(
    "div",
    { class: "aa-heads-grid" },
    make("div", { class: "aa-heads-grid-head" }, title, state),
    table,
    readout,
    make("div", { class: "aa-legend" }, low, bar, high),
  );
  let cells = [];
  let shape = "";
  let focus = 0;

  function build({ n_layers: nLayers, n_heads: nHeads }) {
    table.style.setProperty("--aa-columns", String(nHeads));
    table.classList.toggle("aa-grid-dense", nHeads > 12 || nLayers > 12);
    cells = new Array(nLayers * nHeads);
    const label = (text, role, name) => make("span", { class: "aa-grid-label", role, "aria-label": name }, text || unseen(name));
    const titles = Array.from({ length: nHeads }, (_, h) => label(String(h + 1), "columnheader", "head " + (h + 1)));
    const rows = [make("div", { class: "aa-grid-row", role: "row" }, label("", "columnheader", "layer"), ...titles)];
    for (let layer = nLayers - 1; layer >= 0; layer--) {
      const row = Array.from({ length: nHeads }, (_, head) => {
        const index = layer * nHeads + head;
        const name = "heads-" + method + "-" + (layer + 1) + "-" + (head + 1);
        cells[index] = make("div", { class: "aa-cell", role: "gridcell", tabindex: "-1", "data-testid": name, "data-index": index });
        return cells[index];
      });
      rows.push(make("div", { class: "aa-grid-row", role: "row" }, label(String(layer + 1), "rowheader", "layer " + (layer + 1)), ...row));
    }
    table.replaceChildren(...rows);
    focus = (nLayers - 1) * nHeads;
  }

  const indexAt = (target) => (target.dataset?.index === undefined ? null : Number(target.dataset.index));
  table.addEventListener("pointerover", (event) => view.point(indexAt(event.target)));
  table.addEventListener("pointerleave", () => view.point(null));
  table.addEventListener("focusin", (event) => view.point(indexAt(event.target)));
  table.addEventListener("focusout", () => view.point(null));
  table.addEventListener("click", (event) => {
    const index = indexAt(event.target);
    if (index !== null) view.pick(index, event);
  });
  table.addEventListener("keydown", (event) => {
    const { n_layers: nLayers, n_heads: nHeads } = view.message;
    if (event.key === "Enter" || event.key === " ") view.open(focus);
    else if (MOVES[event.key] || event.key === "Home" || event.key === "End") {
      const [up, right] = MOVES[event.key] || [0, event.key === "Home" ? -nHeads : nHeads];
      const layer = Math.min(nLayers - 1, Math.max(0, Math.floor(focus / nHeads) + up));
      cells[focus].tabIndex = -1;
      focus = layer * nHeads + Math.min(nHeads - 1, Math.max(0, (focus % nHeads) + right));
      cells[focus].tabIndex = 0;
      cells[focus].focus();
    } else return;
    event.preventDefault();
  });

  function words(importance, index) {
    const value = importance.values[index];
    if (value === null) return "not measured yet";
    return formatSigned(importance, value) + ", rank " + importance.rank[index] + " of " + importance.values.length;
  }

  return {
    node,
    draw(importance, mask, theme) {
      const { message, state: shown } = view;
      if (message.n_layers + "×" + message.n_heads !== shape) build(message);
      shape = message.n_layers + "×" + message.n_heads;
      const paint = paintOf(theme, importance, shown.colour);
      const isPruner = shown.method === method;
      node.classList.toggle("aa-heads-pruner", isPruner);
      title.textContent = methodName(method);
      title.setAttribute("aria-pressed", String(isPruner));
      state.textContent = importance.progress ?? "";
      cells.forEach((cell, index) => {
        const pending = importance.values[index] === null;
        const pruned = mask.pruned.has(index);
        cell.classList.toggle("aa-pending", pending);
        cell.classList.toggle("aa-pruned", pruned);
        cell.textContent = pruned ? "×" : "";
        const colour = pending ? "" : paint.at(paint.share(index));
        cell.style.backgroundColor = colour;
        cell.style.color = pending ? "" : inkOn(colour);
        cell.setAttribute("aria-label", headName(message, index) + ": " + words(importance, index) + (pruned ? ", pruned" : ""));
        cell.tabIndex = index === focus ? 0 : -1;
      });
      bar.style.backgroundImage = gradientFor(paint);
      [low.textContent, high.textContent] = paint.ends;
      this.point(importance, view.pointed);
    },
    point(importance, index) {
      for (const cell of table.querySelectorAll(".aa-pointed")) cell.classList.remove("aa-pointed");
      if (index !== null) cells[index]?.classList.add("aa-pointed");
      const best = importance.rank.indexOf(1);
      readout.textContent =
        index !== null ? words(importance, index) : best < 0 ? "" : "most: " + headName(view.message, best);
    },
  };
}

/** A number of a method; only what can be negative says its sign. */
function formatSigned(importance, value) {
  return importance.values.some((other) => other < 0) ? formatAttribution(value) : formatSmall(value);
}

/** Some importances, head by head, as a table. */
function readHeads({ message, mask }, importances, nameOf, which = "") {
  const cell = (importance, k) =>
    importance.values[k] === null ? "…" : formatSigned(importance, importance.values[k]) + " (" + importance.rank[k] + ")";
  const row = (k) => [headName(message, k), ...importances.map((importance) => cell(importance, k)), mask.pruned.has(k) ? "yes" : "no"];
  return {
    caption: "Importance of each head" + which + ", and its rank from the most important",
    titles: ["head", ...importances.map(nameOf), "pruned"],
    rows: Array.from({ length: message.n_layers * message.n_heads }, (_, k) => row(k)),
  };
}

function createGrids(view) {
  const row = make("div", { class: "aa-heads-grids" });
  const line = make("p", { class: "aa-hover", "aria-live": "polite", "data-testid": "heads-hover" });
  const colour = segmented(
    "heads-colour",
    "colour",
    [
      ["value", "value", "the importance itself, each method in its own unit"],
      ["rank", "rank", "the order alone, which methods share"],
    ],
    (value) => view.change({ colour: value }),
  );
  const table = tableFold("heads-grids", "The heads as a table", () =>
    readHeads(view, ownImportances(view.message), (importance) => methodName(importance.method)),
  );
  let grids = new Map();
  let names = "";

  function pointLine() {
    const { message, pointed } = view;
    if (view.sentence) line.textContent = view.sentence;
    else if (pointed === null) line.textContent = "Point at a head to compare it; click it to open it in Heatmaps.";
    else line.textContent = headName(message, pointed) + (view.mask.pruned.has(pointed) ? " · pruned" : "") + " · click to open it in Heatmaps";
  }


  return {
    node: make("div", {}, line, row, table.node),
    colour,
    draw(theme) {
      const own = ownImportances(view.message);
      const wanted = own.map((importance) => importance.method).join("|");
      if (wanted !== names) {
        grids = new Map(own.map((importance) => [importance.method, grids.get(importance.method) ?? createGrid(view, importance.method)]));
        row.replaceChildren(...[...grids.values()].map((grid) => grid.node));
      }
      names = wanted;
      row.classList.toggle("aa-heads-wide", view.message.n_heads > 12);
      for (const importance of own) grids.get(importance.method).draw(importance, view.mask, theme);
      colour.show(view.state.colour);
      table.draw();
      pointLine();
    },
    point() {
      for (const importance of ownImportances(view.message)) grids.get(importance.method)?.point(importance, view.pointed);
      pointLine();
    },
  };
}
