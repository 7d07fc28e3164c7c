// Controls of the tree and of the charts.

/** A slider with its caption and its value in words. */
function slider(name, caption, [least, most, step], write, choose) {
  const input = make("input", {
    type: "range",
    min: least,
    max: most,
    step,
    "data-testid": name,
    "aria-label": caption,
    oninput: () => choose(Number(input.value)),
  });
  const words = make("output", { class: "aa-number" });
  const node = make("label", { class: "aa-slider" }, make("span", { text: caption }), input, words);
  return {
    node,
    show(value, limit) {
      if (limit !== undefined) input.max = limit;
      input.value = value;
      words.textContent = write(value, limit);
      input.setAttribute("aria-valuetext", words.textContent);
    },
  };
}

function plainButton(name, text, label, act) {
  return make("button", { type: "button", class: "aa-button", text, "aria-label": label, title: label, "data-testid": name, onclick: act });
}
