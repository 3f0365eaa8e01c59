"use strict";
(() => {
  const WINDOW = 200; // rows of a long table that are shown at first
  const root = document.documentElement;
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  root.classList.add("js");

  // Theme: the reader's choice, else that of the system.
  const stored = { get() { try { return localStorage.getItem("theme"); } catch { return null; } },
    set(name) { try { localStorage.setItem("theme", name); } catch { /* a browser may refuse to store */ } } };
  if (["light", "dark"].includes(stored.get())) root.dataset.theme = stored.get();
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  function themes() {
    one(".top").insertAdjacentHTML("beforeend", '<button class="theme" type="button"></button>');
    const button = one(".theme");
    const say = () => { button.textContent = isDark() ? "Light" : "Dark"; };
    button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; stored.set(root.dataset.theme); say(); });
    say();
  }

  // Permalinks: the address after # is an anchor, then name=value for each choice.
  function readState() {
    const parts = location.hash.slice(1).split("&");
    const anchor = parts[0].includes("=") ? "" : parts.shift();
    const values = new Map(parts.filter((part) => part.includes("=")).map((part) => {
      const [name, ...rest] = part.split("=");
      return [decode(name), decode(rest.join("="))];
    }));
    return { anchor: decode(anchor || ""), values };
  }
  function decode(text) { try { return decodeURIComponent(text); } catch { return text; } }
  function writeState(changes) {
    const { anchor, values } = readState();
    for (const [name, value] of Object.entries(changes)) value ? values.set(name, value) : values.delete(name);
    const parts = [...values].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
    if (anchor) parts.unshift(encodeURIComponent(anchor));
    history.replaceState(null, "", `#${parts.join("&")}`);
  }

  // What a cell is sorted by: the number it carries, else its first words, read as ranks (1–4), tasks of those there are (5/5),
  // a number with marks, an interval or a unit, or text. What is empty comes last.
  const NUMBER = /^(-?[\d.]+(?:e[+-]?\d+)?)(?:[†‡¹ °]*(?: to .*)?| (ms|s|min|h|MB|GB))$/;
  const UNITS = { ms: 0.001, s: 1, min: 60, h: 3600, MB: 1, GB: 1000 };
  function keyOf(cell) {
    if (cell.dataset.v) return Number(cell.dataset.v);
    const text = cell.firstChild?.textContent.trim();
    const range = text?.match(/^(\d+)[–/](\d+)$/);
    if (range) return Number(range[1]) + Number(range[2]) / 1000;
    const number = text?.match(NUMBER);
    return number ? Number(number[1]) * (UNITS[number[2]] ?? 1) : !text || text === "—" ? null : text.toLowerCase();
  }

  // Tables: sorted by a click on a heading, filtered by the tools above them; long ones show their first rows.
  const tables = new Map();
  class Table {
    constructor(element) {
      this.element = element;
      this.body = element.tBodies[0];
      this.rows = [...this.body.rows];
      this.shown = [...this.rows];
      this.everything = this.rows.length <= WINDOW * 1.5;
      this.matches = () => true;
      this.heads = [...element.tHead.rows[0].cells];
      this.heads.forEach((head, column) => this.button(head, column));
      this.keys = new Map();
      if (!this.everything) this.more();
      this.show();
      element.dataset.ready = "";
    }
    button(head, column) {
      const link = one("a", head);
      const button = document.createElement("button");
      button.type = "button";
      if (link) button.setAttribute("aria-label", `Sort by ${head.textContent.trim()}`);
      else button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const state = head.getAttribute("aria-sort");
        const first = head.dataset.first || (head.textContent.includes("↑") ? "descending" : "ascending");
        this.sort(column, state ? (state === "ascending" ? "descending" : "ascending") : first);
        if (this.element.id) writeState({ [`${this.element.id}.sort`]: `${column}.${head.getAttribute("aria-sort")}` });
      });
    }
    keysOf(column) {
      if (!this.keys.has(column)) this.keys.set(column, new Map(this.rows.map((row) => [row, keyOf(row.cells[column])])));
      return this.keys.get(column);
    }
    sort(column, direction) {
      const keys = this.keysOf(column);
      const sign = direction === "descending" ? -1 : 1;
      const place = (key) => (key === null ? 2 : typeof key === "number" ? 0 : 1);
      this.rows.sort((a, b) => {
        const [x, y] = [keys.get(a), keys.get(b)];
        return place(x) - place(y) || (x < y ? -sign : x > y ? sign : 0);
      });
      this.heads.forEach((head) => head.removeAttribute("aria-sort"));
      this.heads[column].setAttribute("aria-sort", direction);
      this.show();
    }
    show() {
      const found = this.rows.filter(this.matches);
      const shown = this.everything ? found : found.slice(0, WINDOW);
      // To put rows in place that are there would have the browser lay out the table again.
      if (shown.length !== this.shown.length || shown.some((row, at) => row !== this.shown[at])) this.body.replaceChildren(...shown);
      this.shown = shown;
      if (this.note) {
        this.note.hidden = this.everything || found.length === this.shown.length;
        this.note.textContent = `Show all ${found.length} rows`;
      }
      return found.length;
    }
    more() {
      this.note = document.createElement("button");
      this.note.type = "button";
      this.note.className = "all";
      this.note.addEventListener("click", () => { this.everything = true; this.show(); });
      this.element.parentElement.after(this.note);
      addEventListener("beforeprint", () => { this.everything = true; this.show(); });
    }
  }

  // What a browser without JavaScript could not use stands here, not in each page.
  const COPIES = 'Copy as <button type="button" data-copy="csv">CSV</button> <button type="button" data-copy="latex">LaTeX</button>';
  function furnish(table) {
    const methods = one("tr.control", table) ? '<label><input type="checkbox" data-methods> methods only</label>' : "";
    const tools = document.createElement("div");
    tools.className = "tools";
    tools.dataset.for = table.id;
    tools.innerHTML = `<label>Find <input type="search" data-find placeholder="name"></label> ${methods} <span class="copies"></span>`;
    table.parentElement.before(tools);
  }
  function scrollable(frame) {
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", one("caption", frame).textContent);
  }
  function filters(tools) {
    const table = tables.get(tools.dataset.for);
    if (!table) return;
    tools.hidden = false;
    const controls = all("[data-find], [data-methods], [data-has], [data-good], [data-most]", tools);
    const nameOf = (control) => `${tools.dataset.for}.${control.dataset.has || control.dataset.most || ["find", "methods", "good"].find((kind) => kind in control.dataset)}`;
    const apply = () => {
      const tests = controls.flatMap((control) => testsOf(control));
      table.matches = (row) => tests.every((test) => test(row));
      const count = table.show();
      const output = one("output", tools);
      if (output) output.textContent = `${count} of ${table.rows.length}`;
    };
    const { values } = readState();
    for (const control of controls) {
      const value = values.get(nameOf(control));
      if (value !== undefined) control.type === "checkbox" ? (control.checked = value === "1") : (control.value = value);
      control.addEventListener("input", () => {
        writeState({ [nameOf(control)]: control.type === "checkbox" ? (control.checked ? "1" : "") : control.value });
        apply();
      });
    }
    tools.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }
  function testsOf(control) {
    const { dataset, value, checked } = control;
    if ("find" in dataset) {
      const words = value.toLowerCase().split(/\s+/).filter(Boolean);
      return words.map((word) => (row) => (row.text ??= row.cells[0].textContent.toLowerCase() + (one("th", row)?.textContent.toLowerCase() ?? "")).includes(word));
    }
    if ("methods" in dataset) return checked ? [(row) => !row.classList.contains("control")] : [];
    if ("has" in dataset) return checked ? [(row) => row.dataset.has.split(" ").includes(dataset.has)] : [];
    if (!value) return [];
    if ("good" in dataset) return [(row) => row.dataset.good.split(" ").includes(value)];
    return [(row) => row.dataset[dataset.most] !== "" && Number(row.dataset[dataset.most]) <= Number(value)];
  }

  // Copies.
  const FORMULA = /^\s*[=+\-@]/;
  const MARKED = /^(-?[\d.]+(?:e[+-]?\d+)?)[†‡¹ °]+$/;
  const shownInCopies = (node) => !["SMALL", "svg"].includes(node.nodeName) && !(node.nodeName === "BUTTON" && node.getAttribute("aria-label"));
  function contents(table) {
    const text = (cell) => [...cell.childNodes].filter(shownInCopies).map((node) => node.textContent).join("").trim().replace(/\s+/g, " ");
    return [...table.tHead.rows, ...table.tBodies[0].rows].map((row) => [...row.cells].map(text));
  }
  function asCsv(table) {
    const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const inert = (text) => (FORMULA.test(text) && !/^-?[\d.]+(e-?\d+)?$/.test(text) ? `'${text}` : text);
    const cell = (text) => quoted(inert(text === "—" ? "" : text.replace(MARKED, "$1")));
    return contents(table).map((row) => row.map(cell).join(",")).join("\n") + "\n";
  }
  function asLatex(table) {
    const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "↑": "$\\uparrow$", "↓": "$\\downarrow$", "†": "$\\dagger$", "‡": "$\\ddagger$", "×": "$\\times$", "–": "--", "—": "---", "−": "$-$", "¹": "$^1$" };
    const escaped = (text) => text.replace(/[\\~^↑↓†‡×–—−¹{}$&#%_]/g, (c) => special[c] || `\\${c}`);
    const [head, ...rows] = contents(table).map((row) => row.map(escaped).join(" & ") + " \\\\");
    const columns = [...table.tHead.rows[0].cells].map((_, at) => (at ? "r" : "l")).join("");
    return [`\\begin{tabular}{${columns}}`, "\\toprule", head, "\\midrule", ...rows, "\\bottomrule", "\\end{tabular}", ""].join("\n");
  }
  const SAID = document.createElement("p");
  async function copy(text, what) {
    let done = true;
    try { await navigator.clipboard.writeText(text); } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    SAID.textContent = done ? `Copied as ${what}` : "The browser did not let the page copy";
    setTimeout(() => { SAID.textContent = ""; }, 2000);
  }
  function copies(button) {
    button.addEventListener("click", () => {
      if (button.dataset.copy === "text") return copy(one("pre", button.parentElement).textContent, "BibTeX");
      const table = document.getElementById(button.closest("[data-for]").dataset.for);
      return button.dataset.copy === "csv" ? copy(asCsv(table), "CSV") : copy(asLatex(table), "LaTeX");
    });
  }

  // Pages with a choice: names are indices into lists of the data inside the page.
  const number = (value) => {
    if (value === null || value === undefined) return "—";
    const text = Math.abs(value) < 10 ? value.toFixed(3) : Math.abs(value) < 100 ? value.toFixed(2) : String(Number(value.toPrecision(4)));
    return Number(text) === 0 ? text.replace("-", "") : text;
  };
  const interval = (low, high) => (low === null || low === undefined ? "—" : `${number(low)} to ${number(high)}`);
  const arrow = (higher) => (higher === true ? " ↑" : higher === false ? " ↓" : "");
  function options(select, names, first) {
    names.forEach((name, at) => select.append(new Option(name, String(at))));
    if (first !== undefined) select.value = String(first);
  }
  function rowOf(cells) {
    const row = document.createElement("tr");
    cells.forEach((cell, at) => {
      const made = document.createElement(at ? "td" : "th");
      if (!at) made.scope = "row";
      made.append(cell.node || cell.text);
      if (cell.n) made.className = "n";
      if (cell.step) made.className = cell.step;
      row.append(made);
    });
    return row;
  }
  const text = (value) => ({ text: value });
  const numeric = (value) => ({ text: value, n: true });

  // Of rows of a board and a metric, each followed by the numbers of labels, those of each label.
  function byLabel(rows, width) {
    const found = new Map();
    for (const [board, metric, ...flat] of rows) {
      for (let at = 0; at < flat.length; at += width) found.set([board, metric, flat[at]].join(), flat.slice(at + 1, at + width));
    }
    return found;
  }

  function comparing(form, data) {
    form.hidden = false;
    const names = data.labels.map(([name]) => name);
    const [a, b, board, every] = ["a", "b", "board", "every"].map((name) => form.elements[name]);
    const methods = names.map((_, at) => at).filter((at) => data.labels[at][1] === "");
    options(a, names, data.open[0] ?? methods[0]);
    options(b, names, data.open[1] ?? methods[1] ?? 0);
    options(board, data.boards);
    const { values } = readState();
    for (const [select, list] of [[a, names], [b, names], [board, data.boards]]) {
      const at = list.indexOf(values.get(select.name));
      if (at >= 0) select.value = String(at);
    }
    every.checked = values.get("every") === "1";
    const scores = byLabel(data.scores, 2);
    data.uses = usesOf(data);
    const pairs = new Map(data.pairs.flatMap(([board, metric, ...all]) => all.map(([one, other, ...pair]) => [[board, metric, one, other].join(), pair])));
    const show = () => comparison(data, names, scores, pairs, Number(a.value), Number(b.value), { board: board.value, every: every.checked });
    form.addEventListener("input", () => {
      writeState({ a: names[a.value], b: names[b.value], board: board.value && data.boards[board.value], every: every.checked ? "1" : "" });
      show();
    });
    one("#swap").addEventListener("click", () => {
      [a.value, b.value] = [b.value, a.value];
      form.dispatchEvent(new Event("input"));
    });
    show();
  }
  // What a metric is good for on a board, as its card says.
  const RANKS = "ranks";
  const USES = [RANKS, "screens only", "do not use here"];
  const usesOf = (data) => new Map(data.uses.map(([board, metric, use]) => [[board, metric].join(), USES[use]]));
  const VERDICTS = ["A better", "B better", "not separated", "not comparable", "not compared"];
  const NOT_COMPARED = 4;
  function comparison(data, names, scores, pairs, a, b, wanted) {
    const rows = [];
    const wins = [0, 0];
    let [ranking, left] = [0, 0];
    data.boards.forEach((board, at) => data.metrics.forEach(([metric, higher], of) => {
      const use = data.uses.get([at, of].join());
      const ranks = (use ?? RANKS) === RANKS;
      const [mine, theirs] = [a, b].map((label) => scores.get([at, of, label].join())?.[0]);
      if (mine === undefined || theirs === undefined || (wanted.board !== "" && Number(wanted.board) !== at)) return;
      const forward = pairs.get([at, of, a, b].join());
      const pair = forward || pairs.get([at, of, b, a].join());
      let [difference, low, high, p, better, verdict] = pair || [mine - theirs, null, null, null, null, NOT_COMPARED];
      if (pair && !forward) {
        [difference, low, high, better] = [-difference, high === null ? null : -high, low === null ? null : -low, 1 - better];
        if (verdict < 2) verdict = 1 - verdict;
      }
      if (ranks) ranking += 1;
      else if (!wanted.every) return void (left += 1);
      if (ranks && verdict < 2) wins[verdict] += 1;
      rows.push(rowOf([text(board), text(metric + arrow(higher)), text(use ?? "—"), numeric(number(mine)), numeric(number(theirs)), numeric(number(difference)), numeric(interval(low, high)), numeric(p !== null && p < 0.001 ? "< 0.001" : number(p)), numeric(better === null ? "—" : `${Math.round(better * 100)} %`), { text: VERDICTS[verdict] + (pair?.[6] ? " (one seed)" : ""), step: verdict < 2 && ranks ? "s4" : "" }]));
    }));
    const table = one("#compared");
    table.hidden = !rows.length;
    const [, , , headA, headB] = table.tHead.rows[0].cells;
    headA.textContent = names[a];
    headB.textContent = names[b];
    table.tBodies[0].replaceChildren(...rows);
    const others = left ? ` Not shown: ${left} in metrics that do not rank.` : "";
    one("#summary").textContent = ranking
      ? `Of ${ranking} comparisons in metrics that rank, A (${names[a]}) is surely better in ${wins[0]}, B (${names[b]}) in ${wins[1]}.${others}`
      : `The two have no metric ${left || rows.length ? "that ranks " : ""}in common on a board.${others}`;
  }

  const COSTS = ["fit, seconds", "explain, seconds per image", "peak memory, MB"];
  function scattering(form, data) {
    form.hidden = false;
    data.scores = byLabel(data.scores, 4);
    const names = [...COSTS, ...data.metrics.map(([name]) => name)];
    const { board, x, y, controls } = form.elements;
    options(board, data.boards, 0);
    data.uses = usesOf(data);
    const [onBoard, across, up] = data.open.length ? data.open : [0, 0, 1];
    const { values } = readState();
    const pick = (select, list, otherwise) => {
      const at = list.indexOf(values.get(select.name));
      select.value = String(at >= 0 ? at : otherwise);
    };
    pick(board, data.boards, onBoard);
    [x, y].forEach((select) => options(select, names));
    pick(x, names, COSTS.length + across);
    pick(y, names, COSTS.length + Math.min(up, data.metrics.length - 1));
    const show = () => scatter(data, names, Number(board.value), Number(x.value), Number(y.value), controls.checked);
    form.addEventListener("input", () => {
      writeState({ board: data.boards[board.value], x: names[x.value], y: names[y.value] });
      show();
    });
    show();
  }
  function valueOf(data, board, label, at) {
    if (at < COSTS.length) {
      const cost = data.costs.find((row) => row[0] === board && row[1] === label);
      const value = cost ? cost[2 + at] : null;
      return value === null ? null : [value, null, null];
    }
    return data.scores.get([board, at - COSTS.length, label].join());
  }
  function scatter(data, names, board, x, y, controls) {
    const points = data.labels.map(([name, control], label) => ({ name, control, across: valueOf(data, board, label, x), up: valueOf(data, board, label, y) }))
      .filter((point) => point.across && point.up && (controls || !["floor", "ablation"].includes(point.control)));
    const table = one("#points");
    table.hidden = !points.length;
    const heads = table.tHead.rows[0].cells;
    const title = (at) => names[at] + (at < COSTS.length ? "" : arrow(data.metrics[at - COSTS.length][1]));
    [heads[1].textContent, heads[2].textContent] = [title(x), title(y)];
    const use = (at) => data.uses.get([board, data.metrics.findIndex(([name]) => name === names[at].split("@")[0])].join());
    one("#worth").textContent = [...new Set([x, y])].filter((at) => (use(at) ?? RANKS) !== RANKS).map((at) => `The card of ${names[at]} says: ${use(at)}.`).join(" ");
    table.tBodies[0].replaceChildren(...points.map((point) => rowOf([text(point.name), numeric(number(point.across[0])), numeric(number(point.up[0]))])));
    one("#hidden").textContent = "";
    one("#plot").replaceChildren(points.length ? drawing(points, title(x), title(y)) : document.createTextNode("No explainer has both on this board."));
  }
  function svg(name, attributes, content) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (content !== undefined) made.textContent = content;
    return made;
  }
  function axis(values) {
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
    const step = [1, 2, 2.5, 5, 10].map((part) => part * 10 ** Math.floor(Math.log10((high - low) / 4))).find((size) => (high - low) / size <= 6);
    const ticks = [];
    for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) ticks.push(tick);
    return { low, high, ticks };
  }
  function drawing(points, titleX, titleY) {
    const [W, H, L, R, T, B] = [760, 460, 64, 110, 26, 46];
    const ends = (key) => axis(points.flatMap((point) => point[key].filter((value) => value !== null)));
    const [ax, ay] = [ends("across"), ends("up")];
    const px = (value) => L + ((value - ax.low) / (ax.high - ax.low)) * (W - L - R);
    const py = (value) => H - B - ((value - ay.low) / (ay.high - ay.low)) * (H - T - B);
    const made = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": `${titleY} against ${titleX}; the table below has the numbers` });
    const short = (value) => String(Number(value.toPrecision(3)));
    for (const tick of ax.ticks) made.append(svg("line", { x1: px(tick), x2: px(tick), y1: T, y2: H - B }), svg("text", { x: px(tick), y: H - B + 16, "text-anchor": "middle" }, short(tick)));
    for (const tick of ay.ticks) made.append(svg("line", { x1: L, x2: W - R, y1: py(tick), y2: py(tick) }), svg("text", { x: L - 8, y: py(tick) + 4, "text-anchor": "end" }, short(tick)));
    made.append(svg("text", { x: W - R, y: H - 8, "text-anchor": "end", class: "name" }, titleX), svg("text", { x: 0, y: 12, class: "name" }, titleY));
    const dots = points.map(({ name, control, across: [x], up: [y] }) => ({ name, control, x: px(x), y: py(y), said: `${name}: ${number(x)}, ${number(y)}` }));
    for (const { across: [x, xl, xh], up: [y, yl, yh] } of points) {
      if (xl !== null) made.append(svg("line", { class: "spread", x1: px(xl), x2: px(xh), y1: py(y), y2: py(y) }));
      if (yl !== null) made.append(svg("line", { class: "spread", x1: px(x), x2: px(x), y1: py(yl), y2: py(yh) }));
    }
    const named = svg("text", { class: "name pointed", "aria-hidden": "true" });
    const taken = dots.map(({ x, y }) => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 }));
    const texts = [];
    // Methods take their places first, with default options before others.
    const late = ({ control, name }) => (control ? 2 : name.includes("(") ? 1 : 0);
    for (const { name, control, x, y, said } of [...dots].sort((a, b) => late(a) - late(b))) {
      const dot = ["floor", "ablation"].includes(control) ? svg("rect", { class: "floor", x: x - 4, y: y - 4, width: 8, height: 8 }) : svg("circle", { cx: x, cy: y, r: 5 });
      for (const [key, value] of Object.entries({ tabindex: "0", role: "img", "aria-label": said })) dot.setAttribute(key, value);
      const point = () => {
        named.textContent = said;
        for (const [key, value] of Object.entries({ x: x + (x < W / 2 ? 9 : -9), y: y - 9, "text-anchor": x < W / 2 ? "start" : "end" })) named.setAttribute(key, value);
      };
      ["pointerenter", "focus"].forEach((event) => dot.addEventListener(event, point));
      ["pointerleave", "blur"].forEach((event) => dot.addEventListener(event, () => { named.textContent = ""; }));
      made.append(dot);
      const shown = name.length > 26 ? `${name.slice(0, 25)}…` : name;
      const others = dots.filter((other) => Math.hypot(other.x - x, other.y - y) > NEAR);
      const place = free({ taken, others }, x, y, widthOf(shown), { right: W, top: 16, bottom: H - B + 4 });
      if (place) texts.push(svg("text", { x: place.left, y: place.bottom - 3, class: "name", "aria-hidden": "true" }, shown));
    }
    made.append(...texts, named);
    const hidden = dots.length - texts.length;
    one("#hidden").textContent = hidden ? `Names without room: ${hidden} of ${dots.length}. Point at a mark, or move to it with the Tab key, to read its name.` : "";
    return made;
  }
  const canvas = document.createElement("canvas").getContext("2d");
  function widthOf(name) {
    canvas.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return canvas.measureText(name).width;
  }
  // A place for a name beside its mark, within the drawing, that covers no mark and no other name, and is not as near to
  // another mark; none if there is none.
  const NEAR = 14;
  function free({ taken, others }, x, y, width, bounds) {
    const beside = [x + 9, x - 9 - width, x - width / 2];
    for (const [left, middle] of [[beside[0], y], [beside[0], y - 12], [beside[0], y + 12], [beside[1], y], [beside[1], y - 12], [beside[1], y + 12], [beside[2], y - 14], [beside[2], y + 14]]) {
      const box = { left, right: left + width, top: middle - 7, bottom: middle + 7 };
      const within = box.left >= 0 && box.right <= bounds.right && box.top >= bounds.top && box.bottom <= bounds.bottom;
      const covers = (other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom;
      const from = (mark) => Math.hypot(Math.max(box.left - mark.x, 0, mark.x - box.right), Math.max(box.top - mark.y, 0, mark.y - box.bottom));
      if (within && !taken.some(covers) && others.every((other) => from(other) > NEAR)) {
        taken.push(box);
        return box;
      }
    }
    return null;
  }

  document.addEventListener("DOMContentLoaded", () => {
    themes();
    SAID.className = "said";
    SAID.setAttribute("role", "status");
    one("footer").append(SAID);
    all("table[data-table]").forEach((table) => tables.set(table.id, new Table(table)));
    all("[data-table=tools]").forEach(furnish);
    all(".wide").forEach(scrollable);
    all(".copies").forEach((place) => { place.innerHTML = COPIES; });
    all(".bibtex").forEach((figure) => figure.insertAdjacentHTML("beforeend", '<button type="button" data-copy="text">Copy BibTeX</button>'));
    all(".tools[data-for]").forEach(filters);
    all("[data-copy]").forEach(copies);
    const data = one("#data") && JSON.parse(one("#data").textContent);
    if (one("form#compare")) comparing(one("form#compare"), data);
    if (one("form#scatter")) scattering(one("form#scatter"), data);
    const { anchor, values } = readState();
    for (const [name, value] of values) {
      const [column, direction] = value.split(".");
      const table = name.endsWith(".sort") && tables.get(name.slice(0, -5));
      if (table && table.heads[column] && ["ascending", "descending"].includes(direction)) table.sort(Number(column), direction);
    }
    if (anchor && values.size) document.getElementById(anchor)?.scrollIntoView();
  });
})();
