// The view of triggers as a whole: table on the left, results on the right.

const EMPTY = "No triggers of this checkpoint yet. Mine some on labelled data below, or open a trigger file.";

const TABLE_FORMATS = [
  ["json", "JSON list"],
  ["csv", "CSV table"],
];

function createTriggers(root) {
  let message = null;
  const notice = make("p", { class: "aa-message", "data-testid": "triggers-message" });
  const source = make("p", { class: "aa-quiet", "data-testid": "triggers-source" });
  const notices = make("p", { class: "aa-notice", role: "note", "data-testid": "triggers-notices" });
  const progress = createWorkProgress();
  const modes = make("span", { hidden: true });
  let mode = null;
  const hide = checkbox("triggers-hide", "hide words that carry a label", "such as “awful” or “not”: a trigger made of them is no discovery", (value) => {
    triggersKept.hide = value;
    keepPick();
    redraw();
    announce();
    tellLink();
  });
  const measure = segmented("triggers-measure", "show", [["accuracy", "accuracy", MEASURES.accuracy], ["success", "flips", MEASURES.success]], (value) => {
    triggersKept.measure = value;
    redraw();
    tellLink();
  });
  const table = createTriggerTable(pick);
  const count = make("span", { class: "aa-quiet", "data-testid": "triggers-count" });
  const saveTable = exportMenu("table", TABLE_FORMATS, (format) => trigger("export_triggers", { run: message?.run, format, mode: shownMode(message), what: "table" }));
  const left = make(
    "section",
    { class: "aa-panel", "aria-label": "Triggers" },
    make(
      "header",
      { class: "aa-panel-head" },
      make("h2", { text: "triggers" }),
      helpButton(
        "triggers",
        "this table",
        "Each row is a pattern that attribution found in one example: the tokens at both ends of the two strongest " +
          "connections of its strongest head, to be put at the same relative places into other texts. “flips” is how many " +
          "examples it turns wrong, and “random” how many as many random tokens turn at the same places; only a trigger that " +
          "is clearly above that is one.",
      ),
      count,
      saveTable,
    ),
    make("div", { class: "aa-trigger-filters" }, modes, hide.node),
    table.node,
  );
  const bars = createBars("bars");
  const transfer = createBars("transfer-bars");
  const picked = make("span", { class: "aa-picked", "data-testid": "triggers-picked" });
  const numbers = createTable("triggers-bars");
  const exports = exportMenu("triggers", FORMATS, (format) => trigger("export_triggers", { run: message?.run, format, mode: shownMode(message), row: rowAt(), measure: triggersKept.measure }));
  const right = make(
    "section",
    { class: "aa-panel aa-results", "aria-label": "What the picked trigger does" },
    make(
      "header",
      { class: "aa-panel-head" },
      make("h2", { text: "what it does" }),
      helpButton(
        "bars",
        "these bars",
        "Accuracy on the examples of each gold class before, with this trigger in every example, with as many random tokens " +
          "at the same places, and with its own tokens shuffled among them. Thin lines are 95 % intervals, for the two " +
          "controls the range of their draws. Bars count all examples. The sentence above them counts every second one of a " +
          "class, which did not choose the best triggers: more than chance is where the lower end of the 95 % interval of the " +
          "flips lies above every random draw.",
      ),
      exports,
    ),
    make("div", { class: "aa-trigger-filters" }, picked, measure.node),
    make("div", { class: "aa-bars-row" }, bars.node, transfer.node),
    numbers.node,
  );
  const best = createBest((row) => pick(row, true), (format) => trigger("export_triggers", { run: message?.run, format, mode: shownMode(message), picture: "best" }));
  const flips = createFlips((row, flip) => {
    document.querySelector("[data-kind=trial]")?.scrollIntoView({ block: "center" });
    trigger("use_flip", { run: message.run, mode: shownMode(message), row: shownMined(message).rows.indexOf(row), index: flip.index });
  });
  for (const part of [best, flips]) part.node.classList.add("aa-trigger-wide");
  const body = make("div", { class: "aa-trigger-body" }, left, right, best.node, flips.node);
  const back = make("button", { type: "button", class: "aa-button", text: "Back to the result that comes with the checkpoint", "data-testid": "triggers-shipped", onclick: () => trigger("show_shipped") });
  root.replaceChildren(notice, progress.node, make("div", { class: "aa-source-line" }, source, back), notices, body);

  const rowAt = () => shownMined(message)?.rows.indexOf(pickedRow(message)) ?? -1;

  function announce() {
    triggersKept.current = pickedRow(message);
    for (const listener of triggersKept.listeners) listener();
  }

  function pick(row, reveal) {
    triggersKept.chosen[shownMode(message)] = true;
    triggersKept.picked[shownMode(message)] = rowKey(row);
    redraw();
    if (reveal) table.node.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
    announce();
  }

  /** Keeps a row picked that is shown: when there is no other, the first one of the table that has controls beside it. */
  function keepPick() {
    const mined = shownMined(message);
    if (!mined) return;
    table.draw(message, mined, redraw);
    const row = pickedRow(message);
    const first = table.rows().find((one) => one.study?.controls.random) ?? table.rows()[0];
    if (first && (!row || !triggersKept.chosen[shownMode(message)] || !table.rows().includes(row))) triggersKept.picked[shownMode(message)] = rowKey(first);
  }

  function drawModes(names) {
    modes.hidden = names.length < 2;
    if (mode?.names !== names.join()) {
      const choose = (value) => {
        triggersKept.mode = value;
        trigger("select_mode", { mode: value });
        keepPick();
        redraw();
        announce();
        tellLink();
      };
      mode = segmented("triggers-mode", "mined", names.map((name) => [name, name, MODES[name] || ""]), choose);
      mode.names = names.join();
      modes.replaceChildren(mode.node);
    }
    mode.show(shownMode(message));
  }

  function redraw() {
    const mined = shownMined(message);
    body.hidden = source.hidden = !mined?.rows.length;
    if (!mined) back.hidden = true;
    notices.textContent = mined?.notices.join(" ") ?? "";
    notices.hidden = !notices.textContent;
    if (body.hidden || !root.clientWidth) return;
    drawModes(Object.keys(message.mined));
    hide.show(triggersKept.hide);
    measure.show(triggersKept.measure);
    table.draw(message, mined, redraw);
    const shown = table.rows().length;
    count.textContent = shown === mined.rows.length ? String(shown) : shown + " of " + mined.rows.length;
    back.hidden = message.status === "running" || !message.has_shipped || Object.values(message.mined).every((group) => group.origin === "precomputed");
    source.replaceChildren(...sourceParts(message, mined));
    const row = pickedRow(message);
    picked.replaceChildren(...(row ? [chipsOf(row)] : []));
    right.hidden = !row || !mined.study;
    body.classList.toggle("aa-trigger-alone", right.hidden);
    const on = (study) => ["on ", make("bdi", { class: "aa-token", text: study.model }), make("span", { class: "aa-quiet", text: " · " + study.n + " examples of " + study.data })];
    bars.draw(right.hidden ? null : mined.study, row?.study, triggersKept.measure, mined.study ? on(mined.study) : [], message.status === "running");
    transfer.draw(right.hidden ? null : mined.transfer, row?.transfer, triggersKept.measure, mined.transfer ? on(mined.transfer) : [], message.status === "running");
    drawNumbers(numbers, mined, row);
    best.draw(mined);
    flips.draw(mined, row);
  }

  joinLink("triggers", triggersKept, (state) => {
    takeTriggersState(state);
    if (state.mode) trigger("select_mode", { mode: state.mode });
    keepPick();
    redraw();
    announce();
  });

  return {
    redraw,
    receive(value) {
      let next = value ? parseTriggers(value) : null;
      if (next && next.moment < (triggersKept.latest?.moment ?? 0)) next = triggersKept.latest; // the rest of work that was left behind
      triggersKept.latest = next ?? triggersKept.latest;
      if (message && next && !sameTriggers(message, next)) triggersKept.chosen = {}; // another list: its first row
      message = next;
      const mined = shownMined(message);
      showSentence(notice, mined?.rows.length || message?.status === "running" ? "" : EMPTY);
      notice.classList.toggle("aa-empty", !notice.hidden);
      progress.show(message);
      keepPick();
      redraw();
      announce();
    },
    fail(error) {
      showSentence(notice, "The triggers could not be shown: " + (error instanceof PayloadError ? error.message : "something unexpected is in them") + ".", true);
      if (!(error instanceof PayloadError)) console.warn(error);
    },
    shown: () => message,
    picked: () => pickedRow(message),
  };
}

