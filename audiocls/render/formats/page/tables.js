"use strict";
// Sorts and filters the tables of this page. Without it they are tables all the same.
(() => {
  const FEWEST_SORTED = 3, FEWEST_FILTERED = 9;
  const SCALES = { k: 1e3, M: 1e6, G: 1e9, T: 1e12, ms: 1e-3, min: 60, h: 3600, d: 86400 };
  const words = new Intl.Collator("en", { numeric: true });

  // "−3.8 [−9.5, +2.0]" → −3.8, "1 h 12 min" → 4320, "109 k" → 109000; NaN where no number leads.
  const number = (text) => {
    const plain = text.trim().replace(/−/g, "-").replace(/^\+/, "").replace(/^<\s*/, "");
    if (!/^-?[.\d]/.test(plain)) return NaN;
    const parts = plain.split("[")[0].matchAll(/(-?[\d.]+(?:e[+-]?\d+)?)\s*([a-zA-Z]*)/g);
    return [...parts].reduce((sum, [, digits, unit]) => sum + digits * (SCALES[unit] ?? 1), 0);
  };
  const cell = (body, index) => body.rows[0].cells[index].textContent.trim();

  // Numbers by size, words by the alphabet; what says nothing comes last in either direction.
  const inOrder = (bodies, index, sign) => {
    const texts = new Map(bodies.map((body) => [body, cell(body, index)]));
    const isEmpty = (text) => text === "" || text === "–";
    const known = [...texts.values()].filter((text) => !isEmpty(text));
    const isNumeric = known.every((text) => !Number.isNaN(number(text)));
    const compare = isNumeric ? (a, b) => number(a) - number(b) : words.compare;
    return [...bodies].sort((one, other) => {
      const [a, b] = [texts.get(one), texts.get(other)];
      return isEmpty(a) - isEmpty(b) || sign * compare(a, b) || 0;
    });
  };

  const makeSortable = (table) => {
    const original = [...table.tBodies], heads = [...table.tHead.rows[0].cells];
    const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
    heads.forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      if (!button.textContent.trim()) button.append("rank");
      head.append(button);
      head.ariaSort = "none";
      button.addEventListener("click", () => {
        const to = NEXT[head.ariaSort];
        heads.forEach((each) => { each.ariaSort = "none"; });
        head.ariaSort = to;
        const sign = to === "descending" ? -1 : 1;
        table.append(...(to === "none" ? original : inOrder(original, index, sign)));
      });
    });
  };

  const makeFilterable = (table) => {
    const line = document.createElement("div"), label = document.createElement("label");
    const input = document.createElement("input"), count = document.createElement("span");
    line.className = "filter";
    table.parentElement.classList.add("long");
    input.type = "search";
    count.setAttribute("role", "status");
    label.append("Filter rows ", input);
    line.append(label, count);
    table.parentElement.before(line);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      const bodies = [...table.tBodies];
      bodies.forEach((body) => { body.hidden = !body.textContent.toLowerCase().includes(wanted); });
      const num = bodies.filter((body) => !body.hidden).length;
      count.textContent = wanted ? `${num} of ${bodies.length} rows` : "";
    });
  };

  // On a phone, where a row is a card, its details are shown on demand.
  const makeBrief = (table) => {
    const card = table.parentElement, button = document.createElement("button");
    const show = (isBrief) => {
      card.classList.toggle("brief", isBrief);
      button.ariaExpanded = !isBrief;
      button.textContent = isBrief ? "Show all values" : "Show fewer values";
    };
    button.type = "button";
    button.className = "more";
    button.addEventListener("click", () => show(!card.classList.contains("brief")));
    card.append(button);
    show(true);
  };

  document.querySelectorAll(".table table").forEach((table) => {
    if (table.tBodies.length >= FEWEST_SORTED) makeSortable(table);
    if (table.tBodies.length >= FEWEST_FILTERED) makeFilterable(table);
    if (table.querySelector(".detail")) makeBrief(table);
  });

  // A link of the contents opens the part that it leads to.
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
