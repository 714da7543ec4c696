// Starts Pebble, an ACME certificate authority for tests, with a name server that resolves every host to 127.0.0.1. Debian
// has both in one package. Tests that need Pebble are skipped when it is not installed.

import { writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { APP_CERTIFICATE, TEST_CA } from '../credentials/certificates.ts'
import { eventually } from '../deadline.ts'
import { send } from '../http/http-client.ts'
import { findProgram } from '../process/find-program.ts'
import { freePort } from '../process/free-port.ts'
import type { Processes } from '../process/processes.ts'

export const PEBBLE_MISSING =
  findProgram('pebble') === undefined || findProgram('pebble-challtestsrv') === undefined

/** External account binding, for an authority that requires it. */
export const BINDING = {
  keyId: 'kid-1',
  key: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W',
}

export interface PebbleOptions {
  readonly processes: Processes
  readonly folder: string
  /** The ports to which the authority connects to validate a host. */
  readonly httpPort: number
  readonly tlsPort: number
  readonly bindingRequired?: boolean
}

export class Pebble {
  readonly directory: string
  /** The file for NODE_EXTRA_CA_CERTS. */
  readonly caFile: string
  readonly #namesPort: number
  readonly #managementPort: number

  private constructor(port: number, namesPort: number, managementPort: number, caFile: string) {
    this.directory = `https://localhost:${port}/dir`
    this.caFile = caFile
    this.#namesPort = namesPort
    this.#managementPort = managementPort
  }

  static async start({ processes, folder, httpPort, tlsPort, ...more }: PebbleOptions): Promise<Pebble> {
    const [port, managementPort, dnsPort, namesPort] = await Promise.all([
      freePort(),
      freePort(),
      freePort(),
      freePort(),
    ])
    const file = async (name: string, content: string): Promise<string> => {
      const path = join(folder, name)
      await writeFile(path, content)
      return path
    }
    const config = {
      pebble: {
        listenAddress: `127.0.0.1:${port}`,
        managementListenAddress: `127.0.0.1:${managementPort}`,
        certificate: await file('pebble.pem', APP_CERTIFICATE.cert),
        privateKey: await file('pebble.key', APP_CERTIFICATE.key),
        httpPort,
        tlsPort,
        externalAccountBindingRequired: more.bindingRequired === true,
        ...(more.bindingRequired ? { externalAccountMACKeys: { [BINDING.keyId]: BINDING.key } } : {}),
      },
    }
    const names = processes.start({
      name: 'pebble-challtestsrv',
      command: findProgram('pebble-challtestsrv')!,
      args: [
        '-dns01',
        `127.0.0.1:${dnsPort}`,
        '-management',
        `127.0.0.1:${namesPort}`,
        '-http01',
        '',
        '-https01',
        '',
        '-tlsalpn01',
        '',
        '-defaultIPv4',
        '127.0.0.1',
        '-defaultIPv6',
        '',
      ],
    })
    names.expectedExitCodes = [0, -1]
    const authority = processes.start({
      name: 'pebble',
      command: findProgram('pebble')!,
      args: [
        '-config',
        await file('pebble.json', JSON.stringify(config)),
        '-dnsserver',
        `127.0.0.1:${dnsPort}`,
      ],
      // Without delays. Some valid nonces are rejected, as real authorities do.
      env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '5' },
    })
    authority.expectedExitCodes = [0, -1]
    const pebble = new Pebble(port, namesPort, managementPort, await file('ca.txt', TEST_CA))
    await eventually('Pebble responds', () => pebble.root().catch(() => undefined))
    return pebble
  }

  /** Resolves with the root of the issued certificates, in PEM. */
  async root(): Promise<string> {
    const outgoing = request({ port: this.#managementPort, host: 'localhost', path: '/roots/0', ca: TEST_CA })
    return new Promise((resolve, reject) => {
      outgoing.once('error', reject)
      outgoing.once('response', response => resolve(text(response)))
      outgoing.end()
    })
  }

  /** Makes the name server resolve the host to another address from now on. */
  async move(host: string, address: string): Promise<void> {
    const body = JSON.stringify({ host: `${host}.`, addresses: [address] })
    const { status } = await send({ port: this.#namesPort, path: '/add-a', method: 'POST', body })
    if (status !== 200) throw new Error(`the name server responded with ${status}`)
  }
}
