// Controls the process of the misbehaving backend for a test: its port, and its reports of received data.

import { join } from 'node:path'
import { within } from '../deadline.ts'
import type { Child } from '../process/child.ts'
import type { Processes } from '../process/processes.ts'
import type { BackendReport } from './report.ts'

type Of<T extends BackendReport['type']> = Extract<BackendReport, { type: T }>

export class Backend {
  readonly child: Child
  readonly reports: BackendReport[] = []
  #watchers = new Set<() => void>()

  private constructor(child: Child) {
    this.child = child
    child.onMessage(message => {
      this.reports.push(message as BackendReport)
      for (const watcher of this.#watchers) watcher()
    })
  }

  static async start(processes: Processes, port = 0): Promise<Backend> {
    const script = join(import.meta.dirname, 'main.ts')
    const backend = new Backend(processes.node('backend', [script, String(port)], { ipc: true }))
    await backend.next('listening')
    return backend
  }

  get port(): number {
    const listening = this.reports.find(report => report.type === 'listening')
    if (!listening) throw new Error('the backend does not listen yet')
    return listening.port
  }

  /** Returns all reports of a type so far. */
  all<T extends BackendReport['type']>(type: T): Of<T>[] {
    return this.reports.filter(report => report.type === type) as Of<T>[]
  }

  /** Drops all reports except the one with the port. */
  clear(): void {
    this.reports.splice(0, this.reports.length, ...this.all('listening'))
  }

  /** Resolves with the first report of a type that fits. It may have arrived before the call. */
  next<T extends BackendReport['type']>(
    type: T,
    fits: (report: Of<T>) => boolean = () => true,
    timeoutMs = 15_000,
  ): Promise<Of<T>> {
    const found = new Promise<Of<T>>(resolve => {
      const look = () => {
        const report = this.all(type).find(fits)
        if (!report) return
        this.#watchers.delete(look)
        resolve(report)
      }
      this.#watchers.add(look)
      look()
    })
    return within(found, timeoutMs, `the backend reports ${type}`, () =>
      this.reports.map(report => JSON.stringify(report)).join('\n'),
    )
  }

  /** Sends one event on every open `/stepped` stream. Without a text, these streams end, and `/die?when=told` requests too. */
  step(text?: string): void {
    this.child.post({ step: text })
  }

  /** Returns the first 64 KiB that arrived on a connection. */
  received(connection: number): string {
    const chunks = this.all('bytes').filter(report => report.connection === connection)
    return Buffer.concat(chunks.map(({ bytes }) => bytes)).toString('latin1')
  }
}
