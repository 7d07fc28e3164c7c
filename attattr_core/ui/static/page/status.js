// One sentence above the result: JSON {kind, text}, or "" to hide it. The text is data: it is only ever set as text.
const box = element.querySelector(".aa-status");

function show() {
  const message = props.value ? JSON.parse(props.value) : { kind: "note", text: "" };
  box.textContent = message.text;
  box.hidden = message.text === "";
  box.classList.toggle("aa-error", message.kind === "error");
  box.setAttribute("role", message.kind === "error" ? "alert" : "status");
}

watch("value", show);
show();
