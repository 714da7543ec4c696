// The head of a request in the form of Node's HTTP/1 parser, which every part of the edge reads. A request in HTTP/2 is
// converted to this form first (http2/head.ts), so the same rules apply to both versions.

export interface RequestHead {
  readonly method?: string | undefined
  /** The request target as the client sent it. */
  readonly url?: string | undefined
  /** Names and values, alternating. */
  readonly rawHeaders: readonly string[]
  readonly httpVersionMajor: number
  readonly httpVersionMinor: number
}
