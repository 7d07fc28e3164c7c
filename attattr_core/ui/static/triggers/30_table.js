// The table of triggers: sortable, filtered, one row picked.

const COLUMNS = [
  { name: "tokens", title: "tokens" },
  { name: "places", title: "places" },
  { name: "strength", title: "strength", hint: "sum of the two attributions that the trigger was read from, in units of F", of: (row) => row.strength },
  { name: "label", title: "predicted", hint: "class that the example was predicted as when the trigger was mined", of: (row) => -row.label },
  { name: "success", title: "flips", hint: "share of examples, right before, that are wrong with the trigger, over all classes", of: (row) => row.study?.whole ?? -1 },
  { name: "random", title: "random", hint: "the same with as many random tokens at the same places, mean of the draws", of: (row) => randomWhole(row.study) ?? -1 },
];

const randomWhole = (result) => (result?.controls.random ? meanOfList(result.controls.random.whole) : null);

function createTriggerTable(pick) {
  const body = make("tbody");
  const titles = new Map();
  const head = make("tr", {}, ...COLUMNS.map(titleOf));
  const node = make(
    "div",
    { class: "aa-trigger-scroll", "data-testid": "triggers-table" },
    make("table", { class: "aa-trigger-table", role: "grid", "aria-label": "Triggers" }, make("thead", {}, head), body),
  );
  let rows = [];
  let redraw = () => {};

  function titleOf(column) {
    const cell = make("th", { scope: "col", class: "aa-column-" + column.name });
    if (!column.of) cell.append(column.title);
    else {
      const sort = () => {
        const same = triggersKept.sort?.by === column.name;
        triggersKept.sort = { by: column.name, down: same ? !triggersKept.sort.down : true };
        redraw();
        tellLink();
      };
      cell.append(make("button", { type: "button", class: "aa-sort", title: column.hint, text: column.title, "data-testid": "sort-" + column.name, onclick: sort }));
    }
    titles.set(column.name, cell);
    return cell;
  }

  function sorted(mined) {
    const { by, down } = triggersKept.sort || { by: mined.study ? "success" : "strength", down: true };
    const { of } = COLUMNS.find((column) => column.name === by);
    for (const [name, cell] of titles) cell.setAttribute("aria-sort", name !== by ? "none" : down ? "descending" : "ascending");
    const all = triggersKept.hide ? mined.rows.filter((row) => !isLoaded(row)) : [...mined.rows];
    return all.sort((a, b) => (down ? -1 : 1) * (of(a) - of(b)));
  }

  function rowNode(row, mined) {
    const number = (text, name) => make("td", { class: "aa-number aa-column-" + name, text });
    const success = make("td", { class: "aa-number aa-column-success" });
    if (row.study) success.append(miniBar(row.study.whole), percent(row.study.whole));
    else success.append("–");
    const label = make("td", { class: "aa-column-label" }, make("bdi", { text: nameOf(mined.labels, row.label) }));
    return make(
      "tr",
      { "data-testid": "trigger-row", onclick: (event) => choose(event.currentTarget) },
      make("td", { class: "aa-column-tokens" }, chipsOf(row), make("span", { class: "aa-narrow aa-quiet" }, stripNode(row, mined.pair), make("bdi", { text: nameOf(mined.labels, row.label) }))),
      make("td", { class: "aa-column-places" }, stripNode(row, mined.pair)),
      number(formatSmall(row.strength), "strength"),
      label,
      success,
      number(percent(randomWhole(row.study)), "random"),
    );
  }

  function mark() {
    const lines = [...body.children];
    const at = lines.findIndex((_, k) => rowKey(rows[k]) === triggersKept.picked[body.dataset.mode]);
    lines.forEach((line, k) => {
      line.setAttribute("aria-selected", String(k === at));
      line.tabIndex = k === Math.max(0, at) ? 0 : -1;
    });
  }

  function choose(line) {
    pick(rows[[...body.children].indexOf(line)]);
    mark();
  }

  body.addEventListener("keydown", (event) => {
    const lines = [...body.children];
    const at = lines.indexOf(event.target.closest("tr"));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1, Enter: at, " ": at }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const line = lines[Math.min(lines.length - 1, Math.max(0, to))];
    choose(line);
    line.focus();
  });

  return {
    node,
    rows: () => rows,
    mark,
    draw(message, mined, again) {
      redraw = again;
      rows = sorted(mined);
      const focused = body.contains(document.activeElement);
      body.dataset.mode = shownMode(message);
      body.replaceChildren(...rows.map((row) => rowNode(row, mined)));
      mark();
      if (focused) body.querySelector("[tabindex='0']")?.focus();
    },
  };
}

function miniBar(share) {
  const fill = make("span");
  fill.style.width = 100 * Math.min(1, Math.max(0, share ?? 0)) + "%";
  return make("span", { class: "aa-mini", "aria-hidden": "true" }, fill);
}
