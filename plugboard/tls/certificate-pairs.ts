// Finds the files of certificates: pairs in a folder, with the names that common tools use, and pairs in the settings.
// certificate-files.ts reads them.

import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'

export interface CertificatePair {
  readonly chainFile: string
  readonly keyFile: string
}

/** The file names in a folder with one certificate: those of certbot, and those of a Kubernetes secret. */
const FIXED_NAMES = [
  ['fullchain.pem', 'privkey.pem'],
  ['tls.crt', 'tls.key'],
] as const

/**
 * Returns the pairs in a folder, ordered by name: `x.crt`, `x.cert` or `x.pem` with `x.key` or `x-key.pem`, and each subfolder
 * that holds `fullchain.pem` with `privkey.pem`, or `tls.crt` with `tls.key`. Rejects with Node's error when the folder cannot
 * be read.
 */
export async function findPairs(folder: string): Promise<CertificatePair[]> {
  const names = (await readdir(folder)).filter(name => !name.startsWith('.')).sort()
  const present = new Set(names)
  const pairs: CertificatePair[] = []
  for (const name of names) {
    const stem = /^(.+)\.(?:crt|cert|pem)$/.exec(name)?.[1]
    if (stem !== undefined) {
      const key = keyNames(name, stem).find(each => present.has(each))
      if (key !== undefined) pairs.push({ chainFile: join(folder, name), keyFile: join(folder, key) })
    } else if (!name.endsWith('.key')) {
      const pair = await pairWithin(join(folder, name))
      if (pair !== undefined) pairs.push(pair)
    }
  }
  return pairs
}

function keyNames(name: string, stem: string): string[] {
  return name === 'fullchain.pem' ? ['privkey.pem', 'fullchain.key'] : [`${stem}.key`, `${stem}-key.pem`]
}

async function pairWithin(folder: string): Promise<CertificatePair | undefined> {
  for (const [chain, key] of FIXED_NAMES) {
    const pair = { chainFile: join(folder, chain), keyFile: join(folder, key) }
    if ((await exists(pair.chainFile)) && (await exists(pair.keyFile))) return pair
  }
  return undefined
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}

/** Parses `chain.pem:key.pem`. Returns undefined for another form. Relative paths start at the working directory. */
export function parsePair(text: string): CertificatePair | undefined {
  const [chain, key, ...more] = text.split(':')
  if (!chain || !key || more.length > 0) return undefined
  return { chainFile: resolve(chain), keyFile: resolve(key) }
}
