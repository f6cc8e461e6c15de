"use strict";
/* Hover, focus or click a word: its map lies over the photo. Hover a place: the words that came from it light up. */
for (const article of document.querySelectorAll(".photo")) {
  const data = JSON.parse(article.querySelector('script[type="application/json"]').textContent);
  const view = article.querySelector(".view");
  const part = article.querySelector(".part");
  const says = article.querySelector(".says");
  const buttons = [...article.querySelectorAll(".words button")];
  const start = says.textContent;
  let pinned = -1;
  let place = -1;

  const number = (value) => value.toFixed(2).replace("-0.00", "0.00").replace("-", "\u2212");
  const say = (...parts) => {
    says.replaceChildren(
      ...parts.map((text, at) => {
        if (at % 2 === 0) return text;
        const bold = document.createElement("b");
        bold.textContent = text;
        return bold;
      }),
    );
  };

  const showWord = (at) => {
    buttons.forEach((button, other) => button.classList.toggle("shown", other === at));
    view.classList.toggle("mapped", at >= 0);
    if (at < 0) return say(start);
    const word = data.words[at];
    view.style.setProperty("--map", `url(${word.map})`);
    const chance = `The model wrote it with a probability of ${Math.exp(word.log_prob).toFixed(2)}.`;
    if (word.fall === null) return say("", word.text, `. ${chance}`);
    const share = Math.round(100 * data.share);
    const masked = ` Masking the ${share} % of the photo that it points at costs `;
    const random = ` of log-probability; a random ${share} % costs ${number(word.chance)}.`;
    return say("", word.text, `: ${chance}${masked}`, number(word.fall), random);
  };

  const showPlace = (at) => {
    place = at;
    part.classList.toggle("here", at >= 0);
    const strength = data.words.map((word) => (at < 0 ? 0 : Math.max(0, word.weights[at])));
    buttons.forEach((button, word) => button.style.setProperty("--here", strength[word].toFixed(2)));
    if (at < 0) return showWord(pinned);
    const [left, top, right, bottom] = data.boxes[at].map((edge) => `${100 * edge}%`);
    Object.assign(part.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
    const order = strength.map((_, word) => word).filter((word) => strength[word] >= 0.25);
    order.sort((a, b) => strength[b] - strength[a]);
    if (order.length === 0) return say("No word came from here.");
    const listed = order.slice(0, 4).map((word) => `${data.words[word].text} (${Math.round(100 * strength[word])} %)`);
    return say("Here: ", listed.join(", "), ", as shares of the strongest place of each word's map.");
  };

  /* The smallest box around a point counts, since regions may lie in each other. */
  const partAt = (x, y) => {
    let best = -1;
    let size = Infinity;
    data.boxes.forEach(([left, top, right, bottom], at) => {
      const area = (right - left) * (bottom - top);
      if (x >= left && x <= right && y >= top && y <= bottom && area < size) [best, size] = [at, area];
    });
    return best;
  };
  const centre = ([left, top, right, bottom]) => [(left + right) / 2, (top + bottom) / 2];

  buttons.forEach((button, at) => {
    button.addEventListener("mouseenter", () => showWord(at));
    button.addEventListener("mouseleave", () => showWord(pinned));
    button.addEventListener("focus", () => showWord(at));
    button.addEventListener("blur", () => showWord(pinned));
    button.addEventListener("click", () => {
      pinned = pinned === at ? -1 : at;
      buttons.forEach((other, word) => other.setAttribute("aria-pressed", String(word === pinned)));
      showWord(at);
    });
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step && buttons[at + step]) {
        event.preventDefault();
        buttons[at + step].focus();
      }
    });
  });

  view.addEventListener("mousemove", (event) => {
    const box = view.getBoundingClientRect();
    const at = partAt((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    if (at !== place) showPlace(at);
  });
  view.addEventListener("mouseleave", () => showPlace(-1));
  view.addEventListener("blur", () => showPlace(-1));
  view.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key] || [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    if (place < 0) return showPlace(partAt(0.5, 0.5) >= 0 ? partAt(0.5, 0.5) : 0);
    const [x, y] = centre(data.boxes[place]);
    let best = place;
    let nearest = Infinity;
    data.boxes.forEach((box, at) => {
      const [across, down] = [centre(box)[0] - x, centre(box)[1] - y];
      const ahead = across * dx + down * dy;
      const away = ahead + 3 * Math.abs(across * dy + down * dx);
      if (ahead > 1e-6 && away < nearest) [best, nearest] = [at, away];
    });
    return showPlace(best);
  });
  article.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pinned = -1;
    buttons.forEach((button) => button.setAttribute("aria-pressed", "false"));
    showPlace(-1);
  });
}
