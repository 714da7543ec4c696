// The rules between settings: values that are valid alone, and contradict each other or need each other.

import { TOKEN_ISSUER } from '@vera-stack/shared/claims.ts'
import { otlpProblems } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { generatedHostsProblem } from '../telephones/generated-hosts.ts'
import { directoryUrlOf } from '../tls/acme/names.ts'
import { cipherNames, isTls13Cipher } from '../tls/ciphers.ts'
import type { PlugboardConfig } from './plugboard-settings.ts'
import { peerProblem } from './value-problems.ts'

interface Problem {
  readonly key: keyof PlugboardConfig
  readonly detail: string
}

/** Returns all problems between the settings. */
export function configProblems(config: PlugboardConfig): Problem[] {
  const problems: Problem[] = []
  const { adminListen } = config
  const taken = config.listen.find(
    ({ host, port }) =>
      port !== 0 &&
      port === adminListen.port &&
      (host === adminListen.host || host === undefined || adminListen.host === undefined),
  )
  if (taken !== undefined) {
    problems.push({
      key: 'adminListen',
      detail: `port ${taken.port} is already the port of the public address (listen)`,
    })
  }
  if (config.tunnelPingTimeoutMs <= config.tunnelPingIntervalMs) {
    problems.push({ key: 'tunnelPingTimeoutMs', detail: 'must be longer than tunnelPingInterval' })
  }
  if (config.maxTargetBytes > config.maxHeadBytes) {
    problems.push({ key: 'maxTargetBytes', detail: 'must not be larger than maxHead, which contains it' })
  }
  const hosts = config.generatedHosts && generatedHostsProblem(config.generatedHosts)
  if (hosts !== undefined) problems.push({ key: 'generatedHosts', detail: hosts })
  problems.push(...heldProblems(config))
  const secrets = config.clusterSecret
  if (secrets !== undefined && (secrets.length === 0 || secrets.some(({ length }) => length < 16))) {
    problems.push({ key: 'clusterSecret', detail: 'each secret must have 16 characters or more' })
  }
  if (config.peerDns !== undefined && peerProblem(config.peerDns) !== undefined) {
    problems.push({ key: 'peerDns', detail: 'must be host:port' })
  }
  if (config.tokenIssuer === '') problems.push({ key: 'tokenIssuer', detail: 'must not be empty' })
  if ((config.tokenIssuer === undefined) !== (config.tokenJwksUrl === undefined)) {
    problems.push({
      key: 'tokenIssuer',
      detail: 'works only together with tokenJwksUrl: set both, or remove this one',
    })
  }
  if (config.tokenIssuer === TOKEN_ISSUER) {
    problems.push({
      key: 'tokenIssuer',
      detail: `must not be "${TOKEN_ISSUER}", the issuer of Plugboard's own tokens: have the other issuer use another "iss"`,
    })
  }
  if (config.proxyProtocol && config.trustedProxies.length === 0) {
    problems.push({
      key: 'proxyProtocol',
      detail: 'needs trustedProxies: the proxies that may send the header',
    })
  }
  problems.push(...otlpProblems(config), ...tlsProblems(config), ...acmeProblems(config))
  return problems
}

function heldProblems(config: PlugboardConfig): Problem[] {
  const { maxHeldBytes, tokenMaxHeldBytes, tunnelMaxHeldBytes } = config
  const problems: Problem[] = []
  if ((tokenMaxHeldBytes ?? 0) > (maxHeldBytes ?? Number.POSITIVE_INFINITY)) {
    problems.push({ key: 'tokenMaxHeldBytes', detail: 'must not be larger than maxHeld, which contains it' })
  }
  if ((tunnelMaxHeldBytes ?? 0) > (tokenMaxHeldBytes ?? maxHeldBytes ?? Number.POSITIVE_INFINITY)) {
    const detail = 'must not be larger than tokenMaxHeld or maxHeld, which contain it'
    problems.push({ key: 'tunnelMaxHeldBytes', detail })
  }
  return problems
}

function tlsProblems(config: PlugboardConfig): Problem[] {
  const { tlsListen, tlsCertificateFolder, tlsCertificates, listen, acmeDirectory } = config
  const certificates =
    tlsCertificateFolder !== undefined || tlsCertificates.length > 0 || acmeDirectory !== undefined
  if (tlsListen === undefined) {
    const culprits = [
      ...(tlsCertificateFolder === undefined ? [] : (['tlsCertificateFolder'] as const)),
      ...(tlsCertificates.length === 0 ? [] : (['tlsCertificates'] as const)),
      ...(acmeDirectory === undefined ? [] : (['acmeDirectory'] as const)),
      ...(config.httpsRedirect ? (['httpsRedirect'] as const) : []),
      ...(config.hstsMaxAgeMs === 0 ? [] : (['hstsMaxAgeMs'] as const)),
    ]
    return culprits.map(key => ({ key, detail: 'has no effect without tlsListen' }))
  }
  const problems: Problem[] = []
  if (!certificates) {
    problems.push({
      key: 'tlsListen',
      detail: 'needs tlsCertificateFolder, tlsCertificates or acmeDirectory',
    })
  }
  const ciphers = cipherNames(config.tlsCiphers)
  if (ciphers.length === 0) problems.push({ key: 'tlsCiphers', detail: 'must name at least one cipher' })
  else if (config.tlsMinVersion === '1.3' && !ciphers.some(isTls13Cipher)) {
    const detail = 'must name a cipher of TLS 1.3 (TLS_…), because tlsMinVersion allows no older version'
    problems.push({ key: 'tlsCiphers', detail })
  }
  const taken = listen.find(
    ({ host, port }) => port !== 0 && port === tlsListen.port && host === tlsListen.host,
  )
  if (taken !== undefined) {
    problems.push({
      key: 'tlsListen',
      detail: `port ${taken.port} is already the port of the public address (listen)`,
    })
  }
  return problems
}

function acmeProblems(config: PlugboardConfig): Problem[] {
  const problems: Problem[] = []
  const { acmeDirectory, acmeAgree, acmeBindingKeyId, acmeBindingKey, acmeChallenges } = config
  if (acmeDirectory === undefined) {
    if (config.acmeHosts.length > 0) problems.push({ key: 'acmeHosts', detail: 'needs acmeDirectory' })
    return problems
  }
  if (directoryUrlOf(acmeDirectory) === undefined) {
    problems.push({
      key: 'acmeDirectory',
      detail: 'must be letsencrypt, letsencrypt-staging or an https URL',
    })
  }
  if (!acmeAgree)
    problems.push({ key: 'acmeAgree', detail: 'must be true, because the terms of the authority apply' })
  if (acmeChallenges.length === 0)
    problems.push({ key: 'acmeChallenges', detail: 'must name at least one challenge' })
  if ((acmeBindingKeyId === undefined) !== (acmeBindingKey === undefined)) {
    problems.push({
      key: 'acmeBindingKeyId',
      detail: 'works only together with acmeBindingKey: set both, or remove this one',
    })
  }
  return problems
}
