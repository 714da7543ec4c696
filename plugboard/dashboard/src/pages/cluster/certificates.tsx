// The certificates of the cluster, with their next renewal and the reason of a failed order.

import type { CertificateBody } from '../../../../admin/api-types.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { duration, fullTime } from '../../parts/format.ts'
import { DataTable } from '../../tables/data-table.tsx'

const DAY_MS = 86_400_000
const SOON_MS = 14 * DAY_MS

export function Certificates({ certificates }: { certificates: readonly CertificateBody[] }) {
  return (
    <section class="stack" aria-label="Certificates">
      <h2>Certificates</h2>
      {certificates.length === 0 ? (
        <p class="soft">
          No certificate is loaded. The settings tlsListen, tlsCertificateFolder and acmeDirectory turn HTTPS
          on.
        </p>
      ) : (
        <DataTable
          label="Certificates"
          rows={certificates}
          keyOf={({ names, origin, notAfter }) => `${origin} ${names.join(' ')} ${notAfter}`}
          columns={[
            { name: 'Hosts', isWide: true, cell: ({ names }) => names.join(' ') || 'without a name' },
            { name: 'Issuer', cell: ({ issuer }) => issuer ?? '–' },
            { name: 'From', cell: ({ origin }) => origin },
            { name: 'Valid for', cell: ({ notAfter }) => <Validity notAfter={notAfter} /> },
            { name: 'Next renewal', isWide: true, cell: renewal },
            {
              name: 'Last error',
              isWide: true,
              cell: ({ lastError, nextAttemptAt }) =>
                lastError !== null && (
                  <>
                    <span class="bad">{lastError}</span>
                    {nextAttemptAt !== null && (
                      <div class="soft small">Next attempt: {fullTime(nextAttemptAt)}</div>
                    )}
                  </>
                ),
            },
            { name: 'Loaded by', cell: ({ replicas }) => replicas.join(' ') || '–' },
          ]}
        />
      )}
    </section>
  )
}

function Validity({ notAfter }: { notAfter: string | null }) {
  if (notAfter === null) return <Chip tone="bad">no certificate</Chip>
  const leftMs = Date.parse(notAfter) - Date.now()
  const tone: Tone = leftMs <= 0 ? 'bad' : leftMs <= SOON_MS ? 'warn' : 'good'
  return (
    <Chip tone={tone} title={fullTime(notAfter)}>
      {leftMs <= 0 ? 'expired' : duration(leftMs / 1000)}
    </Chip>
  )
}

const renewal = ({ origin, renewAt }: CertificateBody): string =>
  renewAt !== null ? fullTime(renewAt) : origin === 'file' ? 'by the owner of the file' : 'unknown'
