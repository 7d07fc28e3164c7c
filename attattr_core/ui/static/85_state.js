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

/** What is kept between mounts, one record for each component of the page. */
function keptRecord() {
  const owner = element.parentElement?.closest("[id]");
  const key = owner ? owner.id : "view";
  window.__attattr ||= {};
  window.__attattr[key] ||= { state: { ...INITIAL }, run: null };
  return window.__attattr[key];
}
