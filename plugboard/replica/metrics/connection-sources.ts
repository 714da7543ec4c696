// The sources of the metrics of client connections and certificates.

import type { MetricParts, SourcesOf } from './metric-parts.ts'

/** The largest number of hosts with the end of their certificate. */
const MAX_CERTIFICATE_HOSTS = 100

export function connectionSources({
  ports,
}: MetricParts): SourcesOf<
  | 'plugboard_connections'
  | 'plugboard_connections_total'
  | 'plugboard_connections_refused_total'
  | 'plugboard_tls_handshakes_total'
  | 'plugboard_certificate_expiry_timestamp_seconds'
> {
  return {
    plugboard_connections: sink => sink.value([], ports()?.traffic().openConnections ?? 0),
    plugboard_connections_total: sink => {
      const traffic = ports()?.traffic()
      sink.value(['http1'], traffic?.http1Connections ?? 0)
      sink.value(['http2'], traffic?.http2Connections ?? 0)
    },
    plugboard_connections_refused_total: sink => {
      for (const [reason, count] of Object.entries(ports()?.connectionRefusals ?? {}))
        sink.value([reason], count)
    },
    plugboard_tls_handshakes_total: sink => {
      const tls = ports()?.traffic().tls ?? undefined
      if (tls === undefined) return
      sink.value(['full'], tls.handshakes - tls.resumed)
      sink.value(['resumed'], tls.resumed)
      sink.value(['failed'], tls.handshakesFailed)
      sink.value(['refused'], tls.handshakesRefused)
    },
    plugboard_certificate_expiry_timestamp_seconds: sink => {
      const expiries = [...(ports()?.certificateExpiries() ?? [])].map(
        ([host, notAfter]) => [host, notAfter.getTime() / 1000] as const,
      )
      expiries.sort(([, one], [, other]) => one - other)
      for (const [host, seconds] of expiries.slice(0, MAX_CERTIFICATE_HOSTS)) sink.value([host], seconds)
    },
  }
}
