// Plays two people at the console in a real browser, each with a virtual
// authenticator of their own, and reports what they saw as one JSON object.
// Arguments: node_modules, the browser's path, the first administrator's link, a
// draft as JSON.
import { createRequire } from 'node:module';

const [, , modules, executablePath, link, draft] = process.argv;
const require = createRequire(modules + '/');
const { chromium } = require('playwright-core');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
const report = { errors: [], who: [], presses: 0 };
const patience = { timeout: 15000 };

async function person(viewport) {
  const page = await (await browser.newContext({ viewport })).newPage();
  page.on('pageerror', (e) => report.errors.push(String(e)));
  page.on('console', (m) => { if (m.type() === 'error' && !/status of 40[03]/.test(m.text())) report.errors.push(m.text()); });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
  return page;
}

const told = async (page) => { await page.waitForSelector('#msgs .told', patience); return page.textContent('#msgs'); };
const desk = { width: 1280, height: 900 }, phone = { width: 390, height: 844 };

const admin = await person(desk);
await admin.goto(link);
await admin.click('button[type=submit]');
await admin.waitForSelector('#name', { ...patience, state: 'visible' });
await admin.fill('#name', 'Đỗ Anh Quân');
await admin.click('button[type=submit]');
await admin.waitForURL('**/truc', patience);
const site = new URL(admin.url()).origin;

async function invite(name, role) {
  await admin.goto(site + '/nguoi');
  await admin.fill('#name', name);
  await admin.selectOption('#role', role);
  await admin.fill('#territory', '22');
  await admin.click('form[data-do=invite] button');
  await admin.waitForSelector('#link', { ...patience, state: 'visible' });
  return admin.textContent('#link-text');
}

async function enrol(invitation, viewport) {
  const page = await person(viewport);
  await page.goto(invitation);
  await page.click('button[type=submit]');
  await page.waitForURL('**/truc', patience);
  report.who.push((await page.textContent('.who .quiet')).trim());
  return page;
}

const invitation = await invite('Nguyễn Thị Minh Hằng', 'author');
const author = await enrol(invitation, desk);
const approver = await enrol(await invite('Phạm Quốc Tuấn', 'approver'), phone);

const again = await person(desk);
await again.goto(invitation);
await again.click('button[type=submit]');
report.usedLink = await told(again);

await author.click('.who [data-do=sign-out]');
await author.waitForURL('**/dang-nhap', patience);
await author.goto(site + '/truc');
await author.waitForURL('**/dang-nhap?next=*', patience);
await author.click('[data-do=sign-in]');
await author.waitForURL('**/truc', patience);

const post = (page, path, body) => page.evaluate(async ([path, body]) => {
  const answer = await fetch('/api/v1' + path, { method: 'POST', headers: { 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() }, body });
  return answer.json();
}, [path, body]);
const id = (await post(author, '/alerts', draft)).id;
await post(author, `/alerts/${id}/submit`, '{}');
await author.goto(`${site}/duyet/${id}`);
await author.click('[data-do=approve]');
report.own = await told(author);

// The approver has the board open: it fills by itself; then open, approve, and
// the fingerprint, which the authenticator gives.
await approver.waitForSelector(`a[href="/duyet/${id}"]`, patience);
for (const press of [`a[href="/duyet/${id}"]`, '[data-do=approve]']) {
  await approver.click(press);
  report.presses++;
}
await approver.waitForURL(`**/theo-doi/${id}`, patience);
report.watch = await approver.textContent('h1');

await author.goto(`${site}/theo-doi/${id}`);
await author.click('[data-do=stop]');
report.stopped = await told(author);
report.stopGone = (await author.$('[data-do=stop]')) === null;
await browser.close();
console.log(JSON.stringify(report));
