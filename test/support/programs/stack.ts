// The whole stack for tests: a separate database, Plugboard, a Telephone and the misbehaving backend, each in its own process.
// `app.localhost/` is mounted on the service `app`. The tests of a file share one stack; a test that breaks a part restores it.

import { afterAll, beforeAll } from 'vitest'
import { Backend } from '../backend/backend-process.ts'
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.ts'
import { removeFolder, temporaryFolder } from '../process/folder.ts'
import { Processes } from '../process/processes.ts'
import { type PlugboardOptions, PlugboardProcess } from './plugboard-process.ts'
import { type TelephoneOptions, TelephoneProcess } from './telephone-process.ts'

export const HOST = 'app.localhost'
export const SERVICE = 'app'

export interface StackOptions {
  readonly plugboardArgs?: readonly string[]
  readonly telephoneArgs?: readonly string[]
  /** Limits of open files of the two processes. */
  readonly plugboardOpenFiles?: number
  readonly telephoneOpenFiles?: number
  /** True when the test starts the Telephone itself. */
  readonly withoutTelephone?: boolean
}

export class Stack {
  readonly processes = new Processes()
  readonly options: StackOptions
  folder = ''
  token = ''
  plugboard!: PlugboardProcess
  telephone!: TelephoneProcess
  backend!: Backend
  #database: TestDatabase | undefined

  constructor(options: StackOptions) {
    this.options = options
  }

  get port(): number {
    return this.plugboard.port
  }

  async start(): Promise<void> {
    this.folder = await temporaryFolder()
    this.#database = await createTestDatabase()
    this.backend = await Backend.start(this.processes)
    this.plugboard = await this.startPlugboard()
    await this.plugboard.addService(SERVICE)
    await this.plugboard.addRoute(HOST, SERVICE)
    this.token = (await this.plugboard.issueToken({ services: ['*'], mounts: ['*'] })).token
    if (!this.options.withoutTelephone) this.telephone = await this.startTelephone()
  }

  /** Starts Plugboard again after a stop, on the same ports with the same data. */
  startPlugboard(options: Partial<PlugboardOptions> = {}): Promise<PlugboardProcess> {
    return PlugboardProcess.start({
      processes: this.processes,
      folder: this.folder,
      databaseUrl: this.#database!.url,
      args: this.options.plugboardArgs ?? [],
      ...(this.options.plugboardOpenFiles === undefined
        ? {}
        : { openFiles: this.options.plugboardOpenFiles }),
      ...(this.plugboard ? { port: this.plugboard.port, adminPort: this.plugboard.adminPort } : {}),
      ...options,
    })
  }

  startTelephone(options: Partial<TelephoneOptions> = {}): Promise<TelephoneProcess> {
    return TelephoneProcess.start({
      processes: this.processes,
      plugboard: this.plugboard,
      target: this.backend.port,
      token: this.token,
      service: SERVICE,
      args: this.options.telephoneArgs ?? [],
      openFiles: this.options.telephoneOpenFiles,
      ...options,
    })
  }

  async stop(): Promise<void> {
    const problems: unknown[] = []
    const note = (error: unknown) => problems.push(error)
    await this.processes.stopAll().catch(note)
    await this.#database?.drop().catch(note)
    const left = this.folder === '' ? [] : await removeFolder(this.folder)
    if (left.length > 0) problems.push(new Error(`processes were left behind: ${left.join(', ')}`))
    if (problems.length > 0) throw new AggregateError(problems, problems.map(String).join('\n'))
  }
}

export function useStack(options: StackOptions = {}): Stack {
  const stack = new Stack(options)
  beforeAll(() => stack.start())
  afterAll(() => stack.stop())
  return stack
}
