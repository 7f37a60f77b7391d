// Opens the live page in a real browser and reports what it saw as one JSON
// object. Arguments: node_modules, the browser's path, base URLs by deployment.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [, , modules, executablePath, ...bases] = process.argv;
const require = createRequire(modules + '/');
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const report = { axe: [], rules: 0, console: [], foreign: [], requests: 0, wide: [], live: {} };
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });

// open makes a page whose console and requests are watched.
async function open(base, options, expected = () => false) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type()) && !expected(m)) report.console.push(m.text()); });
  page.on('pageerror', (e) => report.console.push(String(e)));
  page.on('request', (r) => { report.requests++; if (!r.url().startsWith(base + '/')) report.foreign.push(r.url()); });
  return page;
}

const act = (base, name) => fetch(`${base}/stage/${name}`, { method: 'POST' });

// until asks again, moving the page's clock on, and gives up in the end.
async function until(page, check, step = 2100) {
  for (let i = 0; i < 100; i++) {
    if (await page.evaluate(check)) return true;
    if (i % 5 === 0) await page.clock.runFor(step);
    await new Promise((r) => setTimeout(r, 20));
  }
  return false;
}

async function rules() {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const looks = [];
  for (const base of bases) for (const viewport of [{ width: 360, height: 800 }, { width: 1440, height: 900 }]) looks.push([base, '/', { viewport }]);
  looks.push([bases[0], '/?lang=en&q=hong+gai', { viewport: { width: 320, height: 640 } }]);
  for (const base of bases) looks.push([base, '/?alert=loa-3', { viewport: { width: 1440, height: 900 }, colorScheme: 'dark', reducedMotion: 'reduce' }]);
  for (const [base, path, options] of looks) {
    const page = await open(base, options);
    await page.goto(base + path);
    await page.evaluate(axe);
    await page.evaluate(() => document.querySelectorAll('details').forEach((d) => { d.open = true; }));
    const found = await page.evaluate((values) => globalThis.axe.run({ runOnly: { type: 'tag', values } }), tags);
    report.rules = Math.max(report.rules, found.passes.length);
    for (const v of found.violations) report.axe.push(`${path} ${options.viewport.width}: ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3)}`);
    if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) report.wide.push(`${path} ${options.viewport.width}`);
    await page.context().close();
  }
}

const failed = () => document.querySelector('[data-k="loa-1/11914"] td[data-l="Chưa tới"]').textContent;
const order = () => [...document.querySelectorAll('[data-rows] tr')].map((r) => r.dataset.k).join();

async function live() {
  const base = bases[1];
  const out = report.live;
  const page = await open(base, { viewport: { width: 1024, height: 800 } }, (m) => m.text().includes('503'));
  const statuses = [];
  page.on('response', (r) => { if (r.url().includes('/live?') || r.url().endsWith('/live')) statuses.push(r.status()); });
  await page.clock.install();
  await page.goto(base + '/');
  await page.evaluate(() => {
    globalThis.shift = 0;
    new PerformanceObserver((l) => l.getEntries().forEach((e) => { if (!e.hadRecentInput) globalThis.shift += e.value; })).observe({ type: 'layout-shift', buffered: true });
    globalThis.mark = 1;
    globalThis.nodes = [...document.querySelectorAll('h1, .lead, article, .facts dd, .five b, [data-rows] tr, .bar rect')];
    document.querySelector('article details').open = true;
    document.querySelector('input[type=search]').value = 'Cô';
    document.querySelector('input[type=search]').focus();
  });
  out.before = await page.evaluate(failed);
  const was = await page.evaluate(order);
  await until(page, () => document.getElementById('age').textContent !== '');
  for (let i = 0; i < 100 && !statuses.includes(304); i++) { await page.clock.runFor(500); await new Promise((r) => setTimeout(r, 20)); }
  out.notModified = statuses.includes(304);
  await page.evaluate(() => { globalThis.shift = 0; });
  await act(base, 'send');
  await until(page, () => document.querySelector('[data-k="loa-1/11914"] td[data-l="Chưa tới"]').textContent === '30');
  out.after = await page.evaluate(failed);
  out.sameDocument = await page.evaluate(() => globalThis.mark === 1);
  out.orderKept = (await page.evaluate(order)) === was;
  out.nodesKept = await page.evaluate(() => globalThis.nodes.length > 20 && globalThis.nodes.every((n) => n.isConnected));
  out.openKept = await page.evaluate(() => document.querySelector('article details').open);
  out.typedKept = await page.evaluate(() => document.querySelector('input[type=search]').value === 'Cô');
  out.focusKept = await page.evaluate(() => document.activeElement.type === 'search');
  out.shift = (await page.evaluate(() => globalThis.shift)) > 0.001; // a digit's width, no more

  await act(base, 'away');
  await until(page, () => document.getElementById('age').textContent.startsWith('Mất kết nối'));
  out.lost = (await page.textContent('#age')).replace(/ \d.*/, '');
  out.alarm = (await page.textContent('#alarm')).startsWith('Mất kết nối, số liệu lúc');
  out.numbersStay = await page.evaluate(failed);
  await act(base, 'back');
  out.back = await until(page, () => document.getElementById('age').textContent.startsWith('Số liệu lúc') && document.getElementById('status').textContent.startsWith('Đã kết nối lại'));

  await act(base, 'new');
  out.newSaid = await until(page, () => document.getElementById('status').textContent === 'Có tin mới trên trang.');
  out.newShown = await page.evaluate(() => document.querySelectorAll('article').length === 3 && document.activeElement.type === 'search');

  const quiet = async () => {
    await new Promise((r) => setTimeout(r, 200)); // an answer on its way may still come
    const n = statuses.length;
    await page.clock.runFor(60000);
    await new Promise((r) => setTimeout(r, 100));
    return statuses.length === n;
  };
  await page.click('#pause');
  out.pausedAsksNothing = await quiet();
  await page.click('#pause');
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  out.hiddenAsksNothing = await quiet();
  await page.context().close();
}

async function withoutScript() {
  const page = await open(bases[2], { javaScriptEnabled: false });
  await page.goto(bases[2] + '/');
  await page.fill('input[type=search]', 'co to');
  await page.click('form.find button');
  await page.waitForURL(/q=co\+to/);
  report.live.withoutScript = (await page.locator('article').first().locator('[data-rows] tr').count()) === 1 && (await page.textContent('main')).includes('Đặc khu Cô Tô');
  await page.context().close();
}

await rules();
await live();
await withoutScript();
await browser.close();
console.log(JSON.stringify(report));
