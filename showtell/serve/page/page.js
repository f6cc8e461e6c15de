// The page: photos in, one request for each photo and model, captions out. No library, no other host.
"use strict";

const AT_ONCE = 4; // requests that run at the same time
const OPTIONS = { // decoding options with a field: label, least, most, step
  num_beams: ["Beams", 1, 16, 1], num_beam_groups: ["Groups of beams", 1, 16, 1],
  diversity_penalty: ["Diversity penalty", 0, 100, 0.1], length_penalty: ["Length penalty", -10, 10, 0.1],
  max_length: ["Longest (tokens)", 2, 100, 1], min_length: ["Shortest (tokens)", 0, 100, 1],
  no_repeat_ngram_size: ["No repeated n-gram of", 0, 10, 1], temperature: ["Temperature", 0.1, 10, 0.1],
  top_k: ["Top k", 0, 1000, 1], top_p: ["Top p", 0.01, 1, 0.01], seed: ["Seed", 0, 4294967295, 1],
  alpha: ["Contrast", 0, 10, 0.1], noise: ["Noise", 0, 100, 0.5],
};
const find = (id) => document.getElementById(id);
const photos = []; // {file, url, card, answers: {model: answer or {error}}, run}
let models = [];
let running = 0;
const waiting = [];

// -- settings

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

async function loadModels() {
  for (;;) {
    try {
      const answer = await fetch("v1/models");
      if (answer.ok) { models = (await answer.json()).data; break; }
      say("The model is loading.");
    } catch { say("The server does not answer. Is it running?"); }
    await new Promise((wake) => setTimeout(wake, 1000));
  }
  say(photos.length ? "" : "Ready.");
  models.forEach((model, place) => {
    const box = make("input", { type: "checkbox", value: model.id, checked: true });
    box.disabled = models.length === 1;
    find("models").append(make("label", { title: model.manner }, box, model.id));
    if (!place) continueStrategies(model);
  });
  showOptions();
  pump();
}

function continueStrategies(model) {
  for (const name of Object.keys(model.strategies)) find("strategy").append(make("option", { value: name }, name.replace("_", " ")));
  const none = !Object.keys(model.strategies).length;
  find("strategy").disabled = find("must").disabled = find("must_not").disabled = none;
}

function strategy() {
  const model = models[0] || { decode: {}, strategies: {} };
  const name = find("strategy").value || model.decode.name;
  const same = name === model.decode.name;
  return { name, options: { ...(model.strategies[name] || {}), ...(same ? model.decode : {}) } };
}

function showOptions() {
  const { options } = strategy();
  find("options").replaceChildren();
  for (const [name, [label, min, max, step]] of Object.entries(OPTIONS)) {
    if (!(name in options)) continue;
    const field = make("input", { type: "number", name, min, max, step, placeholder: options[name] ?? "any" });
    find("options").append(make("label", {}, label, field));
  }
  find("must").disabled = !("must" in options);
  find("must").placeholder = "must" in options ? "dog, red car" : "only with beams";
  find("must_not").placeholder = (options.must_not || []).join(", ") || "man, woman";
}

function listOf(id) {
  return find(id).disabled ? [] : find(id).value.split(",").map((word) => word.trim()).filter(Boolean);
}

function fields() {
  const pairs = [];
  if (find("strategy").value) pairs.push(["decode", find("strategy").value]);
  for (const field of find("options").querySelectorAll("input")) if (field.value) pairs.push([`decode.${field.name}`, field.value]);
  for (const id of ["must", "must_not"]) for (const word of listOf(id)) pairs.push([`decode.${id}`, word]);
  return pairs;
}

function chosenModels() {
  return [...find("models").querySelectorAll("input:checked")].map((box) => box.value);
}

// -- photos

function add(files) {
  for (const file of files) {
    const card = find("card").content.cloneNode(true).firstElementChild;
    const photo = { file, url: URL.createObjectURL(file), card, answers: {}, run: 0 };
    const image = card.querySelector("img");
    image.alt = file.name ? `Your photo ${file.name}` : "Your photo";
    image.onerror = () => {
      card.querySelector(".picture").hidden = true;
      card.classList.add("bare");
    };
    image.src = photo.url;
    card.querySelector("h2").textContent = file.name || "pasted photo";
    card.querySelector(".remove").onclick = () => remove(photo);
    photos.push(photo);
    find("photos").prepend(card);
    ask(photo);
  }
  showTools();
}

