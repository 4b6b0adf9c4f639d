// ---- statistics
function svg(tag, attributes = {}, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text != null) element.textContent = text;
  return element;
}
function ticks(high) {
  const power = 10 ** Math.floor(Math.log10(Math.max(high, 1) / 3)), rough = Math.max(high, 1) / 3;
  const gap = Math.max(1, [1, 2, 5, 10].map((m) => m * power).find((v) => v >= rough));
  return Array.from({ length: Math.ceil(high / gap) + 1 }, (_, i) => i * gap);
}
function drawChart(chart) {
  const width = 400, height = 196, left = 38, bottom = 40, top = 24, plot = height - bottom - top;
  const sums = chart.labels.map((_, i) => chart.series.reduce((sum, s) => sum + s.values[i], 0));
  const marks = ticks(Math.max(...sums, ...(chart.wanted || []), 1)), high = marks[marks.length - 1], y = (v) => top + plot * (1 - v / high);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${chart.title}: ${chart.labels.map((l, i) => `${l} ${sums[i]}${chart.wanted ? ` of ${Math.round(chart.wanted[i])} wanted` : ""}`).join(", ")}` });
  root.append(svg("text", { x: 0, y: 9 }, chart.y));
  for (const mark of marks) {
    root.append(svg("line", { class: "grid", x1: left, x2: width, y1: y(mark), y2: y(mark) }));
    root.append(svg("text", { x: left - 6, y: y(mark) + 4, "text-anchor": "end" }, mark >= 10000 ? `${mark / 1000}k` : mark));
  }
  const slot = (width - left) / Math.max(chart.labels.length, 1), bar = Math.min(slot * 0.78, 64);
  const every = Math.ceil((Math.min(Math.max(...chart.labels.map((l) => String(l).length), 1), 9) * 6.6 + 8) / slot);
  chart.labels.forEach((label, i) => {
    const x = left + slot * (i + 0.5);
    let below = 0;
    chart.series.forEach((series, s) => {
      const value = series.values[i];
      if (!value) return;
      const rect = svg("rect", { x: x - bar / 2, width: bar, y: y(below + value), height: y(below) - y(below + value), fill: tint(chart, s), rx: 1.5 });
      rect.append(svg("title", {}, `${label}: ${value} ${chart.series.length > 1 ? series.name : chart.y}`));
      root.append(rect);
      below += value;
    });
    if (chart.wanted) {
      const mark = svg("path", { class: "wanted", d: `M${left + slot * i + 1} ${y(chart.wanted[i])}H${left + slot * (i + 1) - 1}` });
      mark.append(svg("title", {}, `${label}: ${Math.round(chart.wanted[i])} wanted`));
      root.append(mark);
    }
    if (i % every === 0) root.append(svg("text", { x, y: height - bottom + 15, "text-anchor": "middle" }, shortened(label, slot * every)));
  });
  root.append(svg("text", { x: left + (width - left) / 2, y: height - 6, "text-anchor": "middle" }, chart.x));
  return root;
}
function shortened(label, room) {
  const most = Math.max(3, Math.floor(room / 5.6)), text = String(label);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
/* A class has one colour in every chart; what is not counted by class is grey. */
function tint(chart, i) {
  const place = data.categories.indexOf(chart.series[i].name);
  return place < 0 ? "#84909a" : SERIES[place % SERIES.length];
}
function chartCard(chart) {
  const keys = chart.series.map((s, i) => make("span", {}, make("i", { style: `background:${tint(chart, i)}` }), s.name));
  if (chart.wanted) keys.push(make("span", {}, make("i", { className: "wanted" }), "wanted"));
  return make("figure", { className: "card" }, make("h3", { textContent: chart.title }), make("p", { className: "quiet", textContent: chart.note }),
    drawChart(chart), make("div", { className: "keys" }, ...(keys.length > 1 ? keys : [])));
}
