// Creates the parts of tls/ that obtain certificates from an authority, as the settings configure them. The parts respond to
// challenges as soon as they are created, and order certificates after `start`.

import { join } from 'node:path'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { PlugboardConfig } from '../../config.ts'
import type { CertificateStore } from '../../database/store/store.ts'
import type { Directory } from '../../routes/directory.ts'
import { AcmeCertificates } from '../../tls/acme/certificates.ts'
import { ChallengeLookup } from '../../tls/acme/challenge-lookup.ts'
import { AcmeIssuer } from '../../tls/acme/issuer.ts'
import { directoryUrlOf, isChallengeType, matchesAny } from '../../tls/acme/names.ts'
import { VALIDATION_PROTOCOL, validationCertificate } from '../../tls/acme/validation-certificate.ts'
import { CertificateCopies } from '../../tls/certificate-copies.ts'
import { KeyRotation } from '../../tls/key-rotation.ts'
import { KeySeal } from '../../tls/key-seal.ts'
import type { Validation } from '../../tls/tls-listener.ts'
import { tlsPolicy } from '../../tls/tls-policy.ts'

export interface AcmeOptions {
  readonly config: PlugboardConfig
  readonly directory: Pick<Directory, 'hasHost'>
  readonly store: CertificateStore
  /** Identifies this start of the replica. */
  readonly instance: string
  readonly clock: Clock
  readonly log: Logger
}

/** The part of the handshake time-out that is kept for the handshake itself, after the order, ms. */
const HANDSHAKE_REST_MS = 1000

export class Acme {
  readonly challenges: ChallengeLookup
  readonly certificates: AcmeCertificates
  readonly #issuer: AcmeIssuer
  readonly #rotation: KeyRotation

  private constructor(
    challenges: ChallengeLookup,
    certificates: AcmeCertificates,
    issuer: AcmeIssuer,
    rotation: KeyRotation,
  ) {
    this.challenges = challenges
    this.certificates = certificates
    this.#issuer = issuer
    this.#rotation = rotation
  }

  /** Returns undefined without the setting `acmeDirectory`. */
  static create(options: AcmeOptions): Acme | undefined {
    const { config, directory, store, instance, clock, log } = options
    const directoryUrl = config.acmeDirectory === undefined ? undefined : directoryUrlOf(config.acmeDirectory)
    if (directoryUrl === undefined) return undefined
    const { acmeBindingKeyId: keyId, acmeBindingKey: key } = config
    const seal = new KeySeal(config.clusterSecret)
    const copies = new CertificateCopies(join(config.data, 'certificates'))
    const issuer = new AcmeIssuer({
      directoryUrl,
      email: config.acmeEmail,
      agreed: config.acmeAgree,
      binding: keyId === undefined || key === undefined ? undefined : { keyId, key },
      store,
      seal,
      challenges: config.acmeChallenges.filter(isChallengeType),
      owner: `${config.name} ${instance}`,
      ordersPerHour: config.acmeOrdersPerHour,
      ordersPerToken: config.acmeOrdersPerToken,
      isListed: host => matchesAny(host, config.acmeHosts),
      clock,
      log,
    })
    const certificates = new AcmeCertificates({
      issuer,
      store,
      copies,
      seal,
      policy: tlsPolicy(config.tlsMinVersion, config.tlsCiphers),
      hosts: config.acmeHosts.filter(host => !host.startsWith('*')),
      mayIssue: host =>
        matchesAny(host, config.acmeHosts) || (config.acmeOnDemand && directory.hasHost(host)),
      waitMs: Math.max(0, config.tlsHandshakeTimeoutMs - HANDSHAKE_REST_MS),
      clock,
      log,
    })
    const rotation = new KeyRotation({ store, copies, seal, clock, log })
    return new Acme(
      new ChallengeLookup({ store, clock, log, clientSharePercent: config.clientSharePercent }),
      certificates,
      issuer,
      rotation,
    )
  }

  /** Loads the code of the library now, because later all open files may be in use. */
  async load(): Promise<void> {
    await this.#issuer.library()
  }

  start(): void {
    this.certificates.start()
    this.#rotation.start()
  }

  /** The validation of hosts by tls-alpn-01, for the HTTPS listener. */
  get validation(): Validation {
    return {
      protocol: VALIDATION_PROTOCOL,
      find: async host => {
        const response = await this.challenges.tls(host)
        return response === undefined
          ? undefined
          : await validationCertificate(await this.#issuer.library(), host, response)
      },
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.certificates.stop(), this.#rotation.stop()])
  }
}
