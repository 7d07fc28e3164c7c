"use strict";
// These files are joined in name order into the body of one function; element, trigger, props, watch are its arguments.
// Text from users reaches the page through textContent or a canvas only, never as markup.

/** Builds an element; `text` sets its text, `on…` adds a listener, everything else is an attribute. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A token of the user's text, isolated so that its writing direction disturbs nothing around it. */
function tokenNode(text) {
  return make("bdi", { class: "aa-token", dir: "auto", text });
}

/** Words for screen readers alone. */
const unseen = (text) => make("span", { class: "aa-unseen", text });

let nextId = 0;

function uniqueId(name) {
  nextId += 1;
  return "aa-" + name + "-" + nextId + "-" + Math.random().toString(36).slice(2, 7);
}

/** Puts an open popover below its button, inside the window. */
function placePopover(button, popover) {
  const anchor = button.getBoundingClientRect();
  const box = popover.getBoundingClientRect();
  const left = Math.min(Math.max(8, anchor.right - box.width), window.innerWidth - box.width - 8);
  const below = anchor.bottom + 4;
  const top = below + box.height > window.innerHeight - 8 ? Math.max(8, anchor.top - box.height - 4) : below;
  popover.style.left = left + "px";
  popover.style.top = top + "px";
}

/** Ties a button to a popover; the browser provides light dismissal, Escape and the return of the focus. */
function attachPopover(button, popover) {
  popover.id = uniqueId("popover");
  popover.setAttribute("popover", "auto");
  button.setAttribute("popovertarget", popover.id);
  button.setAttribute("aria-expanded", "false");
  const follow = () => placePopover(button, popover);
  popover.addEventListener("toggle", (event) => {
    const open = event.newState === "open";
    button.setAttribute("aria-expanded", String(open));
    window[open ? "addEventListener" : "removeEventListener"]("scroll", follow, true);
    if (open) follow();
  });
}

/** The "?" of a picture: two sentences on how to read it. */
function helpButton(name, subject, sentences) {
  const button = make("button", {
    type: "button",
    class: "aa-help",
    text: "?",
    "aria-label": "How to read " + subject,
    "data-testid": "help-" + name,
  });
  const popover = make("div", {
    class: "aa-popover aa-popover-help",
    text: sentences,
    "data-testid": "help-text-" + name,
  });
  attachPopover(button, popover);
  return make("span", { class: "aa-help-wrap" }, button, popover);
}

/** A row of exclusive choices: native radio buttons, so that the arrow keys work. */
function segmented(name, caption, options, choose) {
  const group = uniqueId(name);
  const inputs = new Map();
  const field = make("fieldset", { class: "aa-segment", role: "radiogroup", "aria-label": caption, "data-testid": name });
  field.append(make("legend", { text: caption }));
  const row = make("div", { class: "aa-segment-row" });
  for (const [value, text, hint] of options) {
    const testId = name + "-" + value.replace("→", "-");
    const input = make("input", {
      type: "radio",
      name: group,
      value,
      "data-testid": testId,
      "aria-label": caption + ": " + text + (hint ? ", " + hint : ""),
      onchange: () => choose(value),
    });
    inputs.set(value, input);
    row.append(make("label", { title: hint }, input, make("span", { text })));
  }
  field.append(row);
  return {
    node: field,
    show(value) {
      for (const [key, input] of inputs) input.checked = key === value;
    },
  };
}

/** A labelled check box. */
function checkbox(name, text, hint, choose) {
  const input = make("input", { type: "checkbox", "data-testid": name, onchange: () => choose(input.checked) });
  return {
    node: make("label", { class: "aa-check", title: hint }, input, make("span", { text })),
    show(value) {
      input.checked = value;
    },
  };
}

/** Shows a sentence, or with "" none; an error is read out at once, anything else when the reader has time. */
function showSentence(node, text, isError) {
  node.setAttribute("role", isError ? "alert" : "status");
  node.classList.toggle("aa-error", Boolean(isError));
  node.textContent = text;
  node.hidden = !text;
}

function whenIdle(task) {
  if (window.requestIdleCallback) window.requestIdleCallback(task, { timeout: 2000 });
  else setTimeout(task, 100);
}

/** A message that cannot be shown; its text is a sentence for the reader. */
class PayloadError extends Error {}

/** Parses a message of Python, whose version this page has to know. */
function parseVersioned(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    throw new PayloadError("it is not valid JSON");
  }
  if (message === null || typeof message !== "object") throw new PayloadError("it is not an object");
  if (message.version !== 1)
    throw new PayloadError("its version " + message.version + " is unknown to this page; reload it");
  return message;
}
