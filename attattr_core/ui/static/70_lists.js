// What the maps say in words: entries where attention and attribution disagree, and the strongest ones.

const LISTS = [
  ["irrelevant", "much attended, irrelevant", "attention of at least 2/T, |attribution| of at most 1 % of the largest"],
  ["decisive", "little attended, decisive", "attention of at most 1/T, |attribution| of at least 10 % of the largest"],
  ["strongest", "strongest", "largest |attribution|"],
];

/** Short tokens keep their width; long ones give way. */
function listToken(text) {
  const node = tokenNode(text);
  if (text.length <= 7) node.style.flexShrink = "0";
  return node;
}

function listItem(view, groups, entry, showHead, name, k) {
  const { row, column, layer, head, attention, attribution } = entry;
  const names = nameTokens(groups.labels);
  const open = () => view.openEntry(layer, head, groups.first[row], groups.first[column]);
  const button = make("button", {
    type: "button",
    class: "aa-item",
    "data-testid": "item-" + name + "-" + k,
    onclick: open,
  });
  if (showHead)
    button.append(
      make("span", {
        class: "aa-item-head",
        text: layer + 1 + "·" + (head === null ? "Σ" : head + 1),
        title: headName(layer, head),
      }),
    );
  const flow = make(
    "span",
    { class: "aa-item-flow" },
    listToken(names[column]),
    make("span", { class: "aa-arrow", text: "→" }),
    listToken(names[row]),
  );
  const sign = attribution < 0 ? "aa-negative" : attribution > 0 ? "aa-positive" : "";
  button.append(flow, make("span", { class: "aa-item-attention aa-number", text: formatAttention(attention) }));
  button.append(make("span", { class: "aa-item-attribution aa-number " + sign, text: formatAttribution(attribution) }));
  const label =
    headName(layer, head) +
    ": " +
    names[row] +
    " receives from " +
    names[column] +
    ", attention " +
    formatAttention(attention) +
    ", attribution " +
    formatAttribution(attribution);
  button.setAttribute("aria-label", label);
  button.title = label;
  return make("li", {}, button);
}

function createLists(view) {
  const reach = segmented(
    "lists",
    "from",
    [
      ["map", "this map", "entries of the map shown"],
      ["all", "all heads", "entries of all heads of all finished layers"],
    ],
    (value) => view.change({ lists: value }),
  );
  const help = helpButton(
    "lists",
    "these lists",
    "Each line is sender → receiver with its attention and its attribution. " +
      "Click one to see it in its map; T in the thresholds is the number of tokens shown.",
  );
  const body = make("div", { class: "aa-lists-body" });
  const node = make(
    "section",
    { class: "aa-panel aa-lists", "aria-label": "Remarkable entries", "data-testid": "entry-lists" },
    make("header", { class: "aa-panel-head" }, make("h2", { text: "attention against attribution" }), help),
    reach.node,
    body,
  );
  return {
    node,
    draw(run, state, shown) {
      reach.show(state.lists);
      const all = state.lists === "all";
      const lists = all ? listsOfAll(run, state) : shown ? listsOfMap(shown) : emptyLists();
      const groups = groupsFor(run, state);
      const key = make(
        "div",
        { class: "aa-list-key aa-quiet" },
        make("span", { text: (all ? "layer·head, " : "") + "sender → receiver" }),
        make("span", { text: "attention" }),
        make("span", { text: "attribution" }),
      );
      const parts = LISTS.map(([name, title, rule]) => {
        const items = lists[name].map((entry, k) => listItem(view, groups, entry, all, name, k));
        const list = items.length ? make("ol", {}, ...items) : make("p", { class: "aa-quiet", text: "none" });
        return make(
          "section",
          { class: "aa-list", "data-testid": "list-" + name },
          make("h3", { text: title, title: rule }),
          list,
        );
      });
      const focused = body.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
      body.replaceChildren(key, ...parts);
      if (focused) body.querySelector('[data-testid="' + focused + '"]')?.focus();
    },
  };
}
