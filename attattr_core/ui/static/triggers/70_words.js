// Putting words into one's own text: chips between its words, moved by clicks and by the arrow keys.

const wordsOf = (text) => String(text ?? "").match(/\S+/g) || [];

/** What a trigger puts into these texts: its tokens as words, at the nearest gap between words. */
function placeTrigger(row, texts) {
  return row.tokens
    .map((part) => {
      const sentence = part.sentence && texts[1] ? 1 : 0;
      return { word: part.word, sentence, gap: Math.round(Math.min(1, Math.max(0, part.place)) * texts[sentence].length) };
    })
    .filter((insertion) => insertion.word);
}

function createPlacing(changed) {
  const kept = (triggersKept.trial ||= { insertions: [], own: false, active: 0 });
  const lines = make("div", { class: "aa-placing", role: "group", "aria-label": "Words put into the text", "data-testid": "trial-words" });
  let texts = [[], null];

  const inSentence = (sentence) => kept.insertions.map((insertion, k) => ({ ...insertion, k })).filter((insertion) => insertion.sentence === sentence);

  function change(patch, focus) {
    Object.assign(kept, patch);
    draw();
    if (focus) lines.querySelector("[data-chip='" + kept.active + "']")?.focus();
    changed();
  }

  function move(k, sentence, gap) {
    const insertions = kept.insertions.map((insertion, at) => (at === k ? { ...insertion, sentence, gap } : insertion));
    change({ insertions, own: true, active: k }, true);
  }

  function remove(k) {
    const insertions = kept.insertions.filter((_, at) => at !== k);
    change({ insertions, own: true, active: Math.max(0, Math.min(k, insertions.length - 1)) }, true);
  }

  function chipKey(event, k) {
    const { sentence, gap } = kept.insertions[k];
    const most = (side) => texts[side].length;
    if (event.key === "ArrowLeft") move(k, sentence, Math.max(0, gap - 1));
    else if (event.key === "ArrowRight") move(k, sentence, Math.min(most(sentence), gap + 1));
    else if (event.key === "ArrowUp") move(k, 0, Math.min(gap, most(0)));
    else if (event.key === "ArrowDown" && texts[1]) move(k, 1, Math.min(gap, most(1)));
    else if (event.key === "Delete" || event.key === "Backspace") remove(k);
    else return;
    event.preventDefault();
  }

  /** Where a word stands, for whoever does not see it. */
  function describePlace({ word, sentence, gap }) {
    const before = texts[sentence][Math.min(gap, texts[sentence].length) - 1];
    return word + (before ? ", after “" + before + "”" : ", at the start") + (texts[1] ? " of sentence " + "AB"[sentence] : "");
  }

  function chip({ word, k }) {
    const button = make("button", {
      type: "button",
      class: "aa-chip aa-chip-moves" + (k === kept.active ? " aa-chip-active" : ""),
      "data-chip": String(k),
      "data-testid": "trial-chip",
      "aria-label": describePlace(kept.insertions[k]),
      "aria-pressed": String(k === kept.active),
      title: "arrow keys move it, Delete removes it; or click a gap",
      onclick: () => change({ active: k }, true),
      onkeydown: (event) => chipKey(event, k),
    });
    button.append(tokenNode(word));
    return button;
  }

  function gapNode(sentence, gap) {
    return make("button", {
      type: "button",
      class: "aa-gap",
      tabindex: "-1",
      "aria-label": "put the chosen word here",
      "data-testid": "gap-" + "ab"[sentence] + "-" + gap,
      onclick: () => kept.insertions.length && move(kept.active, sentence, gap),
    });
  }

  function line(words, sentence) {
    const chips = inSentence(sentence);
    const parts = [];
    for (let gap = 0; gap <= words.length; gap++) {
      const here = chips.filter((insertion) => Math.min(insertion.gap, words.length) === gap);
      parts.push(gapNode(sentence, gap), ...here.map(chip));
      if (gap < words.length) parts.push(make("bdi", { class: "aa-token", text: words[gap] }));
    }
    const name = make("span", { class: "aa-placing-name aa-quiet", text: sentence ? "B" : "A" });
    return make("div", { class: "aa-placing-line " + (sentence ? "aa-placing-b" : "aa-placing-a") }, texts[1] ? name : null, make("div", { class: "aa-placing-words" }, ...parts));
  }

  function draw() {
    lines.replaceChildren(line(texts[0], 0), ...(texts[1] ? [line(texts[1], 1)] : []));
  }

  return {
    node: lines,
    insertions: () => kept.insertions.map(({ word, sentence, gap }) => ({ word, sentence, gap: Math.min(gap, texts[sentence]?.length ?? 0) })),
    isOwn: () => kept.own,
    follow(row) {
      change({ insertions: row ? placeTrigger(row, texts) : [], own: false, active: 0 });
    },
    add(word) {
      const insertion = { word, sentence: 0, gap: texts[0].length };
      change({ insertions: [...kept.insertions, insertion], own: true, active: kept.insertions.length });
    },
    clear() {
      change({ insertions: [], own: true, active: 0 });
    },
    show(newTexts) {
      texts = newTexts;
      kept.insertions = kept.insertions.map((insertion) => (insertion.sentence && !texts[1] ? { ...insertion, sentence: 0 } : insertion));
      draw();
    },
  };
}
