// The settings of HTTPS: certificates from files, and from an authority.

import { group, setting } from '@vera-stack/shared/settings.ts'
import { cipherProblem, INTERMEDIATE } from '../tls/ciphers.ts'
import { acmeHostProblem, challengeProblem, pairProblem } from './value-problems.ts'

export const httpsSettings = {
  ...group('HTTPS', {
    tlsListen: setting.listen({ help: 'Public address for HTTPS, such as :443; without it HTTPS is off' }),
    tlsCertificateFolder: setting.path({
      help: 'Folder with certificates: x.crt or x.pem with x.key; folders with fullchain.pem and privkey.pem',
    }),
    tlsCertificates: setting.list({
      default: [],
      item: 'chain:key',
      check: pairProblem,
      help: 'Files of certificates, each chain.pem:key.pem',
    }),
    tlsDefaultHost: setting.text({
      help: 'Host whose certificate is sent to clients that send no host name or an unknown one; default: the first certificate',
    }),
    tlsMinVersion: setting.choice(['1.2', '1.3'], {
      default: '1.2',
      help: 'Oldest TLS version that HTTPS accepts',
    }),
    tlsCiphers: setting.list({
      default: [INTERMEDIATE],
      item: 'cipher',
      check: cipherProblem,
      help: "Ciphers that HTTPS offers, the preferred one first: OpenSSL's names, or intermediate for Mozilla's list",
    }),
    tlsHandshakeTimeoutMs: setting.duration({
      default: '10s',
      min: '100ms',
      max: '10m',
      help: 'Time limit for a whole TLS handshake',
    }),
    http2: setting.boolean({ default: true, help: 'Offer HTTP/2 to clients over HTTPS (ALPN)' }),
    http2Cleartext: setting.boolean({
      default: false,
      help: 'Accept HTTP/2 without TLS (prior knowledge) on the public address',
    }),
    httpsRedirect: setting.boolean({
      default: false,
      help: 'Redirect plain HTTP requests to HTTPS (308), except on routes with allowHttp',
    }),
    hstsMaxAgeMs: setting.duration({
      default: '0',
      max: '3650d',
      help: 'How long browsers use HTTPS only (Strict-Transport-Security, sent to clients that use HTTPS); 0: not sent',
    }),
    hstsSubdomains: setting.boolean({
      default: false,
      help: 'Extend hstsMaxAge to all subdomains (includeSubDomains)',
    }),
  }),

  ...group('Certificates from an authority (ACME)', {
    acmeDirectory: setting.text({
      help: 'Certificate authority: letsencrypt, letsencrypt-staging or the URL of an ACME directory',
    }),
    acmeAgree: setting.boolean({
      default: false,
      help: 'Agree to the terms of the authority; required for orders',
    }),
    acmeEmail: setting.text({ help: 'Contact address for the authority' }),
    acmeHosts: setting.list({
      default: [],
      item: 'host',
      check: acmeHostProblem,
      help: 'Hosts whose certificates are ordered before the first request; *.example.com allows orders for its hosts at their first use',
    }),
    acmeOnDemand: setting.boolean({
      default: true,
      help: 'Order a certificate for a host with a route of its own, at its first use',
    }),
    acmeChallenges: setting.list({
      default: ['http-01', 'tls-alpn-01'],
      item: 'type',
      check: challengeProblem,
      help: 'Challenges for the authority, in order of preference: http-01 (port 80), tls-alpn-01 (port 443)',
    }),
    acmeOrdersPerHour: setting.integer({
      default: 50,
      min: 1,
      help: 'Orders of certificates within an hour, over all replicas',
    }),
    acmeOrdersPerToken: setting.integer({
      default: 10,
      min: 0,
      help: 'Orders of certificates within an hour for hosts that the telephones of one token have claimed; hosts in acmeHosts do not count',
    }),
    acmeBindingKeyId: setting.text({
      help: 'Key id of the external account binding, if the authority requires one',
    }),
    acmeBindingKey: setting.text({ secret: true, help: 'Key of the external account binding, base64url' }),
  }),
} as const
