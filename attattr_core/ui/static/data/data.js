// A glance at labelled data. The value is JSON from Python; texts, labels and sentences come from strangers' files, so
// that everything is set as text.
const root = element.querySelector(".aa-data");
const HEADINGS = ["text", "second text", "label"];

function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function named(made, name) {
  made.dataset.testid = "data-" + name;
  return made;
}

function megabytes(n) {
  return (n / 1e6).toFixed(1);
}

function headNodes({ name, about, notice }) {
  const line = node("div", "aa-data-head");
  if (name) line.append(named(node("span", "aa-data-name", name), "name"));
  if (about) line.append(named(node("span", "", about), "about"));
  return notice ? [line, named(node("div", "aa-data-notice", notice), "notice")] : [line];
}

function progressNodes(progress) {
  if (!progress) return [];
  const [nBytes, nTotal, rate] = progress;
  const line = node("div", "aa-data-head");
  const bar = node("progress");
  bar.max = nTotal;
  bar.value = nBytes;
  bar.setAttribute("aria-label", "Download");
  const speed = rate > 0 ? ", " + megabytes(rate) + " MB/s" : "";
  line.append(bar, named(node("span", "aa-data-name", megabytes(nBytes) + " of " + megabytes(nTotal) + " MB" + speed), "progress"));
  return [line];
}

function countNodes({ counts, n_labels: nLabels, n_rows: nRows }) {
  if (!counts || counts.length === 0) return [];
  const list = named(node("ul", "aa-data-counts"), "counts");
  list.setAttribute("aria-label", "Rows by label");
  for (const [label, count] of counts) {
    const item = node("li");
    const bar = node("span", "aa-data-bar");
    bar.style.width = Math.max(2, (60 * count) / nRows) + "px";
    item.append(node("span", "aa-data-label", label), bar, node("span", "", count.toLocaleString("en")));
    list.append(item);
  }
  if (nLabels > counts.length) list.append(node("li", "", "… " + nLabels.toLocaleString("en") + " labels in all"));
  return [list];
}

function problemNodes({ problems, n_problems: nProblems }) {
  if (!problems || problems.length === 0) return [];
  const box = named(node("div", "aa-data-problems"), "problems");
  box.setAttribute("role", "alert");
  const rows = nProblems === 1 ? "One row cannot be used" : nProblems.toLocaleString("en") + " rows cannot be used";
  box.append(node("div", "aa-data-name", rows + ": correct the file and upload it again."));
  const list = node("ul");
  for (const sentence of problems) list.append(node("li", "", sentence));
  if (nProblems > problems.length) list.append(node("li", "", "…"));
  box.append(list);
  return [box];
}

function tableNodes({ rows, n_rows: nRows }) {
  if (!rows || rows.length === 0) return [];
  const isPair = rows.some((row) => row[1] !== null);
  const kept = isPair ? [0, 1, 2] : [0, 2];
  const table = named(node("table"), "rows");
  const head = node("tr");
  for (const place of kept) {
    const cell = node("th", "", HEADINGS[place]);
    cell.scope = "col";
    head.append(cell);
  }
  table.createTHead().append(head);
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const place of kept) line.append(node("td", place === 2 ? "aa-data-label" : "", row[place] ?? ""));
  }
  const more = nRows > rows.length ? [node("div", "aa-data-more", "… and " + (nRows - rows.length).toLocaleString("en") + " more")] : [];
  const scroller = node("div", "aa-data-scroll");
  scroller.tabIndex = 0;
  scroller.setAttribute("aria-label", "The first rows");
  scroller.setAttribute("role", "region");
  scroller.append(table);
  return [scroller, ...more];
}

function refusalNodes({ error }) {
  if (!error) return [];
  const box = named(node("div", "aa-data-problems", error), "error");
  box.setAttribute("role", "alert");
  return [box];
}

function draw() {
  if (!props.value) return root.replaceChildren();
  const content = JSON.parse(props.value);
  root.dataset.state = content.state;
  root.replaceChildren(
    ...headNodes(content),
    ...progressNodes(content.progress),
    ...refusalNodes(content),
    ...problemNodes(content),
    ...countNodes(content),
    ...tableNodes(content),
  );
}

watch("value", draw);
draw();
