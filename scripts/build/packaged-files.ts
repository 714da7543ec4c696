// Replaces the paths of files that the code reads at run time by `new URL('<path>', import.meta.url)`. In a bundle, that URL
// is the URL of the bundle, so the new path is the one to which the build copies the file. An unknown path, or another use of
// the module's URL, fails the build, because it would fail only on the machine of a user. `createRequire(import.meta.url)` is
// allowed: it finds installed packages from the folder of a bundle too.

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
      // Ids of modules that the bundler creates are not paths.
      if (!isAbsolute(id)) return null
      const module = relative(root, id).replaceAll('\\', '/')
      if (module.startsWith('..') || module.includes('node_modules/')) return null
      if (OTHER_USES.test(code.replace(URL_OF_MODULE, '').replace(REQUIRE_OF_MODULE, ''))) {
        throw new Error(
          `${module} uses import.meta.url, which is allowed only in new URL('…', import.meta.url)`,
        )
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
