"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const options = {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };

  // Colours stand as var(--name): what they are depends on light and dark.
  const coloured = (value, key, style) => {
    if (Array.isArray(value)) return value.map((each) => coloured(each, key, style));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, coloured(each, name, style)]));
    }
    const named = key === "color" && typeof value === "string" && /^var\((--[a-z0-9-]+)\)$/.exec(value);
    return named ? style.getPropertyValue(named[1]).trim() : value;
  };

  const draw = (element) => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    const figure = coloured(figures[element.dataset.figure], "", style);
    const layout = { ...figure.layout };
    for (const [name, value] of Object.entries(layout)) {
      if (/^[xy]axis\d*$/.test(name)) layout[name] = { gridcolor: of("--line"), linecolor: of("--line"), ...value };
    }
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { color: of("--ink"), family: getComputedStyle(document.body).fontFamily, size: 12 };
    layout.hoverlabel = { ...layout.hoverlabel, bgcolor: of("--panel"), bordercolor: of("--line"), font: { color: of("--ink") } };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: of("--muted"), activecolor: of("--accent") };
    Plotly.react(element, figure.data, layout, options);
  };
  const drawAll = () => document.querySelectorAll("[data-figure]").forEach(draw);
  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

  for (const select of document.querySelectorAll("select[data-chooses]")) {
    const plot = document.getElementById(select.dataset.chooses);
    const choose = () => {
      plot.dataset.figure = select.value;
      draw(plot);
    };
    select.addEventListener("change", choose);
    // A browser that goes back keeps what was chosen.
    if (select.value !== plot.dataset.figure) choose();
  }

  const compare = (one, other) => {
    const [a, b] = [Number(one), Number(other)];
    return Number.isNaN(a) || Number.isNaN(b) ? one.localeCompare(other, "en", { numeric: true }) : a - b;
  };
  const sort = (table, column, direction) => {
    const body = table.tBodies[0];
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => ({ row, key: row.cells[column].dataset.sort }));
    // What is unknown comes last, whichever way round.
    rows.sort((a, b) => {
      if (a.key === undefined || b.key === undefined) return (a.key === undefined) - (b.key === undefined);
      return sign * compare(a.key, b.key);
    });
    body.append(...rows.map(({ row }) => row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      heading.querySelector("button").addEventListener("click", () => {
        const direction = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        headings.forEach((each) => each.setAttribute("aria-sort", "none"));
        heading.setAttribute("aria-sort", direction);
        sort(table, column, direction);
        document.getElementById("announcer").textContent = `sorted by ${heading.textContent.trim()}, ${direction}`;
      });
    });
  }
})();
