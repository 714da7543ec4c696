// What the misbehaving backend tells the test about, as it happens. Plain data: it crosses a process boundary.

export type BackendReport =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'connection'; readonly connection: number; readonly event: 'open' | 'close' }
  /** Bytes as they came, the first 64 KiB of each connection. */
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
  /** The request's body is over: complete, or the sender went away before. */
  | {
      readonly type: 'body'
      readonly id: number
      readonly bytes: number
      readonly sha256: string
      readonly complete: boolean
      readonly rawTrailers: readonly string[]
    }
  /** The answer is over: sent completely, or its reader went away before. */
  | { readonly type: 'answer'; readonly id: number; readonly sent: boolean }
  /** An upgraded connection is over. */
  | { readonly type: 'upgrade-end'; readonly id: number; readonly bytes: number }

export type Report = (event: BackendReport) => void
