// The development server and the build of the dashboard. `npm run dashboard` serves the sources with hot reload, and forwards the
// requests of the page to the admin port of a running Plugboard.

import prefresh from '@prefresh/vite'
import { defineConfig } from 'vite'

// The Host field stays, because the admin port compares it with Origin.
const admin = { target: process.env.PLUGBOARD_URL ?? 'http://127.0.0.1:4001', changeOrigin: false }

export default defineConfig({
  root: import.meta.dirname,
  base: '/dashboard/',
  // Without `await`, the plug-in is a promise, which Vite accepts and its types do not.
  plugins: [await prefresh()],
  // Without this line, the plug-in compiles to calls of `h`, which no file imports.
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: { host: '127.0.0.1', proxy: { '/v1': admin, '/reference': admin } },
  build: {
    // The oldest browsers with light-dark(), which an older target would replace by other properties.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    emptyOutDir: true,
  },
})
