// The build of the elements for other pages: one file without a hash in its name, beside the files of the dashboard.

import { defineConfig } from 'vite'
import dashboard from './vite.config.ts'

export default defineConfig({
  ...dashboard,
  // For the packages that look for it. Vite replaces it in pages, but not in libraries.
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    ...dashboard.build,
    emptyOutDir: false,
    lib: { entry: 'src/elements/elements.ts', formats: ['es'], fileName: () => 'elements.js' },
  },
})
