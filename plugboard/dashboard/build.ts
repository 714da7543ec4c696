// Builds the dashboard: files with a hash in their names, each with a brotli and a gzip copy. `--when-stale` builds only when a source is
// newer than the last build; `npm start` does this. `--out FOLDER`: the folder of the files; default: dist/. modules.json lists the
// files of packages that the build has used, for their licences.

import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { build } from 'vite'

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
    await writeFile(join(folder, 'modules.json'), JSON.stringify(await bundle(folder)))
    await compressAll(folder)
    // Only its owner can read a temporary folder. In an image, another user runs Plugboard.
    await chmod(folder, 0o755)
    await rm(out, { recursive: true, force: true })
    await rename(folder, out)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Resolves with the files of packages, relative to the root of the repository. */
async function bundle(folder: string): Promise<string[]> {
  // In another environment, the code has the names and lines of its sources, for tools of developers.
  process.env.NODE_ENV = 'production'
  const built = await build({
    configFile: join(FOLDER, 'vite.config.ts'),
    logLevel: 'warn',
    build: { outDir: folder },
  })
  const outputs = [built].flat().flatMap(each => ('output' in each ? each.output : []))
  const modules = outputs.flatMap(each => (each.type === 'chunk' ? each.moduleIds : []))
  return modules.filter(id => id.includes('/node_modules/')).map(id => relative(ROOT, id.split('?')[0] ?? id))
}

async function isStale(): Promise<boolean> {
  const built = await changedAt(join(out, 'index.html'))
  if (built === undefined) return true
  const names = await readdir(FOLDER, { recursive: true })
  const sources = names.filter(name => !/^(dist|\.)/.test(name) && !name.endsWith('.test.ts'))
  const times = await Promise.all(
    [...sources.map(name => join(FOLDER, name)), join(ROOT, 'package-lock.json')].map(changedAt),
  )
  return times.some(time => time !== undefined && time > built)
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
