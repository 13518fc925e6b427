import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Injectable } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';

/** Swagger UI's own files that the page needs. They come with Nest's Swagger module: no CDN. */
export const SWAGGER_FILES: ReadonlySet<string> = new Set([
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'favicon-16x16.png',
  'favicon-32x32.png',
]);

/** Where they lie. */
export const SWAGGER_FOLDER = dirname(createRequire(require.resolve('@nestjs/swagger')).resolve('swagger-ui-dist/package.json'));

/** The page: no script and no style in it, so that a content security policy need not allow any. */
export const PAGE = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>analytics-api</title>
    <link rel="stylesheet" href="./docs/swagger-ui.css" />
    <link rel="stylesheet" href="./docs/page.css" />
    <link rel="icon" type="image/png" href="./docs/favicon-32x32.png" sizes="32x32" />
    <link rel="icon" type="image/png" href="./docs/favicon-16x16.png" sizes="16x16" />
  </head>
  <body>
    <form id="key-form" class="swagger-ui" hidden>
      <label>API key <input id="key" type="password" autocomplete="off" spellcheck="false" required /></label>
      <button class="btn authorize">Show the API</button>
      <p id="key-fault" role="alert"></p>
    </form>
    <div id="swagger-ui"></div>
    <script src="./docs/swagger-ui-bundle.js"></script>
    <script src="./docs/swagger-ui-init.js"></script>
  </body>
</html>
`;

/** The look of what Swagger UI has no look for. */
export const PAGE_STYLE = `body { margin: 0; background: #fafafa; }
#key-form { max-width: 40em; margin: 4em auto; padding: 0 1em; font-family: sans-serif; }
#key { width: 24em; max-width: 100%; margin: 0 0.5em; padding: 0.5em; }
`;

// the key stays in this tab of the browser, and goes into the one header
const SCRIPT = `const STORE = 'analytics-api.key';
const form = document.getElementById('key-form');
const fault = document.getElementById('key-fault');

function show(spec, key) {
  form.hidden = true;
  const ui = SwaggerUIBundle({
    spec,
    dom_id: '#swagger-ui',
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    requestInterceptor(request) {
      const own = new URL(request.url, location.href).origin === location.origin;
      if (key && own && !request.headers.Authorization && !request.headers['X-API-Key']) request.headers.Authorization = 'Bearer ' + key;
      return request;
    },
    onComplete: () => key && ui.preauthorizeApiKey('bearer', key),
  });
}

async function load(key) {
  const answer = await fetch('./docs-json', { headers: key ? { Authorization: 'Bearer ' + key } : {} });
  if (answer.ok) {
    if (key) sessionStorage.setItem(STORE, key);
    return show(await answer.json(), key);
  }
  sessionStorage.removeItem(STORE);
  fault.textContent = key ? (await answer.json()).detail : '';
  form.hidden = false;
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void load(document.getElementById('key').value.trim());
});
if (SPEC) show(SPEC);
else void load(sessionStorage.getItem(STORE));
`;

/** What `/docs` is made of. */
@Injectable()
export class DocumentationPage {
  private source: (() => OpenAPIObject) | undefined;
  private made: OpenAPIObject | undefined;

  /** @param source makes the document when somebody first asks for it */
  describe(source: () => OpenAPIObject): void {
    this.source = source;
  }

  /** The API as its controllers declare it. */
  document(): OpenAPIObject {
    return (this.made ??= this.source?.() as OpenAPIObject);
  }

  /** @param open whether everybody may see the document: it is in the script then, else the page asks for a key and fetches it */
  script(open: boolean): string {
    return `const SPEC = ${open ? JSON.stringify(this.document()) : 'null'};\n${SCRIPT}`;
  }
}
