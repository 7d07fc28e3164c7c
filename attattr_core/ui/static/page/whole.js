// The whole map of a head that was selected in a long text, handed on to the heatmaps.
watch("value", () => {
  if (props.value) window.__attattr?.heatmaps?.receiveWhole?.(props.value);
});
