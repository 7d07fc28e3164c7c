// How far the work is: words, a bar, and the time left.

function timeLeft({ n_done: done, n_total: total, seconds }) {
  if (!done || !seconds) return "";
  const left = (seconds / done) * (total - done);
  return left < 1 ? " · a moment left" : left < 90 ? " · about " + Math.ceil(left) + " s left" : " · about " + Math.ceil(left / 60) + " min left";
}

function createWorkProgress() {
  const words = make("span", { role: "status", "data-testid": "triggers-progress" });
  const fill = make("span", { class: "aa-work-fill" });
  const track = make("span", { class: "aa-work-track", "aria-hidden": "true" }, fill);
  const node = make("div", { class: "aa-work" }, words, track);
  return {
    node,
    show(message) {
      const progress = message?.progress;
      node.hidden = !progress || !["running", "stopped"].includes(message.status);
      if (node.hidden) return;
      const running = message.status === "running";
      const count = progress.n_total ? progress.n_done + " of " + progress.n_total + " " + progress.unit : "";
      words.textContent = (running ? progress.what : "stopped " + progress.what) + (count ? " · " + count : "") + (running ? timeLeft(progress) : "");
      fill.style.width = (progress.n_total ? (100 * progress.n_done) / progress.n_total : 0) + "%";
      node.classList.toggle("aa-work-stopped", !running);
    },
  };
}
