// How far the work is: words, a bar, and the time left.

function timeLeft({ seconds_left: left }) {
  if (left === null) return "";
  return left < 1 ? " · a moment left" : left < 90 ? " · about " + Math.ceil(left) + " s left" : " · about " + Math.ceil(left / 60) + " min left";
}

function createWorkProgress() {
  const words = make("span", { role: "status", "data-testid": "triggers-progress" });
  let run = null; // whose beginning was brought into sight
  const fill = make("span", { class: "aa-work-fill" });
  const track = make("span", { class: "aa-work-track", "aria-hidden": "true" }, fill);
  const stop = make("button", { type: "button", class: "aa-button", text: "Stop", "data-testid": "triggers-stop-work", onclick: () => trigger("stop_work") });
  const node = make("div", { class: "aa-work" }, words, track, stop);
  return {
    node,
    show(message) {
      const progress = message?.progress;
      node.hidden = !progress || !["running", "stopped"].includes(message.status);
      if (node.hidden) return;
      const running = message.status === "running";
      const count = progress.n_total ? progress.n_done + " of " + progress.n_total + " " + progress.unit : "";
      words.textContent = (running ? progress.what : "stopped " + progress.what) + (count ? " · " + count : "") + (running ? timeLeft(progress) : "");
      stop.hidden = !running;
      if (running && message.run !== run && node.getBoundingClientRect().top < 0) node.scrollIntoView({ block: "start" });
      run = message.run;
      fill.style.width = (progress.n_total ? (100 * progress.n_done) / progress.n_total : 0) + "%";
      node.classList.toggle("aa-work-stopped", !running);
    },
  };
}
