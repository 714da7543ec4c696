// Combines the certificates that replicas have loaded with the orders in the database.

import type { CertificateOrder } from '../../../database/store/store.ts'
import { type CertificateBody, MAX_CERTIFICATES, type RemoteState } from '../../bodies/cluster-status.ts'

/** Returns failed orders first, then the certificate that ends first. */
export function certificateList(
  states: readonly RemoteState[],
  orders: readonly CertificateOrder[],
): CertificateBody[] {
  const orderOf = new Map(orders.map(order => [order.host, order]))
  const rows = new Map<string, CertificateBody & { readonly replicas: string[] }>()
  for (const { id, certificates } of states) {
    for (const { names, issuer, origin, notAfter } of certificates) {
      const key = [origin, notAfter, ...names].join(' ')
      const row = rows.get(key)
      if (row !== undefined) row.replicas.push(id)
      else {
        const order = origin === 'authority' ? orderOf.get(names[0] ?? '') : undefined
        rows.set(key, { names, issuer, origin, notAfter, ...timesOf(order), replicas: [id] })
      }
    }
  }
  const loaded = new Set([...rows.values()].flatMap(({ origin, names }) => (origin === 'file' ? [] : names)))
  const unloaded = orders
    .filter(({ host }) => !loaded.has(host))
    .map(
      (order): CertificateBody => ({
        names: [order.host],
        issuer: null,
        origin: 'authority',
        notAfter: iso(order.notAfter),
        ...timesOf(order),
        replicas: [],
      }),
    )
  return [...rows.values(), ...unloaded].sort(byHarm).slice(0, MAX_CERTIFICATES)
}

const iso = (time: Date | null): string | null => time?.toISOString() ?? null

const timesOf = (order: CertificateOrder | undefined) => ({
  renewAt: iso(order?.renewAt ?? null),
  lastError: order?.lastError ?? null,
  nextAttemptAt: order === undefined || order.lastError === null ? null : iso(order.nextAttemptAt),
})

function byHarm(left: CertificateBody, right: CertificateBody): number {
  const failed = Number(right.lastError !== null) - Number(left.lastError !== null)
  return failed || (left.notAfter ?? '').localeCompare(right.notAfter ?? '')
}
