// The view as a whole: its parts, messages from Python, redrawing.

const MS_BEFORE_WANTING = 100; // arrow keys pass over heads

function createView(root) {
  const kept = keptRecord();
  const dirty = new Set();
  let scheduled = false;
  let lastValue = null;
  let shown = null;
  let theme = null;
  let wanting = 0;

  const view = {
    root,
    state: kept.state,
    run: null,
    hover: null,
    lastRedrawMs: null,

    invalidate(...parts) {
      for (const part of parts) dirty.add(part);
      if (scheduled) return;
      scheduled = true;
      requestAnimationFrame(() => {
        scheduled = false;
        render();
      });
    },

    change(patch) {
      Object.assign(kept.state, patch);
      tellLink();
      view.invalidate("controls", "grid", "maps", "lists");
    },

    choose(layer, head) {
      const done = view.run.meta.head_max[layer];
      if (done === null || done === undefined) return;
      kept.linked = null;
      view.change({ layer, head, chosen: true });
    },

    openEntry(layer, head, row, column) {
      kept.linked = null;
      view.change({ layer, head, chosen: true, pin: { row, column } });
    },

    setHover(mark) {
      const same =
        view.hover === mark || (view.hover && mark && view.hover.row === mark.row && view.hover.column === mark.column);
      if (same) return;
      view.hover = mark;
      view.invalidate("hover");
    },

    /** Pins a cell, or a token with its row and its column; the same again unpins. */
    togglePin(mark) {
      if (!mark || !shown) return;
      const first = shown.groups.first;
      const pin = { row: first[mark.row ?? mark.column], column: first[mark.column ?? mark.row] };
      const old = kept.state.pin;
      kept.state.pin = old && old.row === pin.row && old.column === pin.column ? null : pin;
      view.invalidate("hover");
    },

    /** The pin in rows and columns of what is shown; null while its tokens are hidden. */
    shownPin() {
      const pin = kept.state.pin;
      if (!pin || !shown) return null;
      const [row, column] = [shown.groups.of[pin.row], shown.groups.of[pin.column]];
      return row >= 0 && column >= 0 ? { row, column } : null;
    },

    followScroll(source) {
      for (const plate of plates) {
        if (plate.scroll === source) continue;
        plate.scroll.scrollLeft = source.scrollLeft;
        plate.scroll.scrollTop = source.scrollTop;
      }
    },
  };

  const bar = createBar();
  const controls = createControls(view);
  const grid = createGrid(view);
  const plates = [createPlate(view, "attention"), createPlate(view, "attribution")];
  const tables = plates.map((plate, k) => createEntries(["attention", "attribution"][k], () => shown));
  plates.forEach((plate, k) => plate.node.append(tables[k].node));
  const lists = createLists(view);
  const selection = make("h2", { class: "aa-selection", "data-testid": "selection" });
  const hoverLine = make("p", { class: "aa-hover", "aria-live": "polite", "data-testid": "hover-line" });
  const plateRow = make("div", { class: "aa-plates" }, plates[0].node, plates[1].node);
  const mapNote = make("p", { class: "aa-map-note", role: "status", "data-testid": "map-note", hidden: true });
  const maps = make(
    "section",
    { class: "aa-panel aa-maps", "aria-label": "Maps" },
    controls.node,
    make("div", { class: "aa-lines" }, selection, hoverLine),
    mapNote,
    plateRow,
  );
  const body = make("div", { class: "aa-body" }, grid.node, maps, lists.node);
  const message = make("p", { class: "aa-message", role: "status", "data-testid": "message" });
  root.replaceChildren(message, bar.node, body);

  function render() {
    if (!root.isConnected || root.clientWidth === 0) return;
    const started = performance.now();
    const has = (...parts) => parts.some((part) => dirty.has(part));
    const { run } = view;
    bar.node.hidden = body.hidden = !run;
    if (!run) return dirty.clear();
    if (!theme || has("theme")) theme = readTheme(maps);
    if (has("bar", "theme")) bar.draw(run);
    if (has("controls")) controls.draw(run, kept.state);
    if (has("grid", "theme")) grid.draw(run, kept.state, theme);
    if (has("maps", "theme")) drawMaps(run);
    else if (has("hover")) for (const plate of plates) plate.paint();
    if (has("maps", "hover")) writeHover();
    if (has("lists")) lists.draw(run, kept.state, shown);
    if (has("maps", "theme")) view.lastRedrawMs = performance.now() - started;
    if (has("maps")) wantWhole(run);
    dirty.clear();
  }

  function mapProblem(run) {
    const { layer } = kept.state;
    if (run.failed.has(layer)) return run.failed.get(layer);
    if (run.waiting.has(layer)) return "Reading layer " + (layer + 1) + " …";
    return "Layer " + (layer + 1) + (run.meta.status === "running" ? " is not computed yet." : " was not computed.");
  }

  function drawMaps(run) {
    shown = shownMaps(run, kept.state);
    const { layer, head } = kept.state;
    const empty = shown && shown.n === 0;
    plateRow.hidden = !shown || empty;
    selection.textContent = headName(layer, head) + (head === null ? " (attention averaged, attribution summed)" : "");
    mapNote.textContent = empty
      ? "No tokens are left to show; switch the special tokens on."
      : shown
        ? longTextNote(run)
        : mapProblem(run);
    mapNote.hidden = !mapNote.textContent;
    for (const plate of plates) {
      if (shown && !empty) plate.draw(run, kept.state, theme, shown);
      else plate.clear();
    }
    if (!shown || empty) return;
    for (const table of tables) table.draw();
    if (kept.wasOpened) plates[1].focus();
    kept.wasOpened = false;
  }

  /** Stands above long texts all the time, so that the maps do not jump when the whole one arrives. */
  function longTextNote(run) {
    if (!isSparse(run, shown.layer)) return "";
    return shown.sparse
      ? "Long text: the strongest entries; the whole map follows."
      : "Long text: the whole map. Lists of all heads are made of the strongest entries of each.";
  }

  /** Asks for the whole map of what is selected in a long text, once it has been selected for a moment. */
  function wantWhole(run) {
    clearTimeout(wanting);
    const { layer, head } = kept.state;
    if (!shown?.sparse) return;
    wanting = setTimeout(() => trigger("want_whole", { run: run.id, layer, head }), MS_BEFORE_WANTING);
  }

  kept.receiveWhole = (text) =>
    decodeWhole(kept.run, text).then((belongs) => belongs && view.invalidate("maps", "lists"), fail);

  function writeHover() {
    const parts =
      shown && shown.n ? hoverParts(shown, view.hover, view.shownPin(), effectiveFlow(view.run, kept.state)) : [""];
    hoverLine.replaceChildren(...parts);
  }

  const showMessage = (text, isError) => showSentence(message, text, isError);

  /** Selects the strongest head of a new text, while running and again when done, unless the user has chosen one. */
  function autoSelect(run, isNew) {
    const { state, linked } = kept;
    const { n_layers: nLayers, n_heads: nHeads, status } = run.meta;
    if (isNew && linked && (linked.run ?? run.id) === run.id) {
      Object.assign(state, { layer: linked.layer, head: linked.head, chosen: true });
      if (run.id !== "first") kept.linked = null; // what the page begins with is no answer to the link
    }
    const outside = state.layer >= nLayers || (state.head !== null && state.head >= nHeads);
    if (outside) Object.assign(state, { layer: 0, head: null, chosen: false });
    const nothing = run.meta.head_max[state.layer] === null;
    if (state.chosen || !(isNew || nothing || status !== "running" || outside)) return;
    const best = strongestHead(run.meta);
    if (best) Object.assign(state, { layer: best.layer, head: best.head });
  }

  function receive(value) {
    if (value === lastValue) return;
    lastValue = value;
    if (!value) {
      view.run = kept.run = null;
      showMessage("No result yet. Enter a text and press Run.");
      return view.invalidate("bar");
    }
    let parsed;
    try {
      parsed = parseMessage(value);
    } catch (error) {
      return fail(error);
    }
    showMessage("");
    const { maps: newMaps, ...meta } = parsed;
    const isNew = !kept.run || kept.run.id !== meta.run;
    if (isNew) startRun(meta);
    kept.run.meta = meta;
    const redrawAll = view.run !== kept.run;
    view.run = kept.run;
    const before = kept.state.layer + "|" + kept.state.head;
    autoSelect(kept.run, isNew);
    openWanted();
    const moved = before !== kept.state.layer + "|" + kept.state.head;
    view.invalidate("bar", "controls", "grid", ...(redrawAll || moved ? ["maps", "lists"] : []));
    decode(kept.run, newMaps);
    tellLink();
  }

  /** A link or a bundle asks for a state; its head is for its own result, which may come later, or for the next one. */
  function restore({ layer, head, chosen, ...state }, run) {
    const meta = kept.run?.meta;
    const fits = chosen && meta && layer < meta.n_layers && (head === null || head < meta.n_heads);
    kept.linked = chosen && !(run && run === kept.run?.id) ? { layer, head, run } : null;
    view.change({ ...state, chosen: Boolean(fits), pin: null, ...(fits ? { layer, head } : {}) });
  }

  /** Another view of this run asks for a head and a pinned entry; this one may not be mounted yet, or behind. */
  kept.open = (wanted) => {
    kept.wanted = wanted;
    kept.wasOpened = true; // the control that was used is gone with its tab: the map takes the focus
    openWanted();
  };

  function openWanted() {
    const { wanted } = kept;
    if (!wanted || !kept.run || kept.run.id !== wanted.run) return;
    kept.wanted = kept.linked = null;
    view.change({ layer: wanted.layer, head: wanted.head, pin: wanted.pin, chosen: true });
  }

  function startRun(meta) {
    const old = kept.run?.meta;
    const same = old && old.model === meta.model && JSON.stringify(old.tokens) === JSON.stringify(meta.tokens);
    if (!same) Object.assign(kept.state, { pin: null, chosen: false });
    kept.run = createRun(meta);
    view.hover = null;
  }

  function fail(error) {
    const reason = error instanceof PayloadError ? error.message : "something unexpected is in it";
    showMessage("The result could not be shown: " + reason + "." + (view.run ? " The one before stays." : ""), true);
    view.invalidate("bar");
    if (!(error instanceof PayloadError)) console.warn(error);
  }

  function decode(run, newMaps) {
    // Decoding may outlast this mount of the view: whoever is mounted then is told.
    decodeLayers(run, newMaps, kept.state.layer, (layer) => kept.arrived(run, layer)).catch(fail);
  }

  kept.arrived = (run, layer) => {
    if (run !== view.run) return;
    const affected = layer === kept.state.layer || kept.state.scale === "common";
    view.invalidate(...(affected ? ["maps", "lists"] : kept.state.lists === "all" ? ["lists"] : []));
    whenIdle(() => scanAhead(run));
  };

  // One layer at a time while the page is idle, so that "all heads" answers at once.
  function scanAhead(run) {
    if (run === view.run && scanNext(run, kept.state)) whenIdle(() => scanAhead(run));
  }

  function restyle() {
    theme = null;
    view.invalidate("theme", "maps");
  }

  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !kept.state.pin || root.querySelector(":popover-open")) return;
    kept.state.pin = null;
    view.invalidate("hover");
  });
  watchSurroundings(root, restyle, () => view.invalidate("bar", "controls", "grid", "maps", "lists"));
  document.fonts?.ready.then(() => view.invalidate("maps"));
  joinLink("heatmaps", kept, restore);
  exposeForTests(root, view, () => shown);
  return { receive, fail };
}
