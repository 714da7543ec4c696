// The checks of HTTPS: certificates that end soon, and hosts of routes without a certificate.

import { counted, type Finding, failed, listed, ok, spanText, warning } from '../finding.ts'

const SOON_MS = 14 * 86_400_000
const HTTPS_IS_OFF = 'HTTPS is off: tlsListen is not set.'

export interface CertificateDates {
  /** The file of a certificate, or the host of one from an authority. */
  readonly source: string
  readonly notAfter: Date
}

/** `certificates`: those in use; undefined without HTTPS. */
export function checkExpiry(certificates: readonly CertificateDates[] | undefined, nowMs: number): Finding {
  if (certificates === undefined) return ok(HTTPS_IS_OFF)
  const leftMs = ({ notAfter }: CertificateDates): number => notAfter.getTime() - nowMs
  const ending = certificates
    .filter(certificate => leftMs(certificate) <= SOON_MS)
    .sort((left, right) => leftMs(left) - leftMs(right))
  const [first] = ending
  if (first === undefined)
    return ok(`${counted(certificates.length, 'certificate')} in use, each valid for more than 14 days.`)
  const names = listed(ending.map(({ source }) => source))
  const remedy =
    'Renew the files, for example with "certbot renew": Plugboard reads them again within 10 s. For a certificate of an authority (acmeDirectory), the log has the reason: "certificate not obtained".'
  if (leftMs(first) <= 0)
    return failed(`A certificate has expired ${spanText(leftMs(first))} ago: ${names}.`, remedy)
  return warning(
    `${counted(ending.length, 'certificate')} ${ending.length === 1 ? 'ends' : 'end'} within 14 days: ${names}. The first one ends in ${spanText(leftMs(first))}.`,
    remedy,
  )
}

export interface HostsWithoutCertificate {
  readonly hosts: readonly string[]
  readonly checked: number
}

/** `found`: undefined without HTTPS. */
export function checkHosts(found: HostsWithoutCertificate | undefined): Finding {
  if (found === undefined) return ok(HTTPS_IS_OFF)
  const { hosts, checked } = found
  if (hosts.length === 0)
    return ok(
      `${counted(checked, 'host')} of routes: each has a certificate, or orders one at its first use.`,
    )
  return warning(
    `${counted(hosts.length, 'host')} of routes ${hosts.length === 1 ? 'has' : 'have'} no certificate: ${listed(hosts)}. Browsers reject HTTPS for ${hosts.length === 1 ? 'it' : 'them'}.`,
    'Add certificates for these names to tlsCertificateFolder, or set acmeDirectory and acmeAgree to order them.',
  )
}
