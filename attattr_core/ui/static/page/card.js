// The line about the chosen checkpoint. Its value is JSON from Python; names and labels come from strangers'
// configurations, so that everything is set as text, and a link only where the address is one of the web.
const card = element.querySelector(".aa-card");
const MAX_LABELS_SHOWN = 6;

function part(name, text, className) {
  const node = document.createElement("span");
  node.className = className || "";
  node.dataset.testid = "card-" + name;
  node.textContent = text;
  return node;
}

function revisionNode(content) {
  if (!/^https?:\/\//.test(content.url)) return part("revision", content.revision ? "@ " + content.revision : "");
  const link = document.createElement("a");
  link.href = content.url;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.textContent = "@ " + content.revision;
  link.title = content.url;
  link.dataset.testid = "card-revision";
  return link;
}

function labelsText({ labels, renamed }) {
  if (labels.length === 0) return "labels: not named";
  const more = labels.length > MAX_LABELS_SHOWN ? ", … (" + labels.length + ")" : "";
  return (renamed ? "labels (yours): " : "labels: ") + labels.slice(0, MAX_LABELS_SHOWN).join(", ") + more;
}

function megabytes(n) {
  return (n / 1e6).toFixed(1);
}

function progressNodes(progress) {
  if (!progress) return [];
  const [nBytes, nTotal, rate] = progress;
  const words = megabytes(nBytes) + " of " + megabytes(nTotal) + " MB" + (rate > 0 ? ", " + megabytes(rate) + " MB/s" : "");
  const bar = document.createElement("progress");
  bar.max = nTotal;
  bar.value = nBytes;
  bar.setAttribute("aria-label", "Download");
  return [bar, part("progress", words, "aa-card-strong")];
}

function backNodes(content) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Back to " + content.name;
  button.dataset.testid = "card-back";
  button.addEventListener("click", () => trigger("back", {}));
  return [part("refused", "Nothing else has changed."), button];
}

function drawCard() {
  if (!props.value) return card.replaceChildren();
  const content = JSON.parse(props.value);
  if (content.refused) return card.replaceChildren(...backNodes(content));
  const family = [content.family, content.architecture].filter(Boolean).join(" · ");
  const nodes = [
    part("name", content.name, "aa-card-strong"),
    revisionNode(content),
    part("family", family),
    part("base", content.base),
    part("labels", labelsText(content)),
    ...(content.progress ? progressNodes(content.progress) : [part("size", content.size)]),
    part("curated", content.curated),
    part("notice", content.notice, "aa-card-notice"),
  ];
  card.replaceChildren(...nodes.filter((node) => node.textContent || node.tagName === "PROGRESS"));
  if (card.dataset.testid === "card") window.__attattr?.link?.setLabels(content.renamed ? content.labels : []);
}

watch("value", drawCard);
drawCard();
