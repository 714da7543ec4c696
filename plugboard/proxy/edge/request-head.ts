// The head of a request, as Node's parser gives it and as every part of the edge reads it. A request of HTTP/2 is put
// into this form first (http2-head.ts), so that one place decides for both.

export interface RequestHead {
  readonly method?: string | undefined
  /** The request target as it was sent. */
  readonly url?: string | undefined
  /** Names and values in turns. */
  readonly rawHeaders: readonly string[]
  readonly httpVersionMajor: number
  readonly httpVersionMinor: number
}
