// The console: acts are sent to the API and answered where they were pressed;
// figures are brought into the page where they stand.
import { bring, tidy } from "../morph";
import { able, assert, register } from "./passkey";

const every = 2000; // ms between two questions
const patience = 10000; // ms without an answer until the page says so

const words = document.body.dataset;
const part = document.getElementById("part")!;
const msgs = document.getElementById("msgs")!;
const band = document.querySelector(".env")!;
const live = words.page === "truc" || words.page === "theo-doi";

class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

function write(id: "status" | "alarm", text: string): void {
  document.getElementById(id)!.textContent = text;
}

// tell shows what came of an act, with focus, above the page.
function tell(text: string): void {
  msgs.replaceChildren();
  if (!text) return;
  const p = document.createElement("p");
  p.className = "told";
  p.textContent = text;
  msgs.append(p);
  msgs.focus();
}

type Json = Record<string, unknown>;

// call sends an act. The key makes a repeated press the same act.
async function call(method: string, path: string, body?: Json, key: string = crypto.randomUUID()): Promise<Json> {
  const headers: Record<string, string> = { "Idempotency-Key": key };
  if (body) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, { method, headers, body: body ? JSON.stringify(body) : undefined, signal: AbortSignal.timeout(20000) });
  } catch {
    throw new Refused(0, words.away ?? "");
  }
  if (answer.status === 204) return {};
  const doc = (await answer.json().catch(() => ({}))) as Json;
  if (answer.ok) return doc;
  const word = String(doc.type ?? "").split(":").pop();
  const known = document.querySelector(`#problems [data-word="${CSS.escape(word!)}"]`)?.textContent;
  if (known) throw new Refused(answer.status, known);
  const errors = (doc.errors as { field: string; rule: string }[] | undefined) ?? [];
  const parts = [doc.title, doc.detail, ...errors.map((e) => `${e.field}: ${e.rule}`)].filter(Boolean);
  throw new Refused(answer.status, [...new Set(parts)].join(". "));
}

function said(e: unknown): string {
  if (e instanceof Refused) return e.message;
  if (e instanceof DOMException) return words.cancelled ?? "";
  return words.away ?? "";
}

const label = (): string => navigator.userAgent.slice(0, 100);


const go = (to: string): void => location.assign(to);

async function signIn(): Promise<void> {
  const o = await call("POST", "/session/begin", {});
  const response = await assert(o.publicKey as Json);
  await call("POST", "/session", { nonce: o.nonce, response, label: label() });
  go(words.next || "/truc");
}

async function enrol(form: HTMLFormElement): Promise<void> {
  const field = document.getElementById("name-field")!;
  const input = form.elements.namedItem("name") as HTMLInputElement;
  const link = location.hash.slice(1);
  let o: Json;
  try {
    o = await call("POST", "/enrol/begin", { link, name: input.value });
  } catch (e) {
    if (e instanceof Refused && e.status === 400 && field.hidden) {
      field.hidden = false; // the first administrator has no name yet
      input.focus();
      return;
    }
    throw e;
  }
  const response = await register(o.publicKey as Json);
  await call("POST", "/enrol", { link, name: input.value, nonce: o.nonce, response, label: label() });
  history.replaceState(null, "", location.pathname);
  go("/truc");
}

async function approve(button: HTMLElement): Promise<void> {
  const { id, hash, done } = button.dataset;
  const path = `/alerts/${encodeURIComponent(id!)}/approve`;
  const o = await call("POST", `${path}/begin`, { hash });
  const response = await assert(o.publicKey as Json);
  await call("POST", path, { hash, nonce: o.nonce, response });
  go(done!);
}

async function reasoned(form: HTMLFormElement, act: "return" | "correct"): Promise<void> {
  const field = form.elements.namedItem("reason") as HTMLTextAreaElement;
  const reason = field.value.trim();
  if (!reason) {
    complain(field, field.dataset.missing ?? "");
    return;
  }
  const doc = await call("POST", `/alerts/${encodeURIComponent(form.dataset.id!)}/${act}`, { reason });
  form.closest("dialog")?.close();
  go(act === "correct" && doc.id ? `/theo-doi/${encodeURIComponent(doc.id as string)}${location.search}` : `/truc${location.search}`);
}

// complain says beside a field what is missing in it.
function complain(field: HTMLElement, text: string): void {
  const box = field.closest(".field")!;
  box.classList.add("err");
  let p = box.querySelector<HTMLElement>(".msg");
  if (!p) {
    p = document.createElement("p");
    p.className = "msg";
    p.id = `${field.id}-msg`;
    box.prepend(p);
    field.setAttribute("aria-describedby", `${p.id} ${field.getAttribute("aria-describedby") ?? ""}`);
  }
  field.setAttribute("aria-invalid", "true");
  p.textContent = text;
  field.focus();
}

