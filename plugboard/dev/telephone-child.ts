// The Telephone of `plugboard dev`: the real program in a process of its own, started beside Plugboard, ended with
// it. Plugboard never imports the Telephone; it looks the installed program up by its package.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Backoff } from '@vera-stack/shared/backoff.ts'
import type { Logger } from '@vera-stack/shared/log.ts'

export interface TelephoneChildOptions {
  /** Flags of `telephone http`. */
  readonly args: readonly string[]
  readonly log: Logger
}

const STOP_DEADLINE_MS = 5000
/** A child that has lived this long did not fail at its start, ms. */
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

  /** Lets it drain; kills it when that takes too long. */
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
    // The channel ends with this process, however that ends, and the Telephone takes that as its own end.
    // A group of its own: Ctrl-C at the terminal is for Plugboard, which still needs the Telephone to drain.
    let child: ChildProcess
    try {
      child = spawn(process.execPath, [this.#program, 'http', ...this.#options.args], {
        detached: true,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
    } catch (error) {
      // Happens when memory runs out, for example. Most other failures are events.
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

/** The file of the installed program. */
export async function telephoneProgram(): Promise<string> {
  const manifestFile = fileURLToPath(import.meta.resolve('@vera-stack/telephone/package.json'))
  const manifest = JSON.parse(await readFile(manifestFile, 'utf8')) as { bin: { telephone: string } }
  return join(dirname(manifestFile), manifest.bin.telephone)
}
