// The response of the admin port to bytes that are not a request: problem details with a request id, as for every other error of
// the API. Node's own response has neither problem details nor an id.

import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { UuidV7 } from '../../common/ids/uuid-v7.ts'
import type { Problem } from './problem.ts'

/** `mayRespond`: true when no response is in progress on the connection. The connection is closed in any case. */
export type RefuseBytes = (error: NodeJS.ErrnoException, socket: Duplex, mayRespond: boolean) => void

export function createParserRefusal(log: Logger): RefuseBytes {
  const ids = new UuidV7()
  return (error, socket, mayRespond) => {
    if (!mayRespond || !socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const code = codeOf(error)
    const requestId = ids.next()
    log.debug('admin request refused', { requestId, code, detail: error.code })
    socket.end(responseText(code, requestId))
  }
}

function codeOf({ code }: NodeJS.ErrnoException): ErrorCode {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout'
  return code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'bad_request'
}

function responseText(code: ErrorCode, requestId: string): string {
  const { status, meaning: detail } = ERRORS[code]
  const title = STATUS_CODES[status] ?? ''
  const problem: Problem = { type: 'about:blank', title, status, code, detail, requestId }
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${requestId}`,
    `Plugboard-Error: ${code}`,
    'Connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
