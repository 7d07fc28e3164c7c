// Attributions of the text as it is and with the words in it, on one scale, and the difference.

const DIFFERENCE_PLATES = {
  clean: {
    title: "as it is",
    help:
      "Row i, column j: how much the connection from j to i adds to F (orange) or takes from it (blue) in the text as it " +
      "is. Rows and columns of inserted words are hatched here, since they are not in this text.",
  },
  triggered: {
    title: "with the words",
    help:
      "The same for the text with the words in it, for the same label and on the same scale as the picture before it. " +
      "Framed labels are inserted words.",
  },
  difference: {
    title: "difference",
    help:
      "With the words minus as it is: orange connections gained, blue ones lost. An inserted word was not there before, " +
      "so its rows and columns show the whole of what it brings; this picture has a scale of its own.",
  },
};

const MOST_CHANGES = 100;

/** Decodes the maps of a message: for each plate and layer (H, n, n). */
async function decodeDifference(message) {
  const n = message.tokens.length;
  const layers = [];
  for (const pair of message.maps) {
    if (!pair) {
      layers.push(null);
      continue;
    }
    const places = await decodePlaces(pair);
    const decode = async (map) => spread(await decodeMap(map, pair.heads, n, places), pair.heads, n);
    layers.push({ clean: await decode(pair.clean), triggered: await decode(pair.triggered), heads: pair.heads });
  }
  return layers;
}

/** The whole maps (H, n, n), with 0 for what was not sent. */
function spread(map, heads, n) {
  if (!map.index) return map.values;
  const out = new Float32Array(heads * n * n);
  for (let k = 0; k < map.values.length; k++) out[Math.floor(k / map.k) * n * n + map.index[k]] = map.values[k];
  return out;
}

function longTextNote(message) {
  const notes = [];
  if (message?.is_summed) notes.push("heads are shown summed");
  if (message?.is_cut) notes.push("only the strongest entries are shown");
  return notes.length ? "The text is long: " + notes.join(", ") + "." : "";
}

function addUp(layers, name, layer, head, n) {
  const out = new Float32Array(n * n);
  layers.forEach((maps, at) => {
    if (!maps || (layer !== null && layer !== at)) return;
    for (let h = 0; h < maps.heads; h++) {
      if (head !== null && h !== head) continue;
      for (let k = 0; k < n * n; k++) out[k] += maps[name][h * n * n + k];
    }
  });
  return out;
}

const differenceHint = (meta, layer, head) => {
  const name = headName(layer, head);
  const row = meta.head_max[layer];
  if (!row) return name;
  return name + ": largest change " + formatSmall(head === null ? Math.max(...row) : row[head]);
};

