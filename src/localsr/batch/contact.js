"use strict";
const cards = document.getElementById("cards"), figures = [...cards.children];
const [key, down, find, all, shown] = ["key", "down", "find", "all", "shown"].map(id => document.getElementById(id));
function arrange() {
  const k = key.value, sign = down.checked ? -1 : 1, words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  const number = figures.every(f => !isNaN(f.dataset[k]));  // nothing counts as a number
  const order = (a, b) => {
    const x = a.dataset[k], y = b.dataset[k];
    if ((x === "") !== (y === "")) return x === "" ? 1 : -1;
    return sign * (number ? x - y : x.localeCompare(y, undefined, {numeric: true}));
  };
  cards.append(...figures.sort(order));
  let count = 0;
  for (const f of figures) {
    f.hidden = !words.every(w => f.dataset.words.includes(w));
    count += !f.hidden;
  }
  shown.textContent = `${count} of ${figures.length}`;
}
function divide(event) {
  if (event.target.type !== "range") return;
  const value = event.target.value;
  for (const range of all.checked ? cards.querySelectorAll("input") : [event.target]) {
    range.value = value;
    range.parentElement.style.setProperty("--cut", value + "%");
  }
}
document.body.classList.add("js");
for (const one of [key, down, find]) one.addEventListener("input", arrange);
cards.addEventListener("input", divide);
document.querySelector("form").addEventListener("submit", event => event.preventDefault());
arrange();
