// Removes `engines` from packages in package-lock.json. npm compares them with the Node that runs `npm ci`, and warns. That
// Node may be the one of the system, but the scripts of this repository run on the pinned Node, which `npm ci` installs. So
// an entry keeps `engines`, and npm its warning, only when the pinned Node does not meet them. For a package that users
// install, the oldest supported Node must meet them too.

import { versions } from 'node:process'

interface Packages {
  readonly [place: string]: { readonly dev?: boolean; readonly engines?: { readonly node?: string } }
}

/** The pinned Node of this repository, which runs this file, and the oldest versions that users may have. */
const PINNED = versions.node
const OLDEST = ['22.21.0', '24.9.0']

/** Returns the places whose `engines` each Node meets that may run the package. */
export function metEngines({ packages }: { readonly packages: Packages }): string[] {
  return Object.entries(packages)
    .filter(([, { engines, dev }]) => {
      if (engines?.node === undefined) return false
      const { node } = engines
      return [PINNED, ...(dev ? [] : OLDEST)].every(version => allowsNode(node, version))
    })
    .map(([place]) => place)
}

/** True when a version is within a range of `engines`, such as `^20.19.0 || >=22.12`. Throws for an unknown syntax. */
export function allowsNode(range: string, version: string): boolean {
  return range.split('||').some(part => {
    const conditions = part
      .replaceAll(/([<>=^~])\s+/g, '$1')
      .trim()
      .split(/\s+/)
    // All conditions are parsed, so that an unknown one is an error.
    return conditions.map(condition => meets(condition, version)).every(Boolean)
  })
}

function meets(condition: string, version: string): boolean {
  if (condition === '*' || condition === '') return true
  const match = /^(>=|<=|>|<|\^|~|=|)v?(\d+)(?:\.(\d+|[x*]))?(?:\.(\d+|[x*]))?$/.exec(condition)
  if (match === null) throw new Error(`The condition "${condition}" of engines is not understood.`)
  const [, operator = '', ...parts] = match
  const wanted = parts.filter(part => /^\d+$/.test(part ?? '')).map(Number)
  const actual = version.split('.').map(Number)
  const kept = (digits: number) => wanted.slice(0, digits).every((part, index) => part === actual[index])
  const order =
    actual.map((part, index) => part - (wanted[index] ?? 0)).find(difference => difference !== 0) ?? 0
  switch (operator) {
    case '>=':
      return order >= 0
    case '>':
      return order > 0
    case '<=':
      return order <= 0 || kept(wanted.length)
    case '<':
      return order < 0
    case '^':
      return order >= 0 && kept(1)
    case '~':
      return order >= 0 && kept(2)
    default:
      return kept(wanted.length)
  }
}
