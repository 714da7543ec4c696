// Reads the list of processes of the system: /proc on Linux, `ps` elsewhere. It finds the processes that a test left behind,
// and the CPU time and memory of a group of processes.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ProcessRow {
  readonly pid: number
  readonly parentPid: number
  readonly groupId: number
  /** True when the process has ended, but its parent has not collected it yet. */
  readonly zombie: boolean
  readonly command: string
  /** The working directory. Empty when the system does not report it. */
  readonly folder: string
}

export function listProcesses(): ProcessRow[] {
  return existsSync('/proc/self/stat') ? listFromProc() : listFromPs()
}

/** Returns the running processes of a process group. */
export function groupMembers(groupId: number): ProcessRow[] {
  return listProcesses().filter(row => row.groupId === groupId && !row.zombie)
}

/** Returns the process `pid` and its running descendants. */
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
      // The name is in parentheses and may hold any character. The numbers follow the last parenthesis.
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
      // The process has ended since the list was read.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
  return rows
}

function folderFromProc(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch (error) {
    // A zombie has no such link, and the link of another user's process is not readable.
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
