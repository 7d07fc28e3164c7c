// The start: one script for the view of triggers and for one's own text.

const triggersRoot = element.querySelector(".aa-triggers");
const triggersView = { triggers: createTriggers, trial: createTrial }[triggersRoot.dataset.kind](triggersRoot);

function showValue() {
  try {
    triggersView.receive(props.value);
  } catch (error) {
    triggersView.fail(error);
  }
}

let triggersWidth = 0;
new ResizeObserver(() => {
  if (triggersRoot.clientWidth === triggersWidth) return;
  triggersWidth = triggersRoot.clientWidth;
  triggersView.redraw();
}).observe(triggersRoot);

triggersRoot.attattr = Object.freeze({
  shown: () => structuredClone(triggersView.shown()),
  picked: () => structuredClone(triggersView.picked()),
});
watch("value", showValue);
showValue();
