// Brings new figures into the page where they stand: nothing is re-sorted,
// focus, scroll and open sections stay. When the server stops answering, the
// page says how old its figures are.

import { bring, tidy } from "./morph";

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

const alerts = () => live.querySelectorAll("article[data-k]").length;

function show(html: string): void {
  const before = alerts();
  bring(live, html);
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
    show(await answer.text());
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
