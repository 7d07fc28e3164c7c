// One sentence above the result: JSON {kind, text}, or "" to hide it. The text is data: it is only ever set as text.
const box = element.querySelector(".aa-status");

function show() {
  const message = props.value ? JSON.parse(props.value) : { kind: "note", text: "" };
  box.textContent = message.text;
  box.hidden = message.text === "";
  box.classList.toggle("aa-error", message.kind === "error");
  box.setAttribute("role", message.kind === "error" ? "alert" : "status");
  const { bottom, top } = element.getBoundingClientRect();
  const isSeen = bottom > 0 && top < innerHeight;
  box.classList.toggle("aa-floating", message.kind === "error" && !isSeen);
}

// A refusal of what is far below floats over the page until its place is seen.
new IntersectionObserver(([entry]) => entry.isIntersecting && box.classList.remove("aa-floating")).observe(element);
box.addEventListener("click", () => box.classList.remove("aa-floating"));

watch("value", show);
show();
