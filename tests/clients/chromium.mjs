// The person in front of a client, in a real headless Chromium: cookies, SameSite, CSP and redirects are enforced as
// they are for people. The browser keeps its profile, as people's do; so a second client finds them signed in.
//   argv: AUTHORIZE_URL PROFILE_FOLDER    env: GATEKIT_USER, GATEKIT_PASSWORD, GATEKIT_PLAYWRIGHT (playwright-core), CHROMIUM
//   prints the redirect; Chromium itself has delivered it by then. Complaints of the browser go to standard error.
import { createRequire } from 'node:module';

const [, , url, profile] = process.argv;
const { chromium } = createRequire(import.meta.url)(process.env.GATEKIT_PLAYWRIGHT);
const redirect = new URL(new URL(url).searchParams.get('redirect_uri'));
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic'];

const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', ...quiet],
});
try {
  const page = browser.pages()[0] ?? (await browser.newPage());
  let back = null;
  const complaints = [];
  page.on('request', (request) => {
    const to = new URL(request.url());
    if (to.host === redirect.host && to.pathname === redirect.pathname) back ??= request.url();
  });
  page.on('console', (message) => {
    if (/Content Security Policy|Refused|blocked/i.test(message.text())) complaints.push(message.text());
  });
  page.setDefaultTimeout(20000);
  await page.goto(url, { waitUntil: 'load' }).catch((error) => { if (!back) throw error; });
  for (let step = 0; step < 8 && !back; step++) {
    const password = page.locator('input[type=password]:visible').first();
    if (await password.count()) {
      await page.locator('form:has(input[type=password]) input[name=username]').first().fill(process.env.GATEKIT_USER);
      await password.fill(process.env.GATEKIT_PASSWORD);
      await password.press('Enter');
    } else {
      await page.locator('button[value=approve]:visible').first().click({ noWaitAfter: true });
    }
    // The next page, or the redirect: whichever comes.
    const before = page.url();
    for (let i = 0; i < 100 && !back && page.url() === before; i++) await page.waitForTimeout(50);
    if (!back) await page.waitForLoadState('load').catch(() => {});
  }
  if (!back) throw new Error(`stuck at ${page.url().split('?')[0]}: ${(await page.innerText('body')).slice(0, 200)}`);
  await page.waitForLoadState('load').catch(() => {});
  if (complaints.length) throw new Error(`the browser complains: ${complaints.join(' | ').slice(0, 600)}`);
  console.log(back);
} finally {
  await browser.close();
}
