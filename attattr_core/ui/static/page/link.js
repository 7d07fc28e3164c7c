// The address of the page says what is shown: checkpoint, label, convention, tab, fields of the tabs, label names of the
// visitor's own, and how the views look at their results.
// It never says the text by itself: that stands in a copied link where it was asked for, behind "#", which no browser
// sends. The value is JSON from Python: {fields, values, query, run, start, note}; addresses come from strangers, so that
// everything read from one is checked here or by Python, and set as text.

const box = element.querySelector(".aa-status");
const { fields: FIELDS } = JSON.parse(props.value); // names of the fields, with what they hold at first
const MAX_FRAGMENT = 8000;
const MAX_WORD = 200;
const MAX_LABELS = 1000;
const REST = 400; // milliseconds between two changes of the address: browsers count them

const oneOf = (...names) => (text) => (names.includes(text) ? text : undefined);
const numberIn = (least, most) => (text) => (/^\d+(\.\d+)?$/.test(text) && Number(text) >= least && Number(text) <= most ? Number(text) : undefined);
const wholeIn = (least, most) => (text) => (/^\d+$/.test(text) ? numberIn(least, most)(text) : undefined);
const place = (text) => wholeIn(1, 64)(text);
const yesNo = (text) => (text === "1" ? true : text === "0" ? false : undefined);
const anyWord = (text) => text || undefined;
const METHODS = ["attattr", "taylor", "taylor-authors", "ablation", "attention", "random"];
/** Lines that are switched off. */
const readHidden = (text) => Object.fromEntries(text.split(",").filter((name) => METHODS.includes(name)).map((name) => [name, true]));
const writeHidden = (hidden) => Object.keys(hidden).filter((name) => hidden[name]).join(",");
const COLUMNS = ["strength", "label", "success", "random"].flatMap((name) => [name, name + "-up"]);
const arrow = (text) => oneOf("all", "A→A", "A→B", "B→A", "B→B")(text.replace("-", "→"));

/** Words for values of a view's state: [name, key of the state, reading, what it is at first, writing]. */
const WORDS = {
  heatmaps: [
    ["picture", "picture", oneOf("matrix", "arcs"), "matrix"],
    ["flow", "flow", arrow, "all", (value) => value.replace("→", "-")],
    ["scale", "scale", oneOf("map", "common"), "map"],
    ["size", "size", oneOf("fit", "readable"), "fit"],
    ["specials", "specials", yesNo, true],
    ["words", "words", yesNo, true],
    ["lists", "lists", oneOf("map", "all"), "map"],
  ],
  tree: [
    ["tree", "mode", oneOf("flow", "paper"), "flow"],
    ["threshold", "threshold", numberIn(0, 1), 0],
    ["tau", "tau", numberIn(0, 1), 0.4],
    ["tree-words", "words", yesNo, true],
  ],
  heads: [
    ["method", "method", oneOf(...METHODS), "attattr"],
    ["order", "direction", oneOf("least-first", "most-first"), "least-first"],
    ["pruned", "n", wholeIn(0, 4096), null],
    ["colour", "colour", oneOf("value", "rank"), "value"],
    ["bands", "bands", oneOf("chosen", "all"), "chosen"],
    ["hidden", "hidden", readHidden, {}, writeHidden],
    ["layerwise", "layerwise", oneOf("least-first", "most-first"), "least-first"],
    ["across", "x", anyWord, null],
    ["upward", "y", anyWord, null],
    ["axes", "axes", oneOf("value", "rank"), "value"],
  ],
  triggers: [
    ["mined", "mode", oneOf("paper", "pooled"), null],
    ["sort", "sort", oneOf(...COLUMNS), null],
    ["hide", "hide", yesNo, false],
    ["measure", "measure", oneOf("accuracy", "success"), "accuracy"],
  ],
};
const EDGES = { flow: 16, paper: 100 };
const TABS = ["heatmaps", "tree", "heads", "triggers", "about"];
const NAMES = new Set([...FIELDS.map(([name]) => name), "labels", "tab", "layer", "head", "edges", ...Object.values(WORDS).flat().map(([name]) => name)]);
const plain = (value) => (value === true ? "1" : value === false ? "0" : String(value ?? "")); // lists with commas

/** The state of a view that words ask for, whole: what is not named is as at first. */
function readState(view, words) {
  const state = {};
  for (const [name, key, read, first] of WORDS[view]) state[key] = read(words[name] ?? "") ?? first;
  if (view === "tree") state.edges = { ...EDGES, [state.mode]: wholeIn(1, 100)(words.edges ?? "") ?? EDGES[state.mode] };
  if (view !== "heatmaps") return state;
  const [layer, head] = [place(words.layer ?? ""), place(words.head ?? "")];
  const isNamed = layer !== undefined && (head !== undefined || words.head === "sum");
  return { ...state, chosen: isNamed, ...(isNamed ? { layer: layer - 1, head: head === undefined ? null : head - 1 } : {}) };
}

/** The words for the state of a view; `isExact` names the head even where nobody chose it. */
function writeState(view, state, isExact) {
  const words = {};
  for (const [name, key, , first, write = plain] of WORDS[view])
    if (state[key] !== undefined && state[key] !== first) words[name] = write(state[key]);
  for (const [name, value] of Object.entries(words)) if (value === "" || value.length > MAX_WORD) delete words[name];
  if (view === "tree" && state.edges && state.edges[state.mode] !== EDGES[state.mode]) words.edges = plain(state.edges[state.mode]);
  if (view === "heatmaps" && state.layer !== undefined && (state.chosen || isExact))
    Object.assign(words, { layer: plain(state.layer + 1), head: state.head === null ? "sum" : plain(state.head + 1) });
  return words;
}

