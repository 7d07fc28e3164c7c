// One sentence above the result. The text is data: it is only ever set as text.
const box = element.querySelector(".aa-alert");

function show() {
  const sentence = typeof props.value === "string" ? props.value : "";
  box.textContent = sentence;
  box.hidden = sentence === "";
}

watch("value", show);
show();
