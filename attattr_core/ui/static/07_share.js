// Links to what is shown: the page's own script (page/link.js) makes them.

function shareMenu(name) {
  const said = make("p", { class: "aa-share-note", role: "status", "data-testid": name + "-said", hidden: true });
  const field = make("input", { class: "aa-share-link", readonly: true, "aria-label": "Link", "data-testid": name + "-link", hidden: true });
  const menu = make("div", { class: "aa-popover aa-menu", "data-testid": name + "-menu" });
  const copy = async (hasText) => {
    const { sentence, address = "" } = await window.__attattr.link.copy(hasText);
    said.textContent = sentence;
    said.hidden = false;
    field.value = address;
    field.hidden = !address;
    if (address) field.select();
  };
  for (const [id, text, hint, hasText] of [
    ["copy", "Copy link", "checkpoint, label, convention and view; not the text", false],
    ["copy-text", "Copy link with text", "the same, and the text of the fields above: whoever has the link can read it", true],
  ])
    menu.append(make("button", { type: "button", text, title: hint, "data-testid": name + "-" + id, onclick: () => copy(hasText) }));
  menu.append(said, field);
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "open") said.hidden = field.hidden = true;
  });
  const button = make("button", { type: "button", class: "aa-button", text: "Link ▾", "data-testid": name });
  attachPopover(button, menu);
  return make("span", { class: "aa-export" }, button, menu);
}

/** What the page's address says, for a bundle. */
const linkWords = () => window.__attattr.link?.words() ?? {};

/** Takes over what a link asks of a view, and tells the address what changes. */
function joinLink(view, kept, restore) {
  kept.restore = restore;
  const asked = window.__attattr.link?.take(view);
  if (asked) restore(asked, null);
}

const tellLink = () => window.__attattr?.link?.changed();
