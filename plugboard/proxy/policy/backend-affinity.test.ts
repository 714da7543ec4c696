// Row A13: a client that authenticates its connection gets one backend connection, and one line, of its own.

import { constants } from 'node:http2'
import { expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { type CutTelephone, useProxy } from '../../../test/support/harness/use-proxy.ts'
import type { RawConnection } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'

useLeakCheck()

const NAMES = ['process-1', 'process-2', 'process-3']
let telephones: CutTelephone[]

const proxy = useProxy({ http2Cleartext: true }, async harness => {
  telephones = []
  for (const name of NAMES) {
    const telephone = await harness.telephone(['web'], { instance: name })
    telephone.handler = call => call.respond(200, name)
    telephones.push(telephone)
  }
  return telephones[0]!
})

/** Sends a GET. The response contains the name of its telephone. */
async function ask(connection: RawConnection, fields = ''): Promise<string> {
  await connection.send(`GET / HTTP/1.1\r\nHost: test\r\n${fields}\r\n`)
  return (await connection.readResponse()).body.toString()
}

const openings = () => telephones.flatMap(({ calls }) => calls.map(({ opening }) => opening))
const NTLM = 'Authorization: NTLM TlRMTVNTUAAB\r\n'

it.each(['NTLM TlRM', 'Negotiate YII', 'negotiate YII', 'Kerberos x'])(
  'requests of one connection stay together from %s on',
  async credential => {
    const [alice, bob] = [await proxy.connect(), await proxy.connect()]
    await ask(alice)
    const line = await ask(alice, `Authorization: ${credential}\r\n`)
    await ask(bob, `Authorization: ${credential}\r\n`)
    for (let count = 0; count < 5; count += 1) expect(await ask(alice)).toBe(line)
    await ask(await proxy.connect())
    const ids = openings().map(({ affinity }) => affinity)
    const [one, two] = [...new Set(ids.filter(id => id !== undefined))]
    expect([one, two].map(id => ids.filter(each => each === id).length).sort()).toEqual([1, 6])
    expect(ids.filter(id => id === undefined).length).toBe(2)
    expect(openings().flatMap(({ fields }) => fields)).not.toContain('Plugboard-Affinity')
  },
)

it.each(['Basic YTpi', 'Bearer negotiate', 'NTLMv9 x'])(
  '%s does not change the choice of a line',
  async credential => {
    const connection = await proxy.connect()
    for (let count = 0; count < 3; count += 1) await ask(connection, `Authorization: ${credential}\r\n`)
    expect(openings().map(({ affinity }) => affinity)).toEqual([undefined, undefined, undefined])
    expect(telephones.map(({ calls }) => calls.length)).toEqual([1, 1, 1])
  },
)

it('sends an upgrade to the backend connection of its client as well', async () => {
  const connection = await proxy.connect()
  const line = await ask(connection, NTLM)
  for (const telephone of telephones) telephone.handler = call => call.respond(403, 'no')
  await connection.send('GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  expect((await connection.readResponse()).status).toBe(403)
  const used = telephones[NAMES.indexOf(line)]
  expect(used?.calls.map(({ opening }) => [opening.kind, opening.affinity])).toEqual([
    ['http', expect.any(String)],
    ['upgrade', used?.calls[0]?.opening.affinity],
  ])
})

it('prefers another tunnel of the same process to another process', async () => {
  const connection = await proxy.connect()
  const line = await ask(connection, NTLM)
  const again = await proxy.harness.telephone(['web'], { instance: line })
  again.handler = call => call.respond(200, 'again')
  telephones[NAMES.indexOf(line)]?.cut()
  expect(await ask(connection)).toBe('again')
  again.cut()
  expect(NAMES.filter(name => name !== line)).toContain(await ask(connection))
})

it('gives no id to a connection of a trusted proxy, which may carry many clients', async () => {
  await proxy.restart({ trustedProxies: ['127.0.0.1'] })
  const connection = await proxy.connect()
  await ask(connection, NTLM)
  await ask(connection)
  expect(openings().map(({ affinity }) => affinity)).toEqual([undefined, undefined])
})

it('does not let a client select the connection of another client', async () => {
  const connection = await proxy.connect()
  await ask(connection, 'Plugboard-Affinity: guessed\r\n')
  expect(openings()[0]?.affinity).toBeUndefined()
  expect(openings()[0]?.fields.join(' ')).not.toMatch(/guessed/)
})

it('P13 asks an HTTP/2 client to use HTTP/1.1, and other streams continue', async () => {
  const client = proxy.http2()
  const head = { ':path': '/', ':authority': 'test' }
  const { status, code } = await client.ask({ ...head, authorization: 'Negotiate YII' })
  expect([status, code]).toEqual([0, constants.NGHTTP2_HTTP_1_1_REQUIRED])
  expect((await client.ask(head)).status).toBe(200)
  expect((await client.ask({ ...head, authorization: 'Basic YTpi' })).status).toBe(200)
  expect(openings().length).toBe(2)
  expect(proxy.harness.accessLog.map(line => line.status)).toEqual([505, 200, 200])
  client.close()
})

it('applies the rules of the route first', async () => {
  proxy.harness.routes = [harnessRoute({ host: 'test', service: 'absent' })]
  const client = proxy.http2()
  expect((await client.ask({ ':path': '/', ':authority': 'nowhere', authorization: 'NTLM x' })).status).toBe(
    404,
  )
  client.close()
})
