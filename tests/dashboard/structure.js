// The list of what a reader would not be told on this page.
(() => {
  const untold = [];
  const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach(id => untold.push(`two elements are named ${id}`));
  for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
    const named = `${element.getAttribute("aria-labelledby") ?? ""} ${element.getAttribute("aria-describedby") ?? ""}`;
    named.split(/\s+/).filter(id => id && !document.getElementById(id)).forEach(id => untold.push(`nothing is named ${id}`));
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select")) {
    if (!field.labels?.length) untold.push(`the field ${field.name} has no label`);
  }
  for (const control of document.querySelectorAll("a, button, summary")) {
    if (!control.textContent.trim()) untold.push("a link or button without words");
  }
  for (const picture of document.querySelectorAll("svg")) {
    const told = picture.getAttribute("role") === "img" && picture.querySelector(":scope > title") && picture.querySelector(":scope > desc");
    if (!told && picture.getAttribute("aria-hidden") !== "true") untold.push("a picture that is neither told nor hidden");
  }
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption) untold.push("a table without a caption");
    if (table.querySelector("th:not([scope])")) untold.push("a heading of a table that does not say what it heads");
  }
  for (const region of document.querySelectorAll(".scroll")) {
    if (region.tabIndex !== 0) untold.push("what scrolls cannot be reached by keys");
  }
  const headings = [...document.querySelectorAll("h1, h2, h3, h4")].map(heading => Number(heading.tagName[1]));
  headings.forEach((level, at) => { if (level > (headings[at - 1] ?? 0) + 1) untold.push(`a heading skips to level ${level}`); });
  if (headings.filter(level => level === 1).length !== 1) untold.push("there is not one first heading");
  if (!document.documentElement.lang || !document.title) untold.push("the page does not say its language or its name");
  for (const target of document.querySelectorAll("button, input:not([type=hidden]), select, .times a, summary")) {
    const { width, height } = target.getBoundingClientRect();
    if (target.checkVisibility() && (width < 24 || height < 24)) untold.push(`too small to be hit: ${target.textContent.slice(0, 20)}`);
  }
  return [...new Set(untold)];
})()
