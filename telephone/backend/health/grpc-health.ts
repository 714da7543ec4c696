// The health check of a gRPC server: a call of grpc.health.v1.Health/Check, like load balancers for gRPC
// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). The two messages have one field each, so this file
// encodes and decodes them without a library.

import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { BackendClient, BackendExchange } from '../backend-exchange.ts'

const PREFIX_BYTES = 5
/** A length of at most 127 is one byte in both formats. */
export const MAX_GRPC_SERVICE_LENGTH = 100
/** Limit of the kept response, bytes. A response has seven bytes; the rest of a longer one is dropped. */
const MAX_ANSWER_BYTES = 1024
const STRING_FIELD_1 = 0x0a
const VARINT_FIELD_1 = 0x08
const SERVING = 1
const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/** Checks a service; an empty `service` is the whole server. Calls `done` once, with the failure or undefined. */
export function checkGrpcHealth(
  client: BackendClient,
  service: string,
  done: (problem: string | undefined) => void,
): BackendExchange {
  const message = service === '' ? '' : `${String.fromCharCode(STRING_FIELD_1, service.length)}${service}`
  const body = Buffer.alloc(PREFIX_BYTES + message.length)
  body.writeUInt32BE(message.length, 1)
  body.write(message, PREFIX_BYTES, 'latin1')
  let response = Buffer.alloc(0)
  let httpStatus = 0
  let head: Fields = []
  const exchange = client.exchange(
    {
      method: 'POST',
      target: '/grpc.health.v1.Health/Check',
      fields: ['Content-Type', 'application/grpc', 'TE', 'trailers', 'User-Agent', 'telephone-health-check'],
      upgrade: false,
      ended: false,
      whole: true,
    },
    {
      onResponseHead({ status, fields }) {
        httpStatus = status
        head = fields
      },
      onResponseBody(chunk) {
        if (response.length < MAX_ANSWER_BYTES) response = Buffer.concat([response, chunk])
      },
      onResponseEnd(trailers = []) {
        const status = readField(trailers, 'grpc-status') ?? readField(head, 'grpc-status')
        done(httpStatus === 200 ? problemOf(status, response) : `gRPC health returned HTTP ${httpStatus}`)
      },
      onResponseWaiting: () => undefined,
      onRoom: () => undefined,
      onFailure: error => done(error.message),
    },
  )
  exchange.run()
  exchange.write(body)
  exchange.end(undefined)
  return exchange
}

function problemOf(status: string | undefined, response: Buffer): string | undefined {
  switch (status) {
    case '0':
      break
    case '5':
      return 'gRPC health: the server has no such service'
    case '12':
      return 'gRPC health: the server has no health service (use healthCheck: tcp)'
    default:
      return `gRPC health: status ${status ?? 'missing'}`
  }
  const message = response.subarray(PREFIX_BYTES)
  const state = message.length >= 2 && message[0] === VARINT_FIELD_1 ? (message[1] as number) : 0
  return state === SERVING ? undefined : `gRPC health: ${STATES[state] ?? state}`
}

function readField(fields: Fields, name: string): string | undefined {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field === name)
  return at === -1 ? undefined : fields[at + 1]
}
