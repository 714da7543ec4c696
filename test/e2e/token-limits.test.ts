// The limit of tunnels of one token over two replicas. Each counts the tunnels of the other, soon after they open or close,
// and drops this count when the other replica has stopped.

import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import { SUBPROTOCOL } from '@vera-stack/shared/protocol/wire/version.ts'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../support/deadline.ts'
import { FakeTelephone } from '../support/harness/fake-telephone.ts'
import { useCluster } from '../support/programs/cluster.ts'

const cluster = useCluster(2)

interface Refusal {
  readonly status: number
  readonly code: unknown
  readonly detail: unknown
}

/** Resolves with a tunnel that responds to pings, or with the problem of the dial. */
function dial(index: number, token: string): Promise<FakeTelephone | Refusal> {
  const url = `ws://127.0.0.1:${cluster.places[index]!.port}/_plugboard/tunnel`
  const webSocket = new WebSocket(url, SUBPROTOCOL, {
    ...TUNNEL_WEBSOCKET_OPTIONS,
    headers: { authorization: `Bearer ${token}` },
  })
  return new Promise((resolve, reject) => {
    webSocket.once('error', reject)
    webSocket.once('upgrade', ({ socket }) => {
      webSocket.once('open', () => resolve(new FakeTelephone(webSocketTransport(webSocket, socket))))
    })
    webSocket.once('unexpected-response', (_request, response) => {
      let text = ''
      response.on('data', chunk => (text += String(chunk)))
      response.on('end', () => {
        const { code, detail } = JSON.parse(text) as Record<string, unknown>
        resolve({ status: response.statusCode ?? 0, code, detail })
      })
    })
  })
}

async function open(index: number, token: string): Promise<FakeTelephone> {
  const telephone = await dial(index, token)
  if (!(telephone instanceof FakeTelephone)) return expect.fail(`refused: ${telephone.code}`)
  await telephone.ready()
  return telephone
}

it('is one for all replicas', async () => {
  await cluster.untilLinked()
  const [first, second] = cluster.replicas
  const body = { name: 'limited', services: ['*'], limits: { tunnels: 2 } }
  const { id, token } = await first!.call<{ id: string; token: string }>('POST', '/v1/tokens', body)
  const untilCounted = async (tunnels: number, replicas = [first, second]): Promise<void> => {
    for (const replica of replicas) {
      await eventually(`each replica counts ${tunnels} tunnels`, async () => {
        const row = await replica!.call<{ usage: { tunnels: number } }>('GET', `/v1/tokens/${id}`)
        return row.usage.tunnels === tunnels ? true : undefined
      })
    }
  }

  // The second replica may receive the key of the token a little later.
  const early = await eventually('the second replica has the key of the token', async () => {
    const telephone = await dial(1, token)
    return telephone instanceof FakeTelephone ? telephone : undefined
  })
  await early.ready()
  const there = await open(0, token)
  await untilCounted(2)
  const refusal = await dial(1, token)
  expect(refusal).toEqual({
    status: 429,
    code: 'token_tunnel_limit',
    detail: expect.stringContaining(`Token ${id} has its limit of 2 tunnels open.`),
  })
  const status = await second!.call<{ tokenRefusals: object }>('GET', '/v1/status')
  expect(status.tokenRefusals).toEqual({ tunnels: 1, claims: 0, announcements: 0 })

  there.session.close('going_away')
  await untilCounted(1)
  const here = await open(1, token)
  await untilCounted(2)
  here.session.close('going_away')
  await untilCounted(1)

  await open(0, token)
  await untilCounted(2)
  await first!.child.stop('SIGKILL')
  await untilCounted(1, [second])
  await open(1, token)
  early.session.close('going_away')
}, 60_000)
