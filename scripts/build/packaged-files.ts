// Code finds the files it reads at run time by `new URL('<path>', import.meta.url)`. In a bundle that URL is the
// bundle's, so the path is replaced by where the build puts the file. A path that the build does not know, or
// another use of the module's own place, stops the build: it would break on somebody else's machine only.
// `createRequire(import.meta.url)` finds installed packages, from a bundle's folder as well as from a source's.

import { isAbsolute, posix, relative } from 'node:path'
import type { Plugin } from 'rolldown'

const URL_OF_MODULE = /new URL\((['"])([^'"]+)\1,\s*import\.meta\.url\)/g
const REQUIRE_OF_MODULE = /createRequire\(import\.meta\.url\)/g
const OTHER_USES = /import\.meta\.(dirname|filename|url)\b/

/** `files`: name in the bundle's folder → path in the repository. */
export function packagedFiles(root: string, files: Readonly<Record<string, string>>): Plugin {
  return {
    name: 'packaged-files',
    transform(code, id) {
      // The bundler's own modules have ids that are no paths.
      if (!isAbsolute(id)) return null
      const module = relative(root, id).replaceAll('\\', '/')
      if (module.startsWith('..') || module.includes('node_modules/')) return null
      if (OTHER_USES.test(code.replace(URL_OF_MODULE, '').replace(REQUIRE_OF_MODULE, ''))) {
        throw new Error(`${module} uses its own place other than by new URL('…', import.meta.url)`)
      }
      const replaced = code.replace(URL_OF_MODULE, (_, quote: string, path: string) => {
        const wanted = posix.join(posix.dirname(module), path)
        const name = Object.keys(files).find(key => files[key] === wanted)
        if (name === undefined) throw new Error(`${module} reads ${wanted}, which the build does not copy`)
        return `new URL(${quote}./${name}${quote}, import.meta.url)`
      })
      return replaced === code ? null : { code: replaced, map: null }
    },
  }
}
