// What a failure of Node's HTTP parser, or of its header timer, means to the client.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'

export function codeOfParserError(
  error: NodeJS.ErrnoException & { rawPacket?: Buffer },
  maxTarget: number,
): ErrorCode {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request_timeout'
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 'payload_too_large'
    case 'HPE_HEADER_OVERFLOW': {
      // Node has one limit for line and fields; a packet that is all target has broken it with its line.
      const packet = error.rawPacket
      const lineEnd = packet?.indexOf('\n') ?? 0
      return lineEnd === -1 || lineEnd > maxTarget ? 'uri_too_long' : 'headers_too_large'
    }
    default:
      return 'bad_request'
  }
}