/** Whether two messages show triggers of the same checkpoint and file or data. */
function sameTriggers(one, other) {
  const name = (message) => JSON.stringify(Object.values(message.mined).map((group) => [group.model, group.origin, group.data, group.file]));
  return name(one) === name(other);
}

/** Where the triggers come from, and what they were evaluated on. */
function sourceParts(message, mined) {
  const text = (value) => make("bdi", { text: value });
  const parts = ["Mined on "];
  const isMining = message.status === "running" && message.progress?.what === "mining" && message.mode === shownMode(message);
  const wanted = mined.n_wanted ? " of " + mined.n_wanted : "";
  if (mined.n) parts.push(mined.n + wanted + (wanted && !isMining ? " examples (stopped) of " : " examples of "));
  parts.push(text(mined.data || "data that the file does not name"));
  if (mined.model) parts.push(" with ", text(mined.model), mined.revision ? " @ " + String(mined.revision).slice(0, 10) : "");
  if (mined.study) parts.push("; evaluated on " + mined.study.n + " examples of ", text(mined.study.data), mined.study.model !== mined.model ? " with " : "", mined.study.model !== mined.model ? text(mined.study.model) : "");
  const origin = { precomputed: "computed beforehand", opened: "opened from ", live: "computed now" }[mined.origin];
  parts.push(" · ", origin, mined.origin === "opened" ? text(mined.file) : "");
  return parts;
}

function drawNumbers(table, mined, row) {
  const rows = [];
  for (const name of ["study", "transfer"]) {
    const [study, result] = [mined[name], row?.[name]];
    if (!study || !result) continue;
    study.labels.forEach((label, k) => {
      const random = (kind) => (result.controls[kind] ? meanOfList(result.controls[kind].success.map((draw) => draw[k])) : null);
      const interval = (part) => percent(part.accuracy[k]) + " (" + percent(part.low[k]) + " to " + percent(part.high[k]) + ")";
      rows.push([study.model, label, String(study.n_by_class[k]), interval(study.before), interval(result.after), interval(result.success), percent(random("random")), percent(random("shuffled")), formatAttribution(result.change[k] ?? 0)]);
    });
  }
  table.node.hidden = !rows.length;
  table.draw("What the picked trigger does to each gold class", ["checkpoint", "gold class", "n", "accuracy before", "with trigger", "flips", "flips, random", "flips, shuffled", "change of probability"], rows);
}