async function invite(form: HTMLFormElement): Promise<void> {
  const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement;
  for (const name of ["name", "territory"]) {
    if (!field(name).value.trim()) return complain(field(name), field(name).dataset.missing ?? "");
  }
  const territory = field("territory").value.trim().toUpperCase();
  const doc = await call("POST", "/people", { name: field("name").value.trim(), territory, roles: [{ role: field("role").value, territory }] });
  await ask();
  document.getElementById("link-text")!.textContent = doc.link as string;
  const box = document.getElementById("link")!;
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
}

async function stop(button: HTMLElement): Promise<void> {
  await call("POST", `/alerts/${encodeURIComponent(button.dataset.id!)}/stop`, { reason: button.dataset.reason || "Dừng" });
  await ask();
  tell(document.querySelector("#part .told")?.textContent ?? "");
}

const busy = new Set<EventTarget>();

// once keeps a second press from being a second act, and says what went wrong.
async function once(on: EventTarget, act: () => Promise<void>): Promise<void> {
  if (busy.has(on)) return;
  busy.add(on);
  tell("");
  try {
    await act();
  } catch (e) {
    tell(said(e));
  } finally {
    busy.delete(on);
  }
}

document.addEventListener("click", (e) => {
  const b = (e.target as Element).closest<HTMLElement>("[data-do]");
  if (!b || b instanceof HTMLFormElement) return;
  const key = ["sign-in", "approve"].includes(b.dataset.do!);
  if (key && !able()) return tell(words.unable ?? "");
  switch (b.dataset.do) {
    case "sign-in":
      return void once(b, signIn);
    case "sign-out":
      return void once(b, async () => {
        await call("DELETE", "/session");
        go("/dang-nhap");
      });
    case "approve":
      return void once(b, () => approve(b));
    case "confirm":
      return void once(b, async () => {
        await call("POST", `/grants/${encodeURIComponent(b.dataset.id!)}/confirm`, {});
        await ask();
      });
    case "stop":
      return void once(b, () => stop(b));
    case "open":
      return (document.getElementById(b.dataset.for!) as HTMLDialogElement).showModal();
    case "close":
      return b.closest("dialog")?.close();
  }
});

document.addEventListener("submit", (e) => {
  const form = e.target as HTMLFormElement;
  e.preventDefault();
  switch (form.dataset.do) {
    case "enrol":
      if (!able()) return tell(words.unable ?? "");
      return void once(form, () => enrol(form));
    case "invite":
      return void once(form, () => invite(form));
    case "return":
    case "correct":
      return void once(form, () => reasoned(form, form.dataset.do as "return" | "correct"));
  }
});

let etag = "";
let shown = ""; // the server's time of the figures
let at = performance.now();
let lost = false;

async function ask(): Promise<void> {
  const url = new URL(location.href);
  url.searchParams.set("part", "1");
  url.hash = "";
  const answer = await fetch(url, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store", signal: AbortSignal.timeout(8000) });
  if (answer.status === 401) return location.reload(); // leads to the sign-in page
  if (answer.status !== 200 && answer.status !== 304) throw new Error();
  const version = answer.headers.get("Loa-Version");
  if (version && version !== words.version) return location.reload();
  if (answer.status === 200) {
    bring(part, await answer.text());
    etag = answer.headers.get("ETag") ?? "";
  }
  shown = answer.headers.get("Loa-Time") ?? shown;
  at = performance.now();
  const time = document.querySelector("#now time");
  if (time && time.textContent !== shown) time.textContent = shown;
  if (lost) {
    lost = false;
    band.classList.remove("lost");
    write("alarm", "");
    write("status", (words.back ?? "").replace("{t}", shown));
  }
}

async function poll(): Promise<void> {
  if (!document.hidden) {
    try {
      await ask();
    } catch {
      // the next question may be answered
    }
    if (!lost && performance.now() - at >= patience) {
      lost = true;
      band.classList.add("lost");
      const text = (words.lost ?? "").replace("{t}", shown);
      write("alarm", text);
      const time = document.querySelector("#now time");
      if (time) time.textContent = text;
    }
  }
  setTimeout(poll, every * (0.9 + Math.random() / 5));
}

document.documentElement.classList.add("js");
if (live) {
  tidy(part);
  shown = document.querySelector("#now time")?.textContent ?? "";
  void poll();
}
if (words.page === "moi" && !location.hash) tell(words.none ?? "");
