// A plate: title, legend and one canvas that shows a map as a matrix or as arcs. The canvas has the size of the window
// onto the picture and stays put (position: sticky) while the spacer below it scrolls, so large pictures stay cheap.

const READABLE_CELL = 14;
const PLATE_TEXT = {
  attention: {
    title: "attention",
    help:
      "Row i, column j: how much token i looks at token j; the stronger the colour, the more. " +
      "The rows of one head add up to 1, and looking at a token does not mean that it matters for the output.",
  },
  attribution: {
    title: "attribution",
    help:
      "Row i, column j: how much the connection from j to i adds to F (orange) or takes from it (blue). " +
      "In units of F: all entries of a layer together add up to F(A) − F(A′), the whole change from the baseline.",
  },
};

/** Cuts a label to a width in the font set on `context`. */
function fitText(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  const letters = Array.from(text);
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(letters.slice(0, middle).join("") + "…").width <= width) low = middle;
    else high = middle - 1;
  }
  return letters.slice(0, low).join("") + "…";
}

/** Widths and shortened texts of all labels; the font is left set. */
function measureLabels(frame, fontSize, cap) {
  const { context, theme, shown } = frame;
  const font = fontSize + "px " + theme.mono;
  context.font = font;
  const key = font + "|" + Math.round(cap);
  const groups = shown.groups;
  if (!groups.measured || groups.measured.key !== key) {
    const texts = groups.labels.map((text) => fitText(context, text, cap));
    const widths = texts.map((text) => context.measureText(text).width);
    groups.measured = { key, texts, widths, widest: Math.max(...widths, 8) };
  }
  return groups.measured;
}

/** Draws one label at the origin and underlines it by its sentence: A solid, B dashed. */
function drawLabel(frame, measured, index, fontSize, align, strong) {
  const { context, theme, shown, pair } = frame;
  const width = measured.widths[index];
  const start = align === "right" ? -width : 0;
  const sentence = shown.groups.sentences[index];
  if (strong) {
    context.fillStyle = rgb(theme.surface, 0);
    context.fillRect(start - 2, -fontSize / 2 - 2, width + 4, fontSize + 5);
  }
  if (shown.groups.inserted?.[index]) {
    context.strokeStyle = theme.inserted;
    context.lineWidth = 1;
    context.strokeRect(start - 2.5, -fontSize / 2 - 1.5, width + 5, fontSize + 3);
  }
  context.font = (strong ? "bold " : "") + fontSize + "px " + theme.mono;
  context.fillStyle = sentence < 0 && !strong ? theme.quiet : theme.text;
  context.textAlign = align;
  context.textBaseline = "middle";
  context.fillText(measured.texts[index], 0, 0.5, width + 1);
  if (!pair || sentence < 0) return;
  context.strokeStyle = sentence === 0 ? theme.senderA : theme.senderB;
  const below = fontSize / 2 + (fontSize > 10 ? 1.25 : 0.5);
  context.lineWidth = fontSize > 10 ? 1.5 : 1;
  context.setLineDash(sentence === 0 ? [] : [3, 2]);
  context.beginPath();
  context.moveTo(start, below);
  context.lineTo(start + width, below);
  context.stroke();
  context.setLineDash([]);
}

/** What a screen reader says of a picture: what it is, its strongest entry, and the keys. */
function describePlate(title, kind, shown) {
  const what = title + " of " + headName(shown.layer, shown.head) + ", " + shown.n + " tokens. ";
  const [at] = strongestOf(shown[kind], shown.positions, 1);
  const { labels } = shown.groups;
  const write = kind === "attention" ? formatAttention : formatAttribution;
  const strongest =
    at === undefined
      ? "All entries are 0. "
      : "Strongest: " + labels[Math.floor(at / shown.n)] + " receives from " + labels[at % shown.n] + ", " + write(shown[kind][at]) + ". ";
  return what + strongest + "Arrow keys move, Enter pins, Escape unpins.";
}

function legendNode(kind, name) {
  const marks = kind === "attention" ? ["low", "high"] : ["low", "zero", "high"];
  const numbers = Object.fromEntries(marks.map((name) => [name, make("span", { class: "aa-number" })]));
  const bar = make("span", { class: "aa-legend-bar" });
  const scale = make(
    "span",
    { class: "aa-legend-scale" },
    bar,
    make("span", { class: "aa-legend-numbers" }, ...Object.values(numbers)),
  );
  return {
    node: make("div", { class: "aa-legend aa-legend-plate", "data-testid": "legend-" + name }, scale),
    draw(theme, limit) {
      bar.style.backgroundImage = gradientOf(theme, kind);
      numbers.high.textContent = kind === "attention" ? formatAttention(limit) : formatAttribution(limit);
      numbers.low.textContent = kind === "attention" ? "0" : formatAttribution(-limit);
      if (numbers.zero) numbers.zero.textContent = limit > 0 ? "0" : "";
    },
  };
}

