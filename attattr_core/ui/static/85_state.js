// The state of the view; it outlives runs and remounting of the tab.

const INITIAL = {
  layer: 0,
  head: null,
  chosen: false,
  picture: "matrix",
  flow: "all",
  specials: true,
  words: true,
  scale: "map",
  size: "fit",
  lists: "map",
  pin: null,
};

/** Tells of another theme, and of another width of the view. */
function watchSurroundings(root, restyle, resize) {
  const themes = new MutationObserver(() => (root.isConnected ? restyle() : themes.disconnect()));
  for (const node of [document.body, document.documentElement])
    themes.observe(node, { attributes: true, attributeFilter: ["class"] });
  let width = 0;
  new ResizeObserver(() => {
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    resize();
  }).observe(root);
}

/** What is kept between mounts, one record for each component of the page. */
function keptRecord() {
  const owner = element.parentElement?.closest("[id]");
  const key = owner ? owner.id : "view";
  window.__attattr ||= {};
  window.__attattr[key] ||= { state: { ...INITIAL }, run: null };
  return window.__attattr[key];
}
