// What is known of the label names: findings, the proposal of a probe, and its evidence as a table. All of it is text.
const names = element.querySelector(".aa-names");

function build(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function sentence(name, text, className) {
  const node = build("p", text, className);
  node.dataset.testid = "labels-" + name;
  return node;
}

function evidenceRow([texts, expected, probabilities, matches]) {
  const row = build("tr");
  row.append(build("td", texts.join(" / ")), build("td", expected));
  const largest = Math.max(...probabilities);
  for (const value of probabilities) {
    row.append(build("td", value.toFixed(2), "aa-names-number" + (value === largest ? " aa-names-strong" : "")));
  }
  row.append(build("td", matches ? "✓" : "✗", matches ? "aa-names-good" : "aa-names-bad"));
  return row;
}

function evidenceTable({ evidence }, labels) {
  const table = build("table");
  const head = build("tr");
  const isValue = evidence[0][2].length === 1;
  const columns = isValue ? ["value"] : evidence[0][2].map((_, k) => k + " " + (labels[k] ?? ""));
  for (const text of ["probe", "expected", ...columns, "as expected"]) {
    const cell = build("th", text);
    cell.scope = "col";
    head.append(cell);
  }
  const [top, body] = [build("thead"), build("tbody")];
  top.append(head);
  body.append(...evidence.map(evidenceRow));
  table.append(top, body);
  const scroll = build("div", undefined, "aa-names-scroll");
  scroll.append(table);
  scroll.tabIndex = 0; // the keyboard scrolls it
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "Evidence");
  const fold = build("details");
  const right = evidence.filter((row) => row[3]).length;
  fold.append(build("summary", "Evidence: " + right + " of " + evidence.length + " probes as expected"), scroll);
  fold.dataset.testid = "labels-evidence";
  return fold;
}

function introduction({ loaded, findings, proposal }) {
  if (!loaded) return "These are the names of the configuration; they are looked at when the checkpoint is loaded.";
  if (findings.length || proposal) return "";
  return "The names of the configuration contradict nothing. Check label order asks the model a few canonical texts.";
}

function drawNames() {
  if (!props.value) return names.replaceChildren();
  const content = JSON.parse(props.value);
  const { findings, proposal, config } = content;
  const wasOpen = names.querySelector("details")?.open;
  const nodes = [sentence("introduction", introduction(content), "aa-names-quiet")];
  nodes.push(...findings.map((text) => sentence("finding", text, "aa-names-finding")));
  if (proposal) {
    if (proposal.suspicion) nodes.push(sentence("suspicion", proposal.suspicion, "aa-names-finding"));
    const confidence = proposal.task ? "Probe (" + proposal.confidence + "): " : "Probe: ";
    nodes.push(sentence("proposal", confidence + proposal.summary));
    if (proposal.evidence.length) {
      const table = evidenceTable(proposal, config);
      table.open = Boolean(wasOpen);
      nodes.push(table);
    }
  }
  names.replaceChildren(...nodes.filter((node) => node.textContent));
}

watch("value", drawNames);
drawNames();
