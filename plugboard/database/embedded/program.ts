// Starts the programs of the embedded Postgres as the user of the server, in the folder that they work on.
//
// As root on Linux, the user of the server may be unable to reach the folder by its path (a project in /root, for example). So
// a program starts in the folder before it changes from root to that user, and uses the path /proc/self/cwd. (Decision 0002.)

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import type { ServerUser } from './user.ts'

/** Postgres gets this environment alone, without the caller's PGDATA, PGOPTIONS and LC_*. */
export const SERVER_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' }

/** Returns the path of the cluster's folder for a program that is started in it. */
export function ownNameOf(data: string, user: ServerUser | undefined): string {
  return user !== undefined && process.platform === 'linux' ? '/proc/self/cwd' : data
}

export interface ProgramEnd {
  /** Null when a signal has ended the program. */
  readonly code: number | null
  readonly output: string
}

/** Runs a program until it ends. `stdin`: text for its standard input, or an open file. Rejects when it cannot start. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: {
    readonly folder: string
    readonly user: ServerUser | undefined
    readonly stdin: string | number
  },
): Promise<ProgramEnd> {
  const { folder, user, stdin } = options
  const child = spawn(program, args, {
    ...user,
    cwd: folder,
    env: SERVER_ENVIRONMENT,
    stdio: [typeof stdin === 'number' ? stdin : 'pipe', 'pipe', 'pipe'],
  })
  // A program that ends before it has read everything reports the reason on its standard error.
  child.stdin?.on('error', () => undefined)
  if (typeof stdin === 'string') child.stdin?.end(stdin)
  const [[code], out, err] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    buffer(child.stdout!),
    buffer(child.stderr!),
  ])
  return { code, output: `${out.toString('utf8')}${err.toString('utf8')}` }
}
