// The start: a window for tests, and the first value.

/** A read-only window for tests: what is on the screen, as numbers. */
function exposeForTests(root, view, current) {
  const matrix = (shown, values) =>
    Array.from({ length: shown.n }, (_, i) =>
      Array.from({ length: shown.n }, (_, j) => (shown.rows[i] && shown.columns[j] ? values[i * shown.n + j] : null)),
    );
  root.attattr = Object.freeze({
    get state() {
      return structuredClone(view.state);
    },
    get lastRedrawMs() {
      return view.lastRedrawMs;
    },
    get layers() {
      return view.run ? [...view.run.layers.keys()].sort((a, b) => a - b) : [];
    },
    shown() {
      const shown = current();
      if (!shown) return null;
      const { layer, head, limits } = shown;
      return {
        layer,
        head,
        limits,
        tokens: [...shown.groups.labels],
        attention: matrix(shown, shown.attention),
        attribution: matrix(shown, shown.attribution),
      };
    },
    lists() {
      return structuredClone(view.state.lists === "all" ? listsOfAll(view.run, view.state) : listsOfMap(current()));
    },
  });
}

const attattrRoot = element.querySelector(".aa-view");
const attattrView = createView(attattrRoot);

function showValue() {
  try {
    attattrView.receive(props.value);
  } catch (error) {
    attattrView.fail(error);
  }
}

watch("value", showValue);
showValue();
