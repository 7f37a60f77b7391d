// Brings new figures into the page where they stand: nothing is re-sorted,
// focus, scroll and open sections stay. When the server stops answering, the
// page says how old its figures are.

const every = 2000; // ms between two questions
const patience = 10000; // ms without an answer until the page says so
const slowest = 10000; // ms between questions to a server that is away

const live = document.getElementById("live")!;
const age = document.getElementById("age")!;
const band = age.closest(".env")!;
const pause = document.getElementById("pause") as HTMLButtonElement;
const words = document.body.dataset;

let etag = "";
let shown = ""; // the server's time of the figures
let at = performance.now(); // when they came
let since = at; // since when the server is being asked in vain
let fails = 0;
let lost = false;
let paused = false;
let next = 0;

const fill = (text: string | undefined, t: string) => (text ?? "").replace("{t}", () => t);

function say(id: "status" | "alarm", text: string): void {
  document.getElementById(id)!.textContent = text;
}

function elapsed(): string {
  const s = Math.floor((performance.now() - at) / 1000);
  const d = age.dataset;
  if (s < 60) return d.seconds!.replace("{n}", String(s));
  const m = Math.floor(s / 60);
  if (m < 60) return d.minutes!.replace("{n}", String(m));
  return d.hours!.replace("{h}", String(Math.floor(m / 60))).replace("{m}", String(m % 60));
}

function write(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

function clock(): void {
  if (!lost && !paused && performance.now() - since >= patience) {
    lost = true;
    say("alarm", fill(words.lost, shown));
  }
  band.classList.toggle("lost", lost && !paused);
  if (paused) write(age, fill(age.dataset.paused, elapsed()));
  else if (lost) write(age, fill(age.dataset.lost, elapsed()));
  else if (shown) write(age, fill(age.dataset.at, shown));
}

const key = (n: Node): string => (n instanceof Element ? (n.getAttribute("data-k") ?? "") : "");

function attributes(old: Element, fresh: Element): void {
  for (const a of Array.from(old.attributes)) {
    if (a.name !== "open" && !fresh.hasAttribute(a.name)) old.removeAttribute(a.name);
  }
  for (const a of Array.from(fresh.attributes)) {
    if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
  }
}

function update(old: Node, fresh: Node): void {
  if (!(old instanceof Element) || !(fresh instanceof Element)) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute("data-still")) return;
  attributes(old, fresh);
  if (old.hasAttribute("data-rows")) {
    old.append(...Array.from(fresh.children)); // known rows were updated where they stand
    return;
  }
  let place: ChildNode | null = old.firstChild;
  for (const n of Array.from(fresh.childNodes)) {
    const match = counterpart(place, n);
    if (!match) {
      old.insertBefore(n, place);
      continue;
    }
    place = reach(old, place, match);
    update(match, n);
  }
  while (place) place = drop(place);
}

// counterpart finds what n stands for among place and what follows. Without a
// key it looks no further than the next element that has one.
function counterpart(place: ChildNode | null, n: Node): ChildNode | null {
  const k = key(n);
  for (let o = place; o; o = o.nextSibling) {
    if (o.nodeName === n.nodeName && key(o) === k) return o;
    if (!k && key(o)) return null;
  }
  return null;
}

// reach makes match stand at place and returns what follows it. What has no
// key is taken away rather than moving match: a move would take the focus.
function reach(old: Element, place: ChildNode | null, match: ChildNode): ChildNode | null {
  while (place && place !== match && !key(place)) place = drop(place);
  if (place === match) return match.nextSibling;
  old.insertBefore(match, place);
  return place;
}

function drop(node: ChildNode): ChildNode | null {
  const after = node.nextSibling;
  node.remove();
  return after;
}

// tidy takes away the line breaks between blocks, which mean nothing.
function tidy(root: Element): Element {
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const blanks: Node[] = [];
  while (walk.nextNode()) if (/^\s*\n\s*$/.test(walk.currentNode.nodeValue ?? "")) blanks.push(walk.currentNode);
  for (const b of blanks) b.parentNode!.removeChild(b);
  return root;
}

const alerts = () => live.querySelectorAll("article[data-k]").length;

function bring(html: string): void {
  const fresh = tidy(new DOMParser().parseFromString(`<div id="live" class="wrap">${html}</div>`, "text/html").getElementById("live")!);
  const rows = new Map<string, Element>();
  for (const r of fresh.querySelectorAll("[data-rows] > tr")) rows.set(key(r), r);
  for (const old of live.querySelectorAll("[data-rows] > tr")) {
    const r = rows.get(key(old));
    if (r) {
      update(old, r);
      r.remove();
    } else old.remove();
  }
  const before = alerts();
  update(live, fresh);
  if (alerts() > before) say("status", words.new ?? "");
}

async function ask(): Promise<void> {
  const answer = await fetch(words.live!, {
    headers: etag ? { "If-None-Match": etag } : {},
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout(8000),
  });
  if (answer.status !== 200 && answer.status !== 304) throw new Error();
  const version = answer.headers.get("Loa-Version");
  if (version && version !== words.version) {
    location.reload(); // another deployment, or another page than this one
    return;
  }
  if (answer.status === 200) {
    bring(await answer.text());
    etag = answer.headers.get("ETag") ?? "";
  }
  shown = answer.headers.get("Loa-Time") ?? shown;
  at = since = performance.now();
  if (lost) {
    lost = false;
    say("alarm", "");
    say("status", fill(words.back, shown));
  }
}

async function poll(): Promise<void> {
  clearTimeout(next);
  next = 0;
  if (paused || document.hidden) return;
  const ticket = (next = window.setTimeout(() => {}, 2 ** 30));
  try {
    await ask();
    fails = 0;
  } catch {
    fails++;
  }
  clock();
  if (next !== ticket) return; // another poll has begun meanwhile
  clearTimeout(ticket);
  const wait = Math.min(every * 2 ** Math.min(fails, 5), slowest);
  next = window.setTimeout(poll, fails ? wait * (0.75 + Math.random() / 2) : wait);
}

function resume(): void {
  since = performance.now();
  void poll();
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = (paused ? pause.dataset.resume : pause.dataset.pause) ?? "";
  resume();
  clock();
});
document.addEventListener("visibilitychange", resume);
tidy(live);
document.documentElement.classList.add("js");
setInterval(() => {
  if (!document.hidden) clock();
}, 1000);
void poll();
