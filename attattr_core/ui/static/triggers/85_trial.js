// One's own text: words put into it, the prediction before and after, and what changed inside.

const TRIAL_FORMATS = [
  ["svg", "SVG picture"],
  ["png", "PNG picture"],
  ["pdf", "PDF picture"],
  ["json", "JSON numbers"],
  ["csv", "CSV table"],
];

const EARLIER_CHARACTERS = 80;

function createTrial(root) {
  let message = null;
  let waiting = false;
  let reason = ""; // why the last comparison was refused
  const placing = createPlacing(() => {
    reason = "";
    say();
  });
  const field = make("input", { type: "text", class: "aa-field", maxlength: "80", placeholder: "words of your own", "aria-label": "Words of your own", "data-testid": "trial-own" });
  const plain = (name, text, act) => make("button", { type: "button", class: "aa-button", text, "data-testid": "trial-" + name, onclick: act });
  const add = plain("add", "Add", addWords);
  const follow = plain("follow", "Use the picked trigger", () => placing.follow(pickedTrigger()));
  const clear = plain("clear", "Remove all", () => placing.clear());
  const run = plain("run", "Compare", start);
  run.classList.add("aa-button-main");
  const stop = plain("stop", "Stop", () => trigger("stop_compare"));
  const words = make("span", { class: "aa-quiet", role: "status", "data-testid": "trial-progress" });
  const outcome = createOutcome();
  const difference = createDifference((which, tab) => trigger("open_result", { run: message?.run, which, tab }));
  const note = make("p", { class: "aa-quiet", "data-testid": "trial-note" });
  const outdated = make("p", { class: "aa-notice", role: "note", "data-testid": "trial-outdated", hidden: true });
  const refused = make("p", { class: "aa-notice", role: "alert", "data-testid": "trial-refused", hidden: true });
  const result = make("div", {}, outcome.node, note, difference.node);
  const exports = exportMenu("trial", TRIAL_FORMATS, (format) => trigger("export_trial", { run: message?.run, format, ...difference.selection() }));
  const panel = make(
    "section",
    { class: "aa-panel", "aria-label": "Try it on your text" },
    make(
      "header",
      { class: "aa-panel-head" },
      make("h2", { text: "try it on your text" }),
      helpButton(
        "trial",
        "this part",
        "The text of the header with the picked trigger in it, its tokens as words at the nearest gap; click a word and then " +
          "a gap to move it, or add words of your own. Compare attributes the text as it is and with the words, for the " +
          "same label, and shows the prediction and the connections that changed.",
      ),
      exports,
    ),
    placing.node,
    make("div", { class: "aa-trial-tools" }, make("span", { class: "aa-trial-add" }, field, add), follow, clear, make("span", { class: "aa-trial-run" }, run, stop, words)),
    refused,
    outdated,
    result,
  );
  root.replaceChildren(panel);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") addWords();
  });

  function addWords() {
    for (const word of wordsOf(field.value)) placing.add(word);
    field.value = "";
    field.focus();
  }

  function start() {
    waiting = true;
    reason = "";
    triggersKept.asked = askedNow();
    say();
    trigger("compare", { insertions: placing.insertions() });
  }

  const askedNow = () => ({ texts: headerTexts(), insertions: placing.insertions() });

  /** What the shown comparison is of, where the header's text or the words are others by now; else null. */
  function findEarlier() {
    const { run: compared, asked } = triggersKept.compared || {};
    return message?.before && compared === message.run && JSON.stringify(asked) !== JSON.stringify(askedNow()) ? asked : null;
  }

  function sayEarlier() {
    const earlier = findEarlier();
    outdated.hidden = !earlier;
    result.classList.toggle("aa-outdated", Boolean(earlier));
    if (!earlier) return;
    const text = earlier.texts.filter(Boolean).join(" / ");
    const start = text.length > EARLIER_CHARACTERS ? text.slice(0, EARLIER_CHARACTERS) + " …" : text;
    const added = earlier.insertions.map(({ word }) => word).join(" ");
    const what = JSON.stringify(earlier.texts) === JSON.stringify(headerTexts()) ? "Of other words or places" : "Of an earlier text";
    outdated.replaceChildren(what + ": “", make("bdi", { text: start }), "” with “", make("bdi", { text: added }), "”; press Compare again.");
  }

  function say() {
    const running = waiting || message?.status === "running";
    const n = placing.insertions().length;
    const isEmpty = !headerTexts()[0];
    run.disabled = running || !n || isEmpty;
    sayEarlier();
    refused.textContent = reason;
    refused.hidden = !reason;
    stop.hidden = !running;
    clear.hidden = !n;
    follow.hidden = !pickedTrigger() || !placing.isOwn();
    const count = message?.n_total ? message.n_done + " of " + message.n_total + " layers" : "";
    words.textContent = running ? (message?.status === "running" ? count : "starting …") : message?.status === "stopped" ? "stopped" + (count ? " · " + count : "") : "";
    if (!running && isEmpty) words.textContent = "Sentence A is empty: type one above.";
    else if (!running && !n) words.textContent = "Pick a trigger above, or add words.";
    exports.hidden = !message?.maps || !outdated.hidden;
    const summed = longTextNote(message);
    note.textContent = [message?.notice, summed].filter(Boolean).join(" ");
  }

  function refresh() {
    const [a, b] = headerTexts().map(wordsOf);
    reason = "";
    placing.show([a, b.length ? b : null]);
    if (!placing.isOwn()) placing.follow(pickedTrigger());
    say();
  }

  const listen = () => (root.isConnected ? refresh() : triggersKept.listeners.delete(listen));
  triggersKept.listeners.add(listen);
  const followTexts = () => (root.isConnected ? refresh() : window.removeEventListener("attattr-texts", followTexts));
  window.addEventListener("attattr-texts", followTexts);
  refresh();

  return {
    redraw: () => difference.redraw(),
    receive(value) {
      if (value) {
        const next = parseVersioned(value);
        waiting = false;
        reason = next.reason || "";
        if (next.status !== "refused") message = next;
        else if (message?.status === "running") message = { ...message, status: "stopped" };
        if (next.run && next.run !== triggersKept.compared?.run) triggersKept.compared = { run: next.run, asked: triggersKept.asked };
      } else {
        waiting = false;
        reason = "";
        message = null; // another checkpoint
      }
      outcome.draw(message);
      difference.receive(message);
      say();
    },
    fail(error) {
      waiting = false;
      words.textContent = "The comparison could not be shown.";
      console.warn(error);
    },
    shown: () => message && { ...message, maps: undefined, plates: difference.shown() },
    picked: () => placing.insertions(),
  };
}

/** The header's texts; one of blanks alone is "". */
const headerTexts = () => (window.__attattr.texts || ["", ""]).map((text) => (String(text ?? "").trim() ? String(text) : ""));

/** The row that is picked in the table, which another component draws. */
const pickedTrigger = () => triggersKept.current || null;