function createDifference(open) {
  const kept = (triggersKept.difference ||= { layer: null, head: null, specials: true });
  const view = {
    state: { picture: "matrix", size: "fit", layer: null, head: null },
    run: null,
    hover: null,
    shownPin: () => kept.pin || null,
    setHover(mark) {
      const same = view.hover === mark || (view.hover && mark && view.hover.row === mark.row && view.hover.column === mark.column);
      if (same) return;
      view.hover = mark;
      light();
    },
    togglePin(mark) {
      const full = mark && { row: mark.row ?? mark.column, column: mark.column ?? mark.row };
      kept.pin = full && kept.pin && kept.pin.row === full.row && kept.pin.column === full.column ? null : full;
      light();
    },
    followScroll() {},
    choose(layer, head) {
      Object.assign(kept, { layer, head });
      redraw();
    },
  };
  let message = null;
  let layers = null;
  let shown = null;
  let theme = null;

  const plates = Object.entries(DIFFERENCE_PLATES).map(([name, words]) => createPlate(view, "attribution", { name: "trial-" + name, words }));
  const grid = createGrid(view, {
    prefix: "trial-",
    title: "where it changed",
    hint: differenceHint,
    caption: "Largest change of an entry of each head",
    write: formatSmall,
    help:
      "Each cell is one head, coloured by its largest change of an entry, up or down. Click one, or move with the arrow " +
      "keys and press Enter, to see it; Σ shows all heads of a layer.",
  });
  const table = tableFold("trial-entries", "The largest changes as a table", readChanges);
  const all = make("button", { type: "button", class: "aa-button", text: "all layers and heads", "data-testid": "trial-all", onclick: () => view.choose(null, null) });
  const specials = checkbox("trial-specials", "special tokens", "show the rows and columns of [CLS], [SEP] and the like", (value) => {
    Object.assign(kept, { specials: value, pin: null });
    redraw();
  });
  const title = make("h2", { class: "aa-selection", "data-testid": "trial-selection" });
  const line = make("p", { class: "aa-hover", "aria-live": "polite", "data-testid": "trial-hover" });
  const openers = ["clean", "triggered"].map((which) =>
    make(
      "div",
      { class: "aa-openers aa-quiet" },
      "open in ",
      ...["heatmaps", "tree"].map((tab) => make("button", { type: "button", class: "aa-button", text: tab === "tree" ? "Tree" : "Heatmaps", "data-testid": "trial-" + which + "-" + tab, onclick: () => open(which, tab) })),
    ),
  );
  plates[0].node.append(openers[0]);
  plates[1].node.append(openers[1]);
  const maps = make("div", { class: "aa-difference-maps" }, make("div", { class: "aa-lines" }, make("div", { class: "aa-difference-head" }, title, all, specials.node), line), make("div", { class: "aa-plates aa-plates-three" }, ...plates.map((plate) => plate.node)), table.node);
  const node = make("div", { class: "aa-difference", "data-testid": "trial-difference", hidden: true }, grid.node, maps);

  /** What a plate draws, in the words of the heatmaps' pictures; `picks` are the tokens that are shown. */
  function frameOf(whole, picks, limit, hidesInserted) {
    const all = message.tokens.length;
    const n = picks.length;
    const attribution = Float32Array.from({ length: n * n }, (_, k) => whole[picks[Math.floor(k / n)] * all + picks[k % n]]);
    const of = (values) => picks.map((k) => values[k]);
    const inserted = of(message.inserted);
    const keep = Uint8Array.from(inserted, (is) => (hidesInserted && is ? 0 : 1));
    const groups = { labels: of(message.tokens), sentences: of(message.sentences), inserted };
    const sides = { rows: keep, columns: keep };
    return { ...sides, n, attribution, positions: shownPositions(sides, n), groups, layer: kept.layer, head: kept.head, limits: { attribution: limit } };
  }

  function compute() {
    const n = message.tokens.length;
    const picks = Array.from({ length: n }, (_, k) => k).filter((k) => kept.specials || message.sentences[k] >= 0);
    const [clean, triggered] = ["clean", "triggered"].map((name) => addUp(layers, name, kept.layer, kept.head, n));
    const difference = triggered.map((value, k) => value - clean[k]);
    const most = (...all) => Math.max(0, ...all.flatMap((values) => picks.map((i) => picks.reduce((best, j) => Math.max(best, Math.abs(values[i * n + j])), 0))));
    const common = most(clean, triggered);
    shown = { clean: frameOf(clean, picks, common, true), triggered: frameOf(triggered, picks, common), difference: frameOf(difference, picks, most(difference)) };
  }

  function readChanges() {
    const { n, groups, positions, attribution } = shown.difference;
    const isNew = (at) => groups.inserted[Math.floor(at / n)] || groups.inserted[at % n];
    const order = strongestOf(attribution, positions, MOST_CHANGES);
    const names = nameTokens(groups.labels);
    return {
      caption: headName(kept.layer, kept.head) + ": the " + order.length + " largest changes of an entry",
      titles: ["token", "receives from", "as it is", "with the words", "difference"],
      rows: order.map((at) => [
        tokenNode(names[Math.floor(at / n)]),
        tokenNode(names[at % n]),
        isNew(at) ? "not there" : formatAttribution(shown.clean.attribution[at]),
        formatAttribution(shown.triggered.attribution[at]),
        formatAttribution(attribution[at]),
      ]),
    };
  }

  function light() {
    for (const plate of plates) plate.paint();
    const mark = view.hover || kept.pin;
    if (!shown || !mark || mark.row === null || mark.column === null || Math.max(mark.row, mark.column) >= shown.clean.n)
      return line.replaceChildren(make("span", { class: "aa-quiet", text: "Point at a cell to read its values; click to pin it." }));
    const { n, groups } = shown.difference;
    const at = mark.row * n + mark.column;
    const isNew = groups.inserted[mark.row] || groups.inserted[mark.column];
    const number = (name) => make("span", { class: "aa-number", text: formatAttribution(shown[name].attribution[at]) });
    line.replaceChildren(tokenNode(groups.labels[mark.row]), " receives from ", tokenNode(groups.labels[mark.column]), ": as it is ", ...(isNew ? ["not there"] : [number("clean")]), ", with the words ", number("triggered"), ", difference ", number("difference"));
  }

  function redraw() {
    if (!message || !layers || node.hidden || !node.clientWidth) return;
    theme = readTheme(node.closest(".aa-panel"));
    Object.assign(view.state, { layer: kept.layer, head: kept.head });
    if (kept.layer !== null && (!layers[kept.layer] || (kept.head ?? 0) >= layers[kept.layer].heads)) Object.assign(kept, { layer: null, head: null });
    compute();
    title.textContent = headName(kept.layer, kept.head);
    all.hidden = kept.layer === null;
    specials.show(kept.specials);
    grid.draw(view.run, view.state, theme);
    Object.keys(DIFFERENCE_PLATES).forEach((name, k) => plates[k].draw(view.run, view.state, theme, shown[name]));
    table.draw();
    light();
  }

  const themes = new MutationObserver(redraw);
  for (const body of [document.body, document.documentElement]) themes.observe(body, { attributes: true, attributeFilter: ["class"] });

  return {
    node,
    redraw,
    async receive(next) {
      if (next?.run !== message?.run) Object.assign(kept, { pin: null });
      message = next?.maps ? next : null;
      node.hidden = !message;
      layers = null;
      if (!message) return;
      const decoded = await decodeDifference(message);
      if (message !== next) return;
      layers = decoded;
      view.run = { meta: { ...message, head_max: message.head_change } };
      redraw();
    },
    shown: () => shown && { tokens: shown.clean.groups.labels, inserted: shown.clean.groups.inserted, layer: kept.layer, head: kept.head, clean: [...shown.clean.attribution], triggered: [...shown.triggered.attribution], difference: [...shown.difference.attribution] },
    selection: () => ({ layer: kept.layer, head: kept.head }),
  };
}
