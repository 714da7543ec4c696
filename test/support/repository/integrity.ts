// Completes `integrity` of the packages in package-lock.json: the hash that `npm ci` compares with the download. npm omits it
// for packages of other platforms, so lockfile.ts asks the registry of npm's settings for it. When the registry lacks such a
// package, the entry stays unchanged, and npm accepts the hash of the registry that it installs from.

import { execFile } from 'node:child_process'

interface IntegrityEntry {
  /** The name of a package that is installed under another name. */
  readonly name?: string
  readonly version?: string
  readonly integrity?: string
  /** True for a workspace, whose files are in this repository. */
  readonly link?: boolean
  /** True for a package inside of the archive of another package. */
  readonly inBundle?: boolean
}

export type Packages<Entry extends IntegrityEntry = IntegrityEntry> = Readonly<Record<string, Entry>>

export type RegistryResponse =
  | { readonly kind: 'found'; readonly integrity: string }
  /** The registry does not carry this version. */
  | { readonly kind: 'absent' }
  /** The registry could not be asked, so asking for the next package is of no use. */
  | { readonly kind: 'unreachable'; readonly detail: string }

/** `spec`: `name@version`. */
export type AskRegistry = (spec: string) => Promise<RegistryResponse>

/** Packages that the registry lacked at the last completion. The test fails when the list is out of date. */
export const ABSENT_FROM_REGISTRY: readonly string[] = [
  '@yuku-toolchain/darwin-arm64@0.27.0',
  '@yuku-toolchain/darwin-x64@0.27.0',
  '@yuku-toolchain/linux-arm64@0.27.0',
  '@yuku-toolchain/win32-arm64@0.27.0',
  '@yuku-toolchain/win32-x64@0.27.0',
]

/** Returns place and `name@version` of each package that comes from a registry and has no integrity. */
export function withoutIntegrity(packages: Packages): { readonly place: string; readonly spec: string }[] {
  return Object.entries(packages)
    .filter(([place, { link, inBundle, integrity }]) => {
      return place.includes(MODULES) && !link && !inBundle && integrity === undefined
    })
    .map(([place, entry]) => ({ place, spec: specOf(place, entry) }))
}

const MODULES = 'node_modules/'

function specOf(place: string, { name, version }: IntegrityEntry): string {
  return `${name ?? place.slice(place.lastIndexOf(MODULES) + MODULES.length)}@${version}`
}

export interface FilledIntegrity<Entry extends IntegrityEntry> {
  readonly packages: Packages<Entry>
  readonly filled: number
  /** For each entry that still has no integrity: a text with the reason. */
  readonly problems: readonly string[]
}

/** Asks the registry for each missing integrity, one after the other. Stops when the registry is unreachable. */
export async function fillIntegrity<Entry extends IntegrityEntry>(
  packages: Packages<Entry>,
  ask: AskRegistry,
): Promise<FilledIntegrity<Entry>> {
  const completed: Record<string, Entry> = { ...packages }
  const problems: string[] = []
  let filled = 0
  let unreachable: string | undefined
  for (const { place, spec } of withoutIntegrity(packages)) {
    const response = unreachable === undefined ? await ask(spec) : undefined
    if (response?.kind === 'found') {
      const { version, ...rest } = packages[place]!
      completed[place] = { version, integrity: response.integrity, ...rest } as Entry
      filled += 1
    } else if (response?.kind === 'absent') {
      problems.push(`${spec}: the registry does not carry this version`)
    } else {
      unreachable ??= response?.detail
      problems.push(`${spec}: the registry could not be asked: ${unreachable}`)
    }
  }
  return { packages: completed, filled, problems }
}

/** Asks with `npm view`, which uses npm's settings: registry, proxy, credentials. */
export function askNpm(spec: string): Promise<RegistryResponse> {
  const args = ['view', spec, 'dist.integrity', '--json', '--fetch-retries=0', '--fetch-timeout=10000']
  return new Promise(resolve => {
    execFile('npm', args, (error, stdout) => resolve(responseOf(stdout, error)))
  })
}

function responseOf(stdout: string, error: Error | null): RegistryResponse {
  const result: unknown = stdout === '' ? undefined : JSON.parse(stdout)
  if (typeof result === 'string') return { kind: 'found', integrity: result }
  const { code, summary } =
    (result as { error?: { code?: string; summary?: string } } | undefined)?.error ?? {}
  // `npm view` of a version that does not exist prints nothing and succeeds.
  if (code === 'E404' || (result === undefined && error === null)) return { kind: 'absent' }
  return { kind: 'unreachable', detail: summary ?? error?.message ?? 'npm view printed no integrity' }
}
