// The layer × head grid that selects a map. Rows are layers, the top one on top; the first column is all heads.
// Test ids count from 1 as the labels do: cell-5-7, and cell-5-sum for all heads of layer 5.

const MOVES = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function headName(layer, head) {
  return (layer === null ? "all layers" : "layer " + (layer + 1)) + " · " + (head === null ? "all heads" : "head " + (head + 1));
}

function cellHint(meta, layer, head) {
  const row = meta.head_max[layer];
  const name = headName(layer, head);
  if (row === null || row === undefined) return name + ": not computed yet";
  if (head !== null) return name + ": largest attribution " + formatAttribution(row[head]);
  const best = row.indexOf(Math.max(...row));
  return name + ": the largest attribution, " + formatAttribution(row[best]) + ", is in head " + (best + 1);
}

const GRID_HELP =
  "Each cell is one head, coloured by its largest attribution: the stronger the colour, the more its connection moves F. " +
  "Click one, or move with the arrow keys and press Enter, to see its maps; Σ shows all heads of a layer.";

/** The grid; `prefix` begins its test ids, `hint` says what a cell holds, `caption` and `write` are for its table. */
function createGrid(view, { prefix = "", title = "layer × head", hint = cellHint, help = GRID_HELP, caption = "Largest attribution entry of each head", write = formatAttribution } = {}) {
  const table = make("div", {
    class: "aa-grid",
    role: "grid",
    "aria-label": "Layers and heads",
    "data-testid": prefix + "grid",
  });
  const readout = make("div", { class: "aa-grid-readout aa-quiet", "data-testid": prefix + "grid-readout" });
  const bar = make("span", { class: "aa-legend-bar" });
  const most = make("span", { class: "aa-number" });
  const legend = make(
    "div",
    { class: "aa-legend", "data-testid": prefix + "grid-legend" },
    make("span", { class: "aa-number", text: "0" }),
    bar,
    most,
  );
  const numbers = tableFold(prefix + "grid", "The heads as a table", () => readHeads(view.run.meta));
  const node = make(
    "section",
    { class: "aa-panel aa-grid-panel", "aria-label": "Layer and head" },
    make("header", { class: "aa-panel-head" }, make("h2", { text: title }), helpButton(prefix + "grid", "the grid", help)),
    table,
    readout,
    legend,
    numbers.node,
  );
  const cells = new Map();
  let shape = "";
  let focus = [0, null];

  const key = (layer, head) => layer + "|" + head;
  const describe = (layer, head) => {
    readout.textContent = layer === null ? "" : hint(view.run.meta, layer, head);
  };
  const idle = () => describe(view.state.layer, view.state.head);

  function readHeads({ n_heads: nHeads, head_max: rows }) {
    const heads = Array.from({ length: nHeads }, (_, h) => h);
    return {
      caption,
      titles: ["layer", ...heads.map((h) => "head " + (h + 1))],
      rows: rows.map((row, layer) => [String(layer + 1), ...heads.map((h) => (row ? write(row[h]) : "…"))]).reverse(),
    };
  }

  function buildCell(layer, head) {
    const name = prefix + "cell-" + (layer + 1) + "-" + (head === null ? "sum" : head + 1);
    const cell = make("div", {
      class: "aa-cell",
      role: "gridcell",
      tabindex: "-1",
      "data-testid": name,
      text: head === null ? "Σ" : "",
    });
    cell.addEventListener("pointerenter", () => describe(layer, head));
    cell.addEventListener("click", () => {
      focus = [layer, head];
      view.choose(layer, head);
    });
    cell.addEventListener("focus", () => describe(layer, head));
    cells.set(key(layer, head), cell);
    return cell;
  }

  function build(nLayers, nHeads) {
    cells.clear();
    const heads = [null, ...Array.from({ length: nHeads }, (_, h) => h)];
    table.style.setProperty("--aa-columns", String(nHeads + 1));
    const title = (own, name, text) =>
      make("span", { class: "aa-grid-label" + own, role: "columnheader", "aria-label": name }, text || unseen(name));
    const corner = title(" aa-grid-corner", "layer");
    const titles = heads.map((h) => (h === null ? title("", "all heads") : title("", "head " + (h + 1), String(h + 1))));
    const rows = [make("div", { class: "aa-grid-row", role: "row" }, corner, ...titles)];
    for (let layer = nLayers - 1; layer >= 0; layer--) {
      const label = make("span", {
        class: "aa-grid-label",
        role: "rowheader",
        text: String(layer + 1),
        "aria-label": "layer " + (layer + 1),
      });
      rows.push(
        make("div", { class: "aa-grid-row", role: "row" }, label, ...heads.map((head) => buildCell(layer, head))),
      );
    }
    table.replaceChildren(...rows);
  }

  function paintCell(cell, meta, theme, layer, head, largest) {
    const row = meta.head_max[layer];
    const pending = row === null || row === undefined;
    const selected = layer === view.state.layer && head === view.state.head;
    cell.classList.toggle("aa-pending", pending);
    cell.classList.toggle("aa-selected", selected);
    cell.setAttribute("aria-selected", String(selected));
    cell.setAttribute("aria-disabled", String(pending));
    cell.setAttribute("aria-label", hint(meta, layer, head));
    cell.tabIndex = layer === focus[0] && head === focus[1] ? 0 : -1;
    const coloured = !pending && head !== null;
    cell.style.backgroundColor = coloured
      ? rgb(...colourAt(theme, "attribution", Math.max(0, row[head]), largest))
      : "";
  }

  table.addEventListener("keydown", (event) => {
    const { n_layers: nLayers, n_heads: nHeads } = view.run.meta;
    if (event.key === "Enter" || event.key === " ") view.choose(...focus);
    else if (MOVES[event.key] || event.key === "Home" || event.key === "End") {
      const [up, right] = MOVES[event.key] || [0, event.key === "Home" ? -nHeads : nHeads];
      const column = Math.min(nHeads, Math.max(0, (focus[1] === null ? 0 : focus[1] + 1) + right));
      focus = [Math.min(nLayers - 1, Math.max(0, focus[0] + up)), column === 0 ? null : column - 1];
      for (const [name, cell] of cells) cell.tabIndex = name === key(...focus) ? 0 : -1;
      cells.get(key(...focus)).focus();
    } else return;
    event.preventDefault();
  });
  table.addEventListener("pointerleave", idle);
  table.addEventListener("focusout", idle);

  return {
    node,
    draw(run, state, theme) {
      const meta = run.meta;
      const wanted = meta.n_layers + "×" + meta.n_heads;
      if (wanted !== shape) build(meta.n_layers, meta.n_heads);
      shape = wanted;
      if (!table.contains(document.activeElement)) focus = [state.layer ?? meta.n_layers - 1, state.head];
      const best = strongestHead(meta);
      const largest = best ? Math.max(0, best.value) : 0;
      for (const [name, cell] of cells) {
        const [layer, head] = name.split("|").map((part) => (part === "null" ? null : Number(part)));
        paintCell(cell, meta, theme, layer, head, largest);
      }
      bar.style.backgroundImage = gradientOf(theme, "head");
      most.textContent = best ? formatAttribution(largest) : "…";
      numbers.draw();
      idle();
    },
  };
}
