// The start.

const headsView = createView(element.querySelector(".aa-heads"));

function showValue() {
  try {
    headsView.receive(props.value);
  } catch (error) {
    headsView.fail(error);
  }
}

watch("value", showValue);
showValue();
