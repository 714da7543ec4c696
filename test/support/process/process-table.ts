// The system's list of processes: /proc on Linux, `ps` elsewhere. For finding what a test left behind and for
// adding up what a group of processes costs.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ProcessRow {
  readonly pid: number
  readonly parentPid: number
  readonly groupId: number
  /** Gone already, not yet collected by its parent. */
  readonly zombie: boolean
  readonly command: string
  /** Where it works; empty where the system does not say. */
  readonly folder: string
}

export function listProcesses(): ProcessRow[] {
  return existsSync('/proc/self/stat') ? listFromProc() : listFromPs()
}

/** The living processes of a process group. */
export function groupMembers(groupId: number): ProcessRow[] {
  return listProcesses().filter(row => row.groupId === groupId && !row.zombie)
}

/** `pid` and all its living descendants. */
export function processTree(pid: number): number[] {
  const rows = listProcesses()
  const tree = [pid]
  for (const parent of tree) {
    for (const row of rows) if (row.parentPid === parent && !row.zombie) tree.push(row.pid)
  }
  return tree
}

function listFromProc(): ProcessRow[] {
  const rows: ProcessRow[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
      // The name stands in parentheses and may hold anything; the numbers follow the last one.
      const [state, parentPid, groupId] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      rows.push({
        pid: Number(entry),
        parentPid: Number(parentPid),
        groupId: Number(groupId),
        zombie: state === 'Z' || state === 'X',
        command: readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
        folder: folderFromProc(entry),
      })
    } catch (error) {
      // It ended while we were looking.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
  return rows
}

function folderFromProc(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch (error) {
    // A zombie has none, and another user's is not ours to see.
    if (!['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
    return ''
  }
}

function listFromPs(): ProcessRow[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat=,args='], { encoding: 'utf8' })
  return table.split('\n').flatMap(line => {
    const fields = line.trim().match(/^(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s*(.*)$/)
    if (!fields) return []
    const [, pid, parentPid, groupId, state = '', command = ''] = fields
    return {
      pid: Number(pid),
      parentPid: Number(parentPid),
      groupId: Number(groupId),
      zombie: state.startsWith('Z'),
      command,
      folder: '',
    }
  })
}
