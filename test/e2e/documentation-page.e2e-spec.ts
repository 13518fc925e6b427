import { until } from '../process/processes';
import { Browser, describeWithBrowser } from './browser';
import { TestApp } from './test-app';

const KEY = 'the-key-of-the-environment';
const SHOWN = `[...document.querySelectorAll('.opblock-summary-path')].map((node) => node.dataset.path)`;
const FORM = `document.getElementById('key-form')?.hidden === false`;

describeWithBrowser('the page of the documentation', () => {
  let app: TestApp;
  let browser: Browser;
  afterEach(async () => {
    await browser.close();
    await app.close();
  });

  const shown = (): Promise<unknown> =>
    until('the API is shown', async () => {
      const paths = (await browser.evaluate(SHOWN)) as readonly string[] | undefined;
      return paths !== undefined && paths.length > 0 && paths;
    }, 15_000); // prettier-ignore
  const enter = (key: string): Promise<unknown> =>
    browser.evaluate(`document.getElementById('key').value = '${key}', document.querySelector('#key-form button').click()`);

  it('shows the API at once where no keys are asked for', async () => {
    app = await TestApp.start();
    browser = Browser.open(`${app.origin}/docs`);
    expect(await shown()).toContain('/api/v1/predict/{model}');
    expect(await browser.evaluate(FORM)).toBe(false);
  }, 60_000);

  it('needs nothing that the content security policy forbids, with every operation open', async () => {
    app = await TestApp.start();
    browser = Browser.open(`${app.origin}/docs?url=http://evil.example/spec.json&configUrl=http://evil.example`);
    await shown();
    const violations = await browser.evaluate(`new Promise((done) => {
      const seen = [];
      document.addEventListener('securitypolicyviolation', (event) => seen.push(event.violatedDirective + ' ' + event.blockedURI));
      document.querySelectorAll('.opblock-summary-control').forEach((button) => button.click());
      setTimeout(() => done([document.querySelectorAll('.opblock.is-open').length > 10, document.body.innerText.includes('evil'), ...seen]), 2000);
    })`);
    expect(violations).toEqual([true, false]); // and whoever sends a link cannot say what the page shows (SEC-36)
  }, 60_000);

  it('asks for a key, refuses a wrong one, keeps the right one for this tab, and authorizes with it', async () => {
    app = await TestApp.start({ env: { API_KEY: KEY } });
    browser = Browser.open(`${app.origin}/docs`);
    await until('it asks for a key', async () => (await browser.evaluate(FORM)) === true, 15_000);
    await enter('a-wrong-key-of-somebody');
    await until('it says why', async () =>
      String(await browser.evaluate(`document.getElementById('key-fault').textContent`)).includes('valid API key'),
    );
    expect(await browser.evaluate(SHOWN)).toEqual([]);
    await enter(KEY);
    expect(await shown()).toContain('/api/v1/predict/{model}');
    expect(await browser.evaluate(FORM)).toBe(false);
    expect(await browser.evaluate('[document.cookie, localStorage.length]')).toEqual(['', 0]);

    await browser.evaluate('window.old = true, setTimeout(() => location.reload())');
    await until('the page is a new one', async () => (await browser.evaluate('String(window.old)')) === 'undefined');
    expect(await shown()).toContain('/api/v1/models');
    // Swagger UI's own sign that it sends a key with every call
    await until(
      'it is authorized',
      async () => (await browser.evaluate(`document.querySelector('.auth-wrapper .authorize.locked') !== null`)) === true,
    );
  }, 60_000);
});
