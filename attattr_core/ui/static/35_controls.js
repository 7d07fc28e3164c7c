// Settings of the pictures, and the export menu. None of them asks the server for anything but the export.

const FLOWS = [
  ["all", "all", "all entries"],
  ["A→A", "A→A", "sentence A sends, sentence A receives"],
  ["A→B", "A→B", "sentence A sends, sentence B receives"],
  ["B→A", "B→A", "sentence B sends, sentence A receives"],
  ["B→B", "B→B", "sentence B sends, sentence B receives"],
];
const FORMATS = [
  ["svg", "SVG picture"],
  ["png", "PNG picture"],
  ["pdf", "PDF picture"],
  ["json", "JSON numbers"],
  ["npz", "Result file (.npz)"],
  ["zip", "Bundle (ZIP)"],
];

/** The part of the state that an exported picture needs, layers and heads counted from 0. */
function exportedView(run, state) {
  const { layer, head, specials, words, scale, picture } = state;
  return { layer, head, flow: effectiveFlow(run, state), specials, words, scale, picture };
}

function exportMenu(view) {
  const menu = make("div", { class: "aa-popover aa-menu", "data-testid": "export-menu" });
  for (const [format, text] of FORMATS) {
    const start = () => {
      menu.hidePopover();
      const shown = exportedView(view.run, view.state);
      trigger("export", { format, run: view.run.meta.run, view: shown, link: linkWords() });
    };
    menu.append(make("button", { type: "button", text, "data-testid": "export-" + format, onclick: start }));
  }
  const button = make("button", { type: "button", class: "aa-button", text: "Export ▾", "data-testid": "export" });
  attachPopover(button, menu);
  return make("span", { class: "aa-export" }, button, menu);
}

function sentenceKey() {
  return make(
    "div",
    { class: "aa-sentence-key aa-quiet", "data-testid": "sentence-key" },
    make("span", { class: "aa-key-a", text: "sentence A" }),
    make("span", { class: "aa-key-b", text: "sentence B" }),
  );
}

function fullScreenButton(view) {
  if (!document.fullscreenEnabled) return null;
  const toggle = () => (document.fullscreenElement ? document.exitFullscreen() : view.root.requestFullscreen());
  return make("button", {
    type: "button",
    class: "aa-button",
    text: "Full screen",
    "data-testid": "full-screen",
    onclick: toggle,
  });
}

function createControls(view) {
  const set = (name) => (value) => view.change({ [name]: value });
  const picture = segmented(
    "picture",
    "picture",
    [
      ["matrix", "matrix", ""],
      ["arcs", "arcs", ""],
    ],
    set("picture"),
  );
  const flow = segmented("flow", "flow", FLOWS, set("flow"));
  const scale = segmented(
    "scale",
    "scale",
    [
      ["map", "this map", "colours reach to the largest value of the map shown"],
      ["common", "common", "colours mean the same in every head and layer"],
    ],
    set("scale"),
  );
  const size = segmented(
    "size",
    "size",
    [
      ["fit", "fit", "the whole picture at once"],
      ["readable", "zoom", "every token legible; scroll or swipe"],
    ],
    set("size"),
  );
  const specials = checkbox(
    "specials",
    "special tokens",
    "show the rows and columns of [CLS], [SEP] and the like",
    set("specials"),
  );
  const words = checkbox("words", "merge words", "add up the pieces of one word", set("words"));
  const key = sentenceKey();
  const node = make(
    "div",
    { class: "aa-controls", role: "group", "aria-label": "Picture settings", "data-testid": "controls" },
    picture.node,
    flow.node,
    scale.node,
    size.node,
    make("div", { class: "aa-checks" }, specials.node, words.node),
    key,
    make("div", { class: "aa-actions" }, fullScreenButton(view), shareMenu("share"), exportMenu(view)),
  );
  return {
    node,
    draw(run, state) {
      for (const [name, control] of Object.entries({ picture, scale, size, specials, words }))
        control.show(state[name]);
      flow.show(effectiveFlow(run, state));
      const pair = isPair(run.meta);
      flow.node.hidden = !pair;
      key.hidden = !pair;
    },
  };
}
