// The self-signed certificate that a certificate authority gets in TLS-ALPN-01 (RFC 8737). It contains the host and the
// response to the challenge.

import type { Authorization } from 'acme-client'
import { type Certificate, readCertificate } from '../certificate.ts'
import { DEFAULT_TLS_POLICY } from '../tls-policy.ts'
import type { AcmeLibrary } from './library.ts'

/** The application protocol that the authority offers. */
export const VALIDATION_PROTOCOL = 'acme-tls/1'

export async function validationCertificate(
  library: AcmeLibrary,
  host: string,
  keyAuthorization: string,
): Promise<Certificate> {
  const authorization: Authorization = {
    identifier: { type: 'dns', value: host },
    status: 'pending',
    challenges: [],
    url: '',
  }
  const [key, chain] = await library.crypto.createAlpnCertificate(authorization, keyAuthorization)
  const text = { source: host, chain: chain.toString(), key: key.toString() }
  return readCertificate({ ...text, policy: DEFAULT_TLS_POLICY })
}
