// HTTPS of one replica: connects the parts of tls/ to the proxy. plugboard.ts starts and stops it as one part.

import type { AddressInfo, Socket } from 'node:net'
import { shareOf } from '@vera-stack/shared/client-shares.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { StartupError } from '../../common/startup-error.ts'
import type { TlsCounters } from '../../common/traffic-counters.ts'
import type { PlugboardConfig } from '../../config.ts'
import { AddressCounts } from '../../proxy/connections/address-counts.ts'
import { ProxyProtocolGate } from '../../proxy/connections/proxy-protocol-gate.ts'
import { type HttpsPolicy, hstsValue } from '../../proxy/policy/https-policy.ts'
import { UNFINISHED_SHARE } from '../../proxy/proxy-limits.ts'
import type { ProxyServer } from '../../proxy/server.ts'
import type { Certificate } from '../../tls/certificate.ts'
import { CertificateFiles } from '../../tls/certificate-files.ts'
import { parsePair } from '../../tls/certificate-pairs.ts'
import { TlsListener } from '../../tls/tls-listener.ts'
import { tlsPolicy } from '../../tls/tls-policy.ts'
import type { Acme } from './acme.ts'

export interface HttpsOptions {
  readonly config: PlugboardConfig
  readonly proxy: ProxyServer
  /** Provides certificates for hosts without a certificate file. */
  readonly acme: Acme | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** Returns the HTTPS policy of the public port; undefined without the setting `tlsListen`. */
export function httpsPolicy(config: PlugboardConfig): HttpsPolicy | undefined {
  const { tlsListen, httpsRedirect, hstsMaxAgeMs, hstsSubdomains, publicUrl } = config
  if (tlsListen === undefined) return undefined
  const outside = publicUrl === undefined ? undefined : new URL(publicUrl)
  const port = outside?.protocol === 'https:' ? Number(outside.port || 443) : tlsListen.port
  return { redirectPort: httpsRedirect ? port : undefined, hsts: hstsValue(hstsMaxAgeMs, hstsSubdomains) }
}

/** Limits the handshakes of one client to the same share that it has of connections. */
function clientPlaces(
  { maxConnections, maxConnectionsPerAddress, clientSharePercent }: PlugboardConfig,
  proxy: ProxyServer,
): (transport: Socket) => (() => void) | undefined {
  const most = Math.min(maxConnectionsPerAddress, shareOf(maxConnections, clientSharePercent))
  const counts = new AddressCounts(Math.ceil(most * UNFINISHED_SHARE))
  return transport => {
    const client = proxy.clientOf(transport)
    if (client === undefined) return () => undefined
    return counts.add(client) ? () => counts.remove(client) : undefined
  }
}

export class Https {
  readonly #files: CertificateFiles
  readonly #listener: TlsListener
  readonly #acme: Acme | undefined

  private constructor(files: CertificateFiles, listener: TlsListener, acme: Acme | undefined) {
    this.#files = files
    this.#listener = listener
    this.#acme = acme
  }

  /** Reads the certificates and opens no port. Rejects with StartupError when a certificate cannot be used. */
  static async create(options: HttpsOptions): Promise<Https> {
    const { config, proxy, acme, clock, log } = options
    await acme?.load()
    const policy = tlsPolicy(config.tlsMinVersion, config.tlsCiphers)
    const files = new CertificateFiles({
      folder: config.tlsCertificateFolder,
      pairs: config.tlsCertificates.flatMap(text => parsePair(text) ?? []),
      defaultHost: config.tlsDefaultHost,
      policy,
      clock,
      log,
    })
    try {
      await files.start()
    } catch (error) {
      await files.stop()
      const reason = error instanceof Error ? error.message : String(error)
      throw new StartupError(`Certificates cannot be used: ${reason}`, error)
    }
    const listener = new TlsListener({
      certificates: {
        get fallback() {
          return files.set.fallback ?? acme?.certificates.fallback
        },
        find: host => files.set.find(host) ?? acme?.certificates.find(host),
      },
      validation: config.acmeChallenges.includes('tls-alpn-01') ? acme?.validation : undefined,
      policy,
      protocols: config.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      handshakeTimeoutMs: config.tlsHandshakeTimeoutMs,
      maxHandshakes: Math.ceil(config.maxConnections * UNFINISHED_SHARE),
      takePlace: clientPlaces(config, proxy),
      accept: (socket, transport) => proxy.accept(socket, transport),
      hasRoom: () => proxy.hasRoom,
      gate: config.proxyProtocol ? tcp => new ProxyProtocolGate(tcp, proxy.gateOptions) : undefined,
      clock,
      log,
    })
    files.onChange(() => listener.reload())
    acme?.certificates.onChange(() => listener.reload())
    return new Https(files, listener, acme)
  }

  /** Yields each host with the end of the certificate that its clients get. */
  *certificateExpiries(): Generator<readonly [host: string, notAfter: Date]> {
    yield* this.#files.set.expiries()
    for (const [host, notAfter] of this.#acme?.certificates.expiries() ?? []) {
      // A file has precedence.
      if (this.#files.set.find(host) === undefined) yield [host, notAfter]
    }
  }

  get counters(): Readonly<TlsCounters> {
    return this.#listener.counters
  }

  /** Yields the certificates in use with their origin. */
  *origins(): Generator<readonly [certificate: Certificate, origin: 'file' | 'authority']> {
    for (const certificate of this.#files.set.inUse) yield [certificate, 'file']
    for (const certificate of this.#acme?.certificates.inUse() ?? []) yield [certificate, 'authority']
  }

  /** The certificates in use: those of files, then those of the authority that this replica has loaded. */
  certificates(): readonly Certificate[] {
    return Array.from(this.origins(), ([certificate]) => certificate)
  }

  /** True when the host, or the wildcard, has a certificate, or may order one at its first use. */
  covers(host: string): boolean {
    return this.#files.set.find(host) !== undefined || this.#acme?.certificates.covers(host) === true
  }

  /** Rejects with Node's error. */
  listen(port: number, host?: string): Promise<AddressInfo> {
    return this.#listener.listen(port, host)
  }

  /** Stops accepting connections. Resolves when the handshakes in progress have ended. */
  drain(): Promise<void> {
    return this.#listener.drain()
  }

  /** Closes all connections. Works with and without an earlier `drain`. */
  async stop(): Promise<void> {
    await this.#listener.close()
    await this.#acme?.stop()
    await this.#files.stop()
  }
}
