"""What a page is asked in Chromium: names, captions, levels of headings, contrast."""

import shutil

CHROMIUM = shutil.which("chromium")
QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)
NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, summary, svg[role]")]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute("aria-label") || e.labels?.[0]?.textContent.trim()
                   || (!e.matches("input, select") && e.textContent.trim())))
  .map((e) => e.outerHTML.slice(0, 100))"""
SCOPELESS = """() => [...document.querySelectorAll("table")]
  .filter((t) => !t.caption || !t.tHead || [...t.querySelectorAll("th")].some((th) => !th.scope))
  .map((t) => t.outerHTML.slice(0, 100))"""
LEVELS = """() => [...document.querySelectorAll("h1, h2, h3, h4")]
  .filter((h) => !h.closest("dialog")).map((h) => Number(h.tagName[1]))"""
PALE = """() => {
  const parse = (c) => {
    const [r, g, b, a = 1] = c.match(/[\\d.]+/g).map(Number);
    return c.startsWith("color(") ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] > 0.99) return c;
    }
    throw new Error("no background");
  };
  const own = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  return [...document.querySelectorAll("body *")]
    .filter((e) => !e.closest("svg") && own(e) && e.checkVisibility())
    .map((e) => [light(parse(getComputedStyle(e).color)), light(paper(e)), e])
    .filter(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5)
    .map(([a, b, e]) => `${e.tagName}.${e.className} ${e.textContent.slice(0, 30)}`);
}"""
