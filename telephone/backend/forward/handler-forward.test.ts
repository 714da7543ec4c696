import { afterEach, describe, expect, it } from 'vitest'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { memoryTransportPair } from '../../../test/support/session/memory-transport.ts'
import { Caller, type TunnelPair, tunnelPair } from '../../testing/tunnel-pair.ts'
import { Forwarder } from './forward.ts'
import { HandlerBackend } from './handler-backend.ts'
import type { FetchHandler } from './handler-forward.ts'

useLeakCheck()

let tunnel: TunnelPair
let errors: unknown[] = []

async function serve(handler: FetchHandler): Promise<void> {
  errors = []
  const backend = new HandlerBackend(handler, { onError: error => errors.push(error) })
  const forwarder = new Forwarder({ backends: new Map([['web', backend]]), now: () => 0 })
  tunnel = await tunnelPair(memoryTransportPair(), (stream, opening) => forwarder.onStream(stream, opening))
}

afterEach(() => tunnel.close())

describe('a fetch handler', () => {
  it('gets the request as the client sent it', async () => {
    await serve(async request =>
      Response.json({
        method: request.method,
        url: request.url,
        cookie: request.headers.get('cookie'),
        body: await request.text(),
      }),
    )
    const fields = ['Host', 'app.test:8080', 'Cookie', 'a=1', 'X-Forwarded-Proto', 'https']
    const caller = new Caller(tunnel.plugboard, { method: 'POST', target: '/p?q=1', fields }, false)
    caller.send('one ').send('two').stream.end()
    await caller.until(c => c.ended)
    expect(caller.status).toBe(200)
    expect(JSON.parse(caller.body)).toEqual({
      method: 'POST',
      url: 'https://app.test:8080/p?q=1',
      cookie: 'a=1',
      body: 'one two',
    })
  })

  it('responds with its fields, and with several Set-Cookie fields', async () => {
    await serve(() => {
      const headers = new Headers({ 'X-A': 'b' })
      headers.append('Set-Cookie', 'a=1')
      headers.append('Set-Cookie', 'b=2')
      return new Response(null, { status: 204, headers })
    })
    const caller = await new Caller(tunnel.plugboard, {}).until(c => c.ended)
    expect(caller.heads).toMatchObject([
      { status: 204, statusText: '', fields: ['set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-a', 'b'] },
    ])
  })

  it('sends no body in a response to HEAD', async () => {
    await serve(() => new Response('twelve bytes', { headers: { 'Content-Length': '12' } }))
    const caller = await new Caller(tunnel.plugboard, { method: 'HEAD' }).until(c => c.ended)
    expect(caller).toMatchObject({ status: 200, body: '' })
  })

  it('streams in both directions at once, and stops when the client does not read', async () => {
    let pulled = 0
    await serve(
      request =>
        new Response(
          request.body?.pipeThrough(
            new TransformStream({
              transform(chunk, controller) {
                pulled += chunk.length
                controller.enqueue(chunk)
              },
            }),
          ) ?? null,
        ),
    )
    const total = 8 * 1024 * 1024
    const caller = new Caller(tunnel.plugboard, { method: 'POST' }, false)
    caller.reading = false
    let sent = 0
    while (caller.writable && sent < total) {
      caller.send('x'.repeat(65_536))
      sent += 65_536
      for (let turn = 0; turn < 20 && !caller.writable; turn += 1) await new Promise(setImmediate)
    }
    expect(sent).toBeLessThan(total)
    expect(pulled).toBeLessThan(2 * 1024 * 1024)
    caller.read()
    while (sent < total) {
      await caller.until(c => c.writable)
      caller.send('x'.repeat(65_536))
      sent += 65_536
    }
    caller.stream.end()
    await caller.until(c => c.ended)
    expect(caller.bytes).toBe(total)
  })

  it('sends 100 to waiting clients when it begins to read the body', async () => {
    await serve(async request => new Response(await request.text()))
    const fields = ['Host', 'h', 'Expect', '100-continue', 'Content-Length', '2']
    const caller = new Caller(tunnel.plugboard, { method: 'PUT', fields }, false)
    await caller.until(c => c.heads.length === 1)
    expect(caller.status).toBe(100)
    caller.send('ok').stream.end()
    await caller.until(c => c.ended)
    expect(caller.body).toBe('ok')
  })

  it('gets an aborted signal and stream errors when the client disconnects', async () => {
    const aborted = Promise.withResolvers<unknown>()
    const cancelled = Promise.withResolvers<void>()
    const bodyFailed = Promise.withResolvers<unknown>()
    await serve(request => {
      request.signal.addEventListener('abort', () => aborted.resolve(request.signal.reason))
      request.text().catch(bodyFailed.resolve)
      return new Response(
        new ReadableStream({
          start: controller => controller.enqueue(new TextEncoder().encode('first')),
          cancel: () => cancelled.resolve(),
        }),
      )
    })
    const caller = new Caller(tunnel.plugboard, { method: 'POST' }, false)
    await caller.until(c => c.body === 'first')
    caller.stream.reset('cancelled')
    expect(await aborted.promise).toMatchObject({ reason: 'cancelled' })
    await cancelled.promise
    expect(await bodyFailed.promise).toBeInstanceOf(Error)
  })

  it('that throws or returns no Response causes a 500', async () => {
    for (const handler of [
      () => {
        throw new Error('boom')
      },
      () => 'text' as unknown as Response,
      () => Promise.reject(new Error('later')),
      () => Response.error(),
    ]) {
      await serve(handler)
      const caller = await new Caller(tunnel.plugboard, {}).until(c => c.over)
      expect(caller.status).toBe(500)
      expect(errors).toHaveLength(1)
      expect(caller.body).not.toContain('boom')
      if (handler.toString().includes('error()')) break
      await tunnel.close()
    }
  })

  it.each([
    ['breaks', undefined, true],
    ['is too short', '10', false],
    ['is too long', '2', false],
  ])('whose body %s never looks complete', async (_name, length, breaks) => {
    await serve(
      () =>
        new Response(
          new ReadableStream({
            start: controller => controller.enqueue(new TextEncoder().encode('some')),
            pull(controller) {
              if (breaks) throw new Error('broke')
              controller.close()
            },
          }),
          length === undefined ? {} : { headers: { 'Content-Length': length } },
        ),
    )
    const caller = await new Caller(tunnel.plugboard, {}).until(c => c.over)
    expect(caller).toMatchObject({ status: 200, ended: false, error: { reason: 'backend_closed' } })
    expect(errors).toHaveLength(1)
  })

  it('rejects upgrades and requests that fetch cannot express', async () => {
    await serve(() => new Response('never'))
    const upgrade = await new Caller(tunnel.plugboard, { kind: 'upgrade' }).until(c => c.ended)
    const trace = await new Caller(tunnel.plugboard, { method: 'TRACE' }).until(c => c.ended)
    const star = await new Caller(tunnel.plugboard, { method: 'OPTIONS', target: '*' }).until(c => c.ended)
    expect([upgrade.status, trace.status, star.status]).toEqual([501, 501, 501])
    expect(errors).toEqual([])
  })
})
