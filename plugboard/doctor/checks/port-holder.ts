// Finds the process that listens on a port, from the files of Linux under /proc. Processes of other users keep their open files
// private, so for them only the port is known.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** The state LISTEN in /proc/net/tcp. */
const LISTENS = '0A'
/** Processes that are read. */
const MAX_PROCESSES = 20_000

/** Returns a sentence about the process; undefined when no process listens, or the system has no such files. */
export function portHolder(port: number, root = '/proc'): string | undefined {
  if (process.platform !== 'linux') return undefined
  const inodes = new Set([...inodesOf(port, `${root}/net/tcp`), ...inodesOf(port, `${root}/net/tcp6`)])
  if (inodes.size === 0) return undefined
  const pid = entriesOf(root)
    .filter(name => /^\d+$/.test(name))
    .slice(0, MAX_PROCESSES)
    .find(name => holdsOne(`${root}/${name}/fd`, inodes))
  if (pid === undefined) return `A process of another user has port ${port}: "sudo ss -ltnp" shows it.`
  const name = readText(`${root}/${pid}/comm`).trim() || 'unknown'
  return `Process ${pid} (${name}) has port ${port}.`
}

/** A line has, among others: the local address as `HEX:PORT`, the state, and the inode of the socket as its tenth field. */
function inodesOf(port: number, file: string): string[] {
  const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return readText(file)
    .split('\n')
    .flatMap(line => {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
      return local?.endsWith(ending) && state === LISTENS && inode !== undefined ? [inode] : []
    })
}

function holdsOne(folder: string, inodes: ReadonlySet<string>): boolean {
  return entriesOf(folder).some(name => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${name}`))?.[1]
      return inode !== undefined && inodes.has(inode)
    } catch {
      return false // closed meanwhile
    }
  })
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // the process has ended, or belongs to another user
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // absent
  }
}
