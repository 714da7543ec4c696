// The events that the misbehaving backend reports to the test. They are plain data, because they cross a process boundary.

export type BackendReport =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'connection'; readonly connection: number; readonly event: 'open' | 'close' }
  /** Received bytes, the first 64 KiB of each connection. */
  | { readonly type: 'bytes'; readonly connection: number; readonly bytes: Uint8Array }
  | {
      readonly type: 'request'
      readonly id: number
      readonly connection: number
      readonly method: string
      readonly url: string
      readonly httpVersion: string
      /** Names and values alternating, as received. */
      readonly rawHeaders: readonly string[]
    }
  /** The end of a request body: complete, or aborted by the sender. */
  | {
      readonly type: 'body'
      readonly id: number
      readonly bytes: number
      readonly sha256: string
      readonly complete: boolean
      readonly rawTrailers: readonly string[]
    }
  /** The end of a response: sent completely, or aborted by the reader. */
  | { readonly type: 'answer'; readonly id: number; readonly sent: boolean }
  /** The end of an upgraded connection. */
  | { readonly type: 'upgrade-end'; readonly id: number; readonly bytes: number }

export type Report = (event: BackendReport) => void
