// Builds the dashboard: files with a hash in their names, and elements.js for other pages, each with a brotli and a gzip copy.
// `--when-stale` builds only when a source is newer than the last build; `npm start` does this. `--out FOLDER`: the folder of the files;
// default: dist/. modules.json lists the files of packages that the build has used, for their licences. sources.json lists all other
// files, for the next `--when-stale`.

import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { build, type Rolldown } from 'vite'

const FOLDER = import.meta.dirname
const ROOT = join(FOLDER, '../..')
/** Smaller files gain nothing. */
const MIN_COMPRESSED_BYTES = 512

const { values } = parseArgs({
  options: { 'when-stale': { type: 'boolean', default: false }, out: { type: 'string' } },
})
const out = resolve(values.out ?? join(FOLDER, 'dist'))
if (!values['when-stale'] || (await isStale())) await buildAll()

/** The files appear at their place together, so that a Plugboard that runs never reads a part of them. */
async function buildAll(): Promise<void> {
  const folder = await mkdtemp(join(dirname(out), '.dashboard-'))
  try {
    const modules = await bundle(folder)
    const isPackage = (name: string): boolean => name.includes('node_modules/')
    await writeFile(join(folder, 'modules.json'), JSON.stringify(modules.filter(isPackage)))
    await writeFile(join(folder, 'sources.json'), JSON.stringify(modules.filter(name => !isPackage(name))))
    await compressAll(folder)
    // Only its owner can read a temporary folder. In an image, another user runs Plugboard.
    await chmod(folder, 0o755)
    await rm(out, { recursive: true, force: true })
    await rename(folder, out)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Resolves with all files that the build has used, relative to the root of the repository. */
async function bundle(folder: string): Promise<string[]> {
  // In another environment, the code has the names and lines of its sources, for tools of developers.
  process.env.NODE_ENV = 'production'
  const outputs: Rolldown.RolldownOutput['output'][number][] = []
  // The elements come second, because the first build empties the folder.
  for (const config of ['vite.config.ts', 'elements.config.ts']) {
    const built = await build({
      configFile: join(FOLDER, config),
      logLevel: 'warn',
      build: { outDir: folder },
    })
    outputs.push(...[built].flat().flatMap(each => ('output' in each ? each.output : [])))
  }
  const modules = outputs.flatMap(each => (each.type === 'chunk' ? each.moduleIds : []))
  // Names that begin with NUL are parts of the tools.
  const files = modules.filter(id => isAbsolute(id)).map(id => relative(ROOT, id.split('?')[0] ?? id))
  return [...new Set(files)]
}

/** True when a file of the last build, or a file of this folder, is newer than the build, and when a file of the last build was deleted. */
async function isStale(): Promise<boolean> {
  const built = await changedAt(join(out, 'elements.js'))
  const used = await sourcesOfLastBuild()
  if (built === undefined || used === undefined) return true
  const names = await readdir(FOLDER, { recursive: true })
  const own = names.filter(name => !/^(dist|\.)/.test(name) && !name.endsWith('.test.ts'))
  // The files of other folders, such as the code that the server has too, are in the list only.
  const files = [...own.map(name => join(FOLDER, name)), ...used.map(name => join(ROOT, name))]
  const times = await Promise.all([...files, join(ROOT, 'package-lock.json')].map(changedAt))
  return times.some(time => time === undefined || time > built)
}

/** Resolves with undefined when the folder has no build, or a build without the list. */
async function sourcesOfLastBuild(): Promise<string[] | undefined> {
  try {
    return JSON.parse(await readFile(join(out, 'sources.json'), 'utf8')) as string[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Resolves with the time of the last change, ms since 1970; undefined without the file. */
async function changedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function compressAll(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!/\.(css|html|js|svg)$/.test(name)) continue
    const path = join(folder, name)
    const content = await readFile(path)
    if (content.length < MIN_COMPRESSED_BYTES) continue
    const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }
    await writeFile(`${path}.br`, await promisify(brotliCompress)(content, brotli))
    await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }))
  }
}
