// What Gradio leaves undone for those who use the keyboard.
() => {
  // The list of a dropdown scrolls, so that Tab would go into it, and be lost as the list closes then.
  const skip = () => {
    for (const list of document.querySelectorAll(".options:not([tabindex]), .options > ul:not([tabindex])")) list.tabIndex = -1;
  };
  new MutationObserver(skip).observe(document.body, { childList: true, subtree: true });

  // A button that opens another tab goes out of sight with its own: the focus goes to the tab that came.
  let last = null;
  document.addEventListener("focusin", (event) => (last = event.target));
  const follow = () =>
    requestAnimationFrame(() => {
      const isLost = last?.isConnected && !last.checkVisibility() && [last, document.body].includes(document.activeElement);
      const tab = [...document.querySelectorAll("[role=tab][aria-selected=true]")].find((one) => one.checkVisibility());
      if (isLost && tab) tab.focus({ preventScroll: true });
    });
  // Enter takes what was typed where any id may be: Gradio takes the first entry of the list that contains it.
  let isTyped = false;
  document.addEventListener("input", () => (isTyped = true), true);
  const commit = (event) => {
    if (/^Arrow(Up|Down)$/.test(event.key)) isTyped = false;
    if (event.key !== "Enter" || !isTyped || !event.target.matches("#model input, #triggers-second input, [id$=-dataset] input")) return;
    isTyped = false;
    event.stopImmediatePropagation();
    event.preventDefault();
    event.target.blur();
  };
  document.addEventListener("keydown", commit, true);
  new MutationObserver(follow).observe(document.body, { attributes: true, attributeFilter: ["aria-selected"], subtree: true });
}
