// Tunnels that end in different ways: a killed Telephone, a connection that becomes silent without a FIN, and restarts of
// either side while requests run.

import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { openRequest, send } from '../support/http/http-client.ts'
import { RawConnection } from '../support/http/raw-connection.ts'
import { Relay } from '../support/http/relay.ts'
import { RequestLoop } from '../support/http/request-loop.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'

const stack = useStack({
  plugboardArgs: ['--tunnel-ping-interval', '300ms', '--tunnel-ping-timeout', '1s'],
  withoutTelephone: true,
})
const to = (path: string) => ({ port: stack.port, host: HOST, path })
const hello = () => send(to('/hello'))
const untilServed = () =>
  eventually('requests are served', async () => ((await hello()).status === 200 ? true : undefined), 30_000)
const untilNoLine = () =>
  eventually('the line is removed', async () =>
    (await hello()).headers['plugboard-error'] === 'no_telephone' ? true : undefined,
  )

describe('a Telephone killed with SIGKILL', () => {
  it('ends its streams with the right errors, and removes the line', async () => {
    const telephone = await stack.startTelephone()
    await untilServed()
    stack.backend.clear()
    const waiting = openRequest({ ...to('/silent'), method: 'POST', body: 'x' }).response
    const half = await RawConnection.open(stack.port)
    await half.send(`GET /sse?count=100000&intervalMs=20 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    await half.readUntil('data: ')
    await stack.backend.next('request', report => report.url === '/silent')
    const broken = half.readToEnd()

    await telephone.child.stop('SIGKILL')

    const response = await waiting
    response.resume()
    expect([response.statusCode, response.headers['plugboard-error']]).toEqual([502, 'telephone_lost'])
    expect((await broken).toString()).not.toContain('\r\n0\r\n')
    await untilNoLine()

    const next = await stack.startTelephone()
    await untilServed()
    await next.child.stop()
    await untilNoLine()
  })

  it('fails no request that another Telephone can serve', async () => {
    const doomed = await stack.startTelephone()
    const survivor = await stack.startTelephone()
    const loop = new RequestLoop({ port: stack.port, host: HOST })
    await loop.successes(50)
    await doomed.child.stop('SIGKILL')
    await loop.successes(200)
    expect(await loop.stop()).toEqual([])
    await survivor.child.stop()
  })
})

describe('a connection that becomes silent without a FIN', () => {
  let relay: Relay | undefined
  afterEach(async () => {
    await relay?.close()
    relay = undefined
  })

  it('is detected by both ends, and the Telephone dials again', async () => {
    relay = await Relay.listen({ targetPort: stack.port })
    const telephone = await stack.startTelephone({ url: `http://127.0.0.1:${relay.port}` })
    await untilServed()
    const dialled = relay.accepted
    const tunnels = new Set((await stack.plugboard.telephones()).map(row => row.id))
    stack.backend.clear()
    const waiting = openRequest(to('/silent')).response
    const { id } = await stack.backend.next('request', report => report.url === '/silent')

    relay.silenceExisting()

    // Plugboard's end: the stream fails with a reason.
    const response = await waiting
    response.resume()
    expect([response.statusCode, response.headers['plugboard-error']]).toEqual([502, 'telephone_lost'])
    // The Telephone's end: it cancels the request at the backend and dials again.
    await stack.backend.next('answer', report => report.id === id && !report.sent)
    await untilServed()
    expect(relay.accepted).toBeGreaterThan(dialled)
    await eventually('the silent tunnels are removed', async () => {
      const left = (await stack.plugboard.telephones()).filter(row => tunnels.has(row.id))
      return left.length === 0 ? true : undefined
    })
    await telephone.child.stop()
    await untilNoLine()
  })

  it('is replaced by a new one when the network works again', async () => {
    relay = await Relay.listen({ targetPort: stack.port })
    const telephone = await stack.startTelephone({ url: `http://127.0.0.1:${relay.port}` })
    await untilServed()
    relay.blackhole(true)
    await untilNoLine()
    relay.blackhole(false)
    await untilServed()
    await telephone.child.stop()
    await untilNoLine()
  })
})

describe('restarts under a loop of requests', () => {
  it('replace one Telephone by another without a failed request', async () => {
    let current = await stack.startTelephone()
    const loop = new RequestLoop({ port: stack.port, host: HOST })
    await loop.successes(50)
    for (let round = 0; round < 3; round += 1) {
      const next = await stack.startTelephone()
      await current.child.stop()
      current = next
      await loop.successes(50)
    }
    expect(await loop.stop()).toEqual([])
    await current.child.stop()
    await untilNoLine()
  })

  it('finish open requests when a Telephone stops, and give no_telephone until the next one connects', async () => {
    const telephone = await stack.startTelephone()
    await untilServed()
    stack.backend.clear()
    const slow = send(to('/late?ms=1000'))
    await stack.backend.next('request', report => report.url === '/late?ms=1000')
    const loop = new RequestLoop({ port: stack.port, host: HOST })
    await loop.successes(20)
    await telephone.child.stop()
    expect((await slow).text).toBe('late\n')
    await untilNoLine()
    const next = await stack.startTelephone()
    await loop.successes(50)
    expect(await loop.stop()).toEqual(['503 no_telephone'])
    await next.child.stop()
    await untilNoLine()
  })

  it('finish open requests when Plugboard stops, and its Telephone connects again by itself', async () => {
    const telephone = await stack.startTelephone()
    await untilServed()
    const loop = new RequestLoop({ port: stack.port, host: HOST })
    await loop.successes(20)
    stack.backend.clear()
    const slow = send(to('/late?ms=1000'))
    await stack.backend.next('request', report => report.url === '/late?ms=1000')

    await stack.plugboard.child.stop()
    expect((await slow).text).toBe('late\n')
    stack.plugboard = await stack.startPlugboard()
    await untilServed()
    await loop.successes(50)

    // A connection without a listening server was refused. Each accepted connection got a response.
    const refused = ['503 draining', '503 no_telephone', 'ECONNREFUSED', 'ECONNRESET']
    for (const outcome of await loop.stop()) expect(refused).toContain(outcome)
    await telephone.child.stop()
    await untilNoLine()
  })

  it('keep every acknowledged route when Plugboard was killed', async () => {
    const telephone = await stack.startTelephone()
    await untilServed()
    await stack.plugboard.addRoute('acknowledged.localhost', SERVICE)
    await stack.plugboard.child.stop('SIGKILL')
    stack.plugboard = await stack.startPlugboard()
    await untilServed()
    expect((await send({ ...to('/hello'), host: 'acknowledged.localhost' })).status).toBe(200)
    await telephone.child.stop()
    await untilNoLine()
  })
})
