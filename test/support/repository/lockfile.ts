// Completes package-lock.json for other platforms. Run `node test/support/repository/lockfile.ts` after each change of a
// dependency. npm omits optional packages of platforms that the present registry does not carry, and then `npm ci` rejects
// the file everywhere. This program adds the packages, asks the registry for each missing integrity (integrity.ts), and
// removes `engines` that are met (engines.ts).

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { metEngines } from './engines.ts'
import { askNpm, fillIntegrity } from './integrity.ts'

interface LockEntry {
  readonly name?: string
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly inBundle?: boolean
  readonly dev?: boolean
  readonly optional?: boolean
  readonly peer?: boolean
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly engines?: { readonly node?: string }
}

export interface Lockfile {
  readonly packages: Record<string, LockEntry>
}

const FILE = join(import.meta.dirname, '../../../package-lock.json')

const SYSTEMS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
]
const PROCESSORS = [
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
]

/**
 * Returns the places of required optional packages that the lock file does not have, with the entry that each one should
 * have.
 */
export function missingEntries({ packages }: Lockfile): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {}
  for (const [place, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const all = { ...packages, ...missing }
      const found = resolve(all, place, name)
      // Only npm can resolve a range. Packages of platforms are required by exact version.
      if (found?.version === version || (found !== undefined && !/^\d/.test(version))) continue
      const top = `node_modules/${name}`
      const free = all[top] === undefined ? top : `${place}/${top}`
      missing[free] = { version, ...platformOf(name), ...(dev ? { dev } : {}), optional: true }
    }
  }
  return missing
}

/** Finds a package as Node does: in node_modules of the place, then of each folder above. */
function resolve(packages: Lockfile['packages'], place: string, name: string): LockEntry | undefined {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const found = packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]
    if (found !== undefined || folder === '') return found
  }
}

/** Returns the platform in the name of a package, such as `@biomejs/cli-linux-arm64-musl`. */
function platformOf(name: string): Pick<LockEntry, 'os' | 'cpu' | 'libc'> {
  const words = name.split(/[/-]/)
  const os = SYSTEMS.filter(system => words.includes(system))
  const cpu = PROCESSORS.filter(processor => words.some(word => word === processor))
  const arm = words.includes('arm') || words.includes('armv7') ? ['arm'] : []
  const libc = words.some(word => word.startsWith('musl'))
    ? ['musl']
    : words.some(word => word.startsWith('gnu'))
      ? ['glibc']
      : []
  return {
    ...(cpu.length + arm.length > 0 ? { cpu: [...new Set([...cpu, ...arm])] } : {}),
    ...(os.length > 0 ? { os } : {}),
    ...(libc.length > 0 ? { libc } : {}),
  }
}

export function readLockfile(): Lockfile {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Lockfile
}

if (import.meta.main) {
  const lockfile = readLockfile()
  const missing = missingEntries(lockfile)
  const met = metEngines(lockfile)
  const entries = Object.entries({ ...lockfile.packages, ...missing }).map(([place, entry]) => {
    const { engines: _, ...rest } = entry
    return [place, met.includes(place) ? rest : entry] as const
  })
  const sorted = Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)))
  const { packages, filled, problems } = await fillIntegrity(sorted, askNpm)
  writeFileSync(FILE, `${JSON.stringify({ ...lockfile, packages }, null, 2)}\n`)
  console.log(`${Object.keys(missing).length} entries added, engines of ${met.length} entries removed`)
  console.log(`integrity of ${filled} entries added`)
  for (const problem of problems) console.log(`no integrity of ${problem}`)
}