function readAddress() {
  const words = {};
  for (const [name, value] of new URLSearchParams(location.search))
    if (NAMES.has(name) && value.length <= (name === "labels" ? MAX_LABELS : MAX_WORD)) words[name] = value;
  const fragment = new URLSearchParams(location.hash.slice(1));
  return { words, text: fragment.get("text"), pair: fragment.get("pair") };
}

function createLink() {
  const values = Object.fromEntries(FIELDS); // of the fields
  let labels = ""; // names that the visitor gave the classes, one a line
  let before = {}; // the same, before an address asked for others
  const waiting = {}; // states of views that are not on the page yet
  let tab = "heatmaps";
  let timer = null;
  let noted = null; // the result that was shown when the note came

  const views = () => (window.__attattr ||= {});

  function words(isExact = false) {
    const found = {};
    for (const [name, first] of FIELDS) if (values[name] !== first && values[name] !== "") found[name] = values[name];
    if (labels && labels.length <= MAX_LABELS) found.labels = labels;
    if (tab !== "heatmaps") found.tab = tab;
    for (const view of Object.keys(WORDS)) Object.assign(found, writeState(view, views()[view]?.state ?? waiting[view] ?? {}, isExact));
    return isExact || Object.keys(found).length ? { [FIELDS[0][0]]: values[FIELDS[0][0]], ...found } : found;
  }

  function writeAddress() {
    timer = null;
    const query = new URLSearchParams(location.search);
    for (const name of NAMES) query.delete(name);
    for (const [name, value] of Object.entries(words())) query.set(name, value);
    const address = location.pathname + (query.size ? "?" + query : "");
    if (address !== location.pathname + location.search) history.replaceState(history.state, "", address + location.hash);
    settleNote();
  }

  /** Shows a sentence until another result comes; with `isStart`, until one comes after that which is started now. */
  function note(sentence, isStart = false) {
    box.textContent = sentence;
    box.hidden = !sentence;
    noted = isStart ? null : views().heatmaps?.run?.id;
  }

  function settleNote() {
    const run = views().heatmaps?.run?.id;
    if (box.hidden || run === noted) return;
    if (noted !== null) note("");
    else if (run !== "first") noted = run;
  }

  /** Has the views show what words say; a head is for the result of that run, or for whatever is run next. */
  function apply(asked, run) {
    for (const view of Object.keys(WORDS)) {
      const state = readState(view, asked);
      const kept = views()[view];
      if (kept?.restore) kept.restore(state, run);
      else waiting[view] = state;
    }
  }

  const link = {
    /** A view that has come to the page asks what it is to show; null where nothing is asked for. */
    take(view) {
      const state = waiting[view] ?? null;
      delete waiting[view];
      return state;
    },

    /** Something on the page has changed. */
    changed() {
      timer ??= setTimeout(writeAddress, REST);
    },

    /** Fields of a part of the page, which begin at the place `start` of all. */
    setFields(given, start) {
      given.forEach((value, k) => (values[FIELDS[start + k][0]] = plain(value)));
      link.changed();
    },

    setLabels(names) {
      labels = names.join("\n");
      link.changed();
    },

    setTab(name) {
      tab = name;
      link.changed();
    },

    /** What a bundle says about the view; its result has the label names. */
    words() {
      const { labels: own, ...found } = words(true);
      return found;
    },

    /** Copies a link; gives a sentence, and the link where the browser does not let it be copied. */
    async copy(hasText) {
      const query = new URLSearchParams(words(true));
      if (!views().heatmaps?.state.chosen) for (const name of ["layer", "head"]) query.delete(name);
      const [text, pair] = ["text", "pair"].map((id) => document.querySelector("#" + id + " textarea")?.value ?? "");
      const fragment = hasText ? "#" + new URLSearchParams(pair ? { text, pair } : { text }) : "";
      if (fragment.length > MAX_FRAGMENT)
        return { sentence: "With this text the link has " + fragment.length.toLocaleString("en") + " characters, and up to " + MAX_FRAGMENT.toLocaleString("en") + " are taken: export a bundle instead." };
      const address = location.origin + location.pathname + "?" + query + fragment;
      try {
        await navigator.clipboard.writeText(address);
        return { sentence: hasText ? "Copied, with the text above." : "Copied, without the text." };
      } catch {
        return { sentence: "Copy it from here:", address };
      }
    },
  };

  /** Takes up what stands in the address; a text is taken out of it, so that nobody passes it on unknowingly. */
  function open() {
    const { words: asked, text, pair } = readAddress();
    const hasText = text !== null || pair !== null;
    if (!hasText && !Object.keys(asked).length) return;
    if (hasText) history.replaceState(history.state, "", location.pathname + location.search);
    apply(asked, null);
    // Until Python has answered, the address stays as it came.
    before = { ...values };
    for (const [name] of FIELDS) values[name] = asked[name] ?? values[name];
    labels = asked.labels ?? labels;
    tab = TABS.includes(asked.tab) ? asked.tab : tab;
    trigger("restore", { query: asked, text, pair, may_start: window.top === window });
  }

  function whenVisible(act) {
    if (!document.hidden) return act();
    document.addEventListener("visibilitychange", () => whenVisible(act), { once: true });
  }

  watch("value", () => {
    const message = JSON.parse(props.value);
    Object.assign(values, before, message.values);
    if (message.query) apply(message.query, message.run);
    note(message.note ?? "", message.start);
    if (message.start) whenVisible(() => document.querySelector("#run")?.click());
  });
  window.addEventListener("hashchange", () => /[#&](text|pair)=/.test(location.hash) && open());
  setTimeout(open);
  return link;
}

window.__attattr ||= {};
window.__attattr.link = createLink();
