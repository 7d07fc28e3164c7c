// The start.

const treeView = createView(element.querySelector(".aa-tree"));

function showValue() {
  try {
    treeView.receive(props.value);
  } catch (error) {
    treeView.fail(error);
  }
}

watch("value", showValue);
showValue();
