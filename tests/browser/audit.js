// What is wrong with a page as it is shown, each as a sentence; put into the page by page.py.

const shown = element => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

// Said to screen readers alone, in the usual way: cut down to a pixel.
const forReadersOnly = element => {
  for (let at = element; at; at = at.parentElement) {
    const box = at.getBoundingClientRect();
    if (getComputedStyle(at).position === "absolute" && box.width <= 1 && box.height <= 1) return true;
  }
  return false;
};

const called = element => {
  const name = element.tagName.toLowerCase() + (element.id ? "#" + element.id : "")
    + [...element.classList].map(each => "." + each).join("");
  const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
  return text ? `<${name}> "${text}"` : `<${name}>`;
};

const textElements = () => {
  const found = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (walker.currentNode.data.trim()) found.add(walker.currentNode.parentElement);
  return [...found].filter(each => !each.closest("script, style, title, desc, noscript")
    && shown(each) && !forReadersOnly(each));
};

// What reaches over the edge of the page, or is cut off.  On paper nothing can be scrolled.
function overflow(onPaper) {
  const root = document.documentElement, width = root.clientWidth, wrong = [];
  if (root.scrollWidth > width) wrong.push(`the page is ${root.scrollWidth} wide in a window of ${width}`);
  const scrolls = element => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const cuts = element => ["hidden", "clip"].includes(getComputedStyle(element).overflowX);
  const within = (element, what) => {
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) if (what(at)) return true;
    return false;
  };
  const over = ({ left, right }) => right > width + 1 || (left < -1 && right > 0);
  for (const element of document.body.querySelectorAll("*:not(svg *)")) {
    const box = element.getBoundingClientRect();
    if (!box.width || !shown(element) || forReadersOnly(element)) continue;
    const outermost = over(box) && !over(element.parentElement.getBoundingClientRect());
    if (outermost && !within(element, each => scrolls(each) || cuts(each)))
      wrong.push(`${called(element)} reaches from ${box.left.toFixed()} to ${box.right.toFixed()} of ${width}`);
    const tooWide = element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0;
    const shortened = getComputedStyle(element).webkitLineClamp !== "none"; // with dots that say so
    if (tooWide && !shortened && (cuts(element) || (onPaper && scrolls(element))))
      wrong.push(`${called(element)} cuts off ${element.scrollWidth - element.clientWidth} pixels of what is in it`);
  }
  for (const text of document.querySelectorAll("svg text")) {
    if (!shown(text)) continue;
    const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
    if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.top < frame.top - 2 || box.bottom > frame.bottom + 2)
      wrong.push(`${called(text)} reaches out of its picture`);
  }
  return wrong;
}

// Text that nobody can read without a glass: under seven CSS pixels, or under six on paper, which is sharper.
function tiny(onPaper) {
  const wrong = [], least = onPaper ? 6 : 7;
  for (const element of textElements()) {
    const svg = element.closest("svg");
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    const size = parseFloat(getComputedStyle(element).fontSize) * scale;
    if (size < least) wrong.push(`${called(element)} is ${size.toFixed(1)} pixels high`);
  }
  return wrong;
}

// A color as [red, green, blue, alpha], in whatever way it is written, seen through a CSS filter.
const pixel = (() => {
  const canvas = new OffscreenCanvas(1, 1), context = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  return (color, filter) => {
    const key = `${color}|${filter}`;
    if (!known.has(key)) {
      context.clearRect(0, 0, 1, 1);
      context.filter = filter;
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      known.set(key, [r, g, b, a / 255]);
    }
    return known.get(key);
  };
})();

const over = ([r, g, b, a], under) => [r, g, b].map((each, i) => each * a + under[i] * (1 - a));

const filterOf = element => {
  for (let at = element; at; at = at.parentElement) {
    const filter = getComputedStyle(at).filter;
    if (filter !== "none") return filter;
  }
  return "none";
};

// What is behind an element: the backgrounds of all that is around it, on the white or black of the window.
const ground = element => {
  const around = [];
  for (let at = element; at; at = at.parentElement) around.unshift(at);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches
    && getComputedStyle(document.documentElement).colorScheme.includes("dark");
  return around.reduce((below, each) => over(pixel(getComputedStyle(each).backgroundColor, filterOf(each)), below),
    dark ? [18, 18, 18] : [255, 255, 255]);
};

const luminance = color => {
  const [r, g, b] = color.map(each => each / 255).map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

// Text that stands out too little from what is behind it: WCAG 2.2, 1.4.3, level AA.
function contrast() {
  const wrong = [];
  for (const element of textElements()) {
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const ink = pixel(element.closest("svg") ? style.fill : style.color, filterOf(element));
    if (ink[3] === 0) continue; // there for readers of the text alone
    let opacity = ink[3];
    for (let at = element; at; at = at.parentElement) opacity *= parseFloat(getComputedStyle(at).opacity);
    const behind = ground(element), front = over([...ink.slice(0, 3), opacity], behind);
    const [low, high] = [luminance(front), luminance(behind)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5) - 0.005)
      wrong.push(`${called(element)} has a contrast of ${ratio.toFixed(2)}, rgb(${front.map(Math.round)}) on rgb(${behind.map(Math.round)})`);
  }
  return wrong;
}

// What a screen reader or a keyboard would stumble over and the tree of accessibility does not tell.
function structure() {
  const wrong = [], root = document.documentElement;
  if (!root.lang) wrong.push("<html> has no lang");
  if (!document.title.trim()) wrong.push("the page has no title");
  const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(shown);
  if (headings.filter(each => each.tagName === "H1").length !== 1) wrong.push("the page has not one <h1>");
  let before = 0;
  for (const heading of headings) {
    const level = Number(heading.tagName[1]);
    if (level > before + 1) wrong.push(`${called(heading)} follows a heading of level ${before}`);
    before = level;
  }
  for (const head of document.querySelectorAll("th")) if (!head.scope) wrong.push(`${called(head)} has no scope`);
  for (const image of document.querySelectorAll("img:not([alt])")) wrong.push(`${called(image)} has no alt`);
  for (const element of document.querySelectorAll("[tabindex]")) if (element.tabIndex > 0) wrong.push(`${called(element)} jumps the queue of Tab`);
  const ids = [...document.querySelectorAll("[id]")].map(each => each.id);
  for (const id of new Set(ids.filter((each, i) => ids.indexOf(each) !== i))) wrong.push(`the id ${id} is there twice`);
  for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls", "for"])
    for (const element of document.querySelectorAll(`[${attribute}]`))
      for (const id of element.getAttribute(attribute).split(/\s+/))
        if (!document.getElementById(id)) wrong.push(`${called(element)}: ${attribute} names ${id}, which is not there`);
  for (const link of document.querySelectorAll('a[href^="#"]'))
    if (link.hash.length > 1 && !document.getElementById(decodeURIComponent(link.hash.slice(1)))) wrong.push(`${called(link)} leads nowhere`);
  return wrong;
}
