// A tunnel of a telephone as the admin API lists it.

import type { ListedTelephone } from '../../../plugboard/telephones/listed-telephone.ts'

export const SAMPLE_TELEPHONE: ListedTelephone = {
  id: 'tunnel-1',
  name: 'shop-1',
  instance: 'i1',
  agent: 'telephone/0.1.0',
  remoteAddress: '10.0.0.1',
  connectedAt: '1970-01-01T00:00:00.000Z',
  services: [
    {
      service: 'shop',
      mounts: ['a.test'],
      health: 'up',
      weight: 1,
      version: '',
      labels: { zone: 'eu' },
      outage: null,
      override: null,
      ejections: [],
      subsetStops: [],
    },
  ],
  tokenId: 't1',
  tokenExpiresAt: null,
  streams: 3,
  rttMs: null,
  replicaId: 'r1',
}
