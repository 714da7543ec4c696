// A receiver of a transport that records all events. Tests can wait for them.

import type { Transport, TransportReceiver } from '@vera-stack/shared/protocol/transport.ts'

export class RecordedReceiver implements TransportReceiver {
  readonly messages: Buffer[] = []
  readonly closes: { clean: boolean; detail: string }[] = []
  readonly closed: Promise<{ clean: boolean; detail: string }>
  #resolveClosed!: (end: { clean: boolean; detail: string }) => void
  #watchers: (() => void)[] = []

  constructor(transport: Transport) {
    this.closed = new Promise(resolve => {
      this.#resolveClosed = resolve
    })
    transport.start(this)
  }

  get receivedBytes(): number {
    return this.messages.reduce((sum, { length }) => sum + length, 0)
  }

  onMessage(message: Buffer): void {
    this.messages.push(message)
    for (const watcher of this.#watchers.splice(0)) watcher()
  }

  onClose(end: { clean: boolean; detail: string }): void {
    this.closes.push(end)
    this.#resolveClosed(end)
  }

  /** Resolves when `bytes` have arrived, in complete messages. */
  async received(bytes: number): Promise<void> {
    while (this.receivedBytes < bytes) await new Promise<void>(resolve => this.#watchers.push(resolve))
  }
}
