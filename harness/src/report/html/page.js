"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 100;
  const NONE = "–";
  const collator = new Intl.Collator("en", { numeric: true });

  // Numbers as the other reports show them: four digits, units in the cell.
  function number(x) {
    if (x === 0) return "0";
    const magnitude = Math.floor(Math.log10(Math.abs(x)));
    if (magnitude < -4 || magnitude >= 6) return x.toExponential(3).replace("e+", "e");
    return x.toFixed(Math.max(0, 3 - magnitude));
  }
  function bytes(x) {
    let unit = "B";
    for (const next of ["KiB", "MiB", "GiB", "TiB"]) {
      if (Math.abs(x) < 1024) break;
      x /= 1024;
      unit = next;
    }
    return unit === "B" ? `${x.toFixed(0)} B` : `${number(x)} ${unit}`;
  }
  function valueOf(metric, x) {
    if (x === null) return NONE;
    switch (metric.unit) {
      case "B": return bytes(x);
      case "": return number(x);
      case "x": return `${number(x)}x`;
      case "%": case "pt": return `${x.toFixed(3)} ${metric.unit}`;
      default: return `${number(x)} ${metric.unit}`;
    }
  }
  const signed = (x, text) => (x > 0 ? `+${text}` : text);
  function percent(share) {
    const p = share * 100;
    if (p === 0) return "0 %";
    if (Math.abs(p) < 0.01) return `${signed(p, p.toExponential(1).replace("e+", "e"))} %`;
    if (Math.abs(p) < 1000) return `${signed(p, p.toFixed(2))} %`;
    return `${signed(p, p.toExponential(3).replace("e+", "e"))} %`;
  }
  function changeOf(metric, before, after) {
    if (before === null || after === null) return NONE;
    if (before === after) return "0";
    const change = after - before;
    if (["%", "pt", "dB"].includes(metric.unit)) return `${signed(change, change.toFixed(3))} ${metric.unit.replace("%", "pt")}`;
    if (before !== 0) return percent(after / before - 1);
    return signed(change, valueOf(metric, change));
  }

  // What a cell of text sorts by, where its column holds numbers.
  const UNITS = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };
  function numeric(text) {
    const found = /[-+]?\d[\d.]*(?:e[-+]?\d+)?/i.exec(text);
    if (!found) return null;
    const unit = /\b[KMGT]iB\b/.exec(text);
    return Number(found[0]) * (unit ? UNITS[unit[0]] : 1);
  }

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // columns: {name, number, text(i), key(i)}; filters: {label, options, takes(i, option)}; search(i): text to look in.
  function show(place, caption, count, columns, filters, search, order) {
    let shown = [], first = 0, sorted = -1, direction = 1;
    const all = order ?? Array.from({ length: count }, (_, i) => i);
    const status = element("p", { role: "status", class: "note" });
    const query = element("input", { type: "search", autocomplete: "off" });
    const controls = element("div", { class: "controls" }, element("label", {}, "Search", query));
    const selects = filters.map((filter) => {
      const select = element("select", {}, element("option", { value: "" }, "all"));
      filter.options.forEach((option, i) => select.append(element("option", { value: String(i) }, option)));
      select.addEventListener("change", refresh);
      controls.append(element("label", {}, filter.label, select));
      return select;
    });
    const heads = columns.map((column, i) => {
      const button = element("button", { type: "button" }, column.name);
      button.addEventListener("click", () => {
        direction = sorted === i ? -direction : 1;
        sorted = i;
        heads.forEach((head, j) => (j === i ? head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending") : head.removeAttribute("aria-sort")));
        refresh();
      });
      return element("th", { scope: "col", ...(column.number ? { class: "number" } : {}) }, button);
    });
    const body = element("tbody");
    const table = element("table", { "aria-rowcount": String(count) }, element("caption", { class: "unseen" }, caption), element("thead", {}, element("tr", {}, ...heads)), body);
    const previous = element("button", { type: "button" }, "Previous rows");
    const next = element("button", { type: "button" }, "Next rows");
    previous.addEventListener("click", () => draw(first - PAGE));
    next.addEventListener("click", () => draw(first + PAGE));

    function refresh() {
      const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = selects.map((select) => (select.value === "" ? null : Number(select.value)));
      shown = all.filter((i) => {
        if (!filters.every((filter, f) => chosen[f] === null || filter.takes(i, chosen[f]))) return false;
        if (words.length === 0) return true;
        const text = search(i).toLowerCase();
        return words.every((word) => text.includes(word));
      });
      if (sorted >= 0) {
        const { key, number: isNumber } = columns[sorted];
        const keys = new Map(shown.map((i) => [i, key(i)]));
        shown.sort((a, b) => {
          const x = keys.get(a), y = keys.get(b);
          // What has no value comes last either way.
          if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
          const by = isNumber || typeof x === "number" ? x - y : collator.compare(x, y);
          return direction * by || a - b;
        });
      }
      draw(0);
    }
    function draw(from) {
      first = Math.max(0, Math.min(from, Math.max(0, shown.length - 1)));
      first -= first % PAGE;
      const rows = shown.slice(first, first + PAGE).map((i, at) => {
        const cells = columns.map((column) => {
          const text = column.text(i);
          const kind = column.number ? "number" : column.verdict ? `verdict-${text}` : column.wraps ? "wraps" : "";
          return element("td", kind ? { class: kind } : {}, text);
        });
        return element("tr", { "aria-rowindex": String(first + at + 2) }, ...cells);
      });
      body.replaceChildren(...rows);
      const end = Math.min(first + PAGE, shown.length);
      const of = shown.length === count ? `${count}` : `${shown.length}, filtered from ${count}`;
      status.textContent = shown.length ? `Rows ${first + 1} to ${end} of ${of}` : `No row of ${count} matches`;
      previous.disabled = first === 0;
      next.disabled = end >= shown.length;
    }
    let waiting = 0;
    query.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(refresh, 120);
    });
    const scroll = element("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, table);
    const paging = element("div", { class: "controls" }, previous, next);
    place.replaceChildren(...(count > 12 ? [controls] : []), status, scroll, ...(count > PAGE ? [paging] : []));
    refresh();
  }

  function showGrid(place, grid) {
    const columns = grid.header.map((name, c) => {
      const isNumber = c >= grid.numbers_from && c < grid.text_again && !["Verdict", "Reason"].includes(name);
      return {
        name,
        number: isNumber,
        wraps: ["Reason", "Tensors"].includes(name),
        text: (i) => grid.rows[i][c],
        key: (i) => (isNumber ? numeric(grid.rows[i][c]) : grid.rows[i][c]),
      };
    });
    show(place, place.dataset.caption, grid.rows.length, columns, [], (i) => grid.rows[i].join(" "));
  }

  function showValues(place) {
    const { rows, kernels, fixtures, metrics, verdicts } = data;
    const estimates = new Set(rows.estimates);
    const paired = new Map(rows.paired.map(([i, change, interval]) => [i, { change, interval }]));
    const rank = (names) => {
      const order = names.map((_, i) => i).sort((a, b) => collator.compare(names[a], names[b]));
      const ranks = new Array(names.length);
      order.forEach((name, i) => (ranks[name] = i));
      return ranks;
    };
    const ranks = { kernel: rank(kernels), fixture: rank(fixtures) };
    const verdict = (i) => (rows.verdict[i] < 0 ? "shown" : verdicts[rows.verdict[i]]);
    const share = (i) => {
      if (paired.has(i)) return paired.get(i).change;
      const [before, after] = [rows.before[i], rows.after[i]];
      return before === null || after === null ? null : before === after ? 0 : before === 0 ? null : after / before - 1;
    };
    const metric = (i) => metrics[rows.metric[i]];
    const change = (i) => (paired.has(i) && paired.get(i).change !== null ? percent(paired.get(i).change) : changeOf(metric(i), rows.before[i], rows.after[i]));
    const interval = (i) => {
      const ends = paired.get(i)?.interval;
      if (ends) return `${percent(ends[0])} to ${percent(ends[1])}`;
      return rows.half[i] === null ? NONE : `± ${valueOf(metric(i), rows.half[i])}`;
    };
    const columns = [
      { name: "Kernel", text: (i) => kernels[rows.kernel[i]], key: (i) => ranks.kernel[rows.kernel[i]] },
      { name: "Fixture", text: (i) => fixtures[rows.fixture[i]], key: (i) => ranks.fixture[rows.fixture[i]] },
      { name: "Metric", text: (i) => metric(i).name, key: (i) => rows.metric[i] },
      { name: "Verdict", verdict: true, text: verdict, key: (i) => (rows.verdict[i] < 0 ? verdicts.length : rows.verdict[i]) },
      { name: "Before", number: true, text: (i) => valueOf(metric(i), rows.before[i]), key: (i) => rows.before[i] },
      { name: "After", number: true, text: (i) => (estimates.has(i) ? "≈ " : "") + valueOf(metric(i), rows.after[i]), key: (i) => rows.after[i] },
      { name: "Change", number: true, text: change, key: share },
      { name: "Interval", number: true, text: interval, key: (i) => { const ends = paired.get(i)?.interval; return ends ? ends[1] - ends[0] : rows.half[i]; } },
      { name: "Seen from", number: true, text: (i) => (rows.seen[i] === 0 ? "any" : valueOf(metric(i), rows.seen[i])), key: (i) => rows.seen[i] },
    ];
    const used = (list) => [...new Set(list)].sort((a, b) => a - b);
    const usedMetrics = used(rows.metric);
    const usedVerdicts = used(rows.verdict);
    const byRank = (names, ranks) => names.map((_, i) => i).sort((a, b) => ranks[a] - ranks[b]);
    const [kernelOrder, fixtureOrder] = [byRank(kernels, ranks.kernel), byRank(fixtures, ranks.fixture)];
    const filters = [
      { label: "Kernel", options: kernelOrder.map((k) => kernels[k]), takes: (i, o) => rows.kernel[i] === kernelOrder[o] },
      { label: "Fixture", options: fixtureOrder.map((f) => fixtures[f]), takes: (i, o) => rows.fixture[i] === fixtureOrder[o] },
      { label: "Metric", options: usedMetrics.map((m) => metrics[m].name), takes: (i, o) => rows.metric[i] === usedMetrics[o] },
      { label: "Verdict", options: usedVerdicts.map((v) => (v < 0 ? "shown" : verdicts[v])), takes: (i, o) => rows.verdict[i] === usedVerdicts[o] },
    ];
    const search = (i) => `${kernels[rows.kernel[i]]} ${fixtures[rows.fixture[i]]} ${metric(i).name} ${verdict(i)}`;
    show(place, place.dataset.caption, rows.kernel.length, columns, filters, search);
  }

  const grids = new Map(data.tables.map((table) => [table.id, table]));
  function fill(place) {
    if (place.dataset.filled) return;
    place.dataset.filled = "yes";
    if (place.dataset.table === "values") showValues(place);
    else if (grids.has(place.dataset.table)) showGrid(place, grids.get(place.dataset.table));
  }
  for (const place of document.querySelectorAll(".table")) {
    const folded = place.closest("details.lazy");
    if (folded) folded.addEventListener("toggle", () => folded.open && fill(place));
    else fill(place);
  }

  // Light, dark, or as the system has it. A page that is opened from a file may have no storage.
  const button = document.getElementById("theme");
  const themes = ["automatic", "light", "dark"];
  const stored = () => { try { return localStorage.getItem("weighbridge-theme"); } catch { return null; } };
  function setTheme(theme) {
    if (theme === "automatic") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.dataset.now = theme;
    try { localStorage.setItem("weighbridge-theme", theme); } catch { /* shown, not kept */ }
  }
  button.hidden = false;
  button.addEventListener("click", () => setTheme(themes[(themes.indexOf(button.dataset.now) + 1) % themes.length]));
  setTheme(themes.includes(stored()) ? stored() : "automatic");
})();
