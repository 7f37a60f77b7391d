// Brings a new rendering of a part of a page into it where it stands: what is
// there stays the same node, so that focus, scroll and open sections stay.

export const key = (n: Node): string => (n instanceof Element ? (n.getAttribute("data-k") ?? "") : "");

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
export function tidy(root: Element): Element {
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const blanks: Node[] = [];
  while (walk.nextNode()) if (/^\s*\n\s*$/.test(walk.currentNode.nodeValue ?? "")) blanks.push(walk.currentNode);
  for (const b of blanks) b.parentNode!.removeChild(b);
  return root;
}

// bring writes the fresh html into root. Rows of a table that are known are
// written where they stand and not sorted anew.
export function bring(root: HTMLElement, html: string): void {
  const parsed = new DOMParser().parseFromString(`<div id="bring">${html}</div>`, "text/html").getElementById("bring")!;
  for (const a of Array.from(root.attributes)) parsed.setAttribute(a.name, a.value);
  const fresh = tidy(parsed);
  const rows = new Map<string, Element>();
  for (const r of fresh.querySelectorAll("[data-rows] > tr")) rows.set(key(r), r);
  for (const old of root.querySelectorAll("[data-rows] > tr")) {
    const r = rows.get(key(old));
    if (r) {
      update(old, r);
      r.remove();
    } else old.remove();
  }
  update(root, fresh);
}
