// Starts a Plugboard as users do: a process with a data folder, its command line and its admin API.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execPath } from 'node:process'
import type { StatusBody } from '../../../plugboard/admin/api-types.ts'
import { eventually } from '../deadline.ts'
import { type HttpResponse, send } from '../http/http-client.ts'
import { canConnect } from '../http/raw-connection.ts'
import { Child, type Exit } from '../process/child.ts'
import { freePort } from '../process/free-port.ts'
import type { Processes } from '../process/processes.ts'

const MAIN = join(import.meta.dirname, '../../../plugboard/main.ts')

export interface PlugboardOptions {
  readonly processes: Processes
  readonly folder: string
  readonly command?: 'start' | 'dev'
  /** Stays the same over a restart. */
  readonly port?: number
  readonly adminPort?: number
  readonly databaseUrl?: string
  /** The file to run. Default: the source. */
  readonly program?: string
  /** Further flags. */
  readonly args?: readonly string[]
  /** Further variables. */
  readonly env?: NodeJS.ProcessEnv
  /** Limit of open files. */
  readonly openFiles?: number
}

/** The environment without variables that configure a Plugboard, which the shell of a developer may have. */
export function cleanEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const foreign = /^(PLUGBOARD_|TELEPHONE_|DATABASE_URL$|PG[A-Z]+$|NODE_OPTIONS$|VITEST|FORCE_COLOR$)/
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name))
  return { ...Object.fromEntries(kept), NO_COLOR: '1', ...extra }
}

export class PlugboardProcess {
  readonly child: Child
  readonly port: number
  readonly adminPort: number
  readonly folder: string

  private constructor(
    child: Child,
    options: Required<Pick<PlugboardOptions, 'port' | 'adminPort' | 'folder'>>,
  ) {
    this.child = child
    this.port = options.port
    this.adminPort = options.adminPort
    this.folder = options.folder
  }

  /** Starts it, and resolves when it is ready for traffic. */
  static async start(options: PlugboardOptions): Promise<PlugboardProcess> {
    const plugboard = await PlugboardProcess.launch(options)
    await plugboard.ready()
    return plugboard
  }

  /** Starts it without waiting. */
  static async launch(options: PlugboardOptions): Promise<PlugboardProcess> {
    const { processes, folder, program = MAIN, command = 'start', databaseUrl, args = [] } = options
    const port = options.port ?? (await freePort())
    const adminPort = options.adminPort ?? (await freePort())
    const ports =
      command === 'dev'
        ? ['--port', String(port), '--admin-port', String(adminPort)]
        : ['--listen', `127.0.0.1:${port}`, '--admin-listen', `127.0.0.1:${adminPort}`]
    const env = cleanEnvironment({
      ...options.env,
      ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
    })
    const all = [program, command, ...ports, '--data', join(folder, 'data'), ...args]
    const { openFiles } = options
    const child = processes.node('plugboard', all, { env, cwd: folder, openFiles })
    return new PlugboardProcess(child, { port, adminPort, folder })
  }

  async ready(): Promise<void> {
    await eventually(
      'Plugboard is ready',
      async () => {
        if (!this.child.running) return true
        const { status } = await send({ port: this.adminPort, path: '/readyz' })
        // The public port opens last.
        return (status === 200 && (await canConnect(this.port))) || undefined
      },
      30_000,
    )
    if (!this.child.running) throw new Error(`Plugboard ended before it was ready\n${this.child.output}`)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async adminKey(): Promise<string> {
    return (await readFile(join(this.folder, 'data/secrets/admin.key'), 'utf8')).trim()
  }

  /** Calls the admin API with the first key. */
  async api(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<HttpResponse> {
    return send({
      port: this.adminPort,
      path,
      method,
      headers: {
        authorization: `Bearer ${await this.adminKey()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }

  /** Calls the admin API and resolves with the parsed body. Rejects when the call fails. */
  async call<T = Record<string, unknown>>(method: string, path: string, body?: object): Promise<T> {
    const response = await this.api(method, path, body, { 'if-match': '*' })
    if (response.status >= 300) throw new Error(`${method} ${path}: ${response.status} ${response.text}`)
    return (response.text === '' ? undefined : JSON.parse(response.text)) as T
  }

  /**
   * Resolves when this replica has applied all changes. The admin API waits for that too, but on a busy machine it responds after
   * one second in any case.
   */
  async untilApplied(): Promise<void> {
    await eventually('the changes are applied', async () => {
      const { appliedSequence, latestSequence } = await this.call<StatusBody>('GET', '/v1/status')
      return (latestSequence !== null && appliedSequence >= latestSequence) || undefined
    })
  }

  /** Runs `plugboard <args>` beside the running server. */
  async cli(...args: string[]): Promise<Exit & { output: string }> {
    const where = ['--url', `http://127.0.0.1:${this.adminPort}`, '--data', join(this.folder, 'data')]
    return await this.run(...args, ...where)
  }

  /** Runs a command that does not use the admin API. */
  async run(...args: string[]): Promise<Exit & { output: string }> {
    const child = new Child({
      name: `plugboard ${args.slice(0, 2).join(' ')}`,
      command: execPath,
      args: [MAIN, ...args],
      env: cleanEnvironment(),
      cwd: this.folder,
    })
    const exit = await child.exited
    return { ...exit, output: child.output }
  }

  async issueToken(scope: { name?: string; services?: string[]; mounts?: string[]; ttl?: string }) {
    return this.call<{ id: string; token: string }>('POST', '/v1/tokens', { name: 'test', ...scope })
  }

  async addService(name: string, policy: object = {}): Promise<void> {
    await this.call('POST', '/v1/services', { name, policy })
  }

  async addRoute(mount: string, service: string): Promise<{ id: string; version: number }> {
    return this.call('POST', '/v1/routes', { mount, service })
  }

  /**
   * Resolves with the first page of the Telephones of all replicas. No parameters, because the bench also runs older builds.
   */
  async telephones(): Promise<Record<string, unknown>[]> {
    return (await this.call<{ items: Record<string, unknown>[] }>('GET', '/v1/telephones')).items
  }
}
