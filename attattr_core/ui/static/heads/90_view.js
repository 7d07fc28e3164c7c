// The tab as a whole: its panels, messages from Python, redrawing.

function createView(root) {
  const kept = keptRecord();
  const view = { root, state: kept.state, message: kept.message, mask: null, pointed: null, tapped: null, sentence: "", saving: false };
  let theme = null;
  let scheduled = false;

  const note = make("p", { class: "aa-message", role: "status", "data-testid": "heads-message" });
  const source = make("p", { class: "aa-quiet aa-heads-source", "data-testid": "heads-source" });
  const notice = make("p", { class: "aa-notice", role: "note", "data-testid": "heads-notice" });
  const progress = createProgress("heads");
  const smaller = createSmaller();
  const rate = createRate(view);
  const grids = createGrids(view);
  const back = make("button", { type: "button", class: "aa-button", text: "Back to the checkpoint above", "data-testid": "heads-back", onclick: () => trigger("go_back", {}) });
  const first = panelOf(
    "heads",
    "head importance",
    "Each cell is one head, coloured by how important a method finds it: the stronger the colour, the more; in the grids of attribution, Taylor and ablation blue heads do harm. Layer 1 is at the bottom. " +
      "Units differ between methods, so that only the orders compare; crossed heads are pruned at the rate chosen here.",
    make("div", { class: "aa-heads-row" }, source, back),
    progress.node,
    notice,
    rate.node,
    smaller.node,
    grids.node,
  );
  const legend = createLegend(view);
  const charts = DIRECTIONS.map((direction) => createDirectionChart(view, direction));
  const layerwise = createLayerwise(view);
  const areas = createAreas(view);
  const scatter = createScatter(view);
  const curves = make("div", { class: "aa-heads-curves" }, ...charts.map((chart) => chart.node));
  const rest = make("div", { class: "aa-heads-rest" }, areas.node, layerwise.node, scatter.node);
  const body = make("div", { class: "aa-heads-body" }, first.node, legend.node, curves, rest);
  const empty = createEmpty(view);
  root.replaceChildren(note, empty.node, body);

  const menu = (picture, formats = FORMATS) =>
    exportMenu("heads-" + picture, formats, (format) => trigger("export_heads", { format, picture, run: view.message.run, view: shownOptions() }));
  first.head.append(make("span", { class: "aa-heads-tools" }, grids.colour.node, shareMenu("heads-share"), menu("grids")));
  for (const [panel, picture, formats] of [
    [charts[0], "curves"],
    [layerwise, "layerwise"],
    [areas, "areas", FORMATS.filter(([format]) => format === "json" || format === "csv")],
    [scatter, "scatter"],
  ])
    panel.node.querySelector(".aa-panel-head").append(menu(picture, formats));

  function shownOptions() {
    const { method, direction, colour, hidden, layerwise: layers, axes } = view.state;
    return { method, direction, n: view.mask.n, colour, hidden: Object.keys(hidden).filter((name) => hidden[name]), layerwise: layers, axes, pair: scatter.pair() };
  }

  function invalidate() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      render();
    });
  }

  function render() {
    const { message, state } = view;
    const isStudy = Boolean(message?.importances);
    body.hidden = !isStudy;
    empty.draw(message);
    if (!isStudy || !root.isConnected || root.clientWidth === 0) return;
    theme ||= readTheme(first.node);
    const own = ownImportances(message);
    if (!own.some((importance) => importance.method === state.method)) state.method = own[0]?.method ?? "attattr";
    view.mask = findMask(message, state);
    source.replaceChildren(...sourceParts(message));
    back.hidden = message.status !== "opened";
    notice.textContent = message.notice;
    notice.hidden = !message.notice;
    progress.draw(message);
    smaller.draw(message);
    rate.draw();
    grids.draw(theme);
    const has = message.curves.some((curve) => curve.n_pruned.length);
    legend.node.hidden = curves.hidden = !has;
    if (has) {
      legend.draw(ownMethods(message.curves));
      const range = metricRange(message, message.curves);
      for (const chart of charts) chart.draw(range);
    }
    areas.draw();
    layerwise.draw();
    scatter.draw();
  }

  view.change = (patch) => {
    Object.assign(view.state, patch);
    invalidate();
    tellLink();
  };
  view.point = (index) => {
    if (index === view.pointed) return;
    view.pointed = index;
    view.sentence = "";
    grids.point();
    scatter.point(index);
  };
  view.open = (index) => {
    view.sentence = openHead(view.message, index);
    grids.point();
  };
  /** A click opens a head; a finger cannot hover, so its first tap reads. */
  view.pick = (index, event) => {
    const isFirstTap = event.pointerType === "touch" && view.tapped !== index;
    view.tapped = index;
    if (isFirstTap) view.point(index);
    else view.open(index);
  };
  view.save = () => {
    view.saving = true;
    kept.wait();
    const { method, direction } = view.state;
    trigger("save_smaller", { run: view.message.run, method, direction, n: view.mask.n });
  };
  view.measure = () => {
    kept.wait();
    trigger("measure_heads", {});
  };
  /** Work was asked for, and nothing was heard of it yet. */
  kept.wait = (words = "waiting to start") => {
    if (!view.message || view.message.progress) return;
    view.message = { ...view.message, progress: { words, n_done: 0, n_total: 0, seconds_left: null } };
    invalidate();
  };

  const showNote = (text, isError) => showSentence(note, text, isError);

  view.receive = (value) => {
    if (value && value !== kept.value) {
      const message = parseMessage(value);
      kept.value = value;
      if (message.moment < (kept.moment ?? 0)) return; // the rest of work that was left behind
      kept.moment = message.moment;
      view.saving = message.status === "saving";
      if (message.status !== "refused") {
        if (message.run !== kept.message?.run) view.sentence = "";
        kept.message = message;
      }
    }
    view.message = kept.message;
    showNote("");
    invalidate();
  };
  view.fail = (error) => {
    const reason = error instanceof PayloadError ? error.message : "something unexpected is in it";
    showNote("The study could not be shown: " + reason + ".", true);
    if (!(error instanceof PayloadError)) console.warn(error);
    invalidate();
  };

  const themes = new MutationObserver(() => {
    if (!root.isConnected) return themes.disconnect();
    theme = null;
    invalidate();
  });
  for (const node of [document.body, document.documentElement])
    themes.observe(node, { attributes: true, attributeFilter: ["class"] });
  let width = 0;
  new ResizeObserver(() => {
    if (root.clientWidth !== width) invalidate();
    width = root.clientWidth;
  }).observe(root);
  document.fonts?.ready.then(invalidate);
  joinLink("heads", kept, view.change);

  root.attattr = Object.freeze({
    get state() {
      return structuredClone(view.state);
    },
    get message() {
      return view.message && structuredClone(view.message);
    },
    mask: () => view.mask && { ...view.mask, pruned: [...view.mask.pruned].sort((a, b) => a - b) },
  });
  return view;
}

/** What stands here while nothing is measured: what Measure does, and the button. */
function createEmpty(view) {
  const title = make("h2");
  const words = make("p", { class: "aa-quiet" });
  const button = make("button", { type: "button", class: "aa-button aa-empty-button", text: "Measure now", "data-testid": "heads-measure", onclick: () => view.measure() });
  const progress = createProgress("heads-empty");
  const node = make("section", { class: "aa-panel aa-heads-empty", "aria-label": "Nothing measured yet", "data-testid": "heads-empty" }, title, words, progress.node, button);
  return {
    node,
    draw(message) {
      node.hidden = message?.status !== "empty";
      if (node.hidden) return;
      progress.draw(message);
      button.hidden = Boolean(message.progress);
      title.replaceChildren("Which heads does ", make("bdi", { text: message.model }), " need?");
      words.textContent =
        "Nothing was computed beforehand for this checkpoint. Measuring asks several methods how important each head is on labelled examples, " +
        "then takes heads out, the least and the most important first, and watches the metric beside random orders. " +
        "Choose the data and the methods above, or start with what is set there.";
    },
  };
}
