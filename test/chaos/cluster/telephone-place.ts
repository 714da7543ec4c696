// A Telephone of the cluster with its backend. It keeps its name over restarts. The backend runs all the time.

import type { Processes } from '../../support/process/processes.ts'
import { TelephoneProcess } from '../../support/programs/telephone-process.ts'
import type { ChaosBackend } from './backend.ts'
import type { Replica } from './replica.ts'

export class TelephonePlace {
  readonly name: string
  readonly service: string
  readonly #backend: ChaosBackend
  readonly #processes: Processes
  readonly #program: string | undefined
  readonly #folder: string
  #process: TelephoneProcess | undefined

  constructor(options: {
    readonly name: string
    readonly service: string
    readonly backend: ChaosBackend
    readonly processes: Processes
    readonly program: string | undefined
    /** The working directory, by which the remaining processes of a failed run are found. */
    readonly folder: string
  }) {
    this.name = options.name
    this.service = options.service
    this.#backend = options.backend
    this.#processes = options.processes
    this.#program = options.program
    this.#folder = options.folder
  }

  get process(): TelephoneProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was never started`)
    return this.#process
  }

  /** Starts a process of the Telephone, also beside an older one, and does not wait for it. */
  launch(replicas: readonly Replica[], token: string): void {
    this.#process = TelephoneProcess.launch({
      processes: this.#processes,
      plugboard: replicas[0]!.process,
      target: this.#backend.port,
      token,
      service: this.service,
      name: this.name,
      cwd: this.#folder,
      url: replicas.map(({ port }) => `http://127.0.0.1:${port}`).join(','),
      ...(this.#program === undefined ? {} : { program: this.#program }),
    })
  }

  closeBackend(): Promise<void> {
    return this.#backend.close()
  }
}
