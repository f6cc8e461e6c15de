"use strict";
(() => {
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  };
  const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const data = (element) => JSON.parse(element.querySelector('script[type="application/json"]').textContent);
  const select = (label, options, change) => {
    const box = make("select", { "aria-label": label });
    for (const [value, text] of options) box.append(make("option", { value }, text));
    box.addEventListener("change", change);
    const field = make("label", {}, make("span", {}, label), box);
    return { field, box };
  };

  /* Tables: a click on a column's name sorts by it, a second click turns the order around. */
  const number = (cell) => parseFloat((cell.dataset.sort || cell.textContent).replace(/,/g, ""));
  const sort = (table, column, button) => {
    const head = button.closest("th");
    const down = head.getAttribute("aria-sort") !== "descending";
    const rows = [...table.tBodies[0].rows];
    const texts = rows.some((row) => row.cells[column].textContent.trim() && isNaN(number(row.cells[column])));
    const key = (row) => (texts ? row.cells[column].textContent.trim() : number(row.cells[column]));
    rows.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (!texts && (isNaN(x) || isNaN(y))) return isNaN(x) - isNaN(y);
      return (texts ? x.localeCompare(y) : x - y) * (down === texts ? 1 : -1);
    });
    table.tBodies[0].append(...rows);
    for (const each of head.parentNode.cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = make("button", { type: "button" }, ...head.childNodes);
      button.addEventListener("click", () => sort(table, column, button));
      head.append(button);
    });
  }

  /* Curves: one chart for all runs. The metric and the x axis can be chosen, runs can be hidden. */
  const ticks = (low, high, count) => {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.999);
    const found = [];
    for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(at * step);
    return found;
  };
  const short = (value) => {
    if (Math.abs(value) >= 10000) return `${+(value / 1000).toPrecision(4)}k`;
    return String(+value.toPrecision(4));
  };
  const drawChart = (element) => {
    const { runs, metrics, axes } = data(element);
    const hidden = new Set();
    const plot = make("div", { class: "plot" });
    const says = make("output", { class: "says" });
    const legend = make("div", { class: "legend", role: "group", "aria-label": "Runs shown" });
    let points = [];
    let chosen = -1;

    const lines = (metric) => {
      const kinds = metric === "loss" ? [["loss", "training"], ["val_loss", "validation"]] : [[metric, ""]];
      const found = [];
      for (const run of runs) {
        if (hidden.has(run.name)) continue;
        for (const [key, what] of kinds) {
          const axis = axes.indexOf(by.box.value);
          const all = (run.curves[key] || []).filter((point) => point[axis] !== null);
          if (all.length) found.push({ run, what, thin: what === "training", all: all.map((p) => [p[axis], p[3]]) });
        }
      }
      return found;
    };
    const draw = () => {
      const series = lines(metric.box.value);
      const width = Math.max(plot.clientWidth, 260);
      const height = width < 520 ? 250 : 340;
      const [left, right, top, bottom] = [52, 12, 12, 40];
      const every = series.flatMap((line) => line.all);
      points = [];
      chosen = -1;
      says.textContent = "";
      if (!every.length) {
        plot.replaceChildren(make("p", { class: "text" }, "Nothing to draw: no run shown here has logged this."));
        return;
      }
      const [xs, ys] = [every.map((p) => p[0]), every.map((p) => p[1])];
      let [x0, x1, y0, y1] = [Math.min(0, ...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      const room = (y1 - y0 || Math.abs(y1) || 1) * 0.06;
      [y0, y1] = [y0 >= 0 ? Math.max(0, y0 - room) : y0 - room, y1 + room];
      if (x1 === x0) x1 = x0 + 1;
      const X = (x) => left + ((x - x0) / (x1 - x0)) * (width - left - right);
      const Y = (y) => height - bottom - ((y - y0) / (y1 - y0)) * (height - top - bottom);
      const out = [];
      for (const y of ticks(y0, y1, height / 60)) {
        out.push(`<line class="rule" x1="${left}" x2="${width - right}" y1="${Y(y)}" y2="${Y(y)}"/>`);
        out.push(`<text x="${left - 8}" y="${Y(y) + 4}" text-anchor="end">${short(y)}</text>`);
      }
      for (const x of ticks(x0, x1, width / 90)) {
        out.push(`<text x="${X(x)}" y="${height - bottom + 18}" text-anchor="middle">${short(x)}</text>`);
      }
      out.push(`<text x="${(left + width - right) / 2}" y="${height - 4}" text-anchor="middle">${by.box.value}</text>`);
      for (const { run, what, thin, all } of series) {
        const way = all.map(([x, y], at) => `${at ? "L" : "M"}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`).join("");
        const style = thin ? 'stroke-width="1.2" opacity=".55"' : 'stroke-width="2"';
        out.push(`<path d="${way}" fill="none" stroke="${run.colour}" ${style} stroke-linejoin="round"/>`);
        for (const [x, y] of all) {
          if (!thin) out.push(`<circle cx="${X(x).toFixed(1)}" cy="${Y(y).toFixed(1)}" r="3.2" fill="${run.colour}"/>`);
          const where = by.box.value === "seconds" ? `after ${short(x)} seconds` : `at ${by.box.value} ${short(x)}`;
          points.push({ x: X(x), y: Y(y), text: `${run.name}${what && `, ${what}`}: ${short(y)} ${where}` });
        }
      }
      out.push('<circle class="here" r="6" fill="none" visibility="hidden"/>');
      const names = [...new Set(series.map((line) => line.run.name))].join(", ");
      const label = `${metric.box.value} by ${by.box.value} of ${names}; arrow keys go from point to point`;
      plot.innerHTML = `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" tabindex="0" aria-label="${escaped(label)}">${out.join("")}</svg>`;
    };
    const show = (at) => {
      chosen = at;
      const ring = plot.querySelector(".here");
      if (!ring) return;
      const point = points[at];
      ring.setAttribute("visibility", point ? "visible" : "hidden");
      if (point) {
        ring.setAttribute("cx", point.x);
        ring.setAttribute("cy", point.y);
      }
      says.textContent = point ? point.text : "";
    };
    plot.addEventListener("pointermove", (event) => {
      const box = plot.firstChild.getBoundingClientRect();
      const far = points.map((p) => Math.hypot(p.x - (event.clientX - box.left), p.y - (event.clientY - box.top)));
      const near = Math.min(...far);
      show(near < 40 ? far.indexOf(near) : -1);
    });
    plot.addEventListener("pointerleave", () => show(-1));
    plot.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!move || !points.length) return;
      event.preventDefault();
      show((chosen + move + points.length) % points.length);
    });

    const metric = select("Metric", metrics.map((name) => [name, name]), draw);
    const by = select("x axis", axes.map((name) => [name, name]), draw);
    for (const run of runs) {
      const key = make("button", { type: "button", "aria-pressed": "true" });
      key.innerHTML = `<i style="background:${run.colour}"></i>`;
      key.append(run.name);
      key.addEventListener("click", () => {
        if (!hidden.delete(run.name)) hidden.add(run.name);
        key.setAttribute("aria-pressed", String(!hidden.has(run.name)));
        draw();
      });
      legend.append(key);
    }
    element.replaceChildren(make("div", { class: "controls" }, metric.field, by.field), legend, plot, says);
    new ResizeObserver(draw).observe(plot);
    draw();
  };

  /* The explorer: every photo with its captions, references and scores; sorted, filtered, searched. */
  const FEW = 12;
  const explore = (element) => {
    const { runs, metrics, kinds, photos, best } = data(element);
    const lower = Object.fromEntries(metrics.map((each) => [each.name, each.lower]));
    let shown = FEW;
    const list = make("ul", { class: "cards" });
    const says = make("p", { class: "says", role: "status" });
    const more = make("button", { type: "button", class: "more" });
    const places = () => (run.box.value === "" ? runs.map((_, at) => at) : [Number(run.box.value)]);
    const values = (photo) => {
      const row = photo.values[metrics.findIndex((each) => each.name === metric.box.value)] || [];
      return places().map((at) => row[at]).filter((value) => value !== null && value !== undefined);
    };
    const keys = {
      worst: (photo) => goodness(photo),
      best: (photo) => -goodness(photo),
      apart: (photo) => {
        const every = values(photo);
        return every.length ? Math.min(...every) - Math.max(...every) : Infinity;
      },
    };
    const goodness = (photo) => {
      const every = values(photo);
      if (!every.length) return NaN;
      const mean = every.reduce((sum, value) => sum + value, 0) / every.length;
      return lower[metric.box.value] ? -mean : mean;
    };
    const fails = (photo, kind) => places().some((at) => kind in photo.failures[at]);
    const words = (photo) => [photo.name, ...photo.captions, ...photo.references].join("\n").toLowerCase();
    const refill = () => {
      const old = failure.box.value;
      const options = [make("option", { value: "" }, "all photos")];
      for (const kind of kinds) {
        const count = photos.filter((photo) => fails(photo, kind)).length;
        options.push(make("option", { value: kind }, `${kind} (${count})`));
      }
      failure.box.replaceChildren(...options);
      failure.box.value = old;
    };
    const caption = (photo, at) => {
      const row = photo.values[metrics.findIndex((each) => each.name === metric.box.value)] || [];
      const value = row[at];
      const whose = make("p", { class: "whose" }, runs[at]);
      if (value !== null && value !== undefined) whose.append(` · ${metric.box.value} ${value.toFixed(3)}`);
      for (const [kind, why] of Object.entries(photo.failures[at])) {
        whose.append(" ", make("span", { class: "fault" }, why ? `${kind}: ${why}` : kind));
      }
      return [whose, make("p", { class: "caption" }, photo.captions[at] || "(no words)")];
    };
    const card = (photo) => {
      const body = make("div", { class: "said" }, make("span", { class: "name" }, photo.name));
      for (const at of places()) body.append(...caption(photo, at));
      const references = make("ul", { class: "references", "aria-label": "references" });
      for (const text of photo.references) references.append(make("li", {}, text));
      body.append(references);
      const picture = photo.picture ? make("img", { src: photo.picture, alt: `photo ${photo.name}` }) : null;
      return make("li", { class: "card" }, picture, body);
    };
    const draw = () => {
      const wanted = search.value.trim().toLowerCase();
      let some = photos.filter((photo) => !failure.box.value || fails(photo, failure.box.value));
      if (wanted) some = some.filter((photo) => words(photo).includes(wanted));
      const key = keys[order.box.value];
      if (key) {
        const ranked = some.map((photo) => [key(photo), photo]);
        ranked.sort(([a], [b]) => (isNaN(a) || isNaN(b) ? isNaN(a) - isNaN(b) : a - b));
        some = ranked.map(([, photo]) => photo);
      } else {
        some.sort((a, b) => a.name.localeCompare(b.name));
      }
      list.replaceChildren(...some.slice(0, shown).map(card));
      const left = some.length - shown;
      says.textContent = `${Math.min(shown, some.length)} of ${some.length} photos shown`;
      more.hidden = left <= 0;
      more.textContent = `Show ${Math.min(left, FEW)} more`;
    };
    const again = () => {
      shown = FEW;
      draw();
    };
    const all = runs.length > 1 ? [["", "all runs"]] : [];
    const run = select("Run", [...all, ...runs.map((name, at) => [at, name])], () => {
      refill();
      again();
    });
    const metric = select("Score", metrics.map((each) => [each.name, each.name]), again);
    metric.box.value = best;
    const orders = [["worst", "worst first"], ["best", "best first"], ["apart", "runs disagree most"], ["name", "by name"]];
    const order = select("Order", orders.filter(([key]) => key !== "apart" || runs.length > 1), again);
    const failure = select("Failure", [], again);
    const search = make("input", { type: "search", "aria-label": "Search", placeholder: "a word, or a photo's name" });
    search.addEventListener("input", again);
    const find = make("label", {}, make("span", {}, "Search"), search);
    more.addEventListener("click", () => {
      const first = list.children.length;
      shown += FEW;
      draw();
      const next = list.children[first];
      if (next) {
        next.tabIndex = -1;
        next.focus();
      }
    });
    const controls = make("div", { class: "controls" }, run.field, metric.field, order.field, failure.field, find);
    element.replaceChildren(controls, says, list, more);
    refill();
    draw();
  };

  document.querySelectorAll(".chart").forEach(drawChart);
  document.querySelectorAll(".explorer").forEach(explore);
})();
