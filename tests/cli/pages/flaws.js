// Looks for flaws in the page that is shown; answers them as text.
const flaws = [];
const seen = (element) => element.checkVisibility({ visibilityProperty: true });

if (document.querySelectorAll("main").length !== 1) flaws.push("not one main part");
if ([...document.querySelectorAll("h1")].filter(seen).length !== 1) flaws.push("not one heading");
if (!document.documentElement.lang || !document.title) flaws.push("no language or no title");
if (document.documentElement.scrollWidth > innerWidth) flaws.push("wider than its window");
if (getComputedStyle(document.querySelector(".card")).borderRadius === "0px") flaws.push("no style");
for (const image of document.images) {
  if (!image.complete || image.naturalWidth === 0) flaws.push("an image did not load");
}
for (const field of document.querySelectorAll("input:not([type=hidden]), progress")) {
  if (!field.labels?.length && !field.ariaLabel) flaws.push("no label: " + field.id);
}
for (const control of document.querySelectorAll("input:not([type=hidden]), button, a.button")) {
  if (seen(control) && control.getBoundingClientRect().height < 44) flaws.push("too small: " + control.outerHTML);
}

// WCAG 2.2, "relative luminance" and "contrast ratio".
const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
const luminance = ([r, g, b]) => {
  const linear = (c) => (c <= 0.04045 * 255 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
};
const ground = (element) => {
  const colour = parts(getComputedStyle(element).backgroundColor);
  return colour[3] === 0 ? ground(element.parentElement) : colour;
};
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const style = getComputedStyle(element);
  if ((own || element.matches("input")) && seen(element) && contrast(parts(style.color), ground(element)) < 4.5) {
    flaws.push("contrast of text: " + element.outerHTML);
  }
  if (element.matches("input:not([type=hidden])")) {
    if (contrast(parts(style.borderTopColor), ground(element.parentElement)) < 3) flaws.push("contrast of a border");
  }
}
return flaws;
