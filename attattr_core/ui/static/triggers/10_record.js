// What the parts of the tab share, and what outlives them: Gradio builds a tab's components anew when it is opened.

window.__attattr ||= {};
window.__attattr.triggers ||= {
  mode: null,
  picked: {},
  chosen: {},
  sort: null,
  hide: false,
  measure: "accuracy",
  listeners: new Set(),
  /** What the page's address says; an order is a column, from its largest value down unless "-up" follows. */
  get state() {
    const { mode, sort, hide, measure } = this;
    return { mode, sort: sort && sort.by + (sort.down ? "" : "-up"), hide, measure };
  },
};
const triggersKept = window.__attattr.triggers;

function takeTriggersState({ mode, sort, hide, measure }) {
  const [, by, up] = sort?.match(/^(.*?)(-up)?$/) ?? [];
  Object.assign(triggersKept, { mode, hide, measure, sort: by ? { by, down: !up } : null });
}

/** What `attattr_core.triggers.tables.find_verdict` says, and the class that marks it. */
const VERDICTS = { "more than chance": "beats", "no more than chance": "no" };
const verdictNode = (verdict, isFew) => make("span", { class: "aa-verdict-" + VERDICTS[verdict], text: verdict + (isFew ? " (few examples)" : "") });

const MODES = {
  paper: "the authors' way: the two strongest entries of each example's strongest head",
  pooled: "tokens that are strong in many examples, kept by what they do to held-out ones",
};

/** Parses a message to the triggers view; null for the invitation of an empty tab. */
function parseTriggers(text) {
  const message = parseVersioned(text);
  if (typeof message.mined !== "object" || message.mined === null) throw new PayloadError("it holds no triggers");
  for (const mined of Object.values(message.mined)) {
    if (!Array.isArray(mined.rows) || !Array.isArray(mined.labels)) throw new PayloadError("its triggers are damaged");
  }
  return message;
}

/** The group of triggers that is shown, or null. */
function shownMined(message) {
  if (!message) return null;
  const modes = Object.keys(message.mined);
  if (!modes.length) return null;
  return message.mined[modes.includes(triggersKept.mode) ? triggersKept.mode : modes[0]];
}

const shownMode = (message) => Object.keys(message.mined).find((mode) => message.mined[mode] === shownMined(message));

/** What marks a row over all messages of a page: its tokens and places. */
const rowKey = (row) => row.tokens.map((part) => [part.token, part.sentence, part.place.toFixed(4)].join(" ")).join("|") + row.label;

const isLoaded = (row) => row.tokens.some((part) => part.loaded);

function pickedRow(message) {
  const mined = shownMined(message);
  if (!mined) return null;
  const key = triggersKept.picked[shownMode(message)];
  return mined.rows.find((row) => rowKey(row) === key) || null;
}

const nameOf = (labels, k) => String(labels[k] ?? "class " + k);

const tokensText = (row) => row.tokens.map((part) => part.token).join(" ");

/** Share as a percentage without decimals; "–" where there is none. */
const percent = (share) => (share === null || share === undefined ? "–" : Math.round(share * 100) + " %");

const meanOfList = (values) => {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
};