function showTools() {
  find("tools").hidden = find("legend").hidden = !photos.length;
}

function remove(photo) {
  URL.revokeObjectURL(photo.url);
  photo.run += 1;
  photo.card.remove();
  photos.splice(photos.indexOf(photo), 1);
  showTools();
  find("files").focus();
}

function ask(photo) {
  photo.run += 1;
  photo.answers = {};
  photo.card.querySelector(".answers").replaceChildren(make("p", { className: "waiting" }, "Waiting for the model."));
  waiting.push({ photo, run: photo.run });
  pump();
}

function pump() {
  while (models.length && running < AT_ONCE && waiting.length) {
    const { photo, run } = waiting.shift();
    if (photo.run !== run) continue;
    running += 1;
    Promise.all(chosenModels().map((model) => request(photo, model, run))).finally(() => {
      running -= 1;
      pump();
      if (!running && !waiting.length) report();
    });
  }
}

async function request(photo, model, run) {
  const form = new FormData();
  form.append("file", photo.file, photo.file.name || "pasted photo");
  form.append("model", model);
  form.append("maps", "true");
  for (const [key, value] of fields()) form.append(key, value);
  let answer;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      const response = await fetch("v1/caption", { method: "POST", body: form });
      answer = await response.json();
      if (response.status !== 503 || photo.run !== run) break;
      await new Promise((wake) => setTimeout(wake, 1000 * Number(response.headers.get("retry-after") || 2)));
    } catch {
      answer = { error: "the server did not answer" };
      break;
    }
  }
  if (photo.run !== run) return;
  photo.answers[model] = answer;
  show(photo);
}

// -- answers

function percent(logProb) {
  return Math.round(100 * Math.exp(logProb));
}

function show(photo) {
  const place = photo.card.querySelector(".answers");
  place.replaceChildren();
  for (const model of models.map((each) => each.id)) {
    if (model in photo.answers) place.append(drawAnswer(photo, model, photo.answers[model]));
  }
}

function drawAnswer(photo, model, answer) {
  const block = make("div", { className: "answer" });
  if (models.length > 1) block.append(make("p", { className: "model" }, model));
  if (answer.error) {
    block.append(make("p", { className: "wrong" }, answer.error));
    return block;
  }
  const caption = answer.captions[0];
  const facts = make("p", { className: "facts" });
  const usual = caption.log_prob === null ? "No probabilities: this captioner repeats captions."
    : `Log-probability ${caption.log_prob.toFixed(2)}, in ${answer.ms} ms.`;
  facts.textContent = usual;
  const line = make("p", { className: "caption" });
  line.setAttribute("role", "group");
  line.setAttribute("aria-label", `Caption: ${caption.text}`);
  if (!caption.words.length) line.textContent = caption.text || "(no words)";
  for (const word of caption.words) line.append(drawWord(photo, caption, word, facts, usual), " ");
  block.append(line, facts);
  if (caption.alternatives.length) block.append(drawOthers(caption.alternatives));
  return block;
}

function drawWord(photo, caption, word, facts, usual) {
  const sure = percent(word.log_prob);
  const where = word.map ? lies(word.map, caption.boxes) : "";
  const tells = `${word.word}: ${sure} percent${where ? `, looked at the ${where}` : ""}`;
  const button = make("button", { type: "button", className: "word" }, word.word);
  button.classList.add(sure >= 60 ? "sure" : sure >= 30 ? "unsure" : "doubt");
  button.setAttribute("aria-label", tells);
  const on = () => {
    facts.textContent = `${tells}.`;
    if (word.map) paint(photo.card, word.map, caption.boxes);
  };
  const off = () => {
    facts.textContent = usual;
    photo.card.querySelector("canvas").hidden = true;
  };
  button.addEventListener("mouseenter", on);
  button.addEventListener("focus", on);
  button.addEventListener("click", on);
  button.addEventListener("mouseleave", () => { if (document.activeElement !== button) off(); });
  button.addEventListener("blur", off);
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
    if (step && button[step]) { button[step].focus(); event.preventDefault(); }
    if (event.key === "Escape") off();
  });
  return button;
}

function drawOthers(others) {
  const list = make("ol");
  for (const other of others) {
    list.append(make("li", {}, `${other.text} `, make("small", {}, other.log_prob === null ? "" : other.log_prob.toFixed(2))));
  }
  return make("details", { className: "others" }, make("summary", {}, `${others.length} other captions of the search`), list);
}

