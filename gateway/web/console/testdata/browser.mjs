// Opens every page of the console in a real browser and reports what it saw as
// one JSON object. Arguments: node_modules, the browser's path, a folder for
// pictures or "-", base URLs by deployment.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [, , modules, executablePath, pictures, ...bases] = process.argv;
const require = createRequire(modules + '/');
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const report = { axe: [], rules: 0, console: [], foreign: [], wide: [], small: [], pages: 0, weight: {} };
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const phone = { width: 390, height: 844 }, desk = { width: 1280, height: 900 };
const paths = ['/dang-nhap', '/moi#x', '/truc', '/duyet/loa-1', '/duyet/loa-2', '/theo-doi/loa-2', '/theo-doi/loa-5', '/theo-doi/loa-9', '/nguoi', '/truc?lang=en', '/duyet/loa-1?lang=en', '/theo-doi/loa-2?lang=en'];

async function look(base, path, options, name) {
  const context = await browser.newContext(options);
  await context.addCookies([{ name: 'seen', value: '1', url: base }]);
  const page = await context.newPage();
  let bytes = 0;
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type()) && !m.text().includes('404')) report.console.push(`${path}: ${m.text()}`); });
  page.on('pageerror', (e) => report.console.push(`${path}: ${e}`));
  page.on('request', (r) => { if (!r.url().startsWith(base + '/')) report.foreign.push(r.url()); });
  page.on('response', async (r) => { bytes += Number(r.headers()['content-length'] ?? 0); });
  await page.goto(base + path);
  report.weight[path] = bytes;
  await page.evaluate(axe);
  for (const dialog of [false, true]) {
    if (dialog && !(await page.$('[data-do=open]'))) break;
    if (dialog) await page.click('[data-do=open]');
    const found = await page.evaluate((values) => globalThis.axe.run({ runOnly: { type: 'tag', values } }), tags);
    report.rules = Math.max(report.rules, found.passes.length);
    for (const v of found.violations) report.axe.push(`${path} ${options.viewport.width}: ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3)}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    if (wide) report.wide.push(`${path} ${options.viewport.width}`);
    for (const s of await page.evaluate(() => [...document.querySelectorAll('button, a.btn, .nav a, textarea, input')].filter((e) => e.offsetParent && e.getBoundingClientRect().height < 43.9).map((e) => e.outerHTML.slice(0, 60)))) report.small.push(`${path}: ${s}`);
    if (pictures !== '-' && !dialog) await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
    if (pictures !== '-' && dialog) await page.screenshot({ path: `${pictures}/${name}-dialog.png` });
  }
  report.pages++;
  await context.close();
}

for (const [i, path] of paths.entries()) for (const viewport of [phone, desk]) await look(bases[0], path, { viewport }, `${i}-${viewport.width}`);
await look(bases[1], '/duyet/loa-1', { viewport: phone }, 'drill-390');
await look(bases[2], '/truc', { viewport: desk }, 'demo-1280');
await look(bases[0], '/theo-doi/loa-2', { viewport: phone, colorScheme: 'dark', reducedMotion: 'reduce' }, 'dark-390');
await look(bases[0], '/truc', { viewport: { width: 320, height: 640 } }, 'narrow-320');
await browser.close();
console.log(JSON.stringify(report));
