// The start: one script for three charts.

const chartRoot = element.querySelector(".aa-chart");
window.__attattr ||= {};
window.__attattr.charts ||= { kind: "deletion", mode: "flow" };
const chart = { curves: createCurves, means: createMeans, field: createField }[chartRoot.dataset.kind](
  chartRoot,
  window.__attattr.charts,
);

function showValue() {
  try {
    chart.receive(props.value ? JSON.parse(props.value) : null);
  } catch (error) {
    console.warn(error);
    chart.receive(null);
  }
}

let chartWidth = 0;
new ResizeObserver(() => {
  if (chartRoot.clientWidth === chartWidth) return;
  chartWidth = chartRoot.clientWidth;
  chart.redraw();
}).observe(chartRoot);

chartRoot.attattr = Object.freeze({ shown: () => structuredClone(chart.shown()) });
watch("value", showValue);
showValue();
