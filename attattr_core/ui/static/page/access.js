// The list of a Gradio dropdown scrolls, so that Tab would go into it, and be lost as the list closes then.
() => {
  const skip = () => {
    for (const list of document.querySelectorAll(".options:not([tabindex]), .options > ul:not([tabindex])")) list.tabIndex = -1;
  };
  new MutationObserver(skip).observe(document.body, { childList: true, subtree: true });
}
