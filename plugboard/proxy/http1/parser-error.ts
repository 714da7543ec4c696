// Maps an error of Node's HTTP parser, or of its header timer, to the error code for the client.

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
    case 'HPE_HEADER_OVERFLOW':
      return lineTooLong(error.rawPacket, maxTarget) ? 'uri_too_long' : 'headers_too_large'
    default:
      return 'bad_request'
  }
}

/**
 * True when the request line exceeded the limit. Node has one limit for line and fields together, and reports the packet that
 * exceeded it, which may be a later one. The start or the end of a request line identifies it. A packet from the middle of a
 * value counts as a part of a field.
 */
function lineTooLong(packet: Buffer | undefined, maxTarget: number): boolean {
  if (packet === undefined) return false
  const lineEnd = packet.indexOf('\n')
  const line = packet.toString('latin1', 0, lineEnd === -1 ? packet.length : lineEnd)
  if (/^[A-Z]+ [^ ]/.test(line)) return lineEnd === -1 || lineEnd > maxTarget
  return / HTTP\/1\.[01]\r?$/.test(line)
}
