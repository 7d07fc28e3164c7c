// What one trigger does, per gold class: bars before, with the trigger, with random tokens, and with its tokens shuffled.

const BAR_KINDS = [
  ["before", "before"],
  ["trigger", "with trigger"],
  ["random", "random tokens"],
  ["shuffled", "shuffled"],
];
const MEASURES = {
  accuracy: "accuracy on the examples of a gold class",
  success: "share of examples, right before, that are wrong now",
};

/** The bars of one class: value, interval, and which of the two an interval is. */
function classBars(study, result, k, measure) {
  const bars = [];
  const at = (part) => ({ value: part.accuracy[k], low: part.low[k], high: part.high[k], range: "95 %" });
  if (measure === "accuracy") bars.push({ kind: "before", ...at(study.before) });
  bars.push({ kind: "trigger", ...at(measure === "accuracy" ? result.after : result.success) });
  for (const kind of ["random", "shuffled"]) {
    const control = result.controls[kind];
    if (!control) continue;
    const drawn = control[measure].map((row) => row[k]).filter((value) => value !== null);
    if (!drawn.length) continue;
    bars.push({ kind, value: meanOfList(drawn), low: Math.min(...drawn), high: Math.max(...drawn), range: drawn.length + " draws" });
  }
  return bars.filter((bar) => bar.value !== null);
}

function barWords(bar, measure) {
  const name = BAR_KINDS.find(([kind]) => kind === bar.kind)[1];
  const low = percent(bar.low);
  const high = percent(bar.high);
  const range = bar.range === "95 %" ? "95 % interval " + low + " to " + high : bar.range + ", " + low + " to " + high;
  return name + ": " + (measure === "accuracy" ? "accuracy " : "flipped ") + percent(bar.value) + " (" + range + ")";
}

const BAR = { height: 12, gap: 3, title: 18, between: 12, label: 88, number: 44 };

function drawBars(study, result, width, measure) {
  const [x0, x1] = [BAR.label, width - BAR.number];
  const x = (share) => x0 + share * (x1 - x0);
  const parts = [];
  let y = 0;
  study.labels.forEach((label, k) => {
    const n = study.n_by_class[k];
    const bars = n ? classBars(study, result, k, measure) : [];
    parts.push(draw("text", { class: "aa-bar-class", x: 0, y: y + 12, text: label }));
    parts.push(draw("text", { class: "aa-axis", x: width, y: y + 12, "text-anchor": "end", text: n + (n === 1 ? " example" : " examples") }));
    y += BAR.title;
    if (!bars.length) {
      parts.push(draw("text", { class: "aa-axis", x: x0, y: y + 10, text: n ? "none was right before" : "none in the data" }));
      y += BAR.height + BAR.gap;
    }
    for (const bar of bars) {
      const middle = y + BAR.height / 2;
      const name = BAR_KINDS.find(([kind]) => kind === bar.kind)[1];
      parts.push(
        draw(
          "g",
          { "data-testid": "bar-" + bar.kind + "-" + k },
          draw("title", { text: label + " · " + barWords(bar, measure) }),
          draw("rect", { class: "aa-bar-hit", x: 0, y: y - 1, width, height: BAR.height + 2 }),
          draw("text", { class: "aa-axis", x: x0 - 6, y: middle + 4, "text-anchor": "end", text: name }),
          draw("rect", { class: "aa-result-bar aa-result-" + bar.kind, x: x0, y, width: Math.max(0.5, round(x(bar.value) - x0)), height: BAR.height }),
          draw("line", { class: "aa-result-whisker", x1: round(x(bar.low)), x2: round(x(bar.high)), y1: middle, y2: middle }),
          ...[bar.low, bar.high].map((end) => draw("line", { class: "aa-result-whisker", x1: round(x(end)), x2: round(x(end)), y1: middle - 3, y2: middle + 3 })),
          draw("text", { class: "aa-axis aa-bar-number", x: width, y: middle + 4, "text-anchor": "end", text: percent(bar.value) }),
        ),
      );
      y += BAR.height + BAR.gap;
    }
    y += BAR.between;
  });
  const bottom = y - BAR.between + 2;
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((tick) => [
    draw("line", { class: tick ? "aa-gridline" : "aa-baseline", x1: round(x(tick)), x2: round(x(tick)), y1: BAR.title - 2, y2: bottom }),
    draw("text", { class: "aa-axis", x: round(x(tick)), y: bottom + 13, "text-anchor": "middle", text: percent(tick).replace(" ", "") }),
  ]);
  return { height: bottom + 18, parts: [...grid, ...parts] };
}

/** One study's bars under a heading. */
function createBars(name) {
  const title = make("h3");
  const verdict = make("p", { class: "aa-verdict", "data-testid": name + "-verdict" });
  const svg = draw("svg", { class: "aa-chart-svg", role: "img", "data-testid": name + "-picture", direction: "ltr" });
  const node = make("div", { class: "aa-bars", "data-testid": name }, title, verdict, svg);
  return {
    node,
    draw(study, result, measure, heading, running) {
      node.hidden = !study;
      if (!study) return;
      title.replaceChildren(...heading);
      svg.replaceChildren();
      svg.setAttribute("height", 0);
      verdict.replaceChildren(...(result ? verdictParts(study, result, running) : ["Not measured for this trigger."]));
      const width = Math.max(230, node.clientWidth);
      if (!result || !node.clientWidth) return;
      const { height, parts } = drawBars(study, result, width, measure);
      svg.setAttribute("width", width);
      svg.setAttribute("height", height);
      svg.setAttribute("aria-label", MEASURES[measure] + ": " + study.labels.flatMap((label, k) => classBars(study, result, k, measure).map((bar) => label + ", " + barWords(bar, measure))).join("; "));
      svg.replaceChildren(...parts);
    },
  };
}

/** Whether the trigger does more than its random control on the confirming half, for each class and said plainly. */
function verdictParts(study, result, running) {
  const groups = Object.keys(VERDICTS)
    .flatMap((verdict) => [false, true].map((few) => [verdict, study.labels.filter((_, k) => result.verdicts[k] === verdict && study.few[k] === few), few]))
    .filter(([, labels]) => labels.length);
  if (!groups.length) return [result.controls.random ? "There are too few examples to confirm it on." : running ? "Its controls are still to come." : "It was measured without controls."];
  const all = groups.length === 1 && groups[0][1].length > 1;
  const parts = groups.flatMap(([verdict, labels, few], at) => [
    at ? ", " : "",
    ...(all ? ["On every class it flips "] : [at ? "on " : "On ", ...labels.flatMap((label, k) => [k ? " and " : "", make("bdi", { class: "aa-strong", text: label })]), at ? " " : " it flips "]),
    verdictNode(verdict, few),
  ]);
  return [...parts, ", judged on the half of the data that confirms."];
}
