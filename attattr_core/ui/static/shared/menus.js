// Menus of the tree and of the charts.

function exportMenu(name, formats, start) {
  const menu = make("div", { class: "aa-popover aa-menu", "data-testid": name + "-export-menu" });
  for (const [format, text] of formats) {
    const choose = () => {
      menu.hidePopover();
      start(format);
    };
    menu.append(make("button", { type: "button", text, "data-testid": name + "-export-" + format, onclick: choose }));
  }
  const button = make("button", { type: "button", class: "aa-button", text: "Export ▾", "data-testid": name + "-export" });
  attachPopover(button, menu);
  return make("span", { class: "aa-export" }, button, menu);
}
