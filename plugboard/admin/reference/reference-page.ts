// `/reference` of the admin port: the OpenAPI document as a page for people, rendered by swagger-ui. The page needs no
// credential, like the document. Its "Authorize" keeps an admin key in the memory of the page.

import type { OpenAPIHono } from '@hono/zod-openapi'
import type { AdminEnv } from '../admin-env.ts'
import { StaticFile } from './static-file.ts'

/** Scripts, styles and requests come from this origin alone. swagger-ui shows its icons as data URLs. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plugboard admin API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/reference/swagger-ui.css">
<script src="/reference/swagger-ui-bundle.js" defer></script>
<script src="/reference/start.js" defer></script>
</head>
<body>
<main id="reference"></main>
<noscript>This page needs JavaScript. The document is at <a href="/openapi.json">/openapi.json</a>.</noscript>
</body>
</html>
`

/** `validatorUrl: null`: the page sends the document to no validator on the Internet. */
const START = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'none',
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
})
`

export function addReferencePage(app: OpenAPIHono<AdminEnv>): void {
  const script = new StaticFile(
    new URL('../../../node_modules/swagger-ui-dist/swagger-ui-bundle.js', import.meta.url),
    'text/javascript; charset=utf-8',
  )
  const styles = new StaticFile(
    new URL('../../../node_modules/swagger-ui-dist/swagger-ui.css', import.meta.url),
    'text/css; charset=utf-8',
  )
  app.get('/reference', c => {
    c.header('Content-Security-Policy', PAGE_POLICY)
    return c.html(PAGE)
  })
  app.get('/reference/swagger-ui-bundle.js', c => script.respond(c))
  app.get('/reference/swagger-ui.css', c => styles.respond(c))
  app.get('/reference/start.js', c => {
    c.header('Content-Type', 'text/javascript; charset=utf-8')
    return c.body(START)
  })
}