/** A plate of attention or attribution; `name` ends its test ids, `words` are its title and its "?". */
function createPlate(view, kind, { name = kind, words = PLATE_TEXT[kind] } = {}) {
  const canvas = make("canvas", { class: "aa-canvas", tabindex: "0", role: "img", "data-testid": "plate-" + name });
  const context = canvas.getContext("2d");
  const spacer = make("div", { class: "aa-spacer" }, canvas);
  const scroll = make("div", { class: "aa-scroll", tabindex: "-1" }, spacer);
  const legend = legendNode(kind, name);
  const head = make(
    "figcaption",
    { class: "aa-panel-head" },
    make("h2", { text: words.title }),
    helpButton(name, "this picture", words.help),
    legend.node,
  );
  const node = make("figure", { class: "aa-plate", "data-testid": "figure-" + name }, head, scroll);
  let frame = null;
  let geometry = null;

  const pictureOf = (state) => (state.picture === "arcs" ? arcsPicture : matrixPicture);

  function resize(state) {
    const readable = state.size === "readable";
    scroll.classList.toggle("aa-scrolls", readable);
    geometry = pictureOf(state).layout(frame, readable);
    scroll.style.height = geometry.viewHeight + "px";
    spacer.style.width = geometry.contentWidth + "px";
    spacer.style.height = geometry.contentHeight + "px";
    frame.width = readable ? scroll.clientWidth : Math.min(scroll.clientWidth, Math.ceil(geometry.contentWidth));
    frame.height = readable ? scroll.clientHeight : geometry.viewHeight;
    const [deviceWidth, deviceHeight] = [frame.width, frame.height].map((length) => Math.round(length * frame.ratio));
    if (canvas.width !== deviceWidth || canvas.height !== deviceHeight) {
      canvas.width = deviceWidth;
      canvas.height = deviceHeight;
      canvas.style.width = frame.width + "px";
      canvas.style.height = frame.height + "px";
    }
  }

  function paint() {
    if (!frame || !geometry) return;
    frame.hover = view.hover;
    frame.pin = view.shownPin();
    frame.scrollX = scroll.scrollLeft;
    frame.scrollY = scroll.scrollTop;
    context.setTransform(frame.ratio, 0, 0, frame.ratio, 0, 0);
    context.clearRect(0, 0, frame.width, frame.height);
    pictureOf(view.state).paint(frame, geometry);
  }

  const hit = (event) =>
    frame && geometry ? pictureOf(view.state).hit(frame, geometry, event.offsetX, event.offsetY) : null;

  function keyDown(event) {
    if (!frame) return;
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const from = view.hover || view.shownPin() || { row: 0, column: 0 };
    const at = { row: from.row ?? 0, column: from.column ?? 0 };
    if (step) {
      const inside = (k) => Math.min(frame.shown.n - 1, Math.max(0, k));
      const next = view.hover ? { row: inside(at.row + step[0]), column: inside(at.column + step[1]) } : at;
      pictureOf(view.state).reveal?.(frame, geometry, scroll, next);
      view.setHover(next);
    } else if (event.key === "Enter" || event.key === " ") view.togglePin(at);
    else return;
    event.preventDefault();
  }

  canvas.addEventListener("pointermove", (event) => view.setHover(hit(event)));
  canvas.addEventListener("pointerleave", () => view.setHover(null));
  canvas.addEventListener("blur", () => view.setHover(null));
  canvas.addEventListener("click", (event) => view.togglePin(hit(event)));
  canvas.addEventListener("keydown", keyDown);
  scroll.addEventListener("scroll", () => {
    view.followScroll(scroll);
    paint();
  });

  return {
    node,
    scroll,
    paint,
    focus: () => canvas.focus({ preventScroll: true }),
    draw(run, state, theme, shown) {
      const available = scroll.clientWidth;
      if (available === 0) return;
      frame = {
        context,
        theme,
        shown,
        kind,
        run,
        pair: isPair(run.meta),
        ratio: window.devicePixelRatio || 1,
        available,
        cache: frame?.cache || {},
      };
      legend.draw(theme, shown.limits[kind]);
      canvas.setAttribute("aria-label", describePlate(words.title, kind, shown));
      resize(state);
      paint();
    },
    clear() {
      frame = null;
      geometry = null;
    },
  };
}
