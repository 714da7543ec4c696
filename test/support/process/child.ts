// One child process of a test or a bench: its output, its exit, signals. The child leads a process group of its own, so that
// its remaining children can be found. processes.ts starts and stops several of them.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { PATIENCE_MS, within } from '../deadline.ts'
import { groupMembers } from './process-table.ts'

export interface ChildOptions {
  /** The name of the child in messages. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** True to open an IPC channel, for `onMessage` and `post`. */
  readonly ipc?: boolean
  readonly uid?: number
  readonly gid?: number
  /** Soft and hard limit of open files. Default: the limits of the tests. */
  readonly openFiles?: number | undefined
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const KEPT_LINES = 2000

export class Child {
  readonly name: string
  readonly pid: number
  /** Settles when the process has ended and its output is read. */
  readonly exited: Promise<Exit>
  exit: Exit | undefined
  /** Set by code that ends the process on purpose. An exit without this mark is a crash. */
  expectedToExit = false
  /** The accepted exit codes after a stop. Most programs exit with 0. */
  expectedExitCodes: readonly number[] = [0]
  readonly lines: string[] = []
  readonly #process: ChildProcess
  readonly #watchers = new Set<() => void>()

  constructor(options: ChildOptions) {
    this.name = options.name
    const [command, ...args] = commandOf(options)
    this.#process = spawn(command, args, {
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
      serialization: 'advanced',
    })
    const { pid } = this.#process
    this.exited = new Promise((resolve, reject) => {
      this.#process.once('error', error => reject(new Error(`${this.name} did not start`, { cause: error })))
      this.#process.once('close', (code, signal) => {
        this.exit = { code, signal }
        resolve(this.exit)
        this.#changed()
      })
    })
    // Marks a rejection as handled, because a test may never wait for this promise.
    this.exited.catch(() => undefined)
    if (pid === undefined) throw new Error(`${this.name}: ${options.command} cannot be started`)
    this.pid = pid
    this.#read(this.#process.stdout)
    this.#read(this.#process.stderr)
  }

  get running(): boolean {
    return this.exit === undefined
  }

  /** Returns the whole output, stdout and stderr, for messages. */
  get output(): string {
    return this.lines.join('\n')
  }

  /** Resolves with the first matching line from number `from` on. It may have been printed before the call. */
  waitForLine(pattern: RegExp, { timeoutMs = PATIENCE_MS, from = 0 } = {}): Promise<RegExpMatchArray> {
    const found = new Promise<RegExpMatchArray>((resolve, reject) => {
      let next = from
      const look = () => {
        for (; next < this.lines.length; next += 1) {
          const match = this.lines[next]!.match(pattern)
          if (!match) continue
          this.#watchers.delete(look)
          return resolve(match)
        }
        if (this.running) return
        this.#watchers.delete(look)
        reject(
          new Error(`${this.name} ended (${describeExit(this.exit!)}) before ${pattern}\n${this.output}`),
        )
      }
      this.#watchers.add(look)
      look()
    })
    return within(found, timeoutMs, `${this.name} prints ${pattern}`, () => this.output)
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#process.on('message', listener)
  }

  post(message: object): void {
    this.#process.send(message)
  }

  /** Sends the signal to this process alone, not to its children. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Sends SIGTERM and waits for the exit. After `graceMs`, sends SIGKILL and rejects with an Error. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 20_000): Promise<Exit> {
    if (this.exit) return this.exit
    this.expectedToExit = true
    this.signal(signal)
    // A stopped process handles a signal only after SIGCONT.
    this.signal('SIGCONT')
    try {
      return await within(this.exited, graceMs, `${this.name} ends after ${signal}`, () => this.output)
    } catch (error) {
      this.killGroup()
      await this.exited
      throw error
    }
  }

  /** Kills the remaining processes of the group. Returns the commands of the killed processes. */
  killGroup(): string[] {
    const left = groupMembers(this.pid)
    for (const { pid } of left) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
    return left.map(({ command }) => command)
  }

  #read(stream: Readable | null): void {
    if (!stream) return
    createInterface({ input: stream }).on('line', line => {
      if (this.lines.length < KEPT_LINES) this.lines.push(line)
      else if (this.lines.length === KEPT_LINES) this.lines.push(`… more than ${KEPT_LINES} lines`)
      this.#changed()
    })
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher()
  }
}

/** Returns the command with a limit of open files: a shell sets the limit and then executes the program. */
function commandOf({ command, args, openFiles }: ChildOptions): [string, ...string[]] {
  if (openFiles === undefined) return [command, ...args]
  return ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, command, ...args]
}

export function describeExit({ code, signal }: Exit): string {
  return signal ? `killed by ${signal}` : `exit code ${code}`
}