// The part of the photo with most of the attention, in words: the centre of the strongest box.
function lies(map, boxes) {
  const [left, top, right, bottom] = boxes[map.indexOf(Math.max(...map))];
  const name = (place, names) => names[place < 1 / 3 ? 0 : place < 2 / 3 ? 1 : 2];
  const down = name((top + bottom) / 2, ["top", "middle", "bottom"]);
  const across = name((left + right) / 2, ["left", "centre", "right"]);
  if (down === "middle") return across === "centre" ? "centre" : `${across} side`;
  return across === "centre" ? down : `${down} ${across}`;
}

// Where the model did not look, the photo turns dark; soft edges, as in `showtell explain`.
function paint(card, map, boxes) {
  const image = card.querySelector("img");
  const canvas = card.querySelector("canvas");
  const scale = 96 / Math.max(image.naturalWidth, image.naturalHeight);
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const light = new Float32Array(canvas.width * canvas.height);
  boxes.forEach(([left, top, right, bottom], place) => {
    const across = soft(left, right, canvas.width);
    const down = soft(top, bottom, canvas.height);
    for (let y = 0; y < canvas.height; y += 1) {
      const weight = map[place] * down[y];
      if (weight > 1e-6) for (let x = 0; x < canvas.width; x += 1) light[y * canvas.width + x] += weight * across[x];
    }
  });
  const most = light.reduce((best, value) => Math.max(best, value), 1e-12);
  const pixels = new ImageData(canvas.width, canvas.height);
  light.forEach((value, place) => { pixels.data.set([8, 10, 14, Math.round(205 * (1 - value / most))], 4 * place); });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  canvas.hidden = false;
}

// How much each of `length` pixels lies between start and end, with edges like a logistic curve.
function soft(start, end, length) {
  const width = Math.max((end - start) * 0.26, 1e-6);
  const inside = (place) => {
    const after = start <= 1e-3 ? 1 : 1 / (1 + Math.exp((start - place) / width));
    const before = end >= 1 - 1e-3 ? 1 : 1 / (1 + Math.exp((place - end) / width));
    return after + before - 1;
  };
  return Float32Array.from({ length }, (_, place) => inside((place + 0.5) / length));
}

// -- all captions

function written(model, answer) {
  return answer.error ? { model, error: answer.error } : plain(answer);
}

function asJson() {
  const rows = photos.map((photo) => ({
    file: photo.file.name || "pasted photo",
    answers: models.map((each) => each.id).filter((model) => model in photo.answers).map((model) => written(model, photo.answers[model])),
  }));
  return JSON.stringify(rows, null, 1);
}

// Without maps: they are large, and the interface gives them to programs.
function plain(answer) {
  const { boxes, ...caption } = answer.captions[0];
  caption.words = caption.words.map(({ map, ...word }) => word);
  return { model: answer.model, signature: answer.signature, ...caption };
}

async function copy() {
  try {
    await navigator.clipboard.writeText(asJson());
    say("Copied.");
  } catch { say("The browser does not allow copying; use Download."); }
}

function download() {
  const link = make("a", { href: URL.createObjectURL(new Blob([asJson()], { type: "application/json" })), download: "captions.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say("Downloaded captions.json.");
}

function report() {
  const wrong = photos.filter((photo) => Object.values(photo.answers).some((answer) => answer.error)).length;
  const done = photos.length - wrong;
  const good = `${done} ${done === 1 ? "photo" : "photos"} captioned`;
  const newest = photos.length ? Object.values(photos[photos.length - 1].answers)[0] : null;
  const text = newest && !newest.error ? ` The newest: ${newest.captions[0].text}` : "";
  say(`${good}${wrong ? `, ${wrong} refused` : ""}.${text}`);
}

function say(text) {
  find("status").textContent = text;
}

// -- events

const drop = find("drop");
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  add(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) add(event.clipboardData.files); });
find("files").addEventListener("change", (event) => {
  add([...event.target.files]);
  event.target.value = "";
});
find("form").addEventListener("submit", (event) => event.preventDefault());
find("strategy").addEventListener("change", showOptions);
find("again").addEventListener("click", () => photos.forEach(ask));
find("copy").addEventListener("click", copy);
find("download").addEventListener("click", download);
find("clear").addEventListener("click", () => [...photos].forEach(remove));
loadModels();
