import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { silentLogger } from '@vera-stack/shared/log.ts'
import type { ListenAddress } from '@vera-stack/shared/settings.ts'
import { afterEach, describe, expect, it } from 'vitest'
import { StartupError } from '../../common/startup-error.ts'
import { checkAddresses, openAddresses } from './listen-addresses.ts'

const servers: Server[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => once(server.close(), 'close')))
})

async function listening({ host, port }: ListenAddress): Promise<AddressInfo> {
  const server = createServer().listen(port, host)
  await once(server, 'listening')
  servers.push(server)
  return server.address() as AddressInfo
}

const failing = (code: string) => Promise.reject(Object.assign(new Error(`listen ${code}`), { code }))

function recorder() {
  const lines: unknown[] = []
  return { lines, log: { ...silentLogger, info: (_: string, fields?: object) => void lines.push(fields) } }
}

const target = (...addresses: readonly ListenAddress[]) => ({ addresses, flag: '--listen' })
const IPV4 = { host: '127.0.0.1', port: 0 }
const IPV6 = { host: '::1', port: 0 }

describe('the addresses of one listener', () => {
  it('share the port that the system chose for the first one', async () => {
    const opened: ListenAddress[] = []
    const open = (address: ListenAddress) => {
      opened.push(address)
      return Promise.resolve({ address: address.host!, family: 'IPv4', port: address.port || 40_123 })
    }
    const addresses = await openAddresses(target(IPV4, IPV6), silentLogger, open)
    expect(addresses.map(({ port }) => port)).toEqual([40_123, 40_123])
    expect(opened.map(({ port }) => port)).toEqual([0, 40_123])
  })

  it.each([
    ['EADDRNOTAVAIL', '::1'],
    ['EAFNOSUPPORT', '::1'],
    ['EAFNOSUPPORT', '2001:db8::7'],
    ['EADDRNOTAVAIL', '127.0.0.1'],
  ])('leave out a family that the machine lacks, with one log line: %s for %s', async (code, host) => {
    const { lines, log } = recorder()
    const open = (address: ListenAddress) => (address.host === host ? failing(code) : listening(address))
    const other = { host: host === '127.0.0.1' ? 'localhost' : '127.0.0.1', port: 0 }
    expect(await openAddresses(target({ host, port: 4000 }, other), log, open)).toHaveLength(1)
    expect(lines).toEqual([{ address: host === '127.0.0.1' ? '127.0.0.1:4000' : `[${host}]:4000`, code }])
  })

  it.each([
    ['EADDRNOTAVAIL', '192.0.2.7', /192\.0\.2\.7:4000 is not an address of this machine/],
    ['EADDRINUSE', '::1', /\[::1\]:4000 is in use: choose another with --listen/],
  ])('are refused when one cannot be opened for another reason: %s for %s', async (code, host, message) => {
    const open = (address: ListenAddress) => (address.host === host ? failing(code) : listening(address))
    const opening = openAddresses(target(IPV4, { host, port: 4000 }), silentLogger, open)
    await expect(opening).rejects.toThrow(message)
  })

  it('are refused when each address fails to open', async () => {
    const opening = openAddresses(target(IPV4, IPV6), silentLogger, () => failing('EAFNOSUPPORT'))
    await expect(opening).rejects.toBeInstanceOf(StartupError)
  })
})

describe('the check before the start', () => {
  it('names all listeners whose port is taken, in one error', async () => {
    const [first, second] = [await listening(IPV4), await listening(IPV4)]
    const checking = checkAddresses([
      target({ host: '127.0.0.1', port: first.port }),
      { addresses: [{ host: '127.0.0.1', port: second.port }], flag: '--admin-listen' },
    ])
    await expect(checking).rejects.toThrow(
      `127.0.0.1:${first.port} is in use: choose another with --listen. ` +
        `127.0.0.1:${second.port} is in use: choose another with --admin-listen.`,
    )
  })

  it('leaves the addresses free', async () => {
    const { port } = await listening(IPV4)
    await once(servers.pop()!.close(), 'close')
    await checkAddresses([target({ host: '127.0.0.1', port })])
    await listening({ host: '127.0.0.1', port })
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.destroy()
  })

  it('accepts ports that are left to the system, and listeners that are off', async () => {
    await expect(checkAddresses([target(IPV4), target()])).resolves.toBeUndefined()
  })
})
