// Starts a Telephone as users do: a process beside a backend, with a token and a target.

import { join } from 'node:path'
import { eventually } from '../deadline.ts'
import type { Child } from '../process/child.ts'
import type { Processes } from '../process/processes.ts'
import { cleanEnvironment, type PlugboardProcess } from './plugboard-process.ts'

let started = 0
const MAIN = join(import.meta.dirname, '../../../telephone/main.ts')

export interface TelephoneOptions {
  readonly processes: Processes
  readonly plugboard: PlugboardProcess
  /** The backend, as a port or a URL. */
  readonly target: number | string
  readonly token: string
  readonly service?: string
  readonly mount?: string
  /** Default: a new name each time. A Telephone with the same name would replace the one before. */
  readonly name?: string
  /** The URL that it dials. Default: the URL of Plugboard. */
  readonly url?: string
  /** The file to run. Default: the source. */
  readonly program?: string
  readonly args?: readonly string[]
  readonly cwd?: string
  /** Limit of open files. */
  readonly openFiles?: number | undefined
}

export class TelephoneProcess {
  readonly child: Child
  readonly #plugboard: PlugboardProcess

  private constructor(child: Child, plugboard: PlugboardProcess) {
    this.child = child
    this.#plugboard = plugboard
  }

  /** Starts the Telephone, and resolves when Plugboard lists this instance. */
  static async start(options: TelephoneOptions): Promise<TelephoneProcess> {
    const before = await instancesOf(options.plugboard)
    const telephone = TelephoneProcess.launch(options)
    await telephone.connected(before)
    return telephone
  }

  static launch(options: TelephoneOptions): TelephoneProcess {
    const {
      processes,
      plugboard,
      target,
      token,
      service,
      mount,
      url = plugboard.url,
      program = MAIN,
      args = [],
      cwd,
    } = options
    started += 1
    const name = options.name ?? `telephone-${process.pid}-${started}`
    const child = processes.node(
      'telephone',
      [
        program,
        'http',
        String(target),
        '--plugboard',
        url,
        '--name',
        name,
        ...(service === undefined ? [] : ['--service', service]),
        ...(mount === undefined ? [] : ['--mount', mount]),
        ...args,
      ],
      {
        env: cleanEnvironment({ TELEPHONE_TOKEN: token }),
        ...(cwd === undefined ? {} : { cwd }),
        openFiles: options.openFiles,
      },
    )
    return new TelephoneProcess(child, plugboard)
  }

  /** Resolves with an instance that is not in `before`. */
  async connected(before: ReadonlySet<string> = new Set()): Promise<void> {
    await eventually('the telephone is connected', async () => {
      if (!this.child.running) throw new Error(`the telephone ended\n${this.child.output}`)
      for (const instance of await instancesOf(this.#plugboard)) if (!before.has(instance)) return true
      return undefined
    })
  }
}

/** Resolves with the instances that have announced a service. */
async function instancesOf(plugboard: PlugboardProcess): Promise<Set<string>> {
  const rows = (await plugboard.telephones()) as { instance: string; services: unknown[] }[]
  return new Set(rows.filter(row => row.services.length > 0).map(row => row.instance))
}
