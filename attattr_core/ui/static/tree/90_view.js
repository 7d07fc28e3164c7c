// The tree view as a whole.

function createView(root) {
  const kept = keptRecord();
  const view = { root, state: kept.state, message: kept.message };
  let theme = null;
  let tree = null;
  let place = null;
  let active = null; // the edge that is pointed at or focused
  let scheduled = false;

  const message = make("p", { class: "aa-message", role: "status", "data-testid": "tree-message" });
  const bands = draw("g", { "aria-hidden": "true" });
  const stage = draw("g");
  const svg = draw(
    "svg",
    { class: "aa-tree-svg", role: "group", tabindex: "0", "data-testid": "tree-picture", direction: "ltr" },
    bands,
    stage,
  );
  const track = createTrack();
  const camera = createCamera(svg, ({ k, x, y }) => {
    stage.setAttribute("transform", "translate(" + round(x) + " " + round(y) + ") scale(" + round(k * 1000) / 1000 + ")");
    bands.setAttribute("transform", "translate(0 " + round(y) + ") scale(1 " + round(k * 1000) / 1000 + ")");
    track.show(camera);
  });
  const open = (edge) => openHeatmap(view.message, edge);
  const controls = createControls(view);
  const mass = createMass();
  const table = createEdgeTable(open);
  const hoverLine = make("p", { class: "aa-hover", "aria-live": "polite", "data-testid": "tree-hover" });
  const buttons = make(
    "div",
    { class: "aa-tree-zoom", role: "group", "aria-label": "Zoom" },
    plainButton("tree-zoom-in", "+", "Zoom in", () => camera.zoom(1.4)),
    plainButton("tree-zoom-out", MINUS, "Zoom out", () => camera.zoom(1 / 1.4)),
    plainButton("tree-left", "←", "Move left", () => camera.pan(160, 0)),
    plainButton("tree-right", "→", "Move right", () => camera.pan(-160, 0)),
    plainButton("tree-fit", "fit", "Show the whole tree", () => camera.fit()),
    plainButton("tree-reset", "1:1", "Zoom back to legible size", () => camera.reset()),
  );
  const frame = make("div", { class: "aa-tree-frame" }, svg, track.node);
  const legend = createLegend();
  const help = helpButton(
    "tree",
    "the tree",
    "Information flows upward: an edge of a layer runs from the token that sends to the token that receives, wide and " +
      "strong by its attribution, and thin vertical lines are what a token keeps of itself, up to the root that decides. " +
      "Point at an edge for its heads and click it to open the strongest; drag, pinch or use Ctrl + wheel to move and " +
      "zoom, or the keys: arrows walk the tree, Enter opens, + and − zoom, Shift + arrows move.",
  );
  const head = make("header", { class: "aa-panel-head" }, make("h2", { text: "attribution tree" }), help, legend.node);
  const panel = make(
    "section",
    { class: "aa-panel", "aria-label": "Attribution tree" },
    head,
    controls.node,
    make("div", { class: "aa-lines" }, make("div", { class: "aa-tree-row" }, mass.node, buttons), hoverLine),
    frame,
    table.node,
  );
  root.replaceChildren(message, panel);

  view.change = (patch) => {
    Object.assign(kept.state, patch);
    active = null;
    invalidate();
    tellLink();
  };

  function invalidate() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      render();
    });
  }

  function render() {
    panel.hidden = !view.message;
    if (!view.message || !root.isConnected || root.clientWidth === 0) return;
    theme ||= readTheme(panel);
    tree = shownTree(view.message, view.state);
    const width = Math.max(240, frame.clientWidth);
    const isFull = document.fullscreenElement === root;
    const room = isFull ? window.innerHeight - (root.scrollHeight - svg.clientHeight) - 8 : 0;
    place = layOut(view.message, tree, width, isFull ? Math.max(0, room) : 0, theme);
    const { n_layers: nLayers } = view.message;
    svg.setAttribute("width", width);
    svg.setAttribute("height", Math.ceil(place.height));
    svg.setAttribute("aria-label", treeName(view.message, tree));
    bands.replaceChildren(...drawBands(view.message, place, width));
    stage.replaceChildren(
      drawColumns(tree, place, nLayers),
      drawEdges(view.message, tree, place, theme),
      drawNodes(tree, place, nLayers),
      drawNames(view.message, tree, place),
      drawTokens(tree, place),
    );
    camera.resize(place, width, place.height);
    controls.draw(view.message, view.state, tree);
    mass.draw(view.message, tree);
    legend.draw(theme, tree);
    table.draw(view.message, tree);
    if (active !== null && active >= tree.edges.length) active = null;
    light();
  }

  /** Shows what is pointed at: the edge and its way to the root stay, the others fade. */
  function light() {
    const way = new Set();
    for (let k = active; k !== null && k >= 0; k = tree.edges[k].parent) way.add(k);
    svg.classList.toggle("aa-tree-dimmed", active !== null);
    for (const shape of svg.querySelectorAll(".aa-tree-edge")) {
      const k = Number(shape.dataset.edge);
      shape.classList.toggle("aa-tree-lit", way.has(k));
      shape.classList.toggle("aa-tree-active", k === active);
    }
    const edge = active === null ? null : tree.edges[active];
    hoverLine.replaceChildren(
      ...(edge
        ? edgeParts(view.message, tree, edge)
        : [make("span", { class: "aa-quiet", text: tree.edges.length ? "Point at an edge to read it; click it to open its strongest head." : nothing() })]),
    );
  }

  function nothing() {
    return tree.view.mass > 0
      ? "No edge passes these settings: lower the threshold."
      : "No attribution between different tokens is positive here, so there are no edges.";
  }

  function setActive(k) {
    if (k === active || !tree) return;
    active = k;
    light();
  }

  const edgeAt = (target) => {
    const shape = target.closest?.(".aa-tree-edge");
    return shape ? Number(shape.dataset.edge) : null;
  };
  svg.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch") setActive(edgeAt(event.target));
  });
  svg.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch" && !svg.contains(document.activeElement)) setActive(null);
  });
  svg.addEventListener("click", (event) => {
    const k = edgeAt(event.target);
    if (camera.wasDragged() || k === null) return setActive(camera.wasDragged() ? active : null);
    const isSecond = k === active;
    setActive(k);
    if (event.pointerType !== "touch" || isSecond) open(tree.edges[k]); // a finger cannot hover: its first tap reads
  });
  svg.addEventListener("focusout", (event) => {
    if (!svg.contains(event.relatedTarget)) setActive(null);
  });

  /** The next edge in a direction: up to the edge above, down to the first below, sideways in the same layer. */
  function neighbour(key) {
    const { edges } = tree;
    if (!edges.length) return null;
    const order = edges.map((_, k) => k).sort((a, b) => edges[b].layer - edges[a].layer || edges[a].sender - edges[b].sender);
    if (active === null) return edges.reduce((best, edge, k) => (edge.value > edges[best].value ? k : best), 0);
    const at = order.indexOf(active);
    if (key === "ArrowUp") return edges[active].parent >= 0 ? edges[active].parent : active;
    if (key === "ArrowDown") return order.find((k) => edges[k].parent === active) ?? active;
    if (key === "Home" || key === "End") return order[key === "Home" ? 0 : order.length - 1];
    return order[Math.min(order.length - 1, Math.max(0, at + (key === "ArrowLeft" ? -1 : 1)))];
  }

  svg.addEventListener("keydown", (event) => {
    if (!tree || event.altKey || event.ctrlKey || event.metaKey) return;
    const shift = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (shift && event.shiftKey) camera.pan(...shift);
    else if (event.key === "+" || event.key === "=") camera.zoom(1.25);
    else if (event.key === "-") camera.zoom(0.8);
    else if (event.key === "0") camera.fit();
    else if ((event.key === "Enter" || event.key === " ") && active !== null) open(tree.edges[active]);
    else if (shift || event.key === "Home" || event.key === "End") {
      const k = neighbour(event.key);
      if (k === null) return;
      setActive(k);
      svg.querySelector('[data-edge="' + k + '"]').focus({ preventScroll: true });
      const edge = tree.edges[k];
      camera.reveal((place.x(edge.sender) + place.x(edge.receiver)) / 2, place.y(edge.layer + 0.5));
    } else return;
    event.preventDefault();
  });

  const showMessage = (text, isError) => showSentence(message, text, isError);

  view.receive = (value) => {
    if (!value) {
      if (!view.message) showMessage("No result yet. Enter a text and press Run.");
      return invalidate();
    }
    if (value !== kept.value) {
      const parsed = parseMessage(value);
      kept.value = value;
      active = null;
      if (parsed.run !== kept.message?.run && camera.size) Object.assign(camera, { k: 1, x: 0, y: 0 });
      kept.message = parsed;
    }
    view.message = kept.message;
    const { n_finished: n, n_layers: all } = view.message;
    const done = n + " of " + all + " layers";
    showMessage(view.message.status === "running" ? "running · the tree of " + done + " so far" : n < all ? "stopped · the tree of " + done : "");
    invalidate();
  };
  view.fail = (error) => {
    const reason = error instanceof PayloadError ? error.message : "something unexpected is in it";
    showMessage("The tree could not be shown: " + reason + ".", true);
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
  let size = "";
  new ResizeObserver(() => {
    const now = root.clientWidth + "|" + (document.fullscreenElement === root ? window.innerHeight : 0);
    if (now !== size) invalidate();
    size = now;
  }).observe(root);
  document.fonts?.ready.then(invalidate);
  joinLink("tree", kept, view.change);

  root.attattr = Object.freeze({
    get state() {
      return structuredClone(view.state);
    },
    get camera() {
      return { k: camera.k, x: camera.x, y: camera.y };
    },
    get message() {
      return view.message && structuredClone(view.message);
    },
    shown: () => tree && { edges: structuredClone(tree.edges), tokens: [...tree.view.tokens], share: tree.share, root: tree.root },
  });
  return view;
}

/** Where the window stands on a picture that is wider than it. */
function createTrack() {
  const thumb = make("span");
  const node = make("div", { class: "aa-tree-track", "aria-hidden": "true", hidden: true }, thumb);
  return {
    node,
    show({ k, x, size }) {
      const whole = size.place.width * k;
      node.hidden = whole <= size.width + 1;
      thumb.style.width = (100 * size.width) / whole + "%";
      thumb.style.marginLeft = (-100 * x) / whole + "%";
    },
  };
}

function createLegend() {
  const bar = make("span", { class: "aa-legend-bar" });
  const most = make("span", { class: "aa-number" });
  return {
    node: make("span", { class: "aa-legend aa-tree-legend", "data-testid": "tree-legend" }, make("span", { class: "aa-number", text: "0" }), bar, most),
    draw(theme, tree) {
      bar.style.backgroundImage = gradientOf(theme, "head");
      most.textContent = formatAttribution(tree.limit);
    },
  };
}
