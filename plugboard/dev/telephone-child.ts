// The Telephone of `plugboard dev`: the real program in a child process that starts and stops together with Plugboard. Plugboard
// never imports code of the Telephone. It finds the installed program by the name of the package.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { Logger } from '@vera-stack/shared/log.ts'

export interface TelephoneChildOptions {
  /** The arguments of `telephone http`. */
  readonly args: readonly string[]
  readonly log: Logger
}

const STOP_DEADLINE_MS = 5000
/** The run time from which an end of the child no longer counts as a failed start, ms. */
const SETTLED_MS = 30_000

export class TelephoneChild {
  readonly #options: TelephoneChildOptions
  readonly #program: string
  readonly #backoff = new Backoff({ baseMs: 250, capMs: 10_000 })
  #child: ChildProcess | undefined
  #restart: NodeJS.Timeout | undefined
  #stopping = false

  private constructor(program: string, options: TelephoneChildOptions) {
    this.#program = program
    this.#options = options
  }

  static async start(options: TelephoneChildOptions): Promise<TelephoneChild> {
    const telephone = new TelephoneChild(await telephoneProgram(), options)
    telephone.#spawn()
    return telephone
  }

  /** Sends SIGTERM, so that the child drains. Sends SIGKILL after `STOP_DEADLINE_MS`. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restart)
    const child = this.#child
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
    await exited
    clearTimeout(timer)
  }

  #spawn(): void {
    // The IPC channel closes when this process ends for any reason, and the Telephone stops when the channel closes.
    // `detached` puts the child into its own process group, so that Ctrl-C reaches only Plugboard, which needs the Telephone
    // while it drains.
    let child: ChildProcess
    try {
      child = spawn(process.execPath, [this.#program, 'http', ...this.#options.args], {
        detached: true,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
    } catch (error) {
      // `spawn` throws when memory runs out, for example. It reports most other failures as events.
      this.#ended(error instanceof Error ? error.message : String(error))
      return
    }
    this.#child = child
    const startedAtMs = performance.now()
    child.once('error', error => this.#ended(error.message))
    child.once('exit', (code, signal) => {
      if (performance.now() - startedAtMs >= SETTLED_MS) this.#backoff.reset()
      this.#ended(signal ?? `exit code ${code}`)
    })
  }

  #ended(how: string): void {
    if (this.#stopping) return
    this.#child = undefined
    const delayMs = this.#backoff.next(100)
    this.#options.log.warn('the Telephone of this machine ended; restarting it', { detail: how })
    clearTimeout(this.#restart)
    this.#restart = setTimeout(() => this.#spawn(), delayMs)
  }
}

/** Returns the path of the installed program. */
export async function telephoneProgram(): Promise<string> {
  const manifestFile = fileURLToPath(import.meta.resolve('@vera-stack/telephone/package.json'))
  const manifest = JSON.parse(await readFile(manifestFile, 'utf8')) as { bin: { telephone: string } }
  return join(dirname(manifestFile), manifest.bin.telephone)
}
