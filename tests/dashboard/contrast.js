// The list of what is too faint on this page.
(() => {
  const read = colour => {
    const [r, g, b, a = 1] = (colour.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    return { r, g, b, a };
  };
  const over = (front, back) => {
    const mix = name => front[name] * front.a + back[name] * (1 - front.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  };
  const light = ({ r, g, b }) => {
    const part = value => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(read(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((back, front) => over(front, back), { r: 255, g: 255, b: 255, a: 1 });
  };
  const ratio = (front, back) => {
    const [high, low] = [light(over(front, back)), light(back)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const seen = element => element.checkVisibility() && element.getClientRects().length > 0;
  const faint = [];
  const judge = (element, colour, needed, what) => {
    const found = ratio(read(colour), behind(element));
    if (found < needed) faint.push(`${what}: ${found.toFixed(2)}, not ${needed}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !seen(element) || ["STYLE", "OPTION", "title", "desc"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const colour = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
    judge(element, colour, large ? 3 : 4.5, node.textContent.trim().slice(0, 40));
  }
  for (const line of document.querySelectorAll(".line-0, .line-1, .axis, line.version")) {
    if (seen(line.closest("svg"))) judge(line.closest("svg"), getComputedStyle(line).stroke, 3, line.getAttribute("class"));
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, button")) {
    if (seen(field)) judge(field.parentElement, getComputedStyle(field).borderTopColor, 3, `edge of ${field.name || field.textContent}`);
  }
  return [...new Set(faint)];
})()
