
"use strict";
// The page is whole without this; with it drawings can be read off, curves toggled, tables sorted,
// and a cell of the confusion matrix shows its pictures.
const plaingrad = (() => {
  const all = (root, selector) => [...root.querySelectorAll(selector)];

  function make(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  // ---- Drawings ----

  const scale = (log, value) => (log ? Math.log10(value) : value);

  // The point of sorted xs that lies nearest to x.
  function nearest(xs, x) {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) low = middle; else high = middle;
    }
    return Math.abs(xs[high] - x) < Math.abs(xs[low] - x) ? high : low;
  }

  function words(panel, value) {
    if (panel.percent) return `${(100 * value).toFixed(1)} %`;
    return `${Number(value.toPrecision(4))}`;
  }

  function chart(figure) {
    const svg = figure.querySelector("svg"), reading = figure.querySelector(".reading");
    const { panels } = JSON.parse(figure.querySelector("script").textContent);
    const hidden = new Set();
    const marks = document.createElementNS("http://www.w3.org/2000/svg", "g");
    svg.append(marks);

    const place = (panel, x, y) => {
      const [left, top, right, bottom] = panel.box, [a, b] = panel.xlim, [c, d] = panel.ylim;
      const at = (log, value, from, to) => (scale(log, value) - scale(log, from)) / (scale(log, to) - scale(log, from));
      return [left + at(panel.xlog, x, a, b) * (right - left), bottom - at(panel.ylog, y, c, d) * (bottom - top)];
    };
    const visible = panel => panel.series.filter(own => own.x.length && !hidden.has(own.key));
    // Panels above one another are read together, unless there are so many that nobody could.
    const column = panel => {
      const same = panels.filter(own => own.box[0] === panel.box[0] && own.xlim[0] === panel.xlim[0] && own.xlim[1] === panel.xlim[1]);
      return same.length > 3 ? [panel] : same;
    };

    function draw(tag, attributes) {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      marks.append(made);
    }

    function forget() {
      marks.replaceChildren();
      reading.replaceChildren();
    }

    // Rows of small curves, each on a scale of its own: one row is read off, through all panels.
    const keys = [...new Set(panels.flatMap(own => own.series).filter(own => own.values).map(own => own.key))];

    // Show what the curves are at x; `reach` is how far from it, on the x axis, a point may lie.
    function show(panel, x, reach, key) {
      forget();
      const together = keys.length ? panels : column(panel), said = [];
      for (const own of together) {
        for (const series of visible(own)) {
          const i = nearest(series.x, x), y = series.y[i];
          if (keys.length && series.key !== key || y === null || Math.abs(series.x[i] - x) > reach) continue;
          const [left, top] = place(own, series.x[i], y);
          draw("circle", { class: "dot", cx: left, cy: top, r: 2.2 });
          if (keys.length && !said.length) said.push(make("span", {}, make("b", {}, series.label)));
          said.push(make("span", {}, `${keys.length ? own.ylabel : series.label} `, make("b", {}, words(own, (series.values || series.y)[i]))));
        }
        const [left] = place(own, x, own.ylim[0]);
        draw("line", { class: "cross", x1: left, x2: left, y1: own.box[1], y2: own.box[3] });
      }
      const axis = together.map(own => own.xlabel).find(Boolean) || panels.map(own => own.xlabel).find(Boolean) || "x";
      said.unshift(make("span", {}, `${axis} `, make("b", {}, `${Number(x.toPrecision(6))}`)));
      reading.append(...said.flatMap((own, i) => (i ? [", ", own] : [own])));
    }

    function point(event) {
      const bounds = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
      const left = (event.clientX - bounds.left) / bounds.width * view.width + view.x;
      const top = (event.clientY - bounds.top) / bounds.height * view.height + view.y;
      const over = panels.find(({ box }) => left >= box[0] - 4 && left <= box[2] + 4 && top >= box[1] - 8 && top <= box[3] + 8);
      if (!over) return forget();
      const [a, b] = over.xlim, unit = (b - a) / (over.box[2] - over.box[0]);
      const wanted = over.xlog
        ? 10 ** (scale(true, a) + (left - over.box[0]) / (over.box[2] - over.box[0]) * (scale(true, b) - scale(true, a)))
        : a + (left - over.box[0]) * unit;
      let series = column(over).flatMap(visible);
      if (keys.length) {
        const height = own => { const i = nearest(own.x, wanted); return own.y[i] === null ? Infinity : Math.abs(place(over, own.x[i], own.y[i])[1] - top); };
        series = visible(over).sort((one, other) => height(one) - height(other)).slice(0, 1);
      }
      if (!series.length) return forget();
      // The curve with the fewest points is met first: an evaluation rather than one of a thousand steps.
      const near = series.map(own => ({ x: own.x[nearest(own.x, wanted)], count: own.x.length }));
      const close = near.filter(own => Math.abs(own.x - wanted) < 9 * unit).sort((one, other) => one.count - other.count);
      const chosen = close[0] || near.sort((one, other) => Math.abs(one.x - wanted) - Math.abs(other.x - wanted))[0];
      panel = over;
      row = Math.max(keys.indexOf(series[0].key), 0);
      show(over, chosen.x, 3 * unit, series[0].key);
    }

    let panel = panels.find(own => own.series.some(series => series.x.length)), index = -1, row = 0;
    function key(event) {
      const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key] ?? 0;
      const down = keys.length && ({ ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0);
      if (event.key === "Escape") forget();
      if (!move && !down || !panel) return;
      event.preventDefault();
      row = Math.min(Math.max(row + down, 0), keys.length - 1);
      const own = keys.length ? panels.flatMap(visible).filter(series => series.key === keys[row]) : column(panel).flatMap(visible);
      const series = own.sort((one, other) => one.x.length - other.x.length).find(one => one.x.length > 1) || own[0];
      if (!series) return;
      index = Math.min(Math.max(index + move, 0), series.x.length - 1);
      show(panel, series.x[index], 3 * (panel.xlim[1] - panel.xlim[0]) / (panel.box[2] - panel.box[0]), keys[row]);
    }

    const canvas = figure.querySelector(".canvas");
    if (panel) {
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "group");
      canvas.setAttribute("aria-label", "Arrow keys read the curves off");
      canvas.addEventListener("pointermove", point);
      canvas.addEventListener("pointerdown", point);
      canvas.addEventListener("pointerleave", () => { if (document.activeElement !== canvas) forget(); }); // keys go on reading
      canvas.addEventListener("blur", forget);
      canvas.addEventListener("keydown", key);
    }

    for (const entry of all(figure, ".legend li")) {
      const { series } = entry.dataset;
      const button = make("button", { type: "button", "aria-pressed": "true", "data-series": series }, ...entry.childNodes);
      button.addEventListener("click", () => {
        const on = hidden.has(series);
        hidden[on ? "delete" : "add"](series);
        button.setAttribute("aria-pressed", on);
        for (const curve of all(svg, ".series")) if (curve.dataset.series === series) curve.classList.toggle("off", !on);
        forget();
      });
      entry.replaceChildren(button);
    }
  }

  // ---- Tables ----

  const worth = cell => {
    const text = cell.dataset.value ?? cell.textContent.trim();
    if (text === "–") return "";
    const number = text === "" ? NaN : Number(text.replace(/,/g, "").replace(/\s*%$/, ""));
    return Number.isNaN(number) ? text : number;
  };

  // Numbers before words, and what is empty last, whichever way it is sorted.
  function order(one, other, down) {
    if (one === "" || other === "") return (one === "") - (other === "");
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
    const by = typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true });
    return down ? -by : by;
  }

  function sortable(table) {
    const heads = all(table, "thead th");
    heads.forEach((head, column) => {
      if (head.querySelector("button") || !head.textContent.trim()) return;
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach(own => own.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        for (const body of table.tBodies) {
          const rows = [...body.rows].map(row => [worth(row.cells[column]), row]);
          rows.sort((one, other) => order(one[0], other[0], down));
          body.append(...rows.map(([, row]) => row));
        }
      });
    });
  }

  // ---- The confusion matrix ----

  function confusion(part) {
    const links = all(part, "a[data-true]");
    links.forEach(link => link.addEventListener("click", event => {
      event.preventDefault();
      const again = link.hasAttribute("aria-current"), { true: label, predicted, count } = link.dataset;
      links.forEach(own => own.removeAttribute("aria-current"));
      for (const block of all(part, ".of-class")) {
        const own = block.dataset.true === label && !again;
        block.classList.toggle("shown", own);
        if (!own) continue;
        link.setAttribute("aria-current", "true");
        block.classList.toggle("cell", predicted !== undefined);
        const shown = all(block, "li").filter(item => (item.hidden = predicted !== undefined && item.dataset.predicted !== predicted, !item.hidden));
        const told = predicted === undefined ? "" : shown.length < count ? `: ${shown.length} of ${count}, the surest first` : `: ${count}`;
        block.querySelector("h3").textContent = link.dataset.told + told;
        block.querySelector(".none").hidden = shown.length > 0;
      }
    }));
    all(part, ".matrix").forEach(roving);
  }

  // A matrix is one stop of the Tab key; arrow keys go from cell to cell, over those that hold nothing.
  function roving(table) {
    const rows = [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.querySelector("a")));
    const links = rows.flat().filter(Boolean);
    const stop = link => links.forEach(own => { own.tabIndex = own === link ? 0 : -1; });
    stop(links[0]);
    table.addEventListener("focusin", event => stop(event.target));
    table.addEventListener("keydown", event => {
      const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
      if (!down && !right) return;
      event.preventDefault();
      let row = rows.findIndex(own => own.includes(event.target)), column = rows[row].indexOf(event.target), next;
      do next = rows[row += down]?.[column += right]; while (next === null);
      next?.focus();
    });
  }

  // ---- What scrolls sideways ----

  // It is reached with the Tab key while there is something to scroll.
  const widths = new ResizeObserver(boxes => boxes.forEach(({ target }) => {
    const box = target.closest(".scroll, .tall"), more = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    const told = { tabindex: 0, role: "region", "aria-labelledby": box.closest("section")?.getAttribute("aria-labelledby") };
    for (const [name, value] of Object.entries(told)) more && value !== undefined ? box.setAttribute(name, value) : box.removeAttribute(name);
  }));

  function enliven(root) {
    for (const box of all(root, ".scroll, .tall")) for (const own of [box, ...box.children]) widths.observe(own);
    all(root, "figure.chart").forEach(chart);
    all(root, "table.sortable").forEach(sortable);
    all(root, ".confusion").forEach(confusion);
  }

  document.documentElement.classList.add("js");
  enliven(document);
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all(document, "details:not([open])");
    folded.forEach(own => { own.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach(own => { own.open = false; }));
  return { enliven };
})();
